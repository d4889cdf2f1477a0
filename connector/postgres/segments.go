package postgres

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
)

const (
	// streams is the oldest server whose open transactions are taken: protocol version 2 as PostgreSQL 15 speaks it.
	streams = 150000
	// openBytes is how much of open transactions the server's decoder holds before it sends them. Its own default is 64
	// MB; the sooner it sends, the less is left to do when the transaction commits.
	openBytes = "4MB"
)

// options are pgoutput's. A server that does not send open transactions writes large ones to its disk, and reads them
// again when they commit.
func (u *run) options(binary bool) string {
	names := ", publication_names " + quoting.Text(quoting.Name(u.publication))
	if binary {
		names += ", binary 'true'"
	}
	if u.version < streams || u.spoolFailed.Load() {
		return "proto_version '1'" + names
	}
	return "proto_version '2', streaming 'on'" + names
}

// streamed takes the messages of open transactions; done is false for all others.
func (x *streamer) streamed(b []byte, at uint64) (done bool, err error) {
	if x.segment != nil {
		return true, x.inside(b, at)
	}
	if len(b) == 0 {
		return false, nil
	}
	c := cursor{b: b[1:]}
	switch b[0] {
	case 'S': // a segment starts
		xid := c.u32()
		c.u8()
		if x.tx != nil {
			return true, tidemill.Fatalf("postgres: pgoutput began a segment of transaction %d inside transaction %s",
				xid, x.tx.ID)
		}
		if !c.bad {
			x.segment = x.spool.begin(xid)
		}
	case 'A': // a rollback, whole or to a savepoint
		xid, sub := c.u32(), c.u32()
		if !c.bad {
			x.spool.undo(xid, sub)
		}
	case 'c':
		xid := c.u32()
		c.u8()
		order, ends, when := c.u64(), c.u64(), int64(c.u64())
		if !c.bad {
			return true, x.replay(xid, order, lsn(ends), when)
		}
	default:
		return false, nil
	}
	if c.bad {
		return true, tidemill.Fatalf("postgres: pgoutput's message %q is cut short", b[0])
	}
	return true, nil
}

// inside takes a message of the open segment: those of protocol version 1 with the
// subtransaction's number after the kind.
func (x *streamer) inside(b []byte, at uint64) error {
	if len(b) == 1 && b[0] == 'E' {
		x.segment = nil
		return nil
	}
	if len(b) >= 1 {
		switch b[0] {
		case 'O': // the origin; it has no number, and is known only at the commit
			return nil
		case 'I', 'U', 'D', 'T', 'R', 'Y', 'M':
			if len(b) < 5 {
				return tidemill.Fatalf("postgres: pgoutput's message %q is cut short", b[0])
			}
			err := x.spool.add(x.segment, b[0], binary.BigEndian.Uint32(b[1:]), at, b[5:])
			if err != nil {
				// The next connection lets the server hold open transactions.
				x.spoolFailed.Store(true)
			}
			return err
		}
	}
	return tidemill.Fatalf("postgres: pgoutput sent an unknown message inside an open transaction")
}

// replay decodes a transaction that has committed, as if it had come whole.
func (x *streamer) replay(xid uint32, order uint64, ends lsn, when int64) error {
	x.tx = &tidemill.Tx{Order: order, ID: strconv.FormatUint(uint64(xid), 10),
		Commit: time.UnixMicro(when + epoch2000).UTC(), Meta: x.decoder.meta}
	x.n = 0
	if t := x.spool.open[xid]; t != nil {
		if err := t.each(func(message []byte, at uint64) error {
			if err := x.message(message, at); err != nil {
				return err
			}
			if x.full() {
				return x.send()
			}
			return nil
		}); err != nil {
			return err
		}
		x.spool.drop(xid)
	}
	x.tx, x.ends = nil, ends
	x.at = max(x.at, ends)
	return nil
}
