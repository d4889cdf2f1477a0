package main

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/examples/mnist"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/store"
)

// keysAndDigits is a source from memory: payments of a million cards, and digits between them.
type keysAndDigits struct {
	keys   int
	digits *mnist.Set
	rest   time.Duration // between the batches after the keys are in
}

func (s *keysAndDigits) Release(context.Context, tidemill.Position) error { return nil }

func (s *keysAndDigits) Describe() string { return "memory" }

func (s *keysAndDigits) Changes(ctx context.Context, _ tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	payments := tidemill.NewTable("", "payments", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt},
		{Name: "card", Kind: tidemill.KindInt}, {Name: "amount", Kind: tidemill.KindFloat},
		{Name: "fraud", Kind: tidemill.KindBool}}, []int{0})
	digits := tidemill.NewTable("", "digits", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt},
		{Name: "label", Kind: tidemill.KindInt}, {Name: "pixels", Kind: tidemill.KindBytes}}, []int{0})
	return func(yield func(tidemill.Batch, error) bool) {
		if !yield(tidemill.Batch{Upto: "0", Live: true}, nil) {
			return
		}
		base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for n, i := uint64(1), 0; ; n++ {
			const size = 1024
			tx := &tidemill.Tx{Order: n, Commit: base.Add(time.Duration(n) * time.Millisecond)}
			cs := make([]tidemill.Change, 0, size)
			for range size {
				card := i
				if i >= s.keys {
					card = int(uint32(i) * 2654435761 % uint32(s.keys))
				}
				cs = append(cs, tidemill.Change{Op: tidemill.Insert, Table: payments, Tx: tx, N: uint64(len(cs)),
					After: []tidemill.Value{
						tidemill.Int(int64(i)), tidemill.Int(int64(card) * 7919), tidemill.Float(float64(i % 1000)),
						tidemill.Bool(i%50 == 0)}})
				i++
			}
			k := int(n) % s.digits.N
			cs = append(cs, tidemill.Change{Op: tidemill.Insert, Table: digits, Tx: tx, N: uint64(len(cs)),
				After: []tidemill.Value{
					tidemill.Int(int64(n)), tidemill.Int(int64(s.digits.Labels[k])), tidemill.Blob(s.digits.Image(k))}})
			if !yield(tidemill.Batch{Changes: cs, Upto: tidemill.Position(tx.Commit.Format(time.RFC3339Nano)), Live: true},
				nil) {
				return
			}
			if i > s.keys {
				select {
				case <-ctx.Done():
					return
				case <-time.After(s.rest):
				}
			}
		}
	}
}

// checkpointChild runs a flow with a window of a million keys and the MNIST model, and looks at its checkpoints.
func checkpointChild(ctx context.Context, a args) (figures, error) {
	set, err := mnist.Test()
	if err != nil {
		return nil, err
	}
	keys := a.int("keys")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m, err := engine.Start(ctx, tidemill.Flow{Name: "bench",
		Source: &keysAndDigits{keys, set, 5 * time.Millisecond}, Store: store.Dir(a["state"]),
		Every: time.Second, Tasks: []tidemill.Task{
			{Name: "fraud", Snapshot: tidemill.SnapshotSkip,
				Learn: tidemill.On{Op: tidemill.Insert, Table: "payments", Label: "fraud"}, Model: model.Logistic(),
				Features: []tidemill.Feature{feature.Numeric("amount"), feature.Mean("amount", "payments", "card", 24*time.Hour)}},
			{Name: "digit", Snapshot: tidemill.SnapshotSkip,
				Learn: tidemill.On{Op: tidemill.Insert, Table: "digits", Label: "label"}, Model: model.MLP(),
				Classes:  []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
				Features: []tidemill.Feature{feature.Pixels("pixels", 28, 28)}},
		}})
	if err != nil {
		return nil, err
	}
	var pauses, took []float64
	size := 0.0
	last := tidemill.CheckpointID{}
	for end := time.Now().Add(2 * time.Minute); len(pauses) < 5; time.Sleep(20 * time.Millisecond) {
		s := m.Status()
		if s.State == "failed" || time.Now().After(end) {
			return nil, errors.Join(errors.New("no checkpoints came"), m.Stop())
		}
		if c := s.Checkpoint; c.ID != last && s.Stream.Rows > uint64(keys) {
			last = c.ID
			pauses, took, size = append(pauses, ms(c.Pause)), append(took, ms(c.Took)), float64(c.Bytes)
		}
	}
	out := figures{"pause_ms": quantile(pauses, 0.5), "pause_max_ms": quantile(pauses, 1),
		"took_ms": quantile(took, 0.5), "mb": size / (1 << 20)}
	return out, m.Stop()
}

func checkpointRow(ctx context.Context, b *bench) error {
	keys := 1_000_000
	if b.size > 0 {
		keys = b.size
	}
	return b.inFolder(func(dir string) error {
		_, err := b.interleave(ctx, 3, b.child("tidemill", "checkpoint", "state="+dir, "keys="+itoa(keys)))
		return err
	})
}
