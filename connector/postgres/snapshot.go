package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/tidemill/tidemill"
)

// begin makes publication and slot and yields the snapshot; it closes s. A snapshot that was interrupted starts
// anew. Afterwards place.lsn is where the stream begins.
func (u *run) begin(ctx context.Context, s *session, interrupted bool) error {
	if interrupted {
		if _, err := dropSlot(ctx, s, u.slot); err != nil {
			return err
		}
	} else if st, err := lookSlot(ctx, s, u.slot); err != nil {
		return err
	} else if st != nil {
		return tidemill.Fatal(u.existing())
	}
	infos, err := u.look(ctx, s)
	if err != nil {
		return err
	}
	if _, err := u.ensurePublication(ctx, s, infos); err != nil {
		return err
	}
	reader, err := connect(ctx, u.url, false)
	if err != nil {
		return err
	}
	defer reader.shut()
	// The snapshot's time is taken before the slot: no transaction of the stream has an earlier one. transaction_timeout
	// is PostgreSQL 17's.
	now, err := reader.ask(ctx, "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = "+
		"'transaction_timeout'; SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8")
	if err != nil {
		return err
	}
	if us, ok := parseInt(now[0][0]); ok {
		u.began = time.UnixMicro(us).UTC()
	}
	at, snapshot, err := u.createSlot(ctx, s)
	if err != nil {
		return err
	}
	u.place.lsn = at
	if _, err := reader.ask(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT "+
		quoting.Text(snapshot)); err != nil {
		return err
	}
	s.shut()
	last, err := u.snapshot(ctx, reader)
	if err != nil {
		return err
	}
	// The consumer may take its time over the snapshot's end (training on it): no transaction is open meanwhile.
	reader.shut()
	if !u.yield(tidemill.Batch{Changes: last, Upto: u.place.position(), Live: true, CaughtUp: true}, nil) {
		return errStopped
	}
	return nil
}

// look finds every table.
func (u *run) look(ctx context.Context, s *session) ([]*tableInfo, error) {
	c := newCatalog(s)
	infos := make([]*tableInfo, len(u.tables))
	for i, name := range u.tables {
		info, err := c.info(ctx, name)
		if err != nil {
			return nil, err
		}
		if info == nil {
			return nil, missingTable(name)
		}
		if info.kind != 'r' && info.kind != 'p' {
			return nil, tidemill.Fatalf("postgres: %s is not a table: views, foreign tables and sequences are not in the "+
				"log; name the tables under it", name)
		}
		infos[i] = info
	}
	return infos, nil
}

// snapshot reads all tables in the transaction of s. One batch is held back, because only what follows says whether a
// row is the last one; at the end it is returned.
func (u *run) snapshot(ctx context.Context, s *session) (last []tidemill.Change, err error) {
	infos, err := u.look(ctx, s) // in the snapshot
	if err != nil {
		return nil, err
	}
	published, err := lookPublication(ctx, s, u.publication)
	if err != nil {
		return nil, err
	}
	if published == nil {
		return nil, tidemill.Fatalf("postgres: publication %q was dropped just now", u.publication)
	}
	// A commit record may begin at the slot's consistent point: one below it no transaction of the stream can have.
	rows := snapshotRows{run: u, tx: &tidemill.Tx{Order: uint64(u.place.lsn) - 1, Commit: u.began, Meta: u.meta}}
	c := newCatalog(s)
	for _, info := range infos {
		m := published.members[info.name]
		if m.columns != nil {
			info.keep(m.columns)
		}
		if err := rows.table(ctx, s, c, info, m.where); err != nil {
			return nil, err
		}
	}
	if n := len(rows.changes); n > 0 {
		rows.changes[n-1].Flags |= tidemill.Last
	}
	return rows.take(), nil
}

// keep leaves the columns of a publication's column list.
func (t *tableInfo) keep(names []string) {
	kept := t.columns[:0]
	for _, col := range t.columns {
		for _, n := range names {
			if n == col.name {
				kept = append(kept, col)
			}
		}
	}
	t.columns = kept
}

// snapshotRows makes batches of a snapshot's rows.
type snapshotRows struct {
	*run
	slab
	tx *tidemill.Tx
	n  uint64 // of the next row
}

// copySQL reads a table. Tables without partitions are copied directly, which is the fastest way.
func copySQL(t *tableInfo, where string) string {
	names := make([]string, len(t.columns))
	for i, col := range t.columns {
		names[i] = quoting.Name(col.name)
	}
	list := strings.Join(names, ", ")
	switch {
	case t.kind == 'r' && where == "" && len(names) > 0:
		return "COPY " + t.name.sql() + " (" + list + ") TO STDOUT"
	case t.kind == 'r':
		list += " FROM ONLY " + t.name.sql()
	default:
		list += " FROM " + t.name.sql()
	}
	if where != "" {
		list += " WHERE " + where
	}
	return "COPY (SELECT " + list + ") TO STDOUT"
}

// table yields one table's rows but for the last batch.
func (r *snapshotRows) table(ctx context.Context, s *session, c *catalog, info *tableInfo, where string) error {
	table, forms, err := c.shape(ctx, info.name, info.columns, info.key, info.identity)
	if err != nil {
		return err
	}
	fe := s.Frontend()
	fe.Send(&pgproto3.Query{String: copySQL(info, where)})
	if err := fe.Flush(); err != nil {
		return lost(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { s.Conn().SetDeadline(time.Unix(1, 0)) })
	defer stop()
	d := copyDecoder{forms: forms}
	first := true
	for {
		kind, body, err := s.wire.next()
		if err != nil {
			return lost(ctx, err)
		}
		switch kind {
		case 'd':
			for len(body) > 0 { // one line in fact, though the protocol does not promise it
				n := bytes.IndexByte(body, '\n')
				if n < 0 {
					return fmt.Errorf("postgres: COPY of %s sent a row without its end", info.name)
				}
				if r.full() {
					if !r.yield(tidemill.Batch{Changes: r.take()}, nil) {
						return errStopped
					}
				}
				row, err := d.row(&r.slab, body[:n])
				if err != nil {
					return err
				}
				body = body[n+1:]
				ch := r.add()
				ch.Op, ch.Table, ch.After, ch.Tx, ch.N, ch.At = tidemill.Read, table, row, r.tx, r.n, uint64(r.place.lsn)
				if first {
					ch.Flags = tidemill.FirstOf
					if r.n == 0 {
						ch.Flags |= tidemill.First
					}
					first = false
				}
				r.n++
			}
		case 'E':
			err := serverError(bytes.Clone(body))
			if code(err) == "42501" {
				return tidemill.Fatalf("%w; run GRANT SELECT ON %s TO …", err, info.name.sql())
			}
			return err
		case 'Z':
			if !first {
				r.changes[len(r.changes)-1].Flags |= tidemill.LastOf
			}
			return nil
		case 'H', 'c', 'C', 'N', 'S', 'A':
		default:
			return fmt.Errorf("postgres: COPY of %s brought a message of kind %q", info.name, kind)
		}
	}
}
