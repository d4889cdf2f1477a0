package engine

import (
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// TestJournalKeepsWhenRowsWereRead: a later epoch, after a restart too, judges times as the first did.
func TestJournalKeepsWhenRowsWereRead(t *testing.T) {
	table := tidemill.NewTable("", "t", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}}, []int{0})
	read := time.Date(2026, 3, 1, 2, 3, 4, 5000, time.UTC)
	for _, tx := range []tidemill.Tx{{Order: 7, Read: read}, {Order: 7, Commit: read}} {
		j := newJournal(nil, 1)
		if err := j.append(&tidemill.Change{Op: tidemill.Read, Table: table, Tx: &tx, After: []tidemill.Value{tidemill.Int(1)}}); err != nil {
			t.Fatal(err)
		}
		if err := j.finish(); err != nil {
			t.Fatal(err)
		}
		back := newJournal(nil, 1)
		d := statebytes.Read(j.appendTo(nil))
		back.read(d)
		if err := d.End(); err != nil {
			t.Fatal(err)
		}
		got := back.tx()
		if got.Order != 7 || !got.Read.Equal(tx.Read) || !got.Commit.Equal(tx.Commit) || got.Commit.IsZero() != tx.Commit.IsZero() {
			t.Errorf("%+v, want %+v", got, tx)
		}
		if latest := (&tidemill.Change{Tx: got}).Latest(); latest != read.Add(24*time.Hour).UnixMicro() {
			t.Errorf("the latest time is %v", clockTime(latest))
		}
	}
}
