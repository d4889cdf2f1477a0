package engine

import (
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// moves is what the present transaction has done to the keys of a task's rows. A database may hold its key unique at the
// end of a transaction only (a deferrable key in Postgres). Until then two rows can have one key, and a row that takes
// another one's does not replace it: that one moves on, or goes, before the commit. Once the transaction is over nothing of
// it is needed, so no checkpoint holds it.
type moves struct {
	part      uint32
	order     uint64
	set       bool
	landed    map[string]uint64      // rows that have moved, by the id they have by now: wholeRow of each
	displaced map[string][]displaced // rows whose key another one took, by that key, in order of their going
}

// displaced is what is held of a row, away from its place.
type displaced struct {
	told     string // the id under which sinks have its prediction
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

// What whose says beside the index of a displaced row.
const (
	atPlace  = -1 // the row whose question is held under the key
	noneHeld = -2 // a row of which nothing is held
)

// whose says which of the rows that have the key id a change is about, as far as the source tells rows as they were: an index
// of displaced[id], atPlace or noneHeld. Where it does not, or two rows are wholly equal, a row that leaves the key is taken for
// the first that had it (`SET id = id + 1` touches each row once), and one that stays for the last that came.
func (m *moves) whose(id string, c *tidemill.Change, leaves bool) int {
	list := m.displaced[id]
	row, came := m.landed[id]
	if len(list) == 0 && !came {
		return atPlace
	}
	was := wholeRow(c.Before)
	if was == 0 && !leaves || was != 0 && was == row {
		return atPlace
	}
	first, unseen := atPlace, noneHeld
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
		return atPlace
	case first >= 0 && leaves:
		return first
	}
	return noneHeld
}

// land notes a row that has moved, or has changed since, where it is by now.
func (m *moves) land(id string, c *tidemill.Change) {
	if !m.set {
		return
	}
	if m.landed == nil {
		m.landed = map[string]uint64{}
	}
	m.landed[id] = wholeRow(c.After)
}

// takeDisplaced takes a displaced row of the key id from its list.
func (t *taskState) takeDisplaced(id string, k int) displaced {
	m := &t.moves
	list := m.displaced[id]
	d := list[k]
	if len(list) == 1 {
		delete(m.displaced, id)
	} else {
		m.displaced[id] = slices.Delete(list, k, k+1)
	}
	if d.open {
		t.counts.Replaced--
	}
	return d
}

// moved carries an open question, and the note of an answer, over to the row's new key.
func (t *taskState) moved(c *tidemill.Change, tt *taskTable, i int) error {
	b := tt.holds()
	if b == nil {
		return nil
	}
	old, ok := b.idOf(c.Before)
	now, ok2 := b.idOf(c.After)
	if !ok || !ok2 {
		return nil
	}
	m := t.moves.of(c)
	k := m.whose(old, c, old != now)
	if old == now {
		if k >= 0 {
			if err := t.summon(old, k, c, i); err != nil {
				return err
			}
		}
		if _, came := m.landed[old]; came && k != noneHeld {
			m.land(old, c)
		}
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	if k == noneHeld {
		return nil
	}
	d, err := t.leave(old, k)
	if err != nil {
		return err
	}
	if b.id == nil && m.set && (d.any() || wholeRow(c.Before) != 0) { // a key: the row that has it will not keep it
		if err := t.displace(now, c, i); err != nil {
			return err
		}
		m.land(now, c)
	}
	if err := t.place(&d, now, c, i); err != nil || k != atPlace {
		return err
	}
	return t.giveBack(old, c, i)
}

// summon gives a displaced row its key back while a change of it is applied that is not its last under this key; the row that
// has the key is put aside in its stead.
func (t *taskState) summon(id string, k int, c *tidemill.Change, i int) error {
	if err := t.flush(); err != nil {
		return err
	}
	d := t.takeDisplaced(id, k)
	if err := t.displace(id, c, i); err != nil {
		return err
	}
	t.moves.landed[id] = wholeRow(c.Before)
	return t.place(&d, id, c, i)
}

// atItsPlace sees to it that a deletion which answers meets what is held of its own row.
func (t *taskState) atItsPlace(c *tidemill.Change, tt *taskTable, i int) error {
	b := tt.holds()
	if b == nil {
		return nil
	}
	id, ok := b.idOf(c.Before)
	if !ok {
		return nil
	}
	if k := t.moves.of(c).whose(id, c, false); k >= 0 {
		return t.summon(id, k, c, i)
	}
	return nil
}

// giveBack gives the key id, which the row at its place has left, to the last of the rows that were put aside.
func (t *taskState) giveBack(id string, c *tidemill.Change, i int) error {
	n := len(t.moves.displaced[id])
	if n == 0 {
		return nil
	}
	d := t.takeDisplaced(id, n-1)
	if d.row != 0 {
		t.moves.landed[id] = d.row
	}
	return t.place(&d, id, c, i)
}

// lift takes what is held of the row of id.
func (t *taskState) lift(id string) (d displaced, err error) {
	d.told = id
	if d.note, d.answered = t.answered.find(id); d.answered { // a row that was answered, and asked about again, has both
		t.answered.forget(id)
	}
	d.open, err = t.questions.take(id, &d.q)
	return d, err
}

// leave takes what is held of a row that leaves the key id: the one at its place, or the displaced one of index k.
func (t *taskState) leave(id string, k int) (displaced, error) {
	if k != atPlace {
		return t.takeDisplaced(id, k), nil
	}
	delete(t.moves.landed, id)
	return t.lift(id)
}

// displace puts what is held of the row of id aside, until its own change of this transaction comes. It counts as replaced
// unless it comes. A row of which nothing is held is put aside too where its changes can be told from those of the other.
func (t *taskState) displace(id string, c *tidemill.Change, i int) error {
	d, err := t.lift(id)
	if err != nil || !d.any() && wholeRow(c.Before) == 0 {
		return err
	}
	if d.open {
		t.counts.Replaced++
	}
	m := &t.moves
	if m.displaced == nil {
		m.displaced = map[string][]displaced{}
	}
	d.told, d.row = id+" displaced at "+t.locate(c), m.landed[id]
	m.displaced[id] = append(m.displaced[id], d)
	if d.any() {
		t.emitMove(id, d.told, c, i)
	}
	return nil
}

// place puts what is held of a row to its key.
func (t *taskState) place(d *displaced, id string, c *tidemill.Change, i int) error {
	if d.answered {
		t.answered.set(id, d.note)
	}
	if d.open {
		var dead question
		replaced, err := t.questions.take(id, &dead)
		if err != nil {
			return err
		}
		if replaced {
			t.counts.Replaced++
		}
		d.q.id = id
		t.questions.put(&d.q)
	}
	if d.any() {
		t.emitMove(d.told, id, c, i)
	}
	return nil
}

func (t *taskState) emitMove(from, to string, c *tidemill.Change, i int) {
	t.emit(i, tidemill.Output{Kind: tidemill.Retracted, Change: c, Task: t.spec.Name, ID: from, NewID: to, Position: t.locate(c)})
}

// gone drops the open question of a deleted row. What was learned stays learned, and is counted, unless the deletion itself
// told it.
func (t *taskState) gone(c *tidemill.Change, tt *taskTable, told bool, i int) error {
	b := tt.holds()
	if b == nil {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	id, ok := b.idOf(c.Before)
	if !ok {
		if b.id != nil && !b.id.Eval(c.Before).Known() {
			return notSent("its id")
		}
		return nil
	}
	m := t.moves.of(c)
	k := m.whose(id, c, true)
	if k == noneHeld {
		return nil
	}
	d, err := t.leave(id, k)
	if err != nil {
		return err
	}
	if d.open {
		t.counts.Dropped++
	}
	if d.answered && !told {
		t.counts.Deleted++
	}
	if k == atPlace {
		return t.giveBack(id, c, i)
	}
	if d.any() { // its prediction makes way for that of the row which has its key
		t.emitMove(id, d.told, c, i)
		t.emitMove(d.told, id, c, i)
	}
	return nil
}
