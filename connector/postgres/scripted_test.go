package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/tidemill/tidemill"
)

// answers is what a scripted server says to a statement that begins so: rows, or an error of a code.
type answers map[string]answer

type answer struct {
	code string
	rows [][]string // "NULL" is NULL
}

// scripted is a session with a server that says what it is told to, and the statements that it got.
func scripted(t *testing.T, says answers) (*session, *[]string) {
	t.Helper()
	near, far := net.Pipe()
	heard := &[]string{}
	done := make(chan error, 1)
	go func() { done <- serve(far, says, heard) }()
	cfg, err := pgconn.ParseConfig("postgres://me@127.0.0.1:1/db?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	conn, err := pgconn.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{PgConn: conn}
	t.Cleanup(func() {
		s.shut()
		far.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, heard
}

func serve(conn net.Conn, says answers, heard *[]string) error {
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return err
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err := b.Flush(); err != nil {
		return err
	}
	for {
		m, err := b.Receive()
		if err != nil {
			return nil // the session is over
		}
		q, ok := m.(*pgproto3.Query)
		if !ok {
			return nil
		}
		*heard = append(*heard, q.String)
		a := answer{code: "0A000"}
		for begins, x := range says {
			if strings.HasPrefix(q.String, begins) {
				a = x
			}
		}
		if a.code != "" {
			b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: a.code, Message: "refused"})
		} else {
			b.Send(&pgproto3.RowDescription{})
			for _, row := range a.rows {
				var values [][]byte
				for _, v := range row {
					if v == "NULL" {
						values = append(values, nil)
					} else {
						values = append(values, []byte(v))
					}
				}
				b.Send(&pgproto3.DataRow{Values: values})
			}
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT")})
		}
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if err := b.Flush(); err != nil {
			return nil
		}
	}
}

// slotRow is a slot's row as lookSlot asks for it.
func slotRow(confirmed string) [][]string {
	return [][]string{{"logical", "pgoutput", "db", "NULL", confirmed, "reserved", "t", "4096"}}
}

// TestVerifyOnItsBounds: a position exactly where the slot, the log or a timeline ends is gone on from; one byte further is a gap.
func TestVerifyOnItsBounds(t *testing.T) {
	const history = "# of the archive\n1\t0/100\tno recovery target specified\n\n2\t0/300\tno recovery target specified\n\n5\t0/350\tno recovery target specified\n"
	for _, c := range []struct {
		name             string
		timeline, server uint32
		at, confirmed    string
		goal, reached    lsn
		gap              string // "": none
	}{
		{"all is well", 3, 3, "0/250", "0/200", 0x400, 0, ""},
		{"at the slot's place", 3, 3, "0/250", "0/250", 0x400, 0, ""},
		{"before the slot's place", 3, 3, "0/250", "0/251", 0x400, 0, "was moved to 0/251"},
		{"at the log's end", 3, 3, "0/400", "0/200", 0x400, 0x3ff, ""},
		{"beyond the log's end", 3, 3, "0/401", "0/200", 0x400, 0, "older copy"},
		{"where the timeline was left", 2, 3, "0/300", "0/200", 0x400, 0, ""},
		{"beyond where the timeline was left", 2, 3, "0/301", "0/200", 0x400, 0, "left timeline 2 at 0/300, this flow is at 0/301"},
		{"a timeline further back", 1, 3, "0/100", "0/100", 0x400, 0, ""},
		{"beyond one further back", 1, 3, "0/101", "0/100", 0x400, 0, "left timeline 1 at 0/100"},
		{"read up to before the place", 2, 3, "0/250", "0/200", 0x400, 0x2ff, ""},
		{"read up to the place", 2, 3, "0/250", "0/200", 0x400, 0x300, "this run has read it up to 0/300"},
		{"a timeline of the future", 3, 2, "0/250", "0/200", 0x400, 0, "does not come from it"},
		{"a timeline of another", 4, 6, "0/250", "0/200", 0x400, 0, "does not come from it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := scripted(t, answers{"TIMELINE_HISTORY": {rows: [][]string{{"history", history}}}, "SELECT slot_type": {rows: slotRow(c.confirmed)}})
			at, err := parseLSN(c.at)
			if err != nil {
				t.Fatal(err)
			}
			u := &run{Capture: &Capture{slot: "ours"}, place: place{system: "7", timeline: c.server, slot: "ours"}, goal: c.goal}
			u.reached.Store(uint64(c.reached))
			err = u.verify(t.Context(), s, place{system: "7", timeline: c.timeline, slot: "ours", lsn: at})
			switch {
			case c.gap == "" && err != nil:
				t.Error(err)
			case c.gap != "" && (!errors.Is(err, tidemill.ErrGap) || !strings.Contains(err.Error(), c.gap) || !strings.Contains(err.Error(), "--fresh")):
				t.Errorf("%v does not say %q", err, c.gap)
			}
		})
	}
}

