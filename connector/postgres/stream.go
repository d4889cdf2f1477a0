package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/tidemill/tidemill"
)

// status answers the server beside the stream, so that a consumer may be as slow as it likes: from its own goroutine it
// writes a standby status update several times within wal_sender_timeout, and at once when there is something to say.
type status struct {
	conn     net.Conn
	released *atomic.Uint64 // durable here: all that is ever confirmed
	seen     atomic.Uint64  // received
	mu       sync.Mutex
}

// send writes one standby status update; reply asks the server to say at once where it is.
func (st *status) send(reply bool) error {
	var m [5 + 34]byte
	m[0] = 'd'
	binary.BigEndian.PutUint32(m[1:], uint32(len(m)-1))
	m[5] = 'r'
	st.mu.Lock()
	defer st.mu.Unlock()
	durable := st.released.Load()
	binary.BigEndian.PutUint64(m[6:], max(st.seen.Load(), durable))
	binary.BigEndian.PutUint64(m[14:], durable)
	binary.BigEndian.PutUint64(m[22:], durable)
	binary.BigEndian.PutUint64(m[30:], uint64(time.Now().UnixMicro()-epoch2000))
	if reply {
		m[38] = 1
	}
	_, err := st.conn.Write(m[:])
	return err
}

// loop runs until stop is closed. A broken connection is the reader's to notice.
func (st *status) loop(every time.Duration, poke, stop <-chan struct{}) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		case <-poke:
		}
		if st.send(false) != nil {
			return
		}
	}
}

// streamer is one stream's state.
type streamer struct {
	*run
	decoder
	session *session
	status  *status
	prefix  []byte // of positions
	at      lsn    // everything before it has been decoded
	yielded lsn    // the last Upto
	caught  bool   // CaughtUp was said
	torn    bool   // changes of the transaction were yielded before its commit
	cat     *catalog
	looked  time.Time // when it was last seen that the tables are published
	spool   spool     // open transactions
	segment *spooled  // that is being received
}

// stream yields the log after place.lsn.
func (u *run) stream(ctx context.Context, s *session) error {
	timeout, err := senderTimeout(ctx, s)
	if err != nil {
		return err
	}
	if u.version >= streams {
		if _, err := s.ask(ctx, "SET logical_decoding_work_mem = "+quoting.Text(u.openBytes)); err != nil {
			return err
		}
	}
	if err := u.start(ctx, s); err != nil {
		return err
	}
	// Only now, and never before the slot is ours: two readers of one slot would tear the log.
	st := &status{conn: s.Conn(), released: &u.released}
	st.seen.Store(uint64(u.place.lsn))
	stop := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() { st.loop(timeout, u.poke, stop) })
	cancel := context.AfterFunc(ctx, func() { s.Conn().SetDeadline(time.Unix(1, 0)) })
	x := &streamer{run: u, session: s, status: st, prefix: []byte(u.place.prefix()), at: u.place.lsn,
		yielded: u.place.lsn, looked: time.Now()}
	x.spool.budget = u.spoolBytes
	x.decoder = decoder{relations: map[uint32]*relation{}, meta: u.meta}
	x.resolve = func(m *relationMessage) (*relation, error) { return x.relation(ctx, m) }
	err = x.loop(ctx)
	x.spool.close()
	if errors.Is(err, errText) {
		u.text.Store(true)
	}
	cancel()
	close(stop)
	beside.Wait()
	s.Conn().SetDeadline(time.Now().Add(time.Second))
	st.send(false) // what was released up to now
	if x.cat != nil {
		x.cat.s.shut()
	}
	return err
}

// senderTimeout is how often the status goes out: a quarter of the server's wal_sender_timeout, at most every 10 s.
func senderTimeout(ctx context.Context, s *session) (time.Duration, error) {
	rows, err := s.ask(ctx, "SELECT setting::int8 FROM pg_settings WHERE name = 'wal_sender_timeout'")
	if err != nil {
		return 0, err
	}
	every := 10 * time.Second
	if len(rows) == 1 {
		if ms, ok := parseInt(rows[0][0]); ok && ms > 0 {
			every = min(every, max(time.Duration(ms)*time.Millisecond/4, 10*time.Millisecond))
		}
	}
	return every, nil
}

