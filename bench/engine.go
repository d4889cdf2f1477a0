package main

import (
	"context"
	"iter"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/examples/mnist"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
)

// digitSource is MNIST from memory: the training rows as a snapshot, then rows of the same set that are inserted.
type digitSource struct {
	set       *mnist.Set
	stream    int
	processed func(what string)
}

func (s *digitSource) Release(context.Context, tidemill.Position) error { return nil }

func (s *digitSource) Describe() string { return "memory" }

func (s *digitSource) Changes(context.Context, tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	columns := []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "label", Kind: tidemill.KindInt},
		{Name: "pixels", Kind: tidemill.KindBytes}}
	train, test := tidemill.NewTable("public", "mnist_train", columns, []int{0}),
		tidemill.NewTable("public", "mnist_test", columns, []int{0})
	rows := func(op tidemill.Op, t *tidemill.Table, from, n int, tx *tidemill.Tx) []tidemill.Change {
		cs := make([]tidemill.Change, n)
		for i := range cs {
			k := (from + i) % s.set.N
			cs[i] = tidemill.Change{Op: op, Table: t, Tx: tx, N: uint64(from + i), At: uint64(from + i), After: []tidemill.Value{
				tidemill.Int(int64(from + i)), tidemill.Int(int64(s.set.Labels[k])), tidemill.Blob(s.set.Image(k))}}
		}
		return cs
	}
	const size = 1024
	return func(yield func(tidemill.Batch, error) bool) {
		base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		tx := &tidemill.Tx{Order: 1, Commit: base}
		s.processed("begin")
		for i := 0; i < s.set.N; i += size {
			if !yield(tidemill.Batch{Changes: rows(tidemill.Read, train, i, min(size, s.set.N-i), tx)}, nil) {
				return
			}
		}
		if !yield(tidemill.Batch{Upto: "0", Live: true}, nil) {
			return
		}
		if !yield(tidemill.Batch{Upto: "1", Live: true}, nil) { // taken when the snapshot's end has been applied
			return
		}
		s.processed("snapshot")
		tx = &tidemill.Tx{Order: 2, Commit: base.Add(time.Second)}
		for i := 0; i < s.stream; i += size {
			if !yield(tidemill.Batch{Changes: rows(tidemill.Insert, test, i, min(size, s.stream-i), tx), Live: true}, nil) {
				return
			}
		}
		yield(tidemill.Batch{Upto: "2", Live: true, CaughtUp: true}, nil)
	}
}

// engineChild is what the engine itself costs per row, without a database: 60,000 rows learned, and as many or more
// predicted and scored.
func engineChild(ctx context.Context, a args) (figures, error) {
	set, err := mnist.Train()
	if err != nil {
		return nil, err
	}
	at, wall := map[string]float64{}, map[string]time.Time{}
	stream := max(a.int("rows"), 60000)
	src := &digitSource{set, stream, func(what string) { at[what], wall[what] = cpu(), time.Now() }}
	sink := &nullSink{}
	var encoders []tidemill.Encoder // nil: those that the model asks for, which for pixels are none
	if a["encoders"] != "" {
		encoders = []tidemill.Encoder{encode.Standard()}
	}
	m, err := engine.Start(ctx, tidemill.Flow{Name: "bench",
		Source: src, Sinks: []tidemill.Sink{sink}, Store: store.Dir(a["state"]), Once: true, Tasks: []tidemill.Task{{
			Name: "digit", Learn: tidemill.On{Op: tidemill.Insert, Table: "mnist_train", Label: "label"},
			Evaluate: tidemill.On{Op: tidemill.Insert, Table: "mnist_test", Label: "label"},
			Classes:  []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
			Features: []tidemill.Feature{feature.Pixels("pixels", 28, 28)}, Model: model.MLP(), Encoders: encoders,
			Scores: []tidemill.Score{score.Accuracy(), score.LogLoss(), score.Confusion()}}}})
	if err != nil {
		return nil, err
	}
	if err := m.Wait(); err != nil {
		return nil, err
	}
	return figures{"learn_wall_us_per_row": wall["snapshot"].Sub(wall["begin"]).Seconds() / 60000 * 1e6,
		"learn_us_per_row":   (at["snapshot"] - at["begin"]) / 60000 * 1e6,
		"predict_us_per_row": (cpu() - at["snapshot"]) / float64(stream) * 1e6, "outputs": float64(sink.n)}, nil
}

func engineRow(ctx context.Context, b *bench) error {
	return b.inFolder(func(dir string) error {
		i := 0
		engine := func(name string, words ...string) side {
			return side{name: name, own: true, run: func(ctx context.Context) (figures, error) {
				i++
				return b.child("", "engine", append(words, "state="+dir+"/"+itoa(i), "rows="+itoa(b.size))...).run(ctx)
			}}
		}
		_, err := b.interleave(ctx, 5, engine("tidemill"), engine("behind a scaler", "encoders=1"))
		return err
	})
}