// TestCreateSlotRefused: what the server says against a slot comes with its mend; what waiting mends is not fatal.
func TestCreateSlotRefused(t *testing.T) {
	for _, c := range []struct {
		failover bool
		answer   answer
		says     string
		fatal    bool
		gap      bool
	}{
		{false, answer{rows: [][]string{{"ours", "0/123", "00000003-1", "pgoutput"}}}, "", false, false},
		{true, answer{rows: [][]string{{"ours", "0/123", "00000003-1", "pgoutput"}}}, "", false, false},
		{false, answer{code: "42710"}, `slot "ours" exists, but this flow has no checkpoint`, true, true},
		{false, answer{code: "42501"}, "ALTER ROLE … REPLICATION", true, false},
		{false, answer{code: "53400"}, "raise max_replication_slots", true, false},
		{true, answer{code: "42601"}, "failover: true needs PostgreSQL 17", true, false},
		{false, answer{code: "42601"}, "refused", false, false},
		{false, answer{code: "57P03"}, "refused", false, false},
		{false, answer{rows: [][]string{{"ours", "0/123", "NULL", "pgoutput"}}}, "without a snapshot", true, false},
		{false, answer{}, "without a snapshot", true, false},
		{false, answer{rows: [][]string{{"ours", "nowhere", "00000003-1", "pgoutput"}}}, "nowhere", false, false},
	} {
		t.Run(fmt.Sprint(c.answer, c.failover), func(t *testing.T) {
			s, heard := scripted(t, answers{"CREATE_REPLICATION_SLOT": c.answer})
			u := &run{Capture: &Capture{slot: "ours", failover: c.failover}}
			at, snapshot, err := u.createSlot(t.Context(), s)
			want := `CREATE_REPLICATION_SLOT "ours" LOGICAL pgoutput EXPORT_SNAPSHOT`
			if c.failover {
				want = `CREATE_REPLICATION_SLOT "ours" LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER true)`
			}
			if len(*heard) != 1 || (*heard)[0] != want {
				t.Errorf("the server heard %q", *heard)
			}
			if c.says == "" {
				if err != nil || at != 0x123 || snapshot != "00000003-1" {
					t.Errorf("%s %q %v", at, snapshot, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || tidemill.IsFatal(err) != c.fatal || errors.Is(err, tidemill.ErrGap) != c.gap {
				t.Errorf("%v; fatal %v, a gap %v", err, tidemill.IsFatal(err), errors.Is(err, tidemill.ErrGap))
			}
		})
	}
}

// TestFreeSlots: where all slots are taken, check says how many to allow, and which ones nobody reads.
func TestFreeSlots(t *testing.T) {
	s, heard := scripted(t, answers{"SELECT slot_name": {rows: [][]string{{"old", "3 GB"}, {"it's", "0 bytes"}}}})
	mend, err := freeSlots(t.Context(), s, "10")
	const want = "ALTER SYSTEM SET max_replication_slots = 20; then restart the server\n" +
		"or, if nobody needs slot old, which holds 3 GB of WAL: SELECT pg_drop_replication_slot('old')\n" +
		"or, if nobody needs slot it's, which holds 0 bytes of WAL: SELECT pg_drop_replication_slot('it''s')"
	if err != nil || mend != want {
		t.Errorf("%v\n%s", err, mend)
	}
	if len(*heard) != 1 || !strings.Contains((*heard)[0], "WHERE NOT active") {
		t.Errorf("the server heard %q", *heard)
	}
	s, _ = scripted(t, answers{})
	if _, err := freeSlots(t.Context(), s, "10"); err == nil {
		t.Error("what cannot be asked is no mend")
	}
}

// scriptedStream is a streamer that reads messages which are there, and what it yields.
func scriptedStream(t *testing.T, messages ...[]byte) (*streamer, *[]tidemill.Batch) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	go io.Copy(io.Discard, far) // what the status says
	got := &[]tidemill.Batch{}
	u := &run{Capture: &Capture{slot: "ours", lookEvery: time.Hour}, place: place{system: "7", timeline: 1, slot: "ours"}, goal: 1 << 40,
		yield: func(b tidemill.Batch, err error) bool { *got = append(*got, b); return err == nil }}
	x := &streamer{run: u, decoder: *newDecoder(), prefix: []byte(u.place.prefix()), looked: time.Now()}
	x.status = &status{conn: near, released: new(atomic.Uint64)}
	x.session = &session{socket: &socket{Conn: near}, wire: &wire{r: io.MultiReader(pieces(messages)...)}}
	return x, got
}

// pieces come one by one: nothing is waiting behind a message.
func pieces(messages [][]byte) (out []io.Reader) {
	for _, m := range messages {
		out = append(out, strings.NewReader(string(m)))
	}
	return out
}

func xlog(at lsn, body []byte) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'w'}, uint64(at))
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.BigEndian.AppendUint64(b, 0)
	return frame('d', string(append(b, body...)))
}

