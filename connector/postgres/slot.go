package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
)

// slotTimeout is how long a slot that is still in use is waited for: the server needs a moment to see that a former run
// of ours has gone.
const slotTimeout = 5 * time.Second

// slotState is a replication slot as the server has it.
type slotState struct {
	plugin, database string
	pid              string // of the process that uses it; "" if none does
	confirmed        lsn
	lost             string // why it cannot be read any more; "" if it can
	retained         int64  // bytes of WAL that it holds
	here             bool   // in this database
}

// lookSlot reads the slot's state; nil if there is none.
func lookSlot(ctx context.Context, s *session, name string) (*slotState, error) {
	rows, err := s.ask(ctx, `SELECT slot_type, plugin, database, active_pid, confirmed_flush_lsn, wal_status, database = current_database(),
		pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::int8
		FROM pg_replication_slots WHERE slot_name = `+quoting.Text(name))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	r := rows[0]
	st := &slotState{plugin: string(r[1]), database: string(r[2]), pid: string(r[3]), here: string(r[6]) == "t"}
	if string(r[0]) != "logical" {
		st.plugin = "physical replication"
	}
	if r[4] != nil {
		if st.confirmed, err = parseLSN(string(r[4])); err != nil {
			return nil, err
		}
	}
	switch {
	case string(r[5]) == "lost":
		st.lost = "it was invalidated: the server has removed WAL that it needed (max_slot_wal_keep_size)"
	case r[7] == nil:
		st.lost = "it was invalidated"
	default:
		fmt.Sscan(string(r[7]), &st.retained)
	}
	return st, nil
}

// behind is how a server comes to have less than was read from another of its kind.
const behind = "a standby was promoted that was behind, or a backup was restored"

const fresh = "start over with a new snapshot: tidemill run --fresh"

// verify looks whether the server can go on at p: PostgreSQL itself would silently skip what the slot has passed.
func (u *run) verify(ctx context.Context, s *session, p place) error {
	gap := func(format string, a ...any) error {
		return fmt.Errorf("postgres: "+format+"; "+fresh+": %w", append(a, tidemill.ErrGap)...)
	}
	if p.system != u.place.system {
		return gap("the position %s is of the server with system id %s, this server has system id %s",
			p.position(), p.system, u.place.system)
	}
	if p.timeline != u.place.timeline {
		left, err := leftTimeline(ctx, s, p.timeline, u.place.timeline)
		switch {
		case err != nil:
			return err
		case left == 0:
			return gap("the position %s is of timeline %d, this server is on timeline %d, which does not come from it (the "+
				"server was restored)", p.position(), p.timeline, u.place.timeline)
		case u.reached.Load() >= uint64(left):
			return gap("this server left timeline %d at %s, this run has read it up to %s: transactions that the server does "+
				"not have (%s); started again, the flow goes on if its checkpoint is from before; if not",
				p.timeline, left, lsn(u.reached.Load()), behind)
		case left < p.lsn:
			return gap("this server left timeline %d at %s, this flow is at %s (%s)", p.timeline, left, p.lsn, behind)
		}
	}
	if p.slot != u.slot {
		return gap("the position %s is of slot %q, the flow names slot %q", p.position(), p.slot, u.slot)
	}
	st, err := lookSlot(ctx, s, u.slot)
	switch {
	case err != nil:
		return err
	case st == nil:
		return gap("slot %q is gone, and the log after %s with it", u.slot, p.lsn)
	case st.lost != "":
		return gap("slot %q cannot go on after %s: %s", u.slot, p.lsn, st.lost)
	case !st.here:
		return gap("slot %q is of database %q", u.slot, st.database)
	case st.plugin != "pgoutput":
		return gap("slot %q is for %s, not for pgoutput", u.slot, st.plugin)
	case st.confirmed > p.lsn:
		return gap("slot %q was moved to %s by somebody else, this flow is at %s", u.slot, st.confirmed, p.lsn)
	case u.goal < p.lsn:
		return gap("the server's log ends at %s, this flow is at %s: the server is an older copy of itself", u.goal, p.lsn)
	}
	return nil
}

// leftTimeline is where the log of the timeline now left that of the timeline was; 0 if it does not come from there.
func leftTimeline(ctx context.Context, s *session, was, now uint32) (lsn, error) {
	if was > now {
		return 0, nil
	}
	rows, err := s.ask(ctx, fmt.Sprintf("TIMELINE_HISTORY %d", now))
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 || len(rows[0]) < 2 {
		return 0, tidemill.Fatalf("postgres: the server does not answer TIMELINE_HISTORY as PostgreSQL does")
	}
	// A line is a timeline, where it was left, and why; comments begin with #.
	for line := range strings.Lines(string(rows[0][1])) {
		var from uint32
		var at string
		if n, _ := fmt.Sscan(line, &from, &at); n == 2 && from == was {
			return parseLSN(at)
		}
	}
	return 0, nil
}

// dropSlot drops a slot, waiting a while for whoever uses it. done is false if there was none.
func dropSlot(ctx context.Context, s *session, name string) (done bool, err error) {
	deadline := time.Now().Add(slotTimeout)
	for {
		st, err := lookSlot(ctx, s, name)
		if err != nil || st == nil {
			return false, err
		}
		_, err = s.ask(ctx, "SELECT pg_drop_replication_slot("+quoting.Text(name)+")")
		switch code(err) {
		case "":
			return err == nil, err
		case "42704": // gone meanwhile
			return false, nil
		case "55006":
			if time.Now().After(deadline) {
				return false, inUse(name, st.pid)
			}
		default:
			return false, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return false, err
		}
	}
}

func inUse(slot, pid string) error {
	return fmt.Errorf("postgres: slot %q is in use by server process %s; stop the other run, or end the process: "+
		"SELECT pg_terminate_backend(%s)", slot, pid, pid)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// createSlot makes the slot and returns its consistent point and the name of the snapshot that belongs to it; the
// snapshot lives until the session's next command.
func (u *run) createSlot(ctx context.Context, s *session) (at lsn, snapshot string, err error) {
	sql := "CREATE_REPLICATION_SLOT " + quoting.Name(u.slot) + " LOGICAL pgoutput EXPORT_SNAPSHOT"
	if u.failover {
		sql = "CREATE_REPLICATION_SLOT " + quoting.Name(u.slot) + " LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER true)"
	}
	rows, err := s.ask(ctx, sql)
	switch code(err) {
	case "":
	case "42710":
		return 0, "", tidemill.Fatal(u.existing())
	case "42501":
		return 0, "", tidemill.Fatalf("%w; the role needs the right to replicate: ALTER ROLE … REPLICATION", err)
	case "53400":
		return 0, "", tidemill.Fatalf("%w; raise max_replication_slots and restart the server, or drop a slot that nobody "+
			"needs: SELECT slot_name, active FROM pg_replication_slots", err)
	case "42601":
		if u.failover {
			return 0, "", tidemill.Fatalf("%w; failover: true needs PostgreSQL 17 or newer", err)
		}
	}
	if err != nil {
		return 0, "", err
	}
	if len(rows) != 1 || len(rows[0]) < 3 || rows[0][2] == nil {
		return 0, "", tidemill.Fatalf("postgres: the server made slot %q without a snapshot", u.slot)
	}
	at, err = parseLSN(string(rows[0][1]))
	return at, string(rows[0][2]), err
}

func (u *run) existing() error {
	return fmt.Errorf("postgres: slot %q exists, but this flow has no checkpoint: the slot belongs to another flow, or "+
		"the state folder was lost; drop it with `tidemill source drop`, or %s: %w", u.slot, fresh, tidemill.ErrGap)
}
