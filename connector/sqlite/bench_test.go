package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

func narrow(t testing.TB, path string, n int) *db {
	d, err := open(path, readWriteCreate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	if err := d.exec("PRAGMA journal_mode=wal; PRAGMA synchronous=normal; CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT, d INTEGER, e REAL)"); err != nil {
		t.Fatal(err)
	}
	fillNarrow(t, d, n)
	return d
}

func fillNarrow(t testing.TB, d *db, n int) time.Duration {
	began := time.Now()
	if err := d.exec("BEGIN"); err != nil {
		t.Fatal(err)
	}
	s, err := d.prepare("INSERT INTO t(a,b,c,d,e) VALUES(?,?,?,?,?)")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for i := range n {
		s.bindInt(1, int64(i))
		s.bindFloat(2, float64(i)*0.5)
		s.bindText(3, "hello")
		s.bindInt(4, int64(i%7))
		s.bindFloat(5, 1.25)
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func BenchmarkSnapshotNarrow(b *testing.B) {
	path := filepath.Join(b.TempDir(), "n.db")
	narrow(b, path, 200_000)
	benchSnapshot(b, path, 200_000)
}

func BenchmarkSnapshotPictures(b *testing.B) {
	path := filepath.Join(b.TempDir(), "n.db")
	d, err := open(path, readWriteCreate)
	if err != nil {
		b.Fatal(err)
	}
	defer d.close()
	if err := d.exec("PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, pixels BLOB, label INTEGER); BEGIN"); err != nil {
		b.Fatal(err)
	}
	const n = 60_000
	s, err := d.prepare("INSERT INTO t(pixels, label) VALUES(?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	p := make([]byte, 784)
	for i := range n {
		p[i%784] = byte(i)
		s.bindBlob(1, p)
		s.bindInt(2, int64(i%10))
		if err := s.run(); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.exec("COMMIT"); err != nil {
		b.Fatal(err)
	}
	benchSnapshot(b, path, n)
}

func benchSnapshot(b *testing.B, path string, want int) {
	after := tidemill.Position("")
	for b.Loop() {
		n := 0
		for batch, err := range Source(path, "t").Changes(context.Background(), after) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(batch.Changes)
			if batch.CaughtUp {
				break
			}
		}
		if n != want {
			b.Fatalf("read %d rows, want %d", n, want)
		}
		after = tidemill.Begun
	}
	b.ReportMetric(float64(want)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkWriter is what the triggers leave of a writer's speed, in one transaction.
func BenchmarkWriter(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("triggers=%t", with), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "n.db")
			d := narrow(b, path, 0)
			if with {
				for _, err := range Source(path, "t").Changes(context.Background(), "") {
					if err != nil {
						b.Fatal(err)
					}
					break
				}
			}
			const n = 100_000
			for b.Loop() {
				fillNarrow(b, d, n)
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}

// BenchmarkWriterPictures writes pictures of 784 bytes, then their labels.
func BenchmarkWriterPictures(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("triggers=%t", with), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "n.db")
			d, err := open(path, readWriteCreate)
			if err != nil {
				b.Fatal(err)
			}
			defer d.close()
			if err := d.exec("PRAGMA journal_mode=wal; PRAGMA synchronous=normal; CREATE TABLE t(id INTEGER PRIMARY KEY, pixels BLOB, label INTEGER)"); err != nil {
				b.Fatal(err)
			}
			if with {
				for _, err := range Source(path, "t").Changes(context.Background(), "") {
					if err != nil {
						b.Fatal(err)
					}
					break
				}
			}
			const n = 20_000
			var inserting, labelling time.Duration
			for b.Loop() {
				began := time.Now()
				if err := d.exec(fmt.Sprintf("WITH RECURSIVE i(n) AS (VALUES(1) UNION ALL SELECT n+1 FROM i WHERE n<%d) INSERT INTO t(pixels) SELECT zeroblob(784) FROM i", n)); err != nil {
					b.Fatal(err)
				}
				inserting += time.Since(began)
				began = time.Now()
				if err := d.exec("UPDATE t SET label=7 WHERE label IS NULL"); err != nil {
					b.Fatal(err)
				}
				labelling += time.Since(began)
			}
			b.ReportMetric(n*float64(b.N)/inserting.Seconds(), "inserts/s")
			b.ReportMetric(n*float64(b.N)/labelling.Seconds(), "updates/s")
		})
	}
}

// BenchmarkStream reads a log that is there.
func BenchmarkStream(b *testing.B) {
	path := filepath.Join(b.TempDir(), "n.db")
	d := narrow(b, path, 0)
	var at tidemill.Position
	for batch, err := range Source(path, "t").Changes(context.Background(), "") {
		if err != nil {
			b.Fatal(err)
		}
		at = batch.Upto
		break
	}
	const n = 200_000
	fillNarrow(b, d, n)
	for b.Loop() {
		got := 0
		for batch, err := range Source(path, "t").Changes(context.Background(), at) {
			if err != nil {
				b.Fatal(err)
			}
			if got += len(batch.Changes); batch.CaughtUp {
				break
			}
		}
		if got != n {
			b.Fatalf("read %d changes", got)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

// BenchmarkLatency is from the commit's return to the batch.
func BenchmarkLatency(b *testing.B) {
	for _, mode := range []string{"wal", "delete"} {
		b.Run(mode, func(b *testing.B) { benchLatency(b, mode) })
	}
}

func benchLatency(b *testing.B, mode string) {
	path := filepath.Join(b.TempDir(), "n.db")
	d := narrow(b, path, 0)
	if err := d.exec("PRAGMA journal_mode=" + mode); err != nil {
		b.Fatal(err)
	}
	sqliteBusy(d, 10_000)
	c := collect(Source(path, "t"), "")
	defer c.stop()
	c.until(b, "snapshot", func(batch tidemill.Batch) bool { return batch.CaughtUp })
	var sum, most time.Duration
	n := 0
	for b.Loop() {
		if n%10 == 9 {
			time.Sleep(20 * time.Millisecond)
		}
		fillNarrow(b, d, 1)
		began := time.Now()
		c.take(b, 1)
		took := time.Since(began)
		sum += took
		most = max(most, took)
		n++
	}
	b.ReportMetric(float64(sum.Microseconds())/float64(n), "us-mean")
	b.ReportMetric(float64(most.Microseconds()), "us-max")
}

func BenchmarkSink(b *testing.B) {
	for _, size := range []int{1, 4096} {
		b.Run(fmt.Sprintf("rows=%d", size), func(b *testing.B) {
			ctx := context.Background()
			s := Sink(filepath.Join(b.TempDir(), "p.db"), "predictions")
			defer s.Close()
			if err := s.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
				b.Fatal(err)
			}
			labels := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
			r := rand.New(rand.NewPCG(1, 2))
			seq := uint64(0)
			out := make([]tidemill.Output, size)
			for b.Loop() {
				for i := range out {
					seq++
					p := make([]float64, 10)
					for k := range p {
						p[k] = r.Float64()
					}
					out[i] = tidemill.Output{Seq: seq, Task: "digit", ID: fmt.Sprint(seq), Label: "7", Score: p[7], Labels: labels, Prediction: p,
						Version: tidemill.Version{Start: 1, Learned: seq}, Asked: asked, Position: fmt.Sprint(seq)}
				}
				if err := s.Write(ctx, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
