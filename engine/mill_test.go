package engine_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

// script is a source that yields a fixed history: snapshot rows, then changes. Positions are indexes into the stream.
type script struct {
	table    *tidemill.Table
	snapshot []tidemill.Change
	stream   []tidemill.Change
	cut      int // changes per batch
	dieAfter int // batches until a fatal error; 0: never
	released []tidemill.Position
	mu       sync.Mutex
	asked    []tidemill.Position
}

var errDied = errors.New("died")

func (s *script) Describe() string { return "script" }

func (s *script) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		s.mu.Lock()
		s.asked = append(s.asked, after)
		s.mu.Unlock()
		left := s.dieAfter
		give := func(b tidemill.Batch) bool {
			if s.dieAfter > 0 {
				if left == 0 {
					yield(tidemill.Batch{}, tidemill.Fatal(errDied))
					return false
				}
				left--
			}
			return yield(b, nil)
		}
		at := 0
		if after == "" || after == tidemill.Begun {
			for i := 0; i < len(s.snapshot); i += s.cut {
				if !give(tidemill.Batch{Changes: clones(s.snapshot[i:min(i+s.cut, len(s.snapshot))])}) {
					return
				}
			}
			if !give(tidemill.Batch{Upto: "s:0", Live: true}) {
				return
			}
		} else {
			fmt.Sscanf(string(after), "s:%d", &at)
		}
		for i := at; i < len(s.stream); i += s.cut {
			j := min(i+s.cut, len(s.stream))
			if !give(tidemill.Batch{Changes: clones(s.stream[i:j]), Upto: tidemill.Position(fmt.Sprintf("s:%d", j)), Live: true}) {
				return
			}
		}
		if give(tidemill.Batch{Upto: tidemill.Position(fmt.Sprintf("s:%d", len(s.stream))), Live: true, CaughtUp: true}) {
			<-ctx.Done()
		}
	}
}

func clones(cs []tidemill.Change) []tidemill.Change { return append([]tidemill.Change(nil), cs...) }

func (s *script) Release(_ context.Context, p tidemill.Position) error {
	s.mu.Lock()
	s.released = append(s.released, p)
	s.mu.Unlock()
	return nil
}

// tableSink keeps rows by key in memory, as a database table outlives a process.
type tableSink struct {
	rows map[string]string
	mark tidemill.Mark
	term uint64
	log  []string
}

func (s *tableSink) Describe() string { return "table" }
func (s *tableSink) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}
func (s *tableSink) Resume(_ context.Context, r tidemill.Resumption) error {
	if s.term > r.Term {
		return tidemill.ErrFenced
	}
	s.term = r.Term
	if s.rows == nil {
		s.rows = map[string]string{}
	}
	return nil
}
func (s *tableSink) Write(_ context.Context, out []tidemill.Output) error {
	for i := range out {
		o := &out[i]
		s.log = append(s.log, fmt.Sprintf("%d %s %s %s", o.Seq, o.Kind, o.ID, o.Label))
		switch o.Kind {
		case tidemill.Predicted:
			s.rows[o.ID] = fmt.Sprintf("%s %.6f %s %s", o.Label, o.Score, o.Version, o.Truth)
		case tidemill.Truth:
			s.rows[o.ID] += "=" + o.Truth
			if i := strings.IndexByte(s.rows[o.ID], '='); !o.Corrected {
				s.rows[o.ID] = s.rows[o.ID][:i] + "=" + o.Truth
			}
		case tidemill.Retracted:
			s.rows[o.NewID] = s.rows[o.ID]
			delete(s.rows, o.ID)
		}
		s.mark = tidemill.Mark{Term: s.term, Seq: o.Seq}
	}
	return nil
}
func (s *tableSink) Flush(context.Context) (tidemill.Mark, error) { return s.mark, nil }
func (s *tableSink) Close() error                                 { return nil }

