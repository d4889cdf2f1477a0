package tidemilltest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// SourceHarness says how to make a database, how to change it, and how to open a source on it.
type SourceHarness struct {
	// New makes a database of its own with one empty table, items, of the columns of SourceTableSQL.
	New func(t *testing.T) SourceDatabase
	// InsertOnly: the source knows no updates and deletes (a file).
	InsertOnly bool
	// NoSnapshot: what is there at the start comes as changes of the stream (a file that is followed).
	NoSnapshot bool
	// NoTransactions: the source does not know which changes were made in one transaction (a file, a log of triggers).
	NoTransactions bool
	// Before says that the source sends the whole row as it was; else only its key is asked for.
	Before bool
	// SharedLog: two databases of New are in one log, so that a position of one is not refused by the other.
	SharedLog bool
	// Pause is how long the slow consumer keeps the source waiting; the best is twice its
	// server's timeout. Default 300 ms.
	Pause time.Duration
}

// SourceDatabase is one database with the table items.
type SourceDatabase struct {
	// Apply carries out changes in one transaction; it is called beside a running source.
	// SourceSQL makes statements of them.
	Apply func(t *testing.T, changes []SourceChange)
	// Rollback, if there is one, carries them out and rolls back.
	Rollback func(t *testing.T, changes []SourceChange)
	// Source gives another source on the database, as another process would have it.
	Source func(t *testing.T) tidemill.Source
}

// SourceChange is one change of a row of items.
type SourceChange struct {
	Op    tidemill.Op // Insert, Update or Delete
	ID    int64       // of the row before the change
	After SourceItem  // Insert and Update
}

// SourceItem is one row of items: an integer key, a text and an integer that may be NULL, and a float.
type SourceItem struct {
	ID     int64
	Name   *string
	Amount float64
	Count  *int64
}

// SourceTableSQL makes the table items; DOUBLE PRECISION and BIGINT are known to SQLite, Postgres and MySQL.
const SourceTableSQL = `CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, name TEXT, amount DOUBLE PRECISION NOT NULL, count BIGINT)`

// SourceSQL is the statements that carry out changes, to be run in one transaction.
func SourceSQL(changes []SourceChange) []string {
	var sql []string
	for _, c := range changes {
		name, count := "NULL", "NULL"
		if c.After.Name != nil {
			name = "'"
			for _, r := range *c.After.Name {
				if r == '\'' {
					name += "'"
				}
				name += string(r)
			}
			name += "'"
		}
		if c.After.Count != nil {
			count = fmt.Sprint(*c.After.Count)
		}
		switch c.Op {
		case tidemill.Insert:
			sql = append(sql, fmt.Sprintf("INSERT INTO items (id, name, amount, count) VALUES (%d, %s, %v, %s)",
				c.After.ID, name, c.After.Amount, count))
		case tidemill.Update:
			sql = append(sql, fmt.Sprintf("UPDATE items SET id = %d, name = %s, amount = %v, count = %s WHERE id = %d",
				c.After.ID, name, c.After.Amount, count, c.ID))
		case tidemill.Delete:
			sql = append(sql, fmt.Sprintf("DELETE FROM items WHERE id = %d", c.ID))
		}
	}
	return sql
}

