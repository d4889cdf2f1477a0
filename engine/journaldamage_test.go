package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
	"github.com/tidemill/tidemill/store"
)

// damagedSegments is a store whose segments are read as edit leaves them.
type damagedSegments struct {
	tidemill.Store
	edit func(b []byte) []byte
}

func (s *damagedSegments) Open(ctx context.Context, name string) (tidemill.SegmentReader, error) {
	r, err := s.Store.Open(ctx, name)
	if err != nil || s.edit == nil {
		return r, err
	}
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return editedSegment{readerAt(s.edit(b)), r}, nil
}

type editedSegment struct {
	readerAt
	io.Closer
}

func (e editedSegment) Size() (int64, error) { return int64(len(e.readerAt)), nil }

// writtenJournal is a whole journal of rows in a locked store.
func writtenJournal(t *testing.T, rows int) (*journal, *damagedSegments) {
	t.Helper()
	s := &damagedSegments{Store: store.Memory()}
	_, unlock, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unlock() })
	j := newJournal(s, 7)
	table := tidemill.NewTable("", "t", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "x", Kind: tidemill.KindText}}, []int{0})
	tx := &tidemill.Tx{Order: 3}
	for i := range rows {
		c := tidemill.Change{Op: tidemill.Read, Table: table, Tx: tx, N: uint64(i), At: uint64(100 + i), After: []tidemill.Value{tidemill.Int(int64(i)), tidemill.Text(fmt.Sprint("row ", i))}}
		if err := j.append(&c); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.finish(); err != nil {
		t.Fatal(err)
	}
	return j, s
}

// again is the journal as the next run reads it.
func again(t *testing.T, j *journal) *journal {
	t.Helper()
	next := newJournal(j.store, 8)
	d := statebytes.Read(j.appendTo(nil))
	next.read(d)
	if err := d.End(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.close)
	return next
}

// readAll reads a journal in order, and then each row by its place.
func readAll(j *journal) (rows int, err error) {
	var places []place
	check := func(c *tidemill.Change, i int) error {
		if c.Op != tidemill.Read || c.N != uint64(i) || c.At != uint64(100+i) || len(c.After) != 2 || c.After[0].Int() != int64(i) || c.After[1].Str() != fmt.Sprint("row ", i) || c.Tx.Order != 3 {
			return fmt.Errorf("row %d is %+v", i, *c)
		}
		return nil
	}
	if err := j.scan(func(p place, c *tidemill.Change) error {
		places = append(places, p)
		return check(c, len(places)-1)
	}); err != nil {
		return len(places), err
	}
	var c tidemill.Change
	var buf []byte
	for i, p := range places {
		if buf, err = j.rowAt(p, &c, j.tx(), buf); err == nil {
			err = check(&c, i)
		}
		if err != nil {
			return i, err
		}
	}
	return len(places), nil
}

// TestDamagedJournal: every byte of a journal is watched. A row that was changed, cut off or lost on the disk ends the flow with
// an error that names the segment, the place and the mend, whether the journal is read through or row by row.
func TestDamagedJournal(t *testing.T) {
	const rows = 5
	j, s := writtenJournal(t, rows)
	if n, err := readAll(again(t, j)); n != rows || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	var places []place
	if err := again(t, j).scan(func(p place, _ *tidemill.Change) error { places = append(places, p); return nil }); err != nil {
		t.Fatal(err)
	}
	size := int(j.sizes[0])
	damaged := func(what string, err error) {
		t.Helper()
		if !tidemill.IsFatal(err) {
			t.Fatalf("%s: %v", what, err)
		}
		for _, w := range []string{"journal-7-00000", "damaged at byte ", "--fresh"} {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not say %q", what, err, w)
			}
		}
	}
	single := func(p place) error {
		var c tidemill.Change
		_, err := again(t, j).rowAt(p, &c, j.tx(), nil)
		return err
	}
	for at := range size {
		s.edit = func(b []byte) []byte { b = slices.Clone(b); b[at] ^= 0x40; return b }
		_, err := readAll(again(t, j))
		damaged(fmt.Sprintf("byte %d of %d", at, size), err)
		own := 0
		for i, p := range places {
			if int(p) <= at {
				own = i
			}
		}
		damaged(fmt.Sprintf("byte %d of %d, by its place", at, size), single(places[own]))
	}
	for n := range size {
		s.edit = func(b []byte) []byte { return b[:n] }
		_, err := readAll(again(t, j))
		damaged(fmt.Sprintf("cut to %d of %d", n, size), err)
		damaged(fmt.Sprintf("cut to %d of %d, by its place", n, size), single(places[rows-1]))
	}
	s.edit = nil
	if err := s.Remove(t.Context(), j.names[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(again(t, j)); !tidemill.IsFatal(err) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), j.names[0]) {
		t.Errorf("a lost segment: %v", err)
	}
}

// TestJournalState: a state that names a table that the journal does not have, or that is cut, is refused.
func TestJournalState(t *testing.T) {
	j, _ := writtenJournal(t, 3)
	state := j.appendTo(nil)
	for n := range state {
		d := statebytes.Read(state[:n])
		if newJournal(nil, 1).read(d); d.End() == nil {
			t.Errorf("%d of %d bytes are taken for a journal", n, len(state))
		}
	}
	other := again(t, j)
	other.tables = nil
	if _, err := readAll(other); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a row of no table: %v", err)
	}
}

// TestDiscardedJournal: a journal that is given up leaves no segment, and closes the one under way.
func TestDiscardedJournal(t *testing.T) {
	j, s := writtenJournal(t, 4)
	if _, err := readAll(j); err != nil {
		t.Fatal(err)
	}
	j.discard()
	if _, err := s.Open(t.Context(), j.names[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the discarded segment: %v", err)
	}
	begun := newJournal(s, 9)
	begun.buf = []byte("not a whole row")
	if err := begun.write(); err != nil {
		t.Fatal(err)
	}
	w := begun.w
	begun.discard()
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("the writer of the segment under way is still open")
	}
	if _, err := s.Open(t.Context(), begun.names[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the segment under way: %v", err)
	}
	newJournal(nil, 1).discard() // one in memory has nothing to remove
}
