package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemill/tidemill"
)

// saved is what a checkpoint under way reports.
type saved struct {
	c     *tidemill.Checkpoint
	pause time.Duration
	took  time.Duration
	bytes int
	err   error
}

// checkpointer saves captured states beside the flow, one at a time. The engine's goroutine calls it.
type checkpointer struct {
	flow    *tidemill.Flow
	figures *figures
	out     *outputs
	saving  chan saved // a checkpoint under way reports here
	inSave  bool
	dirty   bool                // something was applied since the last checkpoint
	kept    []tidemill.Position // positions of the kept checkpoints, oldest first
	seq     uint64              // of the last checkpoint in this term
	nextAt  time.Time
}

// begin hands a captured state to a goroutine that waits for the sinks and saves it.
func (k *checkpointer) begin(ctx context.Context, fixed *captured, began time.Time) error {
	pause := time.Since(began)
	k.inSave, k.dirty = true, false
	k.nextAt = began.Add(k.flow.Every)
	marks := make([]chan markResult, len(k.out.boxes))
	for i, b := range k.out.boxes {
		marks[i] = make(chan markResult, 1)
		item := outItem{upto: k.out.seq, mark: marks[i]}
		select {
		case b.in <- item:
		case err := <-k.out.failed:
			k.inSave, k.dirty = false, true
			return err
		case <-ctx.Done(): // a sink is behind: the checkpoint before stands
			k.inSave, k.dirty = false, true
			return errStopped
		}
	}
	go func() {
		r := saved{pause: pause}
		defer func() { k.saving <- r }()
		c, err := fixed.complete()
		if r.c, r.err = c, err; err != nil {
			return
		}
		for _, ch := range marks {
			mk := <-ch
			if mk.err != nil {
				r.err = mk.err
				return
			}
			c.Marks = append(c.Marks, mk.mark)
		}
		for i := range c.Sections {
			r.bytes += len(c.Sections[i].Data)
		}
		r.err = k.flow.Store.Save(context.Background(), c)
		r.took = time.Since(began)
	}()
	return nil
}

// await waits for the checkpoint under way.
func (k *checkpointer) await(timeout time.Duration) error {
	if !k.inSave {
		return nil
	}
	select {
	case r := <-k.saving:
		if err := k.saved(r); err != nil {
			return err
		}
		return r.err
	case <-time.After(timeout):
		return fmt.Errorf("a sink or the store did not finish within %s: the checkpoint before stands, nothing is lost",
			timeout)
	}
}

// saved takes the result of a checkpoint, and releases the source up to the oldest one that is kept.
func (k *checkpointer) saved(r saved) error {
	k.inSave = false
	if r.err != nil {
		k.dirty = true
		k.figures.mu.Lock()
		k.figures.checkpoint.Failures++
		k.figures.mu.Unlock()
		k.figures.trouble(fmt.Errorf("checkpoint: %w", r.err))
		k.figures.alarm("checkpoint", "a checkpoint failed, nothing is acknowledged to the source until one works: "+
			r.err.Error())
		if tidemill.IsFatal(r.err) {
			return r.err
		}
		return nil
	}
	k.figures.mu.Lock()
	s := &k.figures.checkpoint
	s.ID, s.At, s.Position, s.Bytes, s.Pause, s.Took, s.Loaded = r.c.ID, time.Now(), r.c.Position,
		r.bytes, r.pause, r.took, false
	s.Recent = append(s.Recent, s.At)
	if len(s.Recent) > 60 {
		s.Recent = s.Recent[1:]
	}
	k.figures.mu.Unlock()
	k.kept = append(k.kept, r.c.Position)
	if len(k.kept) > 2 {
		k.kept = k.kept[len(k.kept)-2:]
	}
	if upto := k.kept[0]; upto != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := k.flow.Source.Release(ctx, upto); err != nil && !tidemill.IsFatal(err) {
			k.figures.log.Warn("release the source", "position", upto, "error", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// due reports whether it is time for a checkpoint of a state that is that of upto.
func (k *checkpointer) due(upto tidemill.Position) bool {
	now := time.Now()
	if k.flow.Store == nil || k.inSave || now.Before(k.nextAt) {
		return false
	}
	// Where nothing happened, a position that moves on its own is kept at a sixth of the pace.
	return k.dirty || !k.holds(upto) && !now.Before(k.nextAt.Add(5*k.flow.Every))
}

// holds reports whether the newest checkpoint is that of upto.
func (k *checkpointer) holds(upto tidemill.Position) bool {
	return len(k.kept) > 0 && k.kept[len(k.kept)-1] == upto
}
