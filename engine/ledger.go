package engine

import (
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// moves is what the present transaction has done to the keys of a task's rows. A database may hold its key unique at
// the end of a transaction only (a deferrable key in Postgres). Until then two rows can have one key, and a row that
// takes another one's does not replace it: that one moves on, or goes, before the commit. Once the transaction is over
// nothing of it is needed, so no checkpoint holds it.
type moves struct {
	part      uint32
	order     uint64
	set       bool
	arrived   map[string]uint64      // rows that have moved, by the id they have by now: wholeRow of each
	displaced map[string][]displaced // rows whose key another one took, by that key, in order of their going
}

// displaced is what is held of a row, away from its place.
type displaced struct {
	stored   string // the id under which sinks have its prediction
	q        question
	open     bool // q is its open question
	note     note
	answered bool   // note is its answer
	row      uint64 // wholeRow of the row, if it was seen in this transaction
}

func (d *displaced) any() bool { return d.open || d.answered }

// of is m for the transaction of c.
func (m *moves) of(c *tidemill.Change) *moves {
	switch {
	case c.Tx == nil:
		*m = moves{}
	case !m.set || m.order != c.Tx.Order || m.part != c.Part:
		*m = moves{part: c.Part, order: c.Tx.Order, set: true}
	}
	return m
}

// wholeRow is a hash of a row's values; 0 where the source did not send them all.
func wholeRow(row []tidemill.Value) uint64 {
	var b []byte
	for _, v := range row {
		if !v.Known() {
			return 0
		}
		b = statebytes.AppendValue(b, v)
	}
	return tidemill.Hash(string(b)) | 1
}

// What holder says beside the index of a displaced row.
const (
	inPlace     = -1 // the row whose question is held under the key
	nothingHeld = -2 // a row of which nothing is held
)

// holder says which of the rows that have the key id a change is about, as far as the source tells rows as they were:
// an index of displaced[id], inPlace or nothingHeld. Where it does not, or two rows are wholly equal, a row that leaves
// the key is taken for the first that had it (`SET id = id + 1` touches each row once), and one that
// stays for the last that came.
func (m *moves) holder(id string, c *tidemill.Change, leaves bool) int {
	list := m.displaced[id]
	row, came := m.arrived[id]
	if len(list) == 0 && !came {
		return inPlace
	}
	was := wholeRow(c.Before)
	if was == 0 && !leaves || was != 0 && was == row {
		return inPlace
	}
	first, unseen := inPlace, nothingHeld
	for k := range list {
		switch {
		case was != 0 && list[k].row == was:
			return k
		case list[k].row == 0 && unseen < 0:
			unseen = k
		}
		if list[k].any() && first < 0 {
			first = k
		}
	}
	switch {
	case was == 0:
		return first
	case unseen >= 0:
		return unseen
	case row == 0:
		return inPlace
	case first >= 0 && leaves:
		return first
	}
	return nothingHeld
}

// arrive notes a row that has moved, or has changed since, where it is by now.
func (m *moves) arrive(id string, c *tidemill.Change) {
	if !m.set {
		return
	}
	if m.arrived == nil {
		m.arrived = map[string]uint64{}
	}
	m.arrived[id] = wholeRow(c.After)
}

// ledger is what a task holds of rows: its open questions, the answers it has had, and where the present transaction
// has moved them. flush computes the asks that wait; they come before whatever changes the ledger.
type ledger struct {
	task      string
	questions *questions
	answered  *answered
	moves     moves
	counts    *Counts
	out       *taskOutputs
	flush     func() error
}

// takeDisplaced takes a displaced row of the key id from its list.
func (l *ledger) takeDisplaced(id string, k int) displaced {
	m := &l.moves
	list := m.displaced[id]
	d := list[k]
	if len(list) == 1 {
		delete(m.displaced, id)
	} else {
		m.displaced[id] = slices.Delete(list, k, k+1)
	}
	if d.open {
		l.counts.Replaced--
	}
	return d
}

// keyChanged carries an open question, and the note of an answer, over to the row's new key.
func (l *ledger) keyChanged(c *tidemill.Change, tt *boundTable, i int) error {
	b := tt.holds()
	if b == nil {
		return nil
	}
	old, ok := b.idOf(c.Before)
	now, ok2 := b.idOf(c.After)
	if !ok || !ok2 {
		return nil
	}
	m := l.moves.of(c)
	k := m.holder(old, c, old != now)
	if old == now {
		if k >= 0 {
			if err := l.swapIn(old, k, c, i); err != nil {
				return err
			}
		}
		if _, came := m.arrived[old]; came && k != nothingHeld {
			m.arrive(old, c)
		}
		return nil
	}
	if err := l.flush(); err != nil {
		return err
	}
	if k == nothingHeld {
		return nil
	}
	d, err := l.takeLeaving(old, k)
	if err != nil {
		return err
	}
	if b.id == nil && m.set && (d.any() || wholeRow(c.Before) != 0) { // a key: the row that has it will not keep it
		if err := l.setAside(now, c, i); err != nil {
			return err
		}
		m.arrive(now, c)
	}
	if err := l.putRow(&d, now, c, i); err != nil || k != inPlace {
		return err
	}
	return l.returnKey(old, c, i)
}

// swapIn gives a displaced row its key back while a change of it is applied that is not its last under this key; the
// row that has the key is put aside in its stead.
func (l *ledger) swapIn(id string, k int, c *tidemill.Change, i int) error {
	if err := l.flush(); err != nil {
		return err
	}
	d := l.takeDisplaced(id, k)
	if err := l.setAside(id, c, i); err != nil {
		return err
	}
	l.moves.arrived[id] = wholeRow(c.Before)
	return l.putRow(&d, id, c, i)
}

// swapInForDelete sees to it that a deletion which answers meets what is held of its own row.
func (l *ledger) swapInForDelete(c *tidemill.Change, tt *boundTable, i int) error {
	b := tt.holds()
	if b == nil {
		return nil
	}
	id, ok := b.idOf(c.Before)
	if !ok {
		return nil
	}
	if k := l.moves.of(c).holder(id, c, false); k >= 0 {
		return l.swapIn(id, k, c, i)
	}
	return nil
}

// returnKey gives the key id, which the row at its place has left, to the last of the rows that were put aside.
func (l *ledger) returnKey(id string, c *tidemill.Change, i int) error {
	n := len(l.moves.displaced[id])
	if n == 0 {
		return nil
	}
	d := l.takeDisplaced(id, n-1)
	if d.row != 0 {
		l.moves.arrived[id] = d.row
	}
	return l.putRow(&d, id, c, i)
}

// takeRow takes what is held of the row of id.
func (l *ledger) takeRow(id string) (d displaced, err error) {
	d.stored = id
	if d.note, d.answered = l.answered.find(id); d.answered { // a row that was answered, and asked about again, has both
		l.answered.forget(id)
	}
	d.open, err = l.questions.take(id, &d.q)
	return d, err
}

// takeLeaving takes what is held of a row that leaves the key id: the one at its place, or
// the displaced one of index k.
func (l *ledger) takeLeaving(id string, k int) (displaced, error) {
	if k != inPlace {
		return l.takeDisplaced(id, k), nil
	}
	delete(l.moves.arrived, id)
	return l.takeRow(id)
}

// setAside puts what is held of the row of id aside, until its own change of this transaction comes. It counts as
// replaced unless it comes. A row of which nothing is held is put aside too where its changes can be
// told from those of the other.
func (l *ledger) setAside(id string, c *tidemill.Change, i int) error {
	d, err := l.takeRow(id)
	if err != nil || !d.any() && wholeRow(c.Before) == 0 {
		return err
	}
	if d.open {
		l.counts.Replaced++
	}
	m := &l.moves
	if m.displaced == nil {
		m.displaced = map[string][]displaced{}
	}
	d.stored, d.row = id+" displaced at "+l.out.locate(c), m.arrived[id]
	m.displaced[id] = append(m.displaced[id], d)
	if d.any() {
		l.emitMove(id, d.stored, c, i)
	}
	return nil
}

// putRow puts what is held of a row to its key.
func (l *ledger) putRow(d *displaced, id string, c *tidemill.Change, i int) error {
	if d.answered {
		l.answered.set(id, d.note)
	}
	if d.open {
		var dead question
		replaced, err := l.questions.take(id, &dead)
		if err != nil {
			return err
		}
		if replaced {
			l.counts.Replaced++
		}
		d.q.id = id
		l.questions.put(&d.q)
	}
	if d.any() {
		l.emitMove(d.stored, id, c, i)
	}
	return nil
}

func (l *ledger) emitMove(from, to string, c *tidemill.Change, i int) {
	l.out.emit(i, tidemill.Output{Kind: tidemill.Retracted, Change: c, Task: l.task, ID: from, NewID: to,
		Position: l.out.locate(c)})
}

// deleted drops the open question of a deleted row. What was learned stays learned, and is counted, unless the deletion
// itself told it.
func (l *ledger) deleted(c *tidemill.Change, tt *boundTable, answered bool, i int) error {
	b := tt.holds()
	if b == nil {
		return nil
	}
	if err := l.flush(); err != nil {
		return err
	}
	id, ok := b.idOf(c.Before)
	if !ok {
		if b.id != nil && !b.id.Eval(c.Before).Known() {
			return notSent("its id")
		}
		return nil
	}
	m := l.moves.of(c)
	k := m.holder(id, c, true)
	if k == nothingHeld {
		return nil
	}
	d, err := l.takeLeaving(id, k)
	if err != nil {
		return err
	}
	if d.open {
		l.counts.Dropped++
	}
	if d.answered && !answered {
		l.counts.Deleted++
	}
	if k == inPlace {
		return l.returnKey(id, c, i)
	}
	if d.any() { // its prediction makes way for that of the row which has its key
		l.emitMove(id, d.stored, c, i)
		l.emitMove(d.stored, id, c, i)
	}
	return nil
}

// truncated is gone for all rows of a table.
func (l *ledger) truncated(tt *boundTable) error {
	if tt.holds() == nil {
		return nil
	}
	if err := l.flush(); err != nil {
		return err
	}
	l.moves = moves{}
	n, err := l.questions.dropTable(tt.name)
	l.counts.Dropped += uint64(n)
	l.counts.Deleted += uint64(l.answered.forgetTable(tt.name))
	return err
}

// hold keeps a question; an open one of the same id is replaced.
func (l *ledger) hold(q *question) error {
	var old question
	ok, err := l.questions.take(q.id, &old)
	if err != nil {
		return err
	}
	if ok {
		l.counts.Replaced++
	}
	l.questions.put(q)
	return nil
}
