package engine_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// TestReader: a Reader answers as the flow that saved the checkpoint does, and has nothing to stop or to wait for.
func TestReader(t *testing.T) {
	table := orders()
	snap, stream := history(table, 50, 100)
	f := tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 5}, Store: store.Memory(),
		Tasks: []tidemill.Task{lateTask()}, Once: true}
	m, err := engine.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	f.Tasks = []tidemill.Task{lateTask()}
	r, err := engine.Open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	rows := []tidemill.Row{{"x": 0.9}, {"x": -0.9}, {}}
	want, err := m.PredictBatch("late", rows)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.PredictBatch("late", rows); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v, want %+v", got, err, want)
	}
	if got, err := r.Predict("late", rows[1]); err != nil || !reflect.DeepEqual(got, want[1]) {
		t.Errorf("%+v %v, want %+v", got, err, want[1])
	}
	if p, err := r.Picture("late", rows[0]); p != nil || err != nil {
		t.Errorf("picture of a task that reads none: %v %v", p, err)
	}
	s, was := r.Status(), m.Status()
	if s.State != "stopped" || s.Position != was.Position || s.Outputs != was.Outputs || s.Tasks[0].Counts != was.Tasks[0].Counts {
		t.Errorf("%+v\nwant %+v", s, was)
	}
	var methods []string
	for v := range reflect.TypeFor[*engine.Reader]().Methods() {
		methods = append(methods, v.Name)
	}
	if want := []string{"Picture", "Predict", "PredictBatch", "Status"}; !slices.Equal(methods, want) {
		t.Errorf("a Reader has %v, want %v", methods, want)
	}
}
