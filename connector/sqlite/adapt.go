package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

// What adapt may find about one table.
type need struct {
	now     *layout // as the database has it
	sh      *shape  // as the triggers log it
	shape   bool    // the columns changed: another shape, and triggers for it
	trigger bool    // the triggers are to be made again
}

// adapt brings the triggers up to date after the schema changed: it looks first, and takes the write lock only when
// there is something to do.
func (st *stream) adapt(ctx context.Context) error {
	var version int64
	var needs []need
	look := func() (err error) {
		if version, err = st.d.one("PRAGMA main.schema_version"); err != nil {
			return err
		}
		// A file that was restored from a backup while it is open has another schema version too.
		if err := st.verify(st.here()); err != nil {
			return err
		}
		needs, err = st.needs()
		return err
	}
	if err := st.d.retry(ctx, look); err != nil {
		return st.lost(err)
	}
	if len(needs) > 0 {
		err := st.d.write(ctx, func() error {
			if err := look(); err != nil {
				return err
			}
			for _, n := range needs {
				if err := st.renew(n); err != nil {
					return err
				}
			}
			var err error
			version, err = st.d.one("PRAGMA main.schema_version")
			return err
		})
		if err != nil {
			return st.lost(err)
		}
		err = st.d.retry(ctx, func() error {
			all, err := st.d.shapes(st.meta, st.shapes)
			if err == nil {
				st.shapes = all
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	// Between the look and here the schema may have changed again: the next look at the version tells.
	st.schema, st.safe = version, st.seq
	return nil
}

// needs compares what is captured with what the database has.
func (st *stream) needs() (needs []need, err error) {
	for _, name := range st.c.tables {
		sh := st.latest(name)
		if sh == nil {
			return nil, tidemill.Fatalf("sqlite: %s: the change log %s does not know table %q: it was made for other tables; "+
				"run with --fresh",
				st.path, st.meta.log, name)
		}
		now, err := st.d.layout(name)
		if err != nil {
			if to, e := st.d.text(`SELECT tbl_name FROM main.sqlite_schema WHERE type='trigger' AND name=?`,
				triggerName(st.meta.log, sh.Name, "insert")); e == nil && to != "" {
				return nil, tidemill.Fatalf("sqlite: %s: table %q was renamed to %q; name it so in the flow and run with --fresh",
					st.path, name, to)
			}
			return nil, err
		}
		now.Before = sh.Before
		made, newer, err := st.made(sh)
		if err != nil {
			return nil, err
		}
		n := need{now: now, sh: sh, shape: !sh.same(now)}
		for _, t := range sh.triggers(st.meta, sh.id) {
			text, ok := made[t.name]
			if !ok && strings.Contains(t.name[len(st.meta.log):], ":before ") || !ok &&
				strings.HasSuffix(t.name, ":after update") {
				n.trigger = true // only needed beside unique indexes, which may be new
				continue
			}
			if !ok {
				return nil, fmt.Errorf("sqlite: %s: trigger %s is gone: the table was dropped and made anew, or somebody "+
					"dropped the trigger, "+
					"and changes since then are not in the log; run with --fresh: %w", st.path, t.name, tidemill.ErrGap)
			}
			n.trigger = n.trigger || text != t.sql
		}
		n.trigger = n.trigger || newer || !sameUnique(sh.Unique, now.Unique)
		if n.shape || n.trigger {
			needs = append(needs, n)
		}
	}
	return needs, nil
}

func sameUnique(a, b [][]indexed) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// made reads our triggers of the table: their statements by name, and whether the table has a trigger of somebody
// else's that is newer. SQLite fires the newest first: a newer one that changes the row again would have its change
// logged before the one that caused it.
func (st *stream) made(sh *shape) (made map[string]string, newer bool, err error) {
	made = map[string]string{}
	ours := st.meta.log + ":"
	var first int64
	err = st.d.query(`SELECT rowid, name, sql FROM main.sqlite_schema WHERE type='trigger' AND tbl_name=? COLLATE NOCASE ORDER BY rowid`, func(s *stmt) error {
		name := s.text(1)
		switch {
		case strings.HasPrefix(name, ours):
			made[name] = s.text(2)
			if first == 0 {
				first = s.int(0)
			}
		case first != 0 && !strings.Contains(name, ":"+sh.Name+":"): // not another flow's
			newer = true
		}
		return nil
	}, sh.Name)
	return made, newer, err
}

// renew makes the triggers of one table again, for a new shape where the columns changed.
func (st *stream) renew(n need) error {
	d := st.d
	var drop []string
	err := d.query(`SELECT name FROM main.sqlite_schema WHERE type='trigger' AND substr(name, 1, length(?)) = ?`,
		func(s *stmt) error {
			drop = append(drop, s.text(0))
			return nil
		}, triggerName(st.meta.log, n.sh.Name, ""), triggerName(st.meta.log, n.sh.Name, ""))
	if err != nil {
		return err
	}
	for _, name := range drop {
		if err := d.exec("DROP TRIGGER main." + quoting.Name(name)); err != nil {
			return err
		}
	}
	last, err := d.one("SELECT max(shape) FROM main." + quoting.Name(shapesTable(st.meta.log)))
	if err != nil {
		return err
	}
	shape := last + 1
	if err := d.addShape(st.meta, shape, n.now); err != nil {
		return err
	}
	if err := d.addTriggers(st.meta, n.now, shape); err != nil {
		return err
	}
	return st.refresh(n, shape)
}

// refresh logs again, as they are now, the rows that were written while the triggers did not know the columns that the
// table has gained.
func (st *stream) refresh(n need, shape int64) error {
	d := st.d
	old := n.sh.table
	gained := false
	for _, c := range n.now.Columns {
		gained = gained || old.Col(c.Name) < 0
	}
	if !gained || len(n.now.Key) == 0 {
		return nil
	}
	// The keys of the rows that were written since; of all rows where a key is not in the first of its log rows.
	var keys []string
	for _, k := range n.sh.Key {
		if k >= st.meta.Width || len(n.sh.Key) != len(n.now.Key) {
			keys = nil
			break
		}
		keys = append(keys, fmt.Sprintf("quote(c%d)", k))
	}
	code := n.sh.id << opBits
	from := fmt.Sprintf("main.%s WHERE seq>%d AND code IN (%d, %d, %d) GROUP BY %s ORDER BY min(seq)",
		quoting.Name(st.meta.log), st.safe, code+opRefresh, code+opInsert, code+opUpdate, strings.Join(keys, ", "))
	if keys == nil {
		from = "main." + quoting.Name(n.now.Name)
		for _, k := range n.now.Key {
			keys = append(keys, "quote("+quoting.Name(n.now.Columns[k].Name)+")")
		}
	}
	var values [][]string
	err := d.query("SELECT "+strings.Join(keys, ", ")+" FROM "+from, func(s *stmt) error {
		key := make([]string, len(keys))
		for i := range key {
			key[i] = s.text(i)
		}
		values = append(values, key)
		return nil
	})
	if err != nil {
		return err
	}
	// Row by row: the log rows of one row belong together.
	for _, key := range values {
		eq := make([]string, len(key))
		for i, k := range n.now.Key {
			eq[i] = quoting.Name(n.now.Columns[k].Name) + " IS " + key[i]
		}
		if err := d.exec(st.meta.inserts(shape<<opBits+opRefresh, n.now.exprs("", nil), " FROM "+quoting.Name(n.now.Name)+
			" WHERE "+strings.Join(eq, " AND "))); err != nil {
			return err
		}
	}
	return nil
}