func (s *tableSink) String() string {
	var keys []string
	for k := range s.rows {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintln(&b, k, s.rows[k])
	}
	return b.String()
}

// column is a feature: one number.
type column struct{ name string }

func (f *column) Describe() string { return "column " + f.name }
func (f *column) Columns() ([]tidemill.FeatureColumn, bool) {
	return []tidemill.FeatureColumn{{Name: f.name}}, false
}
func (f *column) Folds() []string { return nil }
func (f *column) Bind(t *tidemill.Table, _ tidemill.Role) error {
	if t.Col(f.name) < 0 {
		return errors.New("no column " + f.name)
	}
	return nil
}
func (f *column) Needs(*tidemill.Table, tidemill.Role) ([]string, bool) {
	return []string{f.name}, false
}
func (f *column) Update(*tidemill.Change, int64)        {}
func (f *column) AppendBinary(b []byte) ([]byte, error) { return b, nil }
func (f *column) UnmarshalBinary([]byte) error          { return nil }
func (f *column) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	v, ok := c.Row()[c.Table.Col(f.name)].Number()
	if !ok {
		v = math.NaN()
	}
	if math.IsInf(v, 0) {
		return &tidemill.RowError{Column: f.name, Reason: "infinite"}
	}
	dst.Dense = append(dst.Dense, v)
	return nil
}

// slope is a model: logistic regression on one number, step 0.1.
type slope struct{ w, b float64 }

func (m *slope) Describe() string          { return "slope" }
func (m *slope) Kind() tidemill.ModelKind  { return tidemill.Classify }
func (m *slope) New() tidemill.Model       { return &slope{} }
func (m *slope) Bind(tidemill.Input) error { return nil }
func (m *slope) p(x *tidemill.Vector) float64 {
	if math.IsNaN(x.Dense[0]) {
		return 1 / (1 + math.Exp(-m.b))
	}
	return 1 / (1 + math.Exp(-(float64(m.w*x.Dense[0]) + m.b)))
}
func (m *slope) Learn(e *tidemill.Example) {
	g := m.p(e.X) - e.Y[0]
	m.w -= 0.1 * g * e.X.Dense[0]
	m.b -= 0.1 * g
}
func (m *slope) Predict(dst []float64, x *tidemill.Vector) []float64 {
	p := m.p(x)
	return append(dst, 1-p, p)
}
func (m *slope) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(m.w))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(m.b)), nil
}
func (m *slope) UnmarshalBinary(b []byte) error {
	if len(b) != 16 {
		return errors.New("short")
	}
	m.w = math.Float64frombits(binary.LittleEndian.Uint64(b))
	m.b = math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	return nil
}

var day = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func orders() *tidemill.Table {
	return tidemill.NewTable("", "orders", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "x", Kind: tidemill.KindFloat, Nullable: true},
		{Name: "late", Kind: tidemill.KindBool, Nullable: true}}, []int{0})
}

// history is n orders: some in the snapshot, the others inserted without a label and updated with it 7 changes later.
func history(table *tidemill.Table, snapshot, n int) (snap, stream []tidemill.Change) {
	row := func(i int, known bool) []tidemill.Value {
		x := math.Sin(float64(i) * 1.7)
		late := tidemill.Null()
		if known {
			late = tidemill.Bool(x+0.3*math.Cos(float64(i)*9.1) > 0)
		}
		return []tidemill.Value{tidemill.Int(int64(i)), tidemill.Float(x), late}
	}
	for i := range snapshot {
		snap = append(snap, tidemill.Change{Op: tidemill.Read, Table: table, After: row(i, true), Tx: &tidemill.Tx{Order: 1, Commit: day}, N: uint64(i)})
	}
	order := uint64(2)
	put := func(op tidemill.Op, after []tidemill.Value) {
		stream = append(stream, tidemill.Change{Op: op, Table: table, After: after, Tx: &tidemill.Tx{Order: order, Commit: day.Add(time.Duration(order) * time.Second)}})
		order++
	}
	for i := snapshot; i < n; i++ {
		put(tidemill.Insert, row(i, false))
		if i-7 >= snapshot {
			put(tidemill.Update, row(i-7, true))
		}
	}
	return snap, stream
}

