package main

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/tidemill/tidemill/examples/flights"
)

const (
	feedAhead     = 200000 // how many changes the feeder keeps ahead of the flow
	feedWhole     = 30     // up to so many seconds, it writes all changes before
	feedPerSecond = 125000 // more than the flow takes
)

// feeder writes the year of flights, and then again, a year later each time.
type feeder struct {
	db      *sql.DB
	all     []flights.Flight
	events  []flights.Event
	at      int
	year    int
	written atomic.Uint64
	insert  *sql.Stmt
	land    *sql.Stmt
}

func newFeeder(ctx context.Context, path string) (*feeder, error) {
	f := &feeder{}
	var err error
	if f.all, err = flights.All(); err != nil {
		return nil, err
	}
	f.events = flights.Events(f.all)
	f.db, err = sql.Open("sqlite", "file:"+path+
		"?_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=busy_timeout(20000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	f.db.SetMaxOpenConns(1)
	if _, err := f.db.ExecContext(ctx, `CREATE TABLE flights(id INTEGER PRIMARY KEY, scheduled_at TEXT NOT NULL,
		month INTEGER, day INTEGER, hour INTEGER, minute INTEGER, carrier TEXT, flight INTEGER,
		tailnum TEXT, origin TEXT, dest TEXT, distance INTEGER,
		dep_delay INTEGER, air_time INTEGER, arr_delay INTEGER, landed_at TEXT)`); err != nil {
		return nil, err
	}
	if f.insert, err = f.db.PrepareContext(ctx,
		`INSERT INTO flights(id, scheduled_at, month, day, hour, minute, carrier, flight, tailnum, origin, dest,
		distance)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`); err != nil {
		return nil, err
	}
	f.land, err = f.db.PrepareContext(ctx,
		"UPDATE flights SET dep_delay = ?, air_time = ?, arr_delay = ?, landed_at = ? WHERE id = ?")
	return f, err
}

// write commits the next n changes.
func (f *feeder) write(ctx context.Context, n int) error {
	const minutes, layout = 365 * 24 * 60, "2006-01-02 15:04:05"
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, land := tx.StmtContext(ctx, f.insert), tx.StmtContext(ctx, f.land)
	for range n {
		if f.at == len(f.events) {
			f.at, f.year = 0, f.year+1
		}
		e := f.events[f.at]
		f.at++
		x := &f.all[e.Flight]
		id := x.ID + f.year*len(f.all)
		if e.Landing {
			_, err = land.ExecContext(ctx, x.DepDelay, x.Flying, x.ArrDelay,
				flights.Time(x.LandedAt+f.year*minutes).Format(layout), id)
		} else {
			_, err = insert.ExecContext(ctx, id, flights.Time(x.Scheduled+f.year*minutes).Format(layout), x.Month,
				x.Day, x.Hour, x.Minute, x.Carrier, x.Number,
				x.Tail, x.Origin, x.Dest, x.Distance)
		}
		if err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	f.written.Add(uint64(n))
	return nil
}

// ahead writes until n changes are there.
func (f *feeder) ahead(ctx context.Context, n uint64) error {
	for f.written.Load() < n {
		if err := f.write(ctx, 2000); err != nil {
			return err
		}
	}
	return nil
}

// keep stays ahead of the flow until ctx ends.
func (f *feeder) keep(ctx context.Context, url string) error {
	for ctx.Err() == nil {
		m, err := look(ctx, url)
		if err != nil {
			return err
		}
		if err := f.ahead(ctx, m.changes+feedAhead); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
	return nil
}
