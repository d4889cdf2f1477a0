package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// aged is a store whose checkpoints have sections of another version.
type aged struct {
	tidemill.Store
	by int
}

func (a aged) Load(ctx context.Context, id tidemill.CheckpointID) (*tidemill.Checkpoint, error) {
	c, err := a.Store.Load(ctx, id)
	if err == nil {
		for i := range c.Sections {
			c.Sections[i].Version = uint32(int(c.Sections[i].Version) + a.by)
		}
	}
	return c, err
}

// TestOtherSectionsStop: a state that another program wrote is never read as if this one had; a fresh start goes on.
func TestOtherSectionsStop(t *testing.T) {
	table := orders()
	snap, stream := history(table, 10, 60)
	st := store.Memory()
	f := tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 5}, Tasks: []tidemill.Task{lateTask()}, Store: st}
	drive(t, f)
	for _, by := range []int{1, -1} {
		f.Store = aged{st, by}
		_, err := engine.Start(t.Context(), f)
		if err == nil || errors.Is(err, tidemill.ErrNewer) != (by > 0) || by < 0 && !strings.Contains(err.Error(), "run --fresh") {
			t.Errorf("sections of a version %+d: %v", by, err)
		}
	}
	f.Fresh = true
	f.Tasks = []tidemill.Task{lateTask()}
	if s := drive(t, f); !strings.HasPrefix(s.Tasks[0].Version, "2.") {
		t.Errorf("version after a fresh start: %s", s.Tasks[0].Version)
	}
}
