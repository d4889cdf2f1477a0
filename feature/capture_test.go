package feature

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestWindowCapture changes a window in every way while captures of it are being written down: each gives the bytes of
// the moment at which it was taken.
func TestWindowCapture(t *testing.T) {
	f := windowOf(t, func(c *WindowConfig) {
		c.Count, c.Mean, c.Distinct, c.By, c.Over, c.Late = "rows", "amount", "note", []string{"card"}, 400*time.Microsecond, 100*time.Microsecond
	}).(*window)
	table := tidemill.NewTable("", "payments", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt}, {Name: "card", Kind: tidemill.KindText},
		{Name: "amount", Kind: tidemill.KindFloat}, {Name: "note", Kind: tidemill.KindText}}, []int{0})
	if err := f.Bind(table, tidemill.Folds); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var wait sync.WaitGroup
	at := int64(0)
	for round := range 200 {
		want := tidemilltest.StateBytes(t, f)
		write := f.Capture()
		wait.Go(func() {
			got, err := write([]byte("before"))
			if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("round %d: the capture differs from the state at its moment (%v)", round, err)
			}
		})
		for range 300 {
			step := r.Int64N(4)
			if round == 150 {
				step = 2000 // all leaves
			}
			at += step
			row := []tidemill.Value{tidemill.Int(r.Int64N(3000)), tidemill.Text(fmt.Sprint("c", r.IntN(50))), tidemill.Float(float64(r.IntN(9))), tidemill.Text(fmt.Sprint(r.IntN(5)))}
			c := &tidemill.Change{Op: tidemill.Insert, Table: table, After: row}
			switch k := r.IntN(40); {
			case k < 8:
				c.Op = tidemill.Update
			case k < 12:
				c.Op = tidemill.Update
				c.Before = append([]tidemill.Value{tidemill.Int(r.Int64N(3000))}, row[1:]...)
			case k < 18:
				c.Op, c.Before, c.After = tidemill.Delete, row, nil
			case k == 18 && round%50 == 49:
				c = &tidemill.Change{Op: tidemill.Truncate, Table: table}
			}
			f.Update(c, at-r.Int64N(80))
		}
		if round%3 == 0 {
			wait.Wait()
		}
	}
	wait.Wait()
	if n := f.streams[0].slab.readers.Load(); n != 0 {
		t.Errorf("%d captures are still read", n)
	}
}
