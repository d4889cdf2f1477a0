package tidemilltest

import (
	"fmt"

	"github.com/tidemill/tidemill"
)

func (s *sourceTest) snapshot() {
	s.apply(insertedTo(1, 700)...)
	src := s.db.Source(s.T)
	tape := s.read(src, "", untilCaughtUp)
	var flags tidemill.Flags
	all := changesOf(tape)
	live, n := false, 0
	for _, h := range tape {
		if !live && !h.live && h.upto != "" {
			s.Errorf("Upto %q before the snapshot is whole", h.upto)
		}
		if live && !h.live {
			s.Error("Live goes back to false")
		}
		for i := range h.changes {
			c := &h.changes[i]
			if live || c.op != tidemill.Read {
				s.Fatalf("%s of %v in the snapshot of a table at rest, live: %v", c.op, c.after, live)
			}
			n++
			first, last := n == 1, n == 700
			if got := c.flags&(tidemill.First|tidemill.FirstOf) != 0; got != first {
				s.Errorf("row %d of the snapshot has flags %b", n, c.flags)
			}
			if got := c.flags&(tidemill.Last|tidemill.LastOf) != 0; got != last {
				s.Errorf("row %d of the snapshot has flags %b", n, c.flags)
			}
			flags |= c.flags
		}
		live = live || h.live
	}
	if !live || n != 700 {
		s.Fatalf("%d rows, live: %v", n, live)
	}
	if want := tidemill.First | tidemill.FirstOf | tidemill.LastOf | tidemill.Last; flags&want != want {
		s.Errorf("flags %b among the rows of the snapshot, not all of %b", flags, want)
	}
	got := map[int64]SourceItem{}
	s.fold(got, all)
	s.same(got)
	s.apply(insertedTo(701, 720)...)
	from := tape[len(tape)-1].upto
	if from == "" {
		s.Fatal("no Upto when it has caught up")
	}
	more := s.read(s.db.Source(s.T), from, s.untilID(720))
	for _, h := range more {
		if !h.live {
			s.Error("a batch after a position is not Live")
		}
	}
	for _, c := range changesOf(more) {
		if c.op != tidemill.Insert || c.flags != 0 {
			s.Errorf("after the snapshot: %s with flags %b", c.op, c.flags)
		}
	}
	s.fold(got, append(all, changesOf(more)...)[len(all):])
	s.same(got)
	s.fold(map[int64]SourceItem{}, append(all, changesOf(more)...)) // identities go on rising
}

func (s *sourceTest) empty() {
	tape := s.read(s.db.Source(s.T), "", untilCaughtUp)
	if n := len(changesOf(tape)); n > 0 {
		s.Errorf("%d changes of an empty table", n)
	}
	last := tape[len(tape)-1]
	if !last.live || last.upto == "" {
		s.Fatalf("an empty table has caught up with live %v, upto %q", last.live, last.upto)
	}
	s.apply(inserted(1)...)
	got := map[int64]SourceItem{}
	s.fold(got, changesOf(s.read(s.db.Source(s.T), last.upto, s.untilID(1))))
	s.same(got)
}

func (s *sourceTest) operations() {
	s.apply(insertedTo(1, 5)...)
	src := s.db.Source(s.T)
	tape := s.read(src, "", untilCaughtUp)
	got := map[int64]SourceItem{}
	s.fold(got, changesOf(tape))
	null := updated(5, 5, 1)
	null.After.Name, null.After.Count = nil, nil
	s.apply(inserted(6)...)
	s.apply(updated(1, 1, 99.5))
	s.apply(updated(2, 20, 98.5)) // another key
	s.apply(deleted(3))
	s.apply(null)
	s.apply(inserted(3)...) // the same key again
	s.apply(append(inserted(7), updated(7, 7, 1), updated(7, 8, 2), deleted(8))...)
	s.apply(inserted(marker)...)
	more := changesOf(s.read(s.db.Source(s.T), tape[len(tape)-1].upto, s.untilID(marker)))
	s.fold(got, more)
	s.same(got)
	// A change of the key is one Update, or a Delete and an Insert of one transaction.
	for i := range more {
		c := &more[i]
		if c.op == tidemill.Update && c.after == nil || c.op == tidemill.Delete && c.after != nil ||
			c.op == tidemill.Insert && c.before != nil {
			s.Errorf("%s with before %v, after %v", c.op, c.before, c.after)
		}
		if c.commit.IsZero() {
			s.Errorf("%s without a commit time", c.op)
		}
	}
}