func keepalive(at lsn) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'k'}, uint64(at))
	return frame('d', string(append(b, make([]byte, 9)...)))
}

// TestKeepaliveInsideATransaction: a keepalive that comes inside of a transaction says where the server is, not what has been
// read. The position after the transaction is its end, and none is told before.
func TestKeepaliveInsideATransaction(t *testing.T) {
	var messages [][]byte
	far := lsn(0xffffff0000)
	ends := map[lsn]bool{}
	for _, m := range readRecorded(t) {
		messages = append(messages, xlog(m.at, m.data))
		if m.data[0] == 'C' { // flags, the commit, the end of the transaction
			ends[lsn(binary.BigEndian.Uint64(m.data[10:]))] = true
			continue
		}
		messages = append(messages, keepalive(far))
	}
	x, got := scriptedStream(t, messages...)
	if err := x.loop(t.Context()); err == nil || !strings.Contains(err.Error(), "closed the connection") {
		t.Fatal(err)
	}
	changes, told := 0, map[string]bool{}
	for _, b := range *got {
		changes += len(b.Changes)
		if b.Upto == "" {
			continue
		}
		p, err := parsePosition(b.Upto)
		if err != nil {
			t.Fatal(err)
		}
		if !ends[p.lsn] {
			t.Errorf("the position %s is no end of a transaction", b.Upto)
		}
		told[p.lsn.String()] = true
	}
	if changes != 10 || len(told) != len(ends) || len(ends) < 4 {
		t.Errorf("%d changes up to %d of %d ends", changes, len(told), len(ends))
	}
	// Between transactions it is a place to go on from.
	x, got = scriptedStream(t, keepalive(0x500), keepalive(far))
	if err := x.loop(t.Context()); err == nil {
		t.Fatal("the stream has no end")
	}
	if n := len(*got); n != 2 || !strings.HasSuffix(string((*got)[0].Upto), "lsn=0/500") || !strings.HasSuffix(string((*got)[1].Upto), "lsn="+far.String()) {
		t.Errorf("got %+v", *got)
	}
}

// TestSlotLostWhileStreaming: a stream that the server ends because the slot's log is gone is a gap, which names the slot, the place
// and the mend; other ends are not.
func TestSlotLostWhileStreaming(t *testing.T) {
	for code, want := range map[string]struct {
		gap, fatal bool
		says       string
	}{
		"55000": {true, true, `slot "ours" cannot go on after 0/500; start over with a new snapshot: tidemill run --fresh`},
		"58P01": {true, true, `slot "ours" cannot go on after 0/500; start over with a new snapshot: tidemill run --fresh`},
		"42704": {false, true, "a publication must be older than the slot"},
		"57P01": {false, false, "refused"},
	} {
		m, err := (&pgproto3.ErrorResponse{Severity: "ERROR", Code: code, Message: "refused"}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		x, got := scriptedStream(t, keepalive(0x500), m)
		err = x.loop(t.Context())
		if err == nil || errors.Is(err, tidemill.ErrGap) != want.gap || tidemill.IsFatal(err) != want.fatal || !strings.Contains(err.Error(), want.says) || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v; a gap %v, fatal %v", code, err, errors.Is(err, tidemill.ErrGap), tidemill.IsFatal(err))
		}
		if len(*got) != 1 {
			t.Errorf("%s: %d batches", code, len(*got))
		}
	}
}
