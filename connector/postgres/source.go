package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill"
)

// Capture is the source: one replication slot, one publication, their tables. Source and SourceConfig make it. The
// engine calls Changes from one goroutine; Release may come from another.
type Capture struct {
	url         string
	words       []string
	slot        string
	publication string
	create      bool
	failover    bool
	problem     error // of the arguments

	tables      []tableName
	released    atomic.Uint64 // the LSN that is durable here
	reached     atomic.Uint64 // the commit of the last transaction that was yielded, whole or in part
	spoolFailed atomic.Bool   // open transactions found no room here
	text        atomic.Bool   // a type came that is read in text alone
	openBytes   string        // what the decoder of the server holds of open transactions, a setting
	spoolBytes  int           // what we hold of them in memory
	lookEvery   time.Duration // between two looks at what is published
	poke        chan struct{} // tells the running stream of a release
}

// Source reads the tables ("flights" or "schema.flights") of the database at url, a connection string as libpq takes
// it. The slot and the publication are named tidemill_<database>; SourceConfig sets more.
func Source(url string, tables ...string) *Capture {
	name := ""
	if cfg, err := parseURL(url); err == nil {
		name = slotName(cfg.Database)
	}
	c := NewSourceConfig()
	c.URL, c.Tables, c.Slot = url, tables, name
	return c.reader(name)
}

func (c *SourceConfig) reader(flow string) *Capture {
	r := &Capture{url: c.URL, words: c.Tables, slot: c.Slot, publication: c.Publication,
		create: c.CreatePublication, failover: c.Failover, openBytes: openBytes, spoolBytes: spoolBudget,
		lookEvery: lookEvery, poke: make(chan struct{}, 1)}
	if r.slot == "" {
		r.slot = slotName(flow)
	}
	if r.publication == "" {
		r.publication = r.slot
	}
	_, err := parseURL(c.URL)
	r.problem = errors.Join(err, checkSlotName(r.slot))
	if len(c.Tables) == 0 {
		r.problem = errors.Join(r.problem, errors.New("postgres: no tables are named; write tables: [flights]"))
	}
	for _, w := range c.Tables {
		t, err := parseTable(w)
		if err == nil && slices.Contains(r.tables, t) {
			err = fmt.Errorf("postgres: table %s is named twice", t)
		}
		r.problem = errors.Join(r.problem, err)
		r.tables = append(r.tables, t)
	}
	return r
}

// Slot names the slot, and the publication with it, and returns the source.
func (r *Capture) Slot(name string) *Capture {
	r.slot, r.publication = name, name
	r.problem = errors.Join(r.problem, checkSlotName(name))
	return r
}

// Describe names the tables, the slot and the publication.
func (r *Capture) Describe() string {
	names := make([]string, len(r.tables))
	for i, t := range r.tables {
		names[i] = t.String()
	}
	return "postgres tables=" + strings.Join(names, ",") + " slot=" + r.slot + " publication=" + r.publication
}

// TableNames names the tables that are read, as "postgres://host:port/database/schema.table".
func (r *Capture) TableNames() []string {
	cfg, err := parseURL(r.url)
	if err != nil {
		return nil
	}
	names := make([]string, len(r.tables))
	for i, t := range r.tables {
		names[i] = databaseName(cfg) + t.String()
	}
	return names
}

// Locate prints where in the log a change is.
func (r *Capture) Locate(c *tidemill.Change) string { return lsn(c.At).String() }

