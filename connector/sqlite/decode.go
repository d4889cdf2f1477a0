package sqlite

import (
	"fmt"
	"time"

	"github.com/tidemill/tidemill"
)

// arena hands out slices from chunks that double up to most.
type arena[T any] struct {
	free []T
	next int
	most int
}

func (a *arena[T]) take(n int) []T {
	if n > len(a.free) {
		a.next = min(max(2*a.next, 16), a.most)
		a.free = make([]T, max(a.next, n))
	}
	s := a.free[:n:n]
	a.free = a.free[n:]
	return s
}

// builder collects batches, one after the other. A batch's memory goes to the receiver with it; what is left of the
// chunks serves the next ones, so that small batches cost no chunk each.
type builder struct {
	changes []tidemill.Change
	hint    int // how many changes a batch has lately
	values  arena[tidemill.Value]
	txs     arena[tidemill.Tx]
	slab    slab
}

// A batch is cut at either of these.
const (
	batchChanges = 1024
	batchBytes   = 2 << 20
)

func newBuilder() *builder {
	return &builder{values: arena[tidemill.Value]{most: 8192}, txs: arena[tidemill.Tx]{most: 1024}}
}

// next begins another batch; the last one's changes are the receiver's.
func (b *builder) next() {
	if n := len(b.changes); n > 0 {
		b.hint = max(n, b.hint-b.hint/8)
		b.changes = nil
	}
	b.slab.size = 0
}

func (b *builder) add(c tidemill.Change) {
	if b.changes == nil {
		b.changes = make([]tidemill.Change, 0, max(b.hint, 4))
	}
	b.changes = append(b.changes, c)
}

func (b *builder) full() bool { return len(b.changes) >= batchChanges || b.slab.size >= batchBytes }

// cursor reads the values of one change, over its continuation rows too.
type cursor struct {
	st  *stream
	s   *stmt
	col int
}

func (c *cursor) next(sl *slab) (tidemill.Value, error) {
	if c.col == c.st.meta.Width {
		ok, err := c.s.step()
		if err != nil {
			return tidemill.Value{}, err
		}
		if !ok || c.s.int(0) != c.st.seq+1 || c.s.int(1) != continued {
			return tidemill.Value{}, c.st.missing(c.st.seq+1, c.st.seq+1)
		}
		c.st.seq++
		c.st.at = 0
		c.col = 0
	}
	c.col++
	return c.s.value(2+c.col, sl), nil
}

func (c *cursor) fill(dst []tidemill.Value, sl *slab) (err error) {
	for i := range dst {
		if dst[i], err = c.next(sl); err != nil {
			return err
		}
	}
	return nil
}

// decode adds the change that starts at the log row on which s stands.
func (st *stream) decode(s *stmt, b *builder) error {
	seq, code := s.int(0), s.int(1)
	if seq != st.seq+1 {
		return st.missing(st.seq+1, seq-1)
	}
	st.seq, st.at = seq, unixMilli(s.float(2))
	if code == codeMark {
		return nil
	}
	sh, err := st.shapeOf(code)
	if err != nil {
		return err
	}
	commit := st.at
	cur := cursor{st: st, s: s}
	c := tidemill.Change{Table: sh.table}
	if err := cur.change(&c, sh, code&(1<<opBits-1), b); err != nil {
		return err
	}
	tx := &b.txs.take(1)[0]
	tx.Order, tx.Commit = uint64(st.seq), time.UnixMilli(commit).UTC()
	c.Tx, c.At = tx, uint64(st.seq)
	b.add(c)
	return nil
}

// shapeOf is the shape that a log row's code names; its operation is one of ours too.
func (st *stream) shapeOf(code int64) (*shape, error) {
	if st.shapes[code>>opBits] == nil { // made since by another run
		all, err := st.d.shapes(st.meta, st.shapes)
		if err != nil {
			return nil, err
		}
		st.shapes = all
	}
	sh := st.shapes[code>>opBits]
	if sh == nil || code < 0 || code&(1<<opBits-1) > opGone {
		return nil, tidemill.Fatalf("sqlite: %s: row %d of %s has a code that this program did not write; run with "+
			"--fresh to start over",
			st.path, st.seq, st.meta.log)
	}
	return sh, nil
}

// change reads the operation and the row's values, after and before, in the order in which the triggers log them.
func (c *cursor) change(dst *tidemill.Change, sh *shape, op int64, b *builder) error {
	n := len(sh.Columns)
	if op < opDelete {
		dst.After = b.values.take(n)
		if err := c.fill(dst.After, &b.slab); err != nil {
			return err
		}
	}
	if op == opInsert {
		dst.Op = tidemill.Insert
		return nil
	}
	dst.Before = b.values.take(n)
	switch op {
	case opUpdate:
		dst.Op = tidemill.Update
		if err := c.before(dst.Before, sh, &b.slab); err != nil || sh.Before == "key" {
			return err
		}
		for i, r := range sh.restore {
			if r {
				dst.Before[i] = restore(dst.Before[i], dst.After[i])
			}
		}
	case opDelete:
		dst.Op = tidemill.Delete
		return c.before(dst.Before, sh, &b.slab)
	case opRefresh:
		dst.Op = tidemill.Update
		for i := range dst.Before {
			if !sh.added[i] {
				dst.Before[i] = dst.After[i]
			}
		}
	case opGone:
		dst.Op = tidemill.Delete
		return c.keys(dst.Before, sh, &b.slab)
	}
	return nil
}

// before reads what is logged of the row as it was: its key, or all of it.
func (c *cursor) before(dst []tidemill.Value, sh *shape, sl *slab) error {
	if sh.Before == "key" {
		return c.keys(dst, sh, sl)
	}
	return c.fill(dst, sl)
}

func (c *cursor) keys(dst []tidemill.Value, sh *shape, sl *slab) (err error) {
	for _, k := range sh.Key {
		if dst[k], err = c.next(sl); err != nil {
			return err
		}
	}
	return nil
}

// restore is the old value of a wide column; see layout.before.
func restore(logged, after tidemill.Value) tidemill.Value {
	switch {
	case logged.IsNull():
		return after
	case logged.Equal(after):
		return tidemill.Null()
	}
	return logged
}

// missing is the error of a hole in the log.
func (st *stream) missing(from, to int64) error {
	return fmt.Errorf("sqlite: %s: rows %d to %d of the change log %s are gone: somebody else deleted them; run with "+
		"--fresh: %w",
		st.path, from, to, st.meta.log, tidemill.ErrGap)
}
