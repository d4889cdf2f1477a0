package feature

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// Update implements tidemill.Feature: it folds a change of the window's table in; its values enter at time at.
func (w *window) Update(c *tidemill.Change, at int64) {
	f := w.folds.get(c.Table)
	if f == nil {
		return
	}
	switch c.Op {
	case tidemill.Truncate:
		for _, s := range w.streams {
			s.clear()
		}
	case tidemill.Delete:
		if id, known, _ := keyHash(c.Before, f.key, f.seed); known {
			for _, s := range w.streams {
				if e := s.find(id); e != 0 {
					s.take(e)
				}
			}
		}
	case tidemill.Read, tidemill.Insert, tidemill.Update:
		id, known, null := keyHash(c.After, f.key, f.seed)
		if !known || null {
			return
		}
		if c.Op == tidemill.Update && c.Before != nil {
			if old, known, _ := keyHash(c.Before, f.key, f.seed); known && old != id {
				for _, s := range w.streams {
					s.rename(old, id)
				}
			}
		}
		if f.at >= 0 {
			var ok bool
			v := c.After[f.at]
			at, ok = expr.Micros(v, w.config.Unix)
			if !ok || at > c.Latest() {
				if ok || v.Known() && !v.IsNull() {
					w.streams[0].unfit++
				}
				at = noTime
			}
		}
		key := rowKey{}
		key.hash, key.known, key.null = keyHash(c.After, f.by, keySeed)
		for i := range w.streams {
			w.streams[i].fold(c, f, i, id, key, at)
		}
	}
}

// rename gives an entry to another row id: the primary key was changed.
func (s *stream) rename(old, id uint64) {
	e := s.find(old)
	if e == 0 {
		return
	}
	if other := s.find(id); other != 0 {
		s.take(other)
		if e = s.find(old); e == 0 { // take may have packed the slab
			return
		}
	}
	s.rows.remove(old, e)
	s.slab.own(e).row = id
	s.rows.add(id, e)
}

// rowKey is the key of a row as far as it was sent.
type rowKey struct {
	hash        uint64
	known, null bool
}

// noTime marks a row whose time is unknown: nothing of it enters.
const noTime = -1 << 63

// fold folds the row after a change into one stream.
func (s *valueStream) fold(c *tidemill.Change, f *folding, i int, id uint64, key rowKey, at int64) {
	value, err := s.of(c.After, f, i)
	if err == errUnfit {
		s.unfit++
	}
	if e := s.find(id); e != 0 {
		n := *s.slab.at(e)
		hash := n.hash
		if key.known {
			hash = key.hash
		}
		if err == errNotSent {
			value, err = n.value, nil
		}
		if err == nil && !key.null && hash == n.hash && value == n.value {
			return
		}
		s.take(e)
		if err == nil && !key.null && at != noTime {
			s.enter(hash, id, value, at)
		}
		return
	}
	if err != nil || !key.known || key.null || at == noTime || c.Op == tidemill.Update &&
		s.hadBefore(c, f, i, key, value) {
		return
	}
	s.enter(key.hash, id, value, at)
}

// of is what the stream takes from a row; errNotSent where that cannot be told, errSkip where it takes nothing.
func (s *valueStream) of(row []tidemill.Value, f *folding, i int) (uint64, error) {
	if f.where != nil {
		if v := f.where.Eval(row); !v.Known() {
			return 0, errNotSent
		}
		if !f.where.True(row) {
			return 0, errSkip
		}
	}
	if s.nature == natureRows {
		return 1, nil
	}
	return s.valueOf(f.values[i].Eval(row))
}

// hadBefore is whether a row without an entry had the same value under the same key before the change: then it entered
// once, and has left since. Without Before, rows did, and values, or rows that a condition chooses, did not.
func (s *valueStream) hadBefore(c *tidemill.Change, f *folding, i int, key rowKey, value uint64) bool {
	rows := s.nature == natureRows && f.where == nil
	if c.Before == nil {
		return rows
	}
	hash, known, null := keyHash(c.Before, f.by, keySeed)
	if null || known && hash != key.hash {
		return false
	}
	if rows {
		return true
	}
	old, err := s.of(c.Before, f, i)
	return err == nil && old == value
}
