package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tidemill/tidemill/examples/flights"
)

// timetable is the flights demo's database: one table, written to as the year goes by.
type timetable interface {
	create(ctx context.Context) error
	// write commits events in their order, all in one transaction.
	write(ctx context.Context, all []flights.Flight, events []flights.Event) error
	close() error
}

// createFlights makes the table; the times are of the kind that the database has for them.
func createFlights(times string) []string {
	return []string{"DROP TABLE IF EXISTS flights", fmt.Sprintf(`CREATE TABLE flights(
	id INTEGER PRIMARY KEY, scheduled_at %s NOT NULL, month INTEGER, day INTEGER, hour INTEGER, minute INTEGER,
	carrier TEXT, flight INTEGER, tailnum TEXT, origin TEXT, dest TEXT, distance INTEGER,
	dep_delay INTEGER, air_time INTEGER, arr_delay INTEGER, landed_at %[1]s)`, times)}
}

// flightColumns are what is known when a flight is inserted.
const flightColumns = "id, scheduled_at, month, day, hour, minute, carrier, flight, tailnum, origin, dest, distance"

// timeFormat is ISO text, as SQLite keeps times and Postgres reads them.
const timeFormat = "2006-01-02 15:04:05"

func insertArgs(dst []any, f *flights.Flight) []any {
	var tail any
	if f.Tail != "" {
		tail = f.Tail
	}
	return append(dst, f.ID, flights.Time(f.Scheduled).Format(timeFormat), f.Month, f.Day, f.Hour, f.Minute,
		f.Carrier, f.Number, tail, f.Origin, f.Dest, f.Distance)
}

type sqliteTimetable struct {
	db      *sql.DB
	inserts map[int]*sql.Stmt // by rows
	landing *sql.Stmt
	args    []any
}

// insertsAtOnce is how many rows go into one statement: the driver's cost is by the call.
const insertsAtOnce = 10

func (d *sqliteTimetable) create(ctx context.Context) error {
	for _, q := range createFlights("TEXT") {
		if _, err := d.db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	d.inserts = map[int]*sql.Stmt{}
	const values = "(?,?,?,?,?,?,?,?,?,?,?,?)"
	var err error
	for _, n := range []int{1, insertsAtOnce} {
		if d.inserts[n], err = d.db.PrepareContext(ctx, "INSERT INTO flights("+flightColumns+") VALUES "+values+
			strings.Repeat(","+values, n-1)); err != nil {
			return err
		}
	}
	d.landing, err = d.db.PrepareContext(ctx, "UPDATE flights SET dep_delay = ?, air_time = ?, arr_delay = ?, "+
		"landed_at = ? WHERE id = ?")
	return err
}

func (d *sqliteTimetable) write(ctx context.Context, all []flights.Flight, events []flights.Event) (err error) {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	// The driver gives each statement under a context that can end a goroutine to watch it; the transaction has one.
	ctx = context.WithoutCancel(ctx)
	landing := tx.StmtContext(ctx, d.landing)
	inserts := map[int]*sql.Stmt{}
	for n, s := range d.inserts {
		inserts[n] = tx.StmtContext(ctx, s)
	}
	for i := 0; i < len(events); {
		if e := events[i]; e.Landing {
			f := &all[e.Flight]
			d.args = append(d.args[:0], f.DepDelay, f.Flying, f.ArrDelay, flights.Time(f.LandedAt).Format(timeFormat), f.ID)
			if _, err = landing.ExecContext(ctx, d.args...); err != nil {
				return err
			}
			i++
			continue
		}
		n := 0
		for n < insertsAtOnce && i+n < len(events) && !events[i+n].Landing {
			n++
		}
		if n < insertsAtOnce {
			n = 1
		}
		d.args = d.args[:0]
		for _, e := range events[i : i+n] {
			d.args = insertArgs(d.args, &all[e.Flight])
		}
		if _, err = inserts[n].ExecContext(ctx, d.args...); err != nil {
			return err
		}
		i += n
	}
	return tx.Commit()
}

func (d *sqliteTimetable) close() error { return d.db.Close() }

type postgresTimetable struct{ conn *pgx.Conn }

func (d *postgresTimetable) create(ctx context.Context) error {
	// The windows must tell a first value from one that has left them: an update brings the row as it was.
	for _, q := range append(createFlights("TIMESTAMP"), "ALTER TABLE flights REPLICA IDENTITY FULL",
		"COMMENT ON TABLE flights IS '"+made+"'") {
		if _, err := d.conn.Exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (d *postgresTimetable) write(ctx context.Context, all []flights.Flight, events []flights.Event) error {
	var marks []string
	for i := range strings.Count(flightColumns, ",") + 1 {
		marks = append(marks, "$"+strconv.Itoa(i+1))
	}
	insert := "INSERT INTO flights(" + flightColumns + ") VALUES (" + strings.Join(marks, ",") + ")"
	var b pgx.Batch // sent at once: the network's cost is by the message
	for _, e := range events {
		f := &all[e.Flight]
		if e.Landing {
			b.Queue("UPDATE flights SET dep_delay = $1, air_time = $2, arr_delay = $3, landed_at = $4 WHERE id = $5",
				f.DepDelay, f.Flying, f.ArrDelay, flights.Time(f.LandedAt), f.ID)
			continue
		}
		args := insertArgs(nil, f)
		args[1] = flights.Time(f.Scheduled)
		b.Queue(insert, args...)
	}
	return pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error { return tx.SendBatch(ctx, &b).Close() })
}

func (d *postgresTimetable) close() error { return d.conn.Close(context.Background()) }
