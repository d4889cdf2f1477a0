package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/store"
)

var million = flag.Bool("million", false, "hold a million questions open, not 60,000")

// crowd is a source of n rows that are inserted, and then all answered in another order.
type crowd struct {
	table *tidemill.Table
	n     int
	stop  int // it ends after so many changes, as a cancelled flow does; 0: not
}

func (s *crowd) Describe() string                                 { return "crowd" }
func (s *crowd) Release(context.Context, tidemill.Position) error { return nil }

// row is the row that change i is about: the second half visits all of them in steps that share no factor with n.
func (s *crowd) row(i int) (id int, answer bool) {
	if i < s.n {
		return i, false
	}
	return (i - s.n) * 7919 % s.n, true
}

func (s *crowd) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		at := 0
		if after == "" || after == tidemill.Begun {
			if !yield(tidemill.Batch{Upto: "crowd 0", Live: true}, nil) {
				return
			}
		} else {
			fmt.Sscanf(string(after), "crowd %d", &at)
		}
		for at < 2*s.n {
			b := tidemill.Batch{Live: true}
			for len(b.Changes) < 2000 && at < 2*s.n {
				id, answer := s.row(at)
				at++
				c := tidemill.Change{Op: tidemill.Insert, Table: s.table, Tx: &tidemill.Tx{Order: uint64(at), Commit: noon.Add(time.Duration(at) * time.Millisecond)},
					After: []tidemill.Value{tidemill.Int(int64(id)), tidemill.Float(float64(id % 97)), tidemill.Float(float64(id % 31)), tidemill.Float(1),
						tidemill.Float(2), tidemill.Text(fmt.Sprint("city ", id%50)), tidemill.Null()}}
				if answer {
					c.Op, c.After[6] = tidemill.Update, tidemill.Bool(id%3 == 0)
				}
				b.Changes = append(b.Changes, c)
			}
			b.Upto = tidemill.Position(fmt.Sprintf("crowd %d", at))
			if !yield(b, nil) {
				return
			}
			if s.stop > 0 && at >= s.stop {
				return // the flow ends in good order, with a checkpoint
			}
		}
		yield(tidemill.Batch{Upto: tidemill.Position(fmt.Sprintf("crowd %d", at)), Live: true, CaughtUp: true}, nil)
	}
}

// roll notes who was predicted and who was told the truth, a bit each.
type roll struct {
	asked, told []uint64
	twice       int
	mark        tidemill.Mark
}

func (s *roll) Describe() string { return "roll" }
func (s *roll) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}
func (s *roll) Resume(_ context.Context, r tidemill.Resumption) error {
	s.mark.Term = r.Term
	return nil
}
func (s *roll) Flush(context.Context) (tidemill.Mark, error) { return s.mark, nil }
func (s *roll) Close() error                                 { return nil }
func (s *roll) Write(_ context.Context, out []tidemill.Output) error {
	for i := range out {
		var id int
		fmt.Sscan(out[i].ID, &id)
		bits := s.asked
		if out[i].Kind == tidemill.Truth {
			bits = s.told
		}
		if bits[id/64]&(1<<(id%64)) != 0 {
			s.twice++
		}
		bits[id/64] |= 1 << (id % 64)
		s.mark.Seq = out[i].Seq
	}
	return nil
}

// crowdResult is what the child tells.
type crowdResult struct {
	Counts  engine.Counts
	Twice   int
	PeakRSS uint64
	Peak    [2]uint64
	Seconds float64
	Files   int
}