func lateTask() tidemill.Task {
	return tidemill.Task{Name: "late",
		Predict:  tidemill.On{Op: tidemill.Insert, Table: "orders"},
		Learn:    tidemill.On{Op: tidemill.Update, Table: "orders", Label: "late"},
		Classes:  []string{"false", "true"},
		Features: []tidemill.Feature{&column{name: "x"}}, Model: &slope{}, Scores: []tidemill.Score{score.Accuracy(), score.LogLoss()}}
}

// drive runs a flow until it has caught up.
func drive(t *testing.T, f tidemill.Flow) *engine.Status {
	t.Helper()
	f.Once = true
	m, err := engine.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	return m.Status()
}

func newest(t *testing.T, s tidemill.Store) *tidemill.Checkpoint {
	t.Helper()
	ids, _, err := s.List(t.Context())
	if err != nil || len(ids) == 0 {
		t.Fatalf("no checkpoint: %v", err)
	}
	c, err := s.Load(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sameSections compares two checkpoints but for what names the run.
func sameSections(t *testing.T, want, got *tidemill.Checkpoint) {
	t.Helper()
	if len(want.Sections) != len(got.Sections) {
		t.Fatalf("%d sections, want %d", len(got.Sections), len(want.Sections))
	}
	for i := range want.Sections {
		w, g := want.Sections[i], got.Sections[i]
		if w.Name == "flow" || w.Name == "journal" {
			continue
		}
		if w.Name != g.Name || string(w.Data) != string(g.Data) {
			t.Errorf("section %s differs", w.Name)
		}
	}
}

func TestMillLearnsAndAnswers(t *testing.T) {
	table := orders()
	snap, stream := history(table, 50, 400)
	sink, st := &tableSink{}, store.Memory()
	s := drive(t, tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 32}, Tasks: []tidemill.Task{lateTask()},
		Sinks: []tidemill.Sink{sink}, Store: st})
	c := s.Tasks[0].Counts
	if c.Asked != 350 || c.Answered != 343 || c.Open != 7 || c.Learned != 50+343 {
		t.Fatalf("counts: %+v", c)
	}
	for _, sc := range s.Tasks[0].Scores {
		if sc.Name == "accuracy" && sc.Phase == "stream" {
			if *sc.Value < 0.75 || *sc.Baselines["majority"] > 0.7 {
				t.Errorf("accuracy %v, majority %v", *sc.Value, *sc.Baselines["majority"])
			}
		}
	}
	if len(sink.rows) != 350 {
		t.Errorf("%d prediction rows, want 350", len(sink.rows))
	}
	if !strings.Contains(sink.String(), "1.50 ") {
		t.Errorf("the first prediction should carry version 1.50:\n%.200s", sink)
	}
}

// TestBatchCutsAndCrashes is law 1: the bytes of every state and the sink's rows are the same however the source cuts
// its batches and wherever the run is killed.
func TestBatchCutsAndCrashes(t *testing.T) {
	table := orders()
	snap, stream := history(table, 40, 300)
	flow := func(cut, die int, sink *tableSink, st tidemill.Store) tidemill.Flow {
		return tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: cut, dieAfter: die},
			Tasks: []tidemill.Task{lateTask()}, Sinks: []tidemill.Sink{sink}, Store: st, Every: time.Nanosecond}
	}
	wantSink, wantStore := &tableSink{}, store.Memory()
	drive(t, flow(64, 0, wantSink, wantStore))
	want := newest(t, wantStore)
	for _, cut := range []int{1, 7, 50, 1000} {
		for _, die := range []int{0, 1, 2, 3, 5, 8, 13} {
			t.Run(fmt.Sprintf("cut %d, die after %d", cut, die), func(t *testing.T) {
				sink, st := &tableSink{}, store.Memory()
				for try := 0; ; try++ {
					d := die
					if try == 3 {
						d = 0
					}
					f := flow(cut+try, d, sink, st)
					f.Once = true
					m, err := engine.Start(t.Context(), f)
					if err != nil {
						t.Fatal(err)
					}
					if err = m.Wait(); err == nil {
						break
					} else if !errors.Is(err, errDied) {
						t.Fatal(err)
					}
				}
				sameSections(t, want, newest(t, st))
				if sink.String() != wantSink.String() {
					t.Errorf("the sink differs")
				}
			})
		}
	}
}

