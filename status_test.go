package tidemill_test

import (
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/store"
)

// TestStatusCountsOutputsOfItsCounts: whoever waits until what was asked is written can trust a status that counts the asks:
// its outputs are never fewer. Each row asks, and each answer is told.
func TestStatusCountsOutputsOfItsCounts(t *testing.T) {
	table := orders()
	_, stream := history(table, 0, 20_000)
	f := tidemill.Flow{Name: "orders", Source: &script{table: table, stream: stream, cut: 50}, Tasks: []tidemill.Task{lateTask()},
		Sinks: []tidemill.Sink{&tableSink{}}, Store: store.Memory(), Once: true}
	m, err := tidemill.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	for ended := false; !ended; looks++ {
		select {
		case <-m.Done():
			ended = true
		default:
		}
		s := m.Status()
		if c := s.Tasks[0].Counts; s.Outputs < c.Asked+c.Answered || s.Written > s.Outputs {
			t.Fatalf("look %d: %d asked, %d answered, %d outputs, %d written", looks, c.Asked, c.Answered, s.Outputs, s.Written)
		}
	}
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	if s := m.Status(); s.Tasks[0].Counts.Asked == 0 || s.Written != s.Outputs || s.Tasks[0].Counts.Answered == 0 || looks < 10 {
		t.Errorf("%d looks: %d asked, %d outputs, %d written", looks, s.Tasks[0].Counts.Asked, s.Outputs, s.Written)
	}
}