// Tables reads the tables' shapes as they are now.
func (r *Capture) Tables(ctx context.Context) ([]*tidemill.Table, error) {
	if r.problem != nil {
		return nil, r.problem
	}
	s, err := connect(ctx, r.url, false)
	if err != nil {
		return nil, err
	}
	defer s.shut()
	c := newCatalog(s)
	tables := make([]*tidemill.Table, len(r.tables))
	for i, name := range r.tables {
		info, err := c.info(ctx, name)
		if err != nil {
			return nil, err
		}
		if info == nil {
			return nil, missingTable(name)
		}
		if tables[i], _, err = c.shape(ctx, name, info.columns, info.key, info.identity); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

func missingTable(name tableName) error {
	return tidemill.Fatalf("postgres: there is no table %s; look at the name, its schema and its letters (they are "+
		"case-sensitive here), or create it", name)
}

// Release lets the server forget the log up to a position. The running stream tells the server at once; between two
// runs the next one does.
func (r *Capture) Release(_ context.Context, upto tidemill.Position) error {
	if upto == "" || upto == tidemill.Begun {
		return nil
	}
	p, err := parsePosition(upto)
	if err != nil {
		return tidemill.Fatal(err)
	}
	if p.slot != r.slot {
		return tidemill.Fatalf("postgres: position %q is of slot %q, this source has slot %q", string(upto), p.slot, r.slot)
	}
	r.release(p.lsn)
	select {
	case r.poke <- struct{}{}:
	default:
	}
	return nil
}

func (r *Capture) release(at lsn) {
	for {
		old := r.released.Load()
		if uint64(at) <= old || r.released.CompareAndSwap(old, uint64(at)) {
			return
		}
	}
}

// errStopped ends a run whose consumer has left the loop.
var errStopped = errors.New("the consumer has left")

// run is one call of Changes.
type run struct {
	*Capture
	yield   func(tidemill.Batch, error) bool
	place   place // the system, its timeline, our slot; lsn is where the next run would go on
	meta    []tidemill.Attr
	version int       // of the server, as 150018
	goal    lsn       // the log's end when Changes was called
	began   time.Time // by the server's clock, just before the slot was made
}

// Changes yields the snapshot and then the stream, or the stream after a position.
func (r *Capture) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		u := &run{Capture: r, yield: yield}
		err := u.follow(ctx, after)
		if err != nil && !errors.Is(err, errStopped) {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			yield(tidemill.Batch{}, err)
		}
	}
}

func (u *run) follow(ctx context.Context, after tidemill.Position) error {
	if u.problem != nil {
		return tidemill.Fatal(u.problem)
	}
	s, err := connect(ctx, u.url, true)
	if err != nil {
		return err
	}
	defer func() { s.shut() }()
	if err := u.identify(ctx, s); err != nil {
		return err
	}
	if after == "" || after == tidemill.Begun {
		u.released.Store(0)
		u.reached.Store(0)
		if err := u.begin(ctx, s, after == tidemill.Begun); err != nil {
			return err
		}
		if s, err = connect(ctx, u.url, true); err != nil {
			return err
		}
		u.goal = u.place.lsn // the snapshot holds what there was
		if err := u.verify(ctx, s, u.place); err != nil {
			return err
		}
		return u.stream(ctx, s)
	}
	p, err := parsePosition(after)
	if err != nil {
		return tidemill.Fatal(err)
	}
	if err := u.verify(ctx, s, p); err != nil {
		return err
	}
	if err := u.checkPublication(ctx, s); err != nil {
		return err
	}
	u.place.lsn = p.lsn
	u.release(p.lsn)
	return u.stream(ctx, s)
}

// identify learns which server this is, and looks whether it can be read at all.
func (u *run) identify(ctx context.Context, s *session) error {
	rows, err := s.ask(ctx, "IDENTIFY_SYSTEM")
	if err != nil {
		return err
	}
	if len(rows) != 1 || len(rows[0]) < 4 || rows[0][3] == nil {
		return tidemill.Fatalf("postgres: the server does not answer IDENTIFY_SYSTEM as PostgreSQL does; connect to the " +
			"server itself, not to a pooler")
	}
	timeline, _ := strconv.ParseUint(string(rows[0][1]), 10, 32)
	u.place = place{system: string(rows[0][0]), timeline: uint32(timeline), slot: u.slot}
	u.meta = []tidemill.Attr{{Name: "db", Value: string(rows[0][3])}}
	rows, err = s.ask(ctx, `SELECT current_setting('server_version_num'), current_setting('server_version'), current_setting('wal_level'),
		CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END`)
	if err != nil {
		return err
	}
	if u.version = int(number(rows[0][0])); u.version < oldest {
		return tidemill.Fatalf("postgres: the server is PostgreSQL %s; this source needs 13 or newer", rows[0][1])
	}
	if level := string(rows[0][2]); level != "logical" {
		return tidemill.Fatalf("postgres: wal_level is %s; run ALTER SYSTEM SET wal_level = 'logical' and restart the server",
			level)
	}
	u.goal, err = parseLSN(string(rows[0][3]))
	return err
}