func TestReleaseNeverPassesTheOldestCheckpoint(t *testing.T) {
	table := orders()
	snap, stream := history(table, 10, 200)
	src, st := &script{table: table, snapshot: snap, stream: stream, cut: 5}, store.Memory()
	drive(t, tidemill.Flow{Name: "orders", Source: src, Tasks: []tidemill.Task{lateTask()}, Store: st, Every: time.Nanosecond})
	ids, _, _ := st.List(t.Context())
	oldest, err := st.Load(t.Context(), ids[len(ids)-1])
	if err != nil {
		t.Fatal(err)
	}
	if last := src.released[len(src.released)-1]; len(ids) != 2 || last != oldest.Position {
		t.Errorf("released %s; %d checkpoints kept, the oldest at %s", last, len(ids), oldest.Position)
	}
}

// doors notes the order in which a checkpoint goes through sink, store and source.
type doors struct {
	mu    sync.Mutex
	steps []string
}

func (d *doors) note(format string, a ...any) {
	d.mu.Lock()
	d.steps = append(d.steps, fmt.Sprintf(format, a...))
	d.mu.Unlock()
}

type notedSink struct {
	*tableSink
	d *doors
}

func (s notedSink) Flush(ctx context.Context) (tidemill.Mark, error) {
	m, err := s.tableSink.Flush(ctx)
	s.d.note("flush %d", m.Seq)
	return m, err
}

type notedStore struct {
	tidemill.Store
	d *doors
}

func (s notedStore) Save(ctx context.Context, c *tidemill.Checkpoint) error {
	err := s.Store.Save(ctx, c)
	if c.Position != "" {
		s.d.note("save %s %d", c.Position, c.Marks[0].Seq)
	}
	return err
}

type notedSource struct {
	*script
	d *doors
}

// Changes gives batches slowly enough for a checkpoint between two of them.
func (s notedSource) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		for b, err := range s.script.Changes(ctx, after) {
			if time.Sleep(time.Millisecond); !yield(b, err) {
				return
			}
		}
	}
}

func (s notedSource) Release(ctx context.Context, p tidemill.Position) error {
	s.d.note("release %s", p)
	return s.script.Release(ctx, p)
}

