package file

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/format/json"
)

func benchmark(b *testing.B, name string, line func(*rand.Rand, int) string) {
	const rows = 200_000
	var buf bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	if filepath.Ext(name) == ".csv" {
		buf.WriteString("id,carrier,delay,distance\n")
	}
	for i := range rows {
		buf.WriteString(line(random, i))
	}
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(buf.Len()))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for batch, err := range Source(path).Key("id").Changes(context.Background(), "") {
			if err != nil {
				b.Fatal(err)
			}
			n += len(batch.Changes)
		}
		if n != rows {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkCSV(b *testing.B) {
	benchmark(b, "f.csv", func(r *rand.Rand, i int) string {
		return fmt.Sprintf("%d,%c%c,%.1f,%d\n", i, 'A'+r.IntN(26), 'A'+r.IntN(26), r.Float64()*100, r.IntN(5000))
	})
}

func BenchmarkJSONL(b *testing.B) {
	benchmark(b, "f.jsonl", func(r *rand.Rand, i int) string {
		return fmt.Sprintf("{\"id\":%d,\"carrier\":\"%c%c\",\"delay\":%.1f,\"distance\":%d}\n", i, 'A'+r.IntN(26), 'A'+r.IntN(26), r.Float64()*100, r.IntN(5000))
	})
}

func BenchmarkSink(b *testing.B) {
	w := Sink(filepath.Join(b.TempDir(), "out.jsonl"), json.Plain())
	if err := w.Resume(b.Context(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		b.Fatal(err)
	}
	out := make([]tidemill.Output, 1000)
	for i := range out {
		out[i] = tidemill.Output{Kind: tidemill.Predicted, Task: "late", ID: "4711", Label: "true", Score: 0.75, Labels: []string{"false", "true"}, Prediction: []float64{0.25, 0.75}, Position: "0/16B3748"}
	}
	seq := uint64(0)
	for b.Loop() {
		for i := range out {
			seq++
			out[i].Seq = seq
		}
		if err := w.Write(b.Context(), out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(out))*float64(b.N)/b.Elapsed().Seconds(), "outputs/s")
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
