package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemill/tidemill"
)

// snapshot reads every captured table inside one read transaction, which also says which log row is the last that the
// rows include. beginRead has begun it. ok is false when the consumer has had enough.
func (st *stream) snapshot(ctx context.Context, yield func(tidemill.Batch, error) bool) (ok bool, err error) {
	d := st.d
	defer func() {
		if d.inTransaction() {
			if e := d.exec("COMMIT"); e != nil && err == nil {
				ok, err = false, e
			}
		}
	}()
	tx := &tidemill.Tx{Order: uint64(st.seq), Commit: time.UnixMilli(st.at).UTC()}
	b := newBuilder(0)
	var n uint64
	for _, name := range st.c.tables {
		sh := st.latest(name)
		if sh == nil {
			return false, fmt.Errorf("table %s is gone", name)
		}
		any := false
		s, err := d.prepare(sh.selectRows(st.noRowid[sh.id]))
		if err != nil {
			return false, err
		}
		for {
			more, err := s.step()
			if err != nil {
				s.close()
				return false, err
			}
			if !more {
				break
			}
			// A full batch waits until there is another row: the last row of all carries a flag.
			if b.full() {
				if !yield(tidemill.Batch{Changes: b.changes}, nil) {
					s.close()
					return false, nil
				}
				if err := ctx.Err(); err != nil {
					s.close()
					return false, err
				}
				b = newBuilder(len(b.changes))
			}
			n++
			c := tidemill.Change{Op: tidemill.Read, Table: sh.table, Tx: tx, N: n, At: tx.Order, After: b.values.take(len(sh.Columns))}
			for i := range c.After {
				c.After[i] = s.value(i, &b.slab)
			}
			if !any {
				c.Flags |= tidemill.FirstOf
				any = true
			}
			if n == 1 {
				c.Flags |= tidemill.First
			}
			b.changes = append(b.changes, c)
		}
		s.close()
		if any {
			b.changes[len(b.changes)-1].Flags |= tidemill.LastOf
		}
	}
	if len(b.changes) > 0 {
		b.changes[len(b.changes)-1].Flags |= tidemill.Last
	}
	if err := d.exec("COMMIT"); err != nil {
		return false, err
	}
	return yield(tidemill.Batch{Changes: b.changes, Upto: st.here(), Live: true, CaughtUp: true}, nil), nil
}

// beginRead opens a read transaction, and stands at the newest log row that it sees.
func (st *stream) beginRead() error {
	d := st.d
	if err := d.exec("BEGIN"); err != nil {
		return err
	}
	v, err := d.one("PRAGMA main.schema_version")
	if err == nil {
		st.schema = v
		err = d.query(fmt.Sprintf("SELECT seq, at FROM main.%s ORDER BY seq DESC LIMIT 1", quote(st.meta.log)), func(s *stmt) error {
			st.seq, st.at = s.int(0), unixMilli(s.float(1))
			return nil
		})
	}
	if err != nil && d.inTransaction() {
		d.exec("ROLLBACK")
	}
	return err
}