// Source holds a tidemill.Source to the laws of that door.
func Source(t *testing.T, h SourceHarness) {
	if h.Pause == 0 {
		h.Pause = 300 * time.Millisecond
	}
	for _, law := range []struct {
		name string
		skip bool
		test func(*sourceTest)
	}{
		{"snapshot, then stream", h.NoSnapshot, (*sourceTest).snapshot},
		{"an empty table", false, (*sourceTest).empty},
		{"every operation", h.InsertOnly, (*sourceTest).operations},
		{"no gap and no repeat beside a writer", false, (*sourceTest).concurrent},
		{"the same again from every position", false, (*sourceTest).replay},
		{"snapshot and stream give the same values", h.NoSnapshot, (*sourceTest).parity},
		{"transactions stay whole", false, (*sourceTest).transactions},
		{"caught up", false, (*sourceTest).caughtUp},
		{"cancel is prompt", false, (*sourceTest).cancel},
		{"a snapshot that broke off begins anew", h.NoSnapshot, (*sourceTest).interruptedSnapshot},
		{"release", false, (*sourceTest).release},
		{"a slow consumer loses nothing", false, (*sourceTest).slow},
		{"a batch stays as it is", false, (*sourceTest).memory},
		{"positions of elsewhere are refused", false, (*sourceTest).foreign},
	} {
		if !law.skip {
			t.Run(law.name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
				defer cancel()
				law.test(&sourceTest{T: t, ctx: ctx, h: h, db: h.New(t), rows: map[int64]SourceItem{}})
			})
		}
	}
}

type sourceTest struct {
	*testing.T
	ctx  context.Context
	h    SourceHarness
	db   SourceDatabase
	rows map[int64]SourceItem // what the table holds
}

// seen is one change as it came, with memory of its own.
type seen struct {
	op            tidemill.Op
	flags         tidemill.Flags
	id            [4]uint64 // its identity
	before, after []tidemill.Value
	table         *tidemill.Table
	commit        time.Time
	where         string
}

// heard is one batch as it came.
type heard struct {
	changes  []seen
	upto     tidemill.Position
	live     bool
	caughtUp bool
}

func clones(vs []tidemill.Value) []tidemill.Value {
	if vs == nil {
		return nil
	}
	out := make([]tidemill.Value, len(vs))
	for i, v := range vs {
		out[i] = v.Clone()
	}
	return out
}

func (s *sourceTest) hear(src tidemill.Source, b *tidemill.Batch) heard {
	h := heard{upto: b.Upto, live: b.Live, caughtUp: b.CaughtUp}
	for i := range b.Changes {
		c := &b.Changes[i]
		if c.Table == nil || c.Tx == nil {
			s.Fatalf("a change without Table or Tx: %+v", c)
		}
		x := seen{op: c.Op, flags: c.Flags, id: [4]uint64{uint64(c.Part), c.Tx.Order, c.N, uint64(c.Sub)},
			before: clones(c.Before), after: clones(c.After), table: c.Table, commit: c.Tx.Commit}
		if l, ok := src.(tidemill.Locator); ok {
			x.where = l.Locate(c)
		}
		for _, vs := range [][]tidemill.Value{c.Before, c.After} {
			if vs != nil && len(vs) != len(c.Table.Columns) {
				s.Fatalf("%d values for the %d columns of %s", len(vs), len(c.Table.Columns), c.Table)
			}
		}
		h.changes = append(h.changes, x)
	}
	return h
}

// run reads src after a position until stop says so, the source ends, or it fails.
func (s *sourceTest) run(src tidemill.Source, after tidemill.Position,
	stop func(heard) bool) (tape []heard, err error) {
	s.Helper()
	for b, err := range src.Changes(s.ctx, after) {
		if err != nil {
			return tape, err
		}
		h := s.hear(src, &b)
		tape = append(tape, h)
		if stop(h) {
			return tape, nil
		}
	}
	return tape, s.ctx.Err()
}

// read is run that must not fail.
func (s *sourceTest) read(src tidemill.Source, after tidemill.Position, stop func(heard) bool) []heard {
	s.Helper()
	tape, err := s.run(src, after, stop)
	if err != nil {
		s.Fatalf("Changes after %q, batch %d: %v", after, len(tape), err)
	}
	return tape
}

func untilCaughtUp(h heard) bool { return h.caughtUp }

// untilID stops at the batch with the insert of id, once the batch can be resumed from.
func (s *sourceTest) untilID(id int64) func(heard) bool {
	found := false
	return func(h heard) bool {
		for i := range h.changes {
			c := &h.changes[i]
			found = found || c.after != nil && s.item(c.table, c.after).ID == id
		}
		return found && h.upto != ""
	}
}