// start begins replication. A slot that a former run of ours still holds is waited for.
func (u *run) start(ctx context.Context, s *session) error {
	binary, err := u.wantsBinary(ctx, s)
	if err != nil {
		return err
	}
	sql := "START_REPLICATION SLOT " + quoting.Name(u.slot) + " LOGICAL " + u.place.lsn.String() +
		" (" + u.options(binary) + ")"
	deadline := time.Now().Add(slotTimeout)
	for {
		err := u.startOnce(ctx, s, sql)
		switch code(err) {
		case "":
			return err
		case "55006":
			if time.Now().After(deadline) {
				pid := "?"
				if st, err2 := lookSlot(ctx, s, u.slot); err2 == nil && st != nil {
					pid = st.pid
				}
				return inUse(u.slot, pid)
			}
		case "42704":
			return fmt.Errorf("postgres: slot %q is gone, and the log after %s with it; %s: %w",
				u.slot, u.place.lsn, fresh, tidemill.ErrGap)
		case "55000", "58P01":
			return fmt.Errorf("%w; slot %q cannot go on after %s; %s: %w", err, u.slot, u.place.lsn, fresh, tidemill.ErrGap)
		case "42501":
			return tidemill.Fatalf("%w; the role needs the right to replicate: ALTER ROLE … REPLICATION", err)
		default:
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func (u *run) startOnce(ctx context.Context, s *session, sql string) error {
	fe := s.Frontend()
	fe.Send(&pgproto3.Query{String: sql})
	if err := fe.Flush(); err != nil {
		return lost(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { s.Conn().SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var refused error
	for {
		kind, body, err := s.wire.next()
		if err != nil {
			return lost(ctx, err)
		}
		switch kind {
		case 'W': // CopyBothResponse
			return nil
		case 'E':
			refused = serverError(bytes.Clone(body))
		case 'Z':
			if refused != nil {
				return refused
			}
			return errors.New("postgres: the server did not start to replicate")
		}
	}
}

// largeTx is from how many changes on a transaction is a large one. PostgreSQL sends each change by itself, and waking
// up for each costs more than all decoding, and takes the processor from the server: inside a large transaction, and
// while it has not caught up, the reader draws breath where nothing is waiting, so as to find several.
const largeTx = 512

// loop reads and decodes; a batch goes when nothing is waiting and no transaction is open, or when it is full.
func (x *streamer) loop(ctx context.Context) error {
	if err := x.status.send(true); err != nil {
		return lost(ctx, err)
	}
	wire, socket := x.session.wire, x.session.socket
	for {
		if !wire.ready() && !socket.waiting() {
			hurry := x.segment == nil && (x.tx == nil && x.at >= x.goal || x.tx != nil && x.n <= largeTx)
			if !hurry {
				breathe()
			}
			if x.tx == nil && (hurry || !socket.waiting()) {
				if err := x.flush(); err != nil {
					return err
				}
			}
		}
		kind, body, err := wire.next()
		if err != nil {
			return lost(ctx, err)
		}
		switch kind {
		case 'd':
			if err := x.data(ctx, body); err != nil {
				return err
			}
		case 'E':
			return x.ended(serverError(bytes.Clone(body)))
		case 'c', 'C', 'Z':
			return errors.New("postgres: the server ended the stream")
		case 'N', 'S', 'A':
		default:
			return fmt.Errorf("postgres: the stream brought a message of kind %q", kind)
		}
	}
}

// ended explains an error of a running stream.
func (x *streamer) ended(err error) error {
	switch code(err) {
	case "58P01", "55000":
		return fmt.Errorf("%w; slot %q cannot go on after %s; %s: %w", err, x.slot, x.at, fresh, tidemill.ErrGap)
	case "42704": // the publication did not exist at this place of the log
		return tidemill.Fatalf("%w; a publication must be older than the slot; %s", err, fresh)
	}
	return err
}

// data takes one message of the replication protocol (PostgreSQL documentation, "Streaming Replication Protocol").
func (x *streamer) data(ctx context.Context, b []byte) error {
	if len(b) >= 25 && b[0] == 'w' { // XLogData
		start, end := binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:])
		if end > x.status.seen.Load() {
			x.status.seen.Store(end)
		}
		open := x.tx != nil
		if done, err := x.streamed(b[25:], start); err != nil {
			return err
		} else if !done {
			if err := x.message(b[25:], start); err != nil {
				return err
			}
		}
		if open && x.tx == nil { // a commit
			x.at = max(x.at, x.ends)
		}
		// The end of a transaction is a place to resume from, hence one for a checkpoint: a flow that is behind, and reads
		// nothing but full batches, must come by such places too.
		if x.tx == nil && (x.full() || x.torn) || x.over() {
			return x.send()
		}
		return nil
	}
	if len(b) >= 18 && b[0] == 'k' { // keepalive
		end := binary.BigEndian.Uint64(b[1:])
		if end > x.status.seen.Load() {
			x.status.seen.Store(end)
		}
		if x.tx == nil {
			// Transactions come whole and in commit order: what commits before here has come.
			x.at = max(x.at, lsn(end))
		}
		if b[17] != 0 {
			if err := x.status.send(false); err != nil {
				return lost(ctx, err)
			}
		}
		return x.stillPublished(ctx)
	}
	return tidemill.Fatalf("postgres: the stream brought data that is neither a change nor a keepalive")
}

// flush sends what there is: changes, a heartbeat where the log has moved on, the news of having caught up.
func (x *streamer) flush() error {
	if len(x.changes) > 0 || x.at > x.yielded || (!x.caught && x.at >= x.goal) {
		return x.send()
	}
	return nil
}

// send yields a batch.
func (x *streamer) send() error {
	b := tidemill.Batch{Live: true}
	if x.torn = x.tx != nil; !x.torn {
		b.CaughtUp = x.at >= x.goal
		x.caught = x.caught || b.CaughtUp
		b.Upto = tidemill.Position(x.at.append(slices.Clip(x.prefix)))
		x.yielded = x.at
	}
	if n := len(x.changes); n > 0 {
		x.reached.Store(x.changes[n-1].Tx.Order)
		b.Changes = x.take()
	}
	if !x.yield(b, nil) {
		return errStopped
	}
	return nil
}

// relation resolves pgoutput's description of a table over a session of its own.
func (x *streamer) relation(ctx context.Context, m *relationMessage) (*relation, error) {
	name := tableName{m.schema, m.name}
	if old := x.relations[m.oid]; old != nil && !old.skip && old.table.String() != name.String() {
		return nil, tidemill.Fatalf("postgres: table %s was renamed to %s; name it so in the flow, and %s",
			old.table, name, fresh)
	}
	wanted := false
	for _, t := range x.tables {
		wanted = wanted || t == name
	}
	if !wanted {
		return &relation{skip: true, table: tidemill.NewTable(m.schema, m.name, nil, nil),
			forms: make([]form, len(m.columns)), ident: make([]bool, len(m.columns))}, nil
	}
	for try := 0; ; try++ {
		if err := x.catalog(ctx); err != nil {
			return nil, err
		}
		rel, err := x.cat.describe(ctx, m)
		if err == nil || !x.cat.s.IsClosed() || try == 1 {
			return rel, err
		}
	}
}

// catalog makes sure of a session to ask about tables. One may have lain idle for days, and the server or a firewall
// has closed it.
func (x *streamer) catalog(ctx context.Context) error {
	if x.cat != nil && !x.cat.s.IsClosed() {
		return nil
	}
	s, err := connect(ctx, x.url, false)
	switch {
	case err != nil:
		return err
	case x.cat == nil:
		x.cat = newCatalog(s)
	default:
		x.cat.s = s
	}
	return nil
}

// lookEvery is how often a running stream looks at what is published, at most.
const lookEvery = 15 * time.Second

// stillPublished ends a stream whose tables are not published any more: to the publication a table that was dropped and
// made anew is another one, and its changes would be missed without a word. Where it cannot look it looks again later.
func (x *streamer) stillPublished(ctx context.Context) error {
	if x.tx != nil || x.segment != nil || time.Since(x.looked) < x.lookEvery {
		return nil
	}
	x.looked = time.Now()
	if x.catalog(ctx) != nil {
		return nil
	}
	// Somebody may alter a table for long; the stream does not wait for that.
	if _, err := x.cat.s.ask(ctx, "SET lock_timeout = '1s'"); err != nil {
		return nil
	}
	if err := x.checkPublication(ctx, x.cat.s); errors.Is(err, tidemill.ErrGap) {
		return err
	}
	return nil
}
