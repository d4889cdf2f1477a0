package tidemill

// moves is what the present transaction has done to the keys of a task's rows. A database may hold its key unique at the
// end of a transaction only (a deferrable key in Postgres). Until then two rows can have one key, and a row that takes
// another one's does not replace it: that one moves on, or goes, before the commit. Once the transaction is over nothing of
// it is needed, so no checkpoint holds it.
type moves struct {
	part      uint32
	order     uint64
	set       bool
	landed    map[string]uint64      // rows that have moved, by the id they have by now: wholeRow of each
	displaced map[string][]displaced // rows whose key another one took, by that key, the first of them first
}

// displaced is what is held of a row, away from its place.
type displaced struct {
	told     string // the id under which sinks have its prediction
	q        question
	open     bool // q is its open question
	note     note
	answered bool // note is its answer
}

func (d *displaced) any() bool { return d.open || d.answered }

// of is m for the transaction of c.
func (m *moves) of(c *Change) *moves {
	switch {
	case c.Tx == nil:
		*m = moves{}
	case !m.set || m.order != c.Tx.Order || m.part != c.Part:
		*m = moves{part: c.Part, order: c.Tx.Order, set: true}
	}
	return m
}

// wholeRow is a hash of a row's values; 0 where the source did not send them all.
func wholeRow(row []Value) uint64 {
	var b []byte
	for _, v := range row {
		if !v.Known() {
			return 0
		}
		b = putValue(b, v)
	}
	return Hash(string(b)) | 1
}

// other reports that a change is of another row than the one that moved to id in this transaction, as far as the source
// tells rows as they were.
func (m *moves) other(id string, c *Change) bool {
	row, ok := m.landed[id]
	if !ok {
		return false
	}
	was := wholeRow(c.Before)
	return row != 0 && was != 0 && row != was
}

// land notes a row that has moved, or has changed since, where it is by now.
func (m *moves) land(id string, c *Change) {
	if !m.set {
		return
	}
	if m.landed == nil {
		m.landed = map[string]uint64{}
	}
	m.landed[id] = wholeRow(c.After)
}

// first takes the row that had the key id before others took it; false if there is none.
func (m *moves) first(id string) (displaced, bool) {
	list := m.displaced[id]
	if len(list) == 0 {
		return displaced{}, false
	}
	if len(list) == 1 {
		delete(m.displaced, id)
	} else {
		m.displaced[id] = list[1:]
	}
	return list[0], true
}

// moved carries an open question, and the note of an answer, over to the row's new key.
func (t *taskState) moved(c *Change, tt *taskTable, i int) error {
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
	if old == now {
		if _, ok := m.landed[old]; ok && !m.other(old, c) {
			m.land(old, c)
		}
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	// Of two rows of one key it is the first that moves on: `SET id = id + 1` touches each row once.
	d, ok := m.first(old)
	if ok {
		if d.open {
			t.counts.Replaced--
		}
	} else if m.other(old, c) {
		return nil // a row of which nothing is held
	} else {
		var err error
		if d, err = t.lift(old); err != nil {
			return err
		}
		delete(m.landed, old)
	}
	if !d.any() {
		return nil
	}
	if b.id == nil && m.set { // a key: the row that has it will not keep it
		if err := t.displace(now, c, i); err != nil {
			return err
		}
	}
	m.land(now, c)
	return t.place(&d, now, c, i)
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

// displace puts what is held of the row of id aside, until its own change of this transaction comes. It counts as replaced
// unless it comes.
func (t *taskState) displace(id string, c *Change, i int) error {
	d, err := t.lift(id)
	if err != nil || !d.any() {
		return err
	}
	if d.open {
		t.counts.Replaced++
	}
	m := &t.moves
	if m.displaced == nil {
		m.displaced = map[string][]displaced{}
	}
	d.told = id + " displaced at " + t.locate(c)
	m.displaced[id] = append(m.displaced[id], d)
	t.emitMove(id, d.told, c, i)
	return nil
}

// place puts what is held of a row to its key.
func (t *taskState) place(d *displaced, id string, c *Change, i int) error {
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
	t.emitMove(d.told, id, c, i)
	return nil
}

func (t *taskState) emitMove(from, to string, c *Change, i int) {
	t.emit(i, Output{Kind: Retracted, Change: c, Task: t.spec.Name, ID: from, NewID: to, Position: t.locate(c)})
}

// gone drops the open question of a deleted row. What was learned stays learned, and is counted, unless the deletion itself
// told it.
func (t *taskState) gone(c *Change, tt *taskTable, told bool, i int) error {
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
	d, two := m.first(id)
	switch {
	case !two && m.other(id, c):
		return nil // a row of which nothing is held
	case two && d.open:
		t.counts.Replaced--
	}
	if two && m.landed[id] != 0 && m.landed[id] == wholeRow(c.Before) { // the one that came goes, the first has its place again
		first := d
		var err error
		if d, err = t.lift(id); err != nil {
			return err
		}
		if err := t.place(&first, id, c, i); err != nil {
			return err
		}
		two = false
		delete(m.landed, id)
	} else if !two {
		var err error
		if d, err = t.lift(id); err != nil {
			return err
		}
	}
	if d.open {
		t.counts.Dropped++
	}
	if d.answered && !told {
		t.counts.Deleted++
	}
	if two { // its prediction makes way for that of the row which has its key
		t.emitMove(id, d.told, c, i)
		t.emitMove(d.told, id, c, i)
	}
	return nil
}
