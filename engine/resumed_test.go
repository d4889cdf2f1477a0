package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// A flow that resumes tells of the checkpoint that it resumed from until it has made another one; so does a reader.
func TestResumedCheckpointIsSeen(t *testing.T) {
	table := orders()
	snap, stream := history(table, 50, 100)
	dir := t.TempDir()
	flow := func() tidemill.Flow {
		return tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 32}, Tasks: []tidemill.Task{lateTask()},
			Store: store.Dir(dir), Every: time.Hour}
	}
	before := time.Now().Add(-2 * time.Second)
	first := drive(t, flow()).Checkpoint
	if first.Loaded || first.Bytes == 0 || first.At.Before(before) {
		t.Fatalf("the first run's: %+v", first)
	}
	m, err := engine.Start(t.Context(), flow())
	if err != nil {
		t.Fatal(err)
	}
	c := m.Status().Checkpoint
	if !c.Loaded || c.ID != first.ID || c.Position != first.Position || c.Bytes != first.Bytes || len(c.Recent) != 1 ||
		c.At.Before(before) || c.At.After(time.Now().Add(2*time.Second)) {
		t.Errorf("after a resume: %+v, saved was %+v", c, first)
	}
	r, err := engine.Open(t.Context(), flow())
	if err != nil {
		t.Fatal(err)
	}
	if seen := r.Status().Checkpoint; !seen.Loaded || seen.ID != first.ID || !seen.At.Equal(c.At) {
		t.Errorf("a reader sees %+v", seen)
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
}

// A checkpoint that only says that a history has begun has no position to print.
func TestResumedAtTheBeginning(t *testing.T) {
	table := orders()
	dir := t.TempDir()
	flow := func() tidemill.Flow {
		return tidemill.Flow{Name: "orders", Source: &script{table: table}, Tasks: []tidemill.Task{lateTask()}, Store: store.Dir(dir), Every: time.Hour}
	}
	m, err := engine.Start(t.Context(), flow())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	ids, _, err := store.Dir(dir).List(t.Context())
	if err != nil || len(ids) == 0 {
		t.Fatalf("%v, %v", ids, err)
	}
	for _, id := range ids[:len(ids)-1] { // all but the first
		if err := os.Remove(filepath.Join(dir, "current", fmt.Sprintf("checkpoint-%06d-%012d", id.Term, id.Seq))); err != nil {
			t.Fatal(err)
		}
	}
	if m, err = engine.Start(t.Context(), flow()); err != nil {
		t.Fatal(err)
	}
	events := m.Status().Events
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events, func(e engine.EventStatus) bool {
		return strings.HasSuffix(e.Text, "resumed from checkpoint 1.1 at the beginning")
	}) {
		t.Errorf("events %+v", events)
	}
}

// unhurried is a model that lets every checkpoint end before the next slice does.
type unhurried struct {
	slope
	learned int
}

func (m *unhurried) New() tidemill.Model { return &unhurried{} }
func (m *unhurried) Learn(e *tidemill.Example) {
	if m.learned++; m.learned%32 == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	m.slope.Learn(e)
}

// That the snapshot is done is soon in a checkpoint, also when the last one was taken at the very end of the last pass and the
// database rests from then on.
func TestDoneIsKept(t *testing.T) {
	table := orders()
	snap, _ := history(table, 600, 0)
	dir := t.TempDir()
	flow := func() tidemill.Flow {
		task := lateTask()
		task.Model, task.Snapshot, task.Predict.At, task.Predict.Unix, task.Learn.At, task.Learn.Unix = &unhurried{}, tidemill.SnapshotReplay, "id", "s", "id", "s"
		return tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, cut: 32}, Tasks: []tidemill.Task{task},
			Store: store.Dir(dir), Every: time.Microsecond}
	}
	m, err := engine.Start(t.Context(), flow())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if r, err := engine.Open(t.Context(), flow()); err == nil && r.Status().Snapshot.Done {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the newest checkpoint does not say that the snapshot is done; the flow: %+v", m.Status())
		}
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
}
