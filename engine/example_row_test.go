package engine_test

import (
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/store"
)

// The form of the dashboard begins with values of a row that was there: also for numbers.
func TestSamplesOfNumbers(t *testing.T) {
	table := orders()
	snap, stream := history(table, 50, 100)
	s := drive(t, tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 32}, Tasks: []tidemill.Task{lateTask()}, Store: store.Memory()})
	for _, c := range s.Tasks[0].Columns {
		if c.Name == "x" && len(c.Sample) == 1 {
			return
		}
	}
	t.Errorf("no value of x: %+v", s.Tasks[0].Columns)
}