// TestOpenQuestions holds many questions open, most of them on disk, through restarts: none is lost and none answered twice,
// and the process stays small. A child runs it, so that its memory is its own.
func TestOpenQuestions(t *testing.T) {
	if os.Getenv("TIDEMILL_CROWD") != "" {
		crowdChild(t)
		return
	}
	n, memory, limit := 60_000, 2<<20, uint64(80<<20)
	if *million {
		n, memory, limit = 1_000_000, 0, 200<<20
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestOpenQuestions$", "-test.timeout", "300s")
	out, err := os.CreateTemp(t.TempDir(), "result")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "TIDEMILL_CROWD="+fmt.Sprint(n), "TIDEMILL_CROWD_MEMORY="+fmt.Sprint(memory), "TIDEMILL_CROWD_RESULT="+out.Name(), "TIDEMILL_CROWD_DIR="+t.TempDir())
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var r crowdResult
	b, err := os.ReadFile(out.Name())
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d questions: peak %d MB (before: %d MB; with all open: %d MB), %.1f s, %d segments", n, r.PeakRSS>>20, r.Peak[0]>>20, r.Peak[1]>>20, r.Seconds, r.Files)
	c := r.Counts
	if c.Asked != uint64(n) || c.Answered != uint64(n) || c.Learned != uint64(n) || c.Open != 0 || c.Unasked+c.Corrected+c.Replaced+c.Expired+c.Late != 0 || r.Twice != 0 {
		t.Errorf("%+v, %d told twice", c, r.Twice)
	}
	if r.Files < 2 {
		t.Errorf("%d segments: nothing went to disk", r.Files)
	}
	if r.PeakRSS > limit*raceFactor && runtime.GOOS == "linux" {
		t.Errorf("the process took %d MB", r.PeakRSS>>20)
	}
}

func crowdChild(t *testing.T) {
	var n, memory int
	fmt.Sscan(os.Getenv("TIDEMILL_CROWD"), &n)
	fmt.Sscan(os.Getenv("TIDEMILL_CROWD_MEMORY"), &memory)
	dir := os.Getenv("TIDEMILL_CROWD_DIR")
	began := time.Now()
	r := crowdResult{Peak: [2]uint64{peakRSS()}}
	sink := &roll{asked: make([]uint64, n/64+1), told: make([]uint64, n/64+1)}
	table := tidemill.NewTable("", "people", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "a", Kind: tidemill.KindFloat}, {Name: "b", Kind: tidemill.KindFloat},
		{Name: "c", Kind: tidemill.KindFloat}, {Name: "d", Kind: tidemill.KindFloat}, {Name: "city", Kind: tidemill.KindText}, {Name: "stays", Kind: tidemill.KindBool}}, []int{0})
	for _, stop := range []int{n / 3, n, n + n/4, n + n/2, 0} { // a restart after each
		f := tidemill.Flow{Name: "crowd", Source: &crowd{table, n, stop}, Sinks: []tidemill.Sink{sink}, Store: store.Dir(dir), Every: 2 * time.Second,
			Tasks: []tidemill.Task{{Name: "stays", Memory: memory, Snapshot: tidemill.SnapshotSkip,
				Predict: tidemill.On{Op: tidemill.Insert, Table: "people"}, Learn: tidemill.On{Op: tidemill.Update, Table: "people", Label: "stays"},
				Classes: []string{"false", "true"}, Features: []tidemill.Feature{feature.Numeric("a", "b", "c", "d"), feature.OneHot("city")}, Model: model.Logistic(model.SGD(0.01))}}}
		s := drive(t, f)
		r.Counts = s.Tasks[0].Counts
		if stop == n {
			if r.Counts.Open != uint64(n) {
				t.Fatalf("%d of %d are open", r.Counts.Open, n)
			}
			c := newest(t, store.Dir(dir))
			r.Peak[1], r.Files = peakRSS(), len(c.Segments)
		}
		debug.FreeOSMemory() // another process would begin with nothing
	}
	r.Twice, r.PeakRSS, r.Seconds = sink.twice, peakRSS(), time.Since(began).Seconds()
	b, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(os.Getenv("TIDEMILL_CROWD_RESULT"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// peakRSS is the largest resident size of this process so far; 0 where the system does not tell.
func peakRSS() uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kb uint64
	for line := range strings.Lines(string(text)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	return 0
}