// TestCheckpointOrder: what a checkpoint says that the sink has was flushed before it was saved, and the source is released
// only up to what was saved. A process that dies before or after each of these steps loses nothing.
func TestCheckpointOrder(t *testing.T) {
	table := orders()
	snap, stream := history(table, 10, 60)
	run := func(d *doors, faults *tidemilltest.Faults, sink *tableSink, st tidemill.Store) error {
		f := tidemill.Flow{Name: "orders", Source: notedSource{&script{table: table, snapshot: snap, stream: stream, cut: 9}, d}, Tasks: []tidemill.Task{lateTask()},
			Sinks: []tidemill.Sink{notedSink{sink, d}}, Store: notedStore{st, d}, Every: time.Nanosecond, Once: true}
		f.Source, f.Sinks[0], f.Store = faults.Source(f.Source), faults.Sink(f.Sinks[0]), faults.Store(f.Store)
		m, err := engine.Start(t.Context(), f)
		if err != nil {
			return err
		}
		return m.Wait()
	}
	d, none, wantSink, wantStore := &doors{}, tidemilltest.NewFaults(0, tidemilltest.FailOnce), &tableSink{}, store.Memory()
	if err := run(d, none, wantSink, wantStore); err != nil {
		t.Fatal(err)
	}
	flushed, saved, released := "0", map[string]bool{}, 0
	for _, step := range d.steps {
		switch w := strings.Fields(step); w[0] {
		case "flush":
			flushed = w[1]
		case "save":
			if w[2] != flushed {
				t.Errorf("%s, but what was flushed last is %s: %v", step, flushed, d.steps)
			}
			saved[w[1]] = true
		case "release":
			released++
			if !saved[w[1]] {
				t.Errorf("%s before it was saved: %v", step, d.steps)
			}
		}
	}
	if len(saved) < 4 || released < 4 {
		t.Fatalf("%d checkpoints, %d releases: %v", len(saved), released, d.steps)
	}
	met := map[string]int{}
	for at := 1; at <= none.Ops(); at++ {
		for _, how := range []tidemilltest.Failure{tidemilltest.CrashBefore, tidemilltest.CrashAfter} {
			faults, sink, st := tidemilltest.NewFaults(at, how), &tableSink{}, store.Memory()
			err := run(&doors{}, faults, sink, st)
			if errors.Is(err, tidemilltest.ErrCrashed) {
				if err := faults.Bury(); err != nil {
					t.Fatal(err)
				}
				met[strings.Fields(faults.What())[0]]++
				err = run(&doors{}, tidemilltest.NewFaults(0, how), sink, st)
			}
			if err != nil {
				t.Fatalf("%s %s: %v", how, faults.What(), err)
			}
			sameSections(t, newest(t, wantStore), newest(t, st))
			if sink.String() != wantSink.String() {
				t.Errorf("%s %s: the sink differs", how, faults.What())
			}
		}
	}
	for _, what := range []string{"sink.Flush", "store.Save", "source.Release"} {
		if met[what] < 4 {
			t.Errorf("it died at %s %d times only: %v", what, met[what], met)
		}
	}
}

