package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	_ "modernc.org/sqlite" // the driver

	"github.com/tidemill/tidemill/examples/flights"
)

// timetable writes flights into a SQLite file: what the world costs is to be little beside what is measured, so it
// speaks to the driver without database/sql's own locks and conversions.
type timetable struct {
	db      *sql.DB
	conn    *sql.Conn
	inserts map[int]driver.StmtExecContext // by rows
	landing driver.StmtExecContext
	args    []driver.NamedValue
	perTx   int
}

const (
	insertsAtOnce = 10  // rows of one INSERT at most
	eventsPerTx   = 500 // changes that are committed at once, unless the side says so
	isoTime       = "2006-01-02 15:04:05"
)

func newTimetable(ctx context.Context, path string) (*timetable, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"+
		"&_pragma=busy_timeout(20000)")
	if err != nil {
		return nil, err
	}
	w := &timetable{db: db, perTx: eventsPerTx, inserts: map[int]driver.StmtExecContext{}}
	if w.conn, err = db.Conn(ctx); err != nil {
		return nil, err
	}
	if _, err := w.conn.ExecContext(ctx, `CREATE TABLE flights(id INTEGER PRIMARY KEY, scheduled_at TEXT NOT NULL, month INTEGER, day INTEGER, hour INTEGER, minute INTEGER,
		carrier TEXT, flight INTEGER, tailnum TEXT, origin TEXT, dest TEXT, distance INTEGER, dep_delay INTEGER, air_time INTEGER, arr_delay INTEGER, landed_at TEXT)`); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *timetable) close() error { return errors.Join(w.conn.Close(), w.db.Close()) }

// run writes all events, in transactions.
func (w *timetable) run(ctx context.Context, all []flights.Flight, events []flights.Event) error {
	return w.conn.Raw(func(c any) error {
		prepare := func(q string) (driver.StmtExecContext, error) {
			s, err := c.(driver.ConnPrepareContext).PrepareContext(context.Background(), q)
			if err != nil {
				return nil, fmt.Errorf("%w in %s", err, q)
			}
			return s.(driver.StmtExecContext), nil
		}
		var err error
		const values = "(?,?,?,?,?,?,?,?,?,?,?,?)"
		for n := 1; n <= insertsAtOnce; n++ {
			if w.inserts[n], err = prepare("INSERT INTO flights(id, scheduled_at, month, day, hour, minute, carrier, flight, " +
				"tailnum, origin, dest, distance) VALUES " +
				values + strings.Repeat(","+values, n-1)); err != nil {
				return err
			}
		}
		if w.landing, err = prepare("UPDATE flights SET dep_delay = ?, air_time = ?, arr_delay = ?, landed_at = ? WHERE " +
			"id = ?"); err != nil {
			return err
		}
		begin, err := prepare("BEGIN IMMEDIATE")
		if err != nil {
			return err
		}
		commit, err := prepare("COMMIT")
		if err != nil {
			return err
		}
		for i := 0; i < len(events) && ctx.Err() == nil; i += w.perTx {
			if err := w.exec(begin); err != nil {
				return err
			}
			if err := w.write(all, events[i:min(i+w.perTx, len(events))]); err != nil {
				return err
			}
			if err := w.exec(commit); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

func (w *timetable) write(all []flights.Flight, events []flights.Event) error {
	for i := 0; i < len(events); {
		if e := events[i]; e.Landing {
			f := &all[e.Flight]
			if err := w.exec(w.landing, int64(f.DepDelay), int64(f.Flying), int64(f.ArrDelay),
				flights.Time(f.LandedAt).Format(isoTime), int64(f.ID)); err != nil {
				return err
			}
			i++
			continue
		}
		n := 0
		for n < insertsAtOnce && i+n < len(events) && !events[i+n].Landing {
			n++
		}
		var args [12 * insertsAtOnce]driver.Value
		for k, e := range events[i : i+n] {
			f := &all[e.Flight]
			var tail driver.Value
			if f.Tail != "" {
				tail = f.Tail
			}
			copy(args[12*k:], []driver.Value{int64(f.ID), flights.Time(f.Scheduled).Format(isoTime), int64(f.Month),
				int64(f.Day), int64(f.Hour), int64(f.Minute), f.Carrier, int64(f.Number), tail, f.Origin,
				f.Dest, int64(f.Distance)})
		}
		if err := w.exec(w.inserts[n], args[:12*n]...); err != nil {
			return err
		}
		i += n
	}
	return nil
}

func (w *timetable) exec(s driver.StmtExecContext, args ...driver.Value) error {
	w.args = w.args[:0]
	for i, a := range args {
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	_, err := s.ExecContext(context.Background(), w.args)
	return err
}