func changesOf(tape []heard) []seen {
	var all []seen
	for _, h := range tape {
		all = append(all, h.changes...)
	}
	return all
}

// item reads a row by its columns' names.
func (s *sourceTest) item(t *tidemill.Table, vs []tidemill.Value) (it SourceItem) {
	s.Helper()
	for name, set := range map[string]func(tidemill.Value){
		"id": func(v tidemill.Value) { it.ID = v.Int() },
		"name": func(v tidemill.Value) {
			if !v.IsNull() {
				text := string(v.AppendText(nil))
				it.Name = &text
			}
		},
		"amount": func(v tidemill.Value) { it.Amount, _ = v.Number() },
		"count": func(v tidemill.Value) {
			if !v.IsNull() {
				n := v.Int()
				it.Count = &n
			}
		},
	} {
		col := t.Col(name)
		if col < 0 {
			s.Fatalf("table %s has no column %s", t, name)
		}
		if !vs[col].Known() {
			s.Fatalf("%s is unknown in a row that should be whole", name)
		}
		set(vs[col])
	}
	return it
}

func (a SourceItem) equal(b SourceItem) bool {
	same := func(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
	text := func(a, b *string) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
	return a.ID == b.ID && a.Amount == b.Amount && text(a.Name, b.Name) && same(a.Count, b.Count)
}

func (a SourceItem) String() string {
	name, count := "NULL", "NULL"
	if a.Name != nil {
		name = fmt.Sprintf("%q", *a.Name)
	}
	if a.Count != nil {
		count = fmt.Sprint(*a.Count)
	}
	return fmt.Sprintf("(%d %s %v %s)", a.ID, name, a.Amount, count)
}

// key is the key's value in Before.
func (s *sourceTest) key(c *seen) int64 {
	s.Helper()
	if c.before == nil {
		if c.op == tidemill.Update { // the key did not change, and the source says no more
			return s.item(c.table, c.after).ID
		}
		s.Fatalf("a %s without Before", c.op)
	}
	v := c.before[c.table.Col("id")]
	if !v.Known() {
		s.Fatalf("the key is unknown in Before of a %s", c.op)
	}
	return v.Int()
}

// fold applies changes to rows as a reader would, and stops at anything that came twice, or too early or late.
func (s *sourceTest) fold(rows map[int64]SourceItem, changes []seen) {
	s.Helper()
	last := map[uint64][4]uint64{}
	for i := range changes {
		c := &changes[i]
		if l, ok := last[c.id[0]]; ok && slices.Compare(l[1:], c.id[1:]) >= 0 {
			s.Fatalf("identity %v comes after %v", c.id, l)
		}
		last[c.id[0]] = c.id
		switch c.op {
		case tidemill.Read, tidemill.Insert:
			it := s.item(c.table, c.after)
			if old, ok := rows[it.ID]; ok {
				s.Fatalf("change %d at %s: %s of %v, which is there already as %v", i, c.where, c.op, it, old)
			}
			rows[it.ID] = it
		case tidemill.Update:
			from, it := s.key(c), s.item(c.table, c.after)
			s.old(rows, c, from)
			delete(rows, from)
			rows[it.ID] = it
		case tidemill.Delete:
			from := s.key(c)
			s.old(rows, c, from)
			delete(rows, from)
		default:
			s.Fatalf("a change of kind %s", c.op)
		}
	}
}

// old compares Before with the row as it was.
func (s *sourceTest) old(rows map[int64]SourceItem, c *seen, id int64) {
	s.Helper()
	was, ok := rows[id]
	if !ok {
		s.Fatalf("%s at %s of row %d, which is not there", c.op, c.where, id)
	}
	if s.h.Before {
		if got := s.item(c.table, c.before); !got.equal(was) {
			s.Fatalf("Before of a %s at %s is %v, the row was %v", c.op, c.where, got, was)
		}
	}
}

// same compares what was folded with what the table holds.
func (s *sourceTest) same(got map[int64]SourceItem) {
	s.Helper()
	for id, w := range s.rows {
		if g, ok := got[id]; !ok {
			s.Errorf("row %v is missing", w)
		} else if !g.equal(w) {
			s.Errorf("row %v came as %v", w, g)
		}
	}
	for id, g := range got {
		if _, ok := s.rows[id]; !ok {
			s.Errorf("row %v should not be there", g)
		}
	}
	if s.Failed() {
		s.FailNow()
	}
}

// apply changes the table and what the test knows of it.
func (s *sourceTest) apply(changes ...SourceChange) {
	s.Helper()
	for _, c := range changes {
		if c.Op != tidemill.Insert {
			delete(s.rows, c.ID)
		}
		if c.Op != tidemill.Delete {
			s.rows[c.After.ID] = c.After
		}
	}
	s.db.Apply(s.T, changes)
}

func sourceItem(id int64) SourceItem {
	it := SourceItem{ID: id, Amount: float64(id)*1.25 + 0.1}
	if id%3 != 0 {
		name := fmt.Sprintf("name of %d", id)
		it.Name = &name
	}
	if id%4 != 0 {
		n := id * 1_000_003
		it.Count = &n
	}
	return it
}

func inserted(ids ...int64) []SourceChange {
	var cs []SourceChange
	for _, id := range ids {
		cs = append(cs, SourceChange{Op: tidemill.Insert, After: sourceItem(id)})
	}
	return cs
}

func insertedTo(from, to int64) []SourceChange {
	var cs []SourceChange
	for id := from; id <= to; id++ {
		cs = append(cs, inserted(id)...)
	}
	return cs
}

func updated(id, to int64, amount float64) SourceChange {
	it := sourceItem(to)
	it.Amount = amount
	return SourceChange{Op: tidemill.Update, ID: id, After: it}
}

func deleted(id int64) SourceChange { return SourceChange{Op: tidemill.Delete, ID: id} }

// marker is the id of the row that ends a test's stream.
const marker = 1 << 40

// writer is a script of transactions that is the same for the same seed; each is carried out by next.
type writer struct {
	s      *sourceTest
	random *rand.Rand
	ids    []int64
	next   int64
}

func (s *sourceTest) writer(seed uint64, ids ...int64) *writer {
	return &writer{s: s, random: rand.New(rand.NewPCG(seed, 1)), ids: ids, next: 1000}
}

func (w *writer) transaction() {
	var cs []SourceChange
	used := map[int64]bool{}
	for range 1 + w.random.IntN(4) {
		kind := w.random.IntN(10)
		if w.s.h.InsertOnly || len(w.ids) < 3 || kind < 4 {
			w.next++
			w.ids = append(w.ids, w.next)
			used[w.next] = true
			cs = append(cs, inserted(w.next)...)
			continue
		}
		i := w.random.IntN(len(w.ids))
		id := w.ids[i]
		switch {
		case used[id] && kind < 9: // a second change of the row in one transaction
			cs = append(cs, updated(id, id, w.random.Float64()))
		case kind < 8:
			cs = append(cs, updated(id, id, float64(w.random.IntN(1000))/8))
		case kind < 9:
			w.next++
			cs = append(cs, updated(id, w.next, 7))
			w.ids[i] = w.next
			id = w.next
		default:
			cs = append(cs, deleted(id))
			w.ids = slices.Delete(w.ids, i, i+1)
		}
		used[id] = true
	}
	w.s.apply(cs...)
}

// concurrently runs write in a goroutine, which ends with the insert of marker.
func (s *sourceTest) concurrently(write func()) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		write()
		s.apply(inserted(marker)...)
	})
	return wg.Wait
}

func (s *sourceTest) isFatal(what string, err error) {
	s.Helper()
	if err == nil || !tidemill.IsFatal(err) {
		s.Errorf("%s gives %v, not a fatal error", what, err)
	}
}