func TestEditedFlowStops(t *testing.T) {
	table := orders()
	snap, stream := history(table, 10, 60)
	st := store.Memory()
	f := tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 5}, Tasks: []tidemill.Task{lateTask()}, Store: st}
	drive(t, f)
	f.Tasks = []tidemill.Task{lateTask()}
	f.Tasks[0].Learn.Label = "not late"
	if _, err := engine.Start(t.Context(), f); !errors.Is(err, tidemill.ErrChanged) || !strings.Contains(err.Error(), "label: not late") || !strings.Contains(err.Error(), "--fresh") {
		t.Errorf("a changed label: %v", err)
	}
	f.Tasks = []tidemill.Task{lateTask()}
	f.Tasks[0].Features = append(f.Tasks[0].Features, &column{name: "id"})
	if _, err := engine.Start(t.Context(), f); !errors.Is(err, tidemill.ErrChanged) || !strings.Contains(err.Error(), "features[1]") {
		t.Errorf("another feature: %v", err)
	}
	two := tidemill.Flow{Name: "orders", Source: f.Source, Store: store.Memory(), Tasks: []tidemill.Task{lateTask()}}
	two.Tasks[0].Features = append(two.Tasks[0].Features, &column{name: "id"})
	drive(t, two)
	two.Tasks = []tidemill.Task{lateTask()}
	if _, err := engine.Start(t.Context(), two); !errors.Is(err, tidemill.ErrChanged) || !strings.Contains(err.Error(), "also column id") {
		t.Errorf("one feature less: %v", err)
	}
	for _, e := range []struct {
		says string
		edit func(t *tidemill.Task)
	}{
		{"tasks[late].epochs: was without it, now epochs: 3", func(t *tidemill.Task) { t.Epochs = 3 }},
		{"tasks[late].snapshot: was without it, now snapshot: skip", func(t *tidemill.Task) { t.Snapshot = tidemill.SnapshotSkip }},
		{"tasks[late].classes: was [false true], now [true false]", func(t *tidemill.Task) { t.Classes = []string{"true", "false"} }},
		{"tasks[late].classes: was [false true], now [false true never]", func(t *tidemill.Task) { t.Classes = append(t.Classes, "never") }},
		{"tasks[late].learn: was learn: {on: update, table: orders, label: late}, now learn: {on: insert|update", func(t *tidemill.Task) { t.Learn.Op |= tidemill.Insert }},
		{"tasks[late].weight: was without it, now weight: x", func(t *tidemill.Task) { t.Weight = "x" }},
		{"tasks[late].encoders: was absent, now standard", func(t *tidemill.Task) { t.Encoders = []tidemill.Encoder{encode.Standard()} }},
	} {
		f.Tasks = []tidemill.Task{lateTask()}
		e.edit(&f.Tasks[0])
		if _, err := engine.Start(t.Context(), f); !errors.Is(err, tidemill.ErrChanged) || !strings.Contains(err.Error(), e.says) || !strings.Contains(err.Error(), "--fresh") {
			t.Errorf("want %q, got %v", e.says, err)
		}
	}
	scaled := tidemill.Flow{Name: "orders", Source: f.Source, Store: store.Memory(), Tasks: []tidemill.Task{lateTask()}}
	scaled.Tasks[0].Encoders = []tidemill.Encoder{encode.Standard()}
	drive(t, scaled)
	scaled.Tasks = []tidemill.Task{lateTask()}
	if _, err := engine.Start(t.Context(), scaled); !errors.Is(err, tidemill.ErrChanged) || !strings.Contains(err.Error(), "also standard") {
		t.Errorf("one encoder less: %v", err)
	}
	f.Tasks = []tidemill.Task{lateTask()}
	f.Tasks[0].Scores, f.Tasks[0].KeepFirst, f.Tasks[0].Threshold = []tidemill.Score{score.LogLoss()}, true, 0.7
	f.Tasks[0].Memory, f.Tasks[0].Frozen, f.Tasks[0].Positive = 1, time.Hour, "false"
	f.Tasks[0].Wait = time.Hour
	if s := drive(t, f); s.Tasks[0].Counts.Learned == 0 {
		t.Error("other scores and another wait should keep the state")
	}
	f.Fresh = true
	f.Tasks = []tidemill.Task{lateTask()}
	f.Tasks[0].Learn.Label = "not late"
	if s := drive(t, f); !strings.HasPrefix(s.Tasks[0].Version, "2.") {
		t.Errorf("version after a fresh start: %s", s.Tasks[0].Version)
	}
}

func TestPredictReads(t *testing.T) {
	table := orders()
	snap, stream := history(table, 50, 100)
	st := store.Memory()
	f := tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 5}, Tasks: []tidemill.Task{lateTask()}, Store: st}
	drive(t, f)
	f.Tasks = []tidemill.Task{lateTask()}
	r, err := engine.Open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Predict("late", tidemill.Row{"x": 0.9})
	if err != nil || p.Label != "true" || len(p.Missing) != 0 || p.Through != "s:93" {
		t.Errorf("%+v %v", p, err)
	}
	if p, err = r.Predict("late", tidemill.Row{}); err != nil || len(p.Missing) != 1 || p.Missing[0] != "x" {
		t.Errorf("%+v %v", p, err)
	}
	if _, err = r.Predict("late", tidemill.Row{"xx": 1}); err == nil || !strings.Contains(err.Error(), `did you mean "x"`) {
		t.Errorf("unknown column: %v", err)
	}
	if _, err = r.Predict("lat", tidemill.Row{}); !errors.Is(err, tidemill.ErrUnknownTask) {
		t.Errorf("unknown task: %v", err)
	}
}