func (s *sourceTest) concurrent() {
	var ids []int64
	for id := int64(1); id <= 400; id++ {
		ids = append(ids, id)
	}
	s.apply(inserted(ids...)...)
	wait := s.concurrently(func() {
		w := s.writer(7, ids...)
		for range 150 {
			w.transaction()
		}
	})
	tape := s.read(s.db.Source(s.T), "", s.untilID(marker))
	wait()
	got := map[int64]SourceItem{}
	s.fold(got, changesOf(tape))
	s.same(got)
}

func (s *sourceTest) replay() {
	s.apply(insertedTo(1, 20)...)
	first := s.read(s.db.Source(s.T), "", untilCaughtUp)
	start := first[len(first)-1].upto
	w := s.writer(3, 1, 2, 3, 4, 5, 6)
	for range 25 {
		w.transaction()
	}
	if s.db.Rollback != nil {
		s.db.Rollback(s.T, inserted(777_777))
	}
	s.apply(inserted(marker)...)
	tape := s.read(s.db.Source(s.T), start, s.untilID(marker))
	all := changesOf(tape)
	type place struct {
		upto tidemill.Position
		at   int
	}
	places := []place{{start, 0}}
	at := 0
	for _, h := range tape {
		at += len(h.changes)
		if h.upto != "" && at < len(all) {
			places = append(places, place{h.upto, at})
		}
	}
	for len(places) > 12 { // enough of them, from the beginning to the end
		i := 1 + len(places)/2
		places = append(places[:i], places[i+1:]...)
	}
	for _, p := range places {
		again := changesOf(s.read(s.db.Source(s.T), p.upto, s.untilID(marker)))
		if len(again) != len(all)-p.at {
			s.Fatalf("after %q come %d changes, not %d", p.upto, len(again), len(all)-p.at)
		}
		for i := range again {
			s.alike(&all[p.at+i], &again[i])
		}
	}
	got := map[int64]SourceItem{}
	s.fold(got, append(changesOf(first), all...))
	s.same(got)
}

// alike compares a change with the same one on a replay.
func (s *sourceTest) alike(a, b *seen) {
	s.Helper()
	same := a.op == b.op && a.id == b.id && a.where == b.where && a.table.Sum == b.table.Sum &&
		a.commit.Equal(b.commit) && a.flags == b.flags &&
		sameValues(a.before, b.before) && sameValues(a.after, b.after)
	if !same {
		s.Fatalf("a change was\n%s %v at %s: %v -> %v\nand is on replay\n%s %v at %s: %v -> %v",
			a.op, a.id, a.where, a.before, a.after, b.op, b.id, b.where, b.before, b.after)
	}
}

func sameValues(a, b []tidemill.Value) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

