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

// builder collects batches, one after the other. A batch's memory goes to the receiver with it; what is left of the chunks
// serves the next ones, so that small batches cost no chunk each.
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
	if st.shapes[code>>opBits] == nil { // made since by another run
		all, err := st.d.shapes(st.meta, st.shapes)
		if err != nil {
			return err
		}
		st.shapes = all
	}
	sh, op := st.shapes[code>>opBits], code&(1<<opBits-1)
	if sh == nil || code < 0 || op > opGone {
		return tidemill.Fatalf("sqlite: %s: row %d of %s has a code that this program did not write; run with --fresh to start over", st.path, seq, st.meta.log)
	}
	commit := st.at
	cur := cursor{st: st, s: s}
	c := tidemill.Change{Table: sh.table}
	n := len(sh.Columns)
	var err error
	if op < opDelete {
		c.After = b.values.take(n)
		if err = cur.fill(c.After, &b.slab); err != nil {
			return err
		}
	}
	switch op {
	case opInsert:
		c.Op = tidemill.Insert
	case opUpdate:
		c.Op = tidemill.Update
		c.Before = b.values.take(n)
		if sh.Before == "key" {
			err = cur.keys(c.Before, sh, &b.slab)
			break
		}
		if err = cur.fill(c.Before, &b.slab); err == nil {
			for i, r := range sh.restore {
				if r {
					c.Before[i] = restore(c.Before[i], c.After[i])
				}
			}
		}
	case opDelete:
		c.Op = tidemill.Delete
		c.Before = b.values.take(n)
		if sh.Before == "key" {
			err = cur.keys(c.Before, sh, &b.slab)
		} else {
			err = cur.fill(c.Before, &b.slab)
		}
	case opRefresh:
		c.Op = tidemill.Update
		c.Before = b.values.take(n)
		for i := range c.Before {
			if !sh.added[i] {
				c.Before[i] = c.After[i]
			}
		}
	case opGone:
		c.Op = tidemill.Delete
		c.Before = b.values.take(n)
		err = cur.keys(c.Before, sh, &b.slab)
	}
	if err != nil {
		return err
	}
	tx := &b.txs.take(1)[0]
	tx.Order, tx.Commit = uint64(st.seq), time.UnixMilli(commit).UTC()
	c.Tx, c.At = tx, uint64(st.seq)
	b.add(c)
	return nil
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
	return fmt.Errorf("sqlite: %s: rows %d to %d of the change log %s are gone: somebody else deleted them; run with --fresh: %w",
		st.path, from, to, st.meta.log, tidemill.ErrGap)
}