func (s *sourceTest) parity() {
	text := func(t string) *string { return &t }
	number := func(n int64) *int64 { return &n }
	items := []SourceItem{
		{Name: text(""), Amount: 0, Count: number(0)},
		{Name: text("it's ‘odd’; 雪 \t \\n"), Amount: 0.1, Count: number(-1)},
		{Amount: -1e300},
		{Name: text("NULL"), Amount: 5e-300, Count: number(1<<62 + 1)},
		{Name: text("0012.50"), Amount: 1234567.875, Count: number(-1 << 62)},
		{Name: text(" x "), Amount: 3},
	}
	insert := func(from int64) []SourceChange {
		var cs []SourceChange
		for i, it := range items {
			it.ID = from + int64(i)
			cs = append(cs, SourceChange{Op: tidemill.Insert, After: it})
		}
		return cs
	}
	s.apply(insert(1)...)
	tape := s.read(s.db.Source(s.T), "", untilCaughtUp)
	s.apply(insert(101)...)
	s.apply(inserted(marker)...)
	more := s.read(s.db.Source(s.T), tape[len(tape)-1].upto, s.untilID(marker))
	read, streamed := changesOf(tape), changesOf(more)
	if len(read) != len(items) || len(streamed) != len(items)+1 {
		s.Fatalf("%d rows of the snapshot, %d of the stream", len(read), len(streamed))
	}
	byID := map[int64]*seen{}
	for i := range read {
		byID[s.item(read[i].table, read[i].after).ID] = &read[i]
	}
	for i := range items {
		b := &streamed[i]
		a := byID[s.item(b.table, b.after).ID-100]
		if a == nil {
			s.Fatalf("the snapshot lacks row %d", i+1)
		}
		if a.table.Sum != b.table.Sum {
			s.Fatalf("the table is\n%+v in the snapshot and\n%+v in the stream", a.table, b.table)
		}
		for k := range a.after {
			if name := a.table.Columns[k].Name; name != "id" && !a.after[k].Equal(b.after[k]) {
				s.Errorf("row %d: %s is %s %q in the snapshot and %s %q in the stream",
					i+1, name, a.after[k].Kind(), a.after[k], b.after[k].Kind(), b.after[k])
			}
		}
		for k, c := range a.table.Columns {
			if v := a.after[k]; !v.IsNull() && v.Kind() != c.Kind {
				s.Errorf("column %s is of kind %s and has a value of kind %s", c.Name, c.Kind, v.Kind())
			}
		}
		if len(a.table.Key) != 1 || a.table.Columns[a.table.Key[0]].Name != "id" {
			s.Fatalf("the key is %v", a.table.Key)
		}
	}
	got := map[int64]SourceItem{}
	s.fold(got, append(read, streamed...))
	s.same(got)
}

func (s *sourceTest) transactions() {
	tape := s.read(s.db.Source(s.T), "", untilCaughtUp)
	sizes := []int64{1, 50, 3, 1200, 1}
	id := int64(1)
	for _, n := range sizes {
		s.apply(insertedTo(id, id+n-1)...)
		id += n
	}
	if s.db.Rollback != nil {
		s.db.Rollback(s.T, insertedTo(100_000, 100_010))
	}
	s.apply(inserted(marker)...)
	tape = s.read(s.db.Source(s.T), tape[len(tape)-1].upto, s.untilID(marker))
	all := changesOf(tape)
	if s.h.NoTransactions {
		got := map[int64]SourceItem{}
		s.fold(got, all)
		s.same(got)
		return
	}
	var runs []int64
	for i := range all {
		if i == 0 || all[i].id[1] != all[i-1].id[1] {
			runs = append(runs, 0)
		}
		runs[len(runs)-1]++
	}
	if fmt.Sprint(runs) != fmt.Sprint(append(sizes, 1)) {
		s.Errorf("%d transactions, the first ones of %v changes, not of %v",
			len(runs), runs[:min(len(runs), 10)], append(sizes, 1))
	}
	at := 0
	for _, h := range tape {
		at += len(h.changes)
		if h.upto != "" && at > 0 && at < len(all) && all[at].id[1] == all[at-1].id[1] {
			// Resuming here has to give the rest of the transaction.
			rest := changesOf(s.read(s.db.Source(s.T), h.upto, s.untilID(marker)))
			if len(rest) != len(all)-at {
				s.Fatalf("Upto %q inside a transaction resumes %d changes before the end, not %d", h.upto, len(rest), len(all)-at)
			}
		}
	}
	got := map[int64]SourceItem{}
	s.fold(got, all)
	s.same(got)
}

func (s *sourceTest) caughtUp() {
	s.apply(insertedTo(1, 50)...)
	tape := s.read(s.db.Source(s.T), "", untilCaughtUp)
	got := map[int64]SourceItem{}
	s.fold(got, changesOf(tape))
	s.same(got)
	for range 2 {
		from := tape[len(tape)-1].upto
		if from == "" {
			s.Fatal("no Upto when it has caught up")
		}
		n := int64(len(s.rows))
		s.apply(insertedTo(n+1, n+30)...)
		tape = s.read(s.db.Source(s.T), from, untilCaughtUp)
		s.fold(got, changesOf(tape))
		s.same(got)
	}
	tape = s.read(s.db.Source(s.T), tape[len(tape)-1].upto, untilCaughtUp) // nothing new
	if n := len(changesOf(tape)); n > 0 {
		s.Errorf("%d changes after the position where it had caught up", n)
	}
}
