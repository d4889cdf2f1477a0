package sqlite

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
)

// marksTable holds how far each flow's sink is, beside the rows, so that both commit together.
const marksTable = "tidemill_marks"

// Predictions is the sink: one row per question in a table of a database file. One goroutine calls it.
type Predictions struct {
	path  string
	name  string
	truth bool

	flow    string
	mark    tidemill.Mark
	there   uint64 // outputs up to this one are in the table, and come again as they were
	flushed bool   // the mark is durable
	wal     bool
	file    os.FileInfo // as it was at Resume
	d       *db
	upsert  *stmt
	answer  *stmt
	move    *stmt
	schema  *stmt
	commit  *stmt
	watched bool  // the table has triggers,
	looked  int64 // under this schema version
	merger  merger
	scratch []byte
}

// Sink writes predictions to the table of the database file at path. File and table are made if they are not there.
func Sink(path, table string) *Predictions {
	return &Predictions{path: path, name: table, truth: true}
}

// WithoutTruth leaves the truth of a prediction out of its row.
func (p *Predictions) WithoutTruth() *Predictions {
	p.truth = false
	return p
}

var (
	_ tidemill.Sink      = (*Predictions)(nil)
	_ tidemill.Checker   = (*Predictions)(nil)
	_ tidemill.Describer = (*Predictions)(nil)
	_ tidemill.Namer     = (*Predictions)(nil)
	_ tidemill.Gatherer  = (*Predictions)(nil)
)

// Describe names the file, the table and whether the truth is told.
func (p *Predictions) Describe() string {
	return fmt.Sprintf("sqlite path=%s table=%s truth=%t", strconv.Quote(p.path), p.name, p.truth)
}

// TableNames are the two tables that it writes.
func (p *Predictions) TableNames() []string {
	return []string{tableURL(p.path, p.name), tableURL(p.path, marksTable)}
}

func (p *Predictions) settings() error {
	l := strings.ToLower(p.name)
	if p.name == "" || strings.HasPrefix(l, "sqlite_") || l == marksTable {
		return tidemill.Fatalf("sqlite: table %q: name another table for the predictions", p.name)
	}
	return nil
}

// sinkColumn is one column of the predictions' table.
type sinkColumn struct {
	name, native string
	truth        bool
}

var sinkColumns = [...]sinkColumn{
	{"task", "TEXT NOT NULL", false}, {"id", "TEXT NOT NULL", false}, {"prediction", "TEXT", false}, {"score", "REAL", false},
	{"probabilities", "TEXT", false}, {"model_version", "TEXT", false}, {"asked_at", "TEXT", false}, {"position", "TEXT", false},
	{"truth", "TEXT", true}, {"answered_at", "TEXT", true},
}

// Resume makes the tables, checks the mark and takes the term, in one transaction.
func (p *Predictions) Resume(ctx context.Context, r tidemill.Resumption) error {
	if err := p.settings(); err != nil {
		return err
	}
	p.Close()
	_, err := os.Stat(p.path)
	fresh := os.IsNotExist(err)
	d, err := openFile(p.path, readWriteCreate)
	if err != nil {
		return err
	}
	p.d, p.flow = d, r.Flow
	if p.file, err = os.Stat(p.path); err != nil {
		return err
	}
	defer d.guard(ctx)()
	if err := p.resume(ctx, r, fresh); err != nil {
		p.Close()
		return explain(p.path, err)
	}
	return nil
}

func (p *Predictions) resume(ctx context.Context, r tidemill.Resumption, fresh bool) error {
	d := p.d
	var mode string
	err := d.retry(ctx, func() (err error) {
		if fresh {
			// A file of our own making. The journal mode of somebody else's is theirs to choose.
			if err := d.exec("PRAGMA journal_mode=WAL"); err != nil {
				return err
			}
		}
		mode, err = d.text("PRAGMA main.journal_mode")
		return err
	})
	if err != nil {
		return err
	}
	p.wal = mode == "wal"
	if err := d.exec("PRAGMA synchronous=" + p.synchronous()); err != nil {
		return err
	}
	if err := d.write(ctx, func() error { return p.take(r) }); err != nil {
		return err
	}
	p.flushed = false
	return d.retry(ctx, p.prepare)
}

// synchronous: in WAL mode a commit without a sync keeps the file whole, and Flush syncs; with a rollback journal every
// commit syncs, as a power cut could damage the file otherwise.
func (p *Predictions) synchronous() string {
	if p.wal {
		return "NORMAL"
	}
	return "FULL"
}

// take makes the tables, checks the mark and writes the term, inside a write transaction.
func (p *Predictions) take(r tidemill.Resumption) error {
	d := p.d
	if err := p.makeTables(); err != nil {
		return err
	}
	var held tidemill.Mark
	found := false
	err := d.query("SELECT term, seq FROM main."+marksTable+" WHERE flow=? AND target=?", func(s *stmt) error {
		held.Term, held.Seq, found = uint64(s.int(0)), uint64(s.int(1)), true
		return nil
	}, p.flow, p.target())
	if err != nil {
		return err
	}
	if !r.Adopt {
		if err := p.judge(r, held, found); err != nil {
			return err
		}
	}
	if r.Reset {
		for _, task := range r.Tasks {
			if err := d.query("DELETE FROM main."+quote(p.name)+" WHERE task=?", nil, task); err != nil {
				return err
			}
		}
	}
	p.mark, p.there = tidemill.Mark{Term: r.Term, Seq: r.After.Seq}, 0
	if r.Again && found {
		p.there = held.Seq
	}
	return d.query("INSERT INTO main."+marksTable+"(flow, target, term, seq) VALUES(?,?,?,?) "+
		"ON CONFLICT(flow, target) DO UPDATE SET term=excluded.term, seq=excluded.seq",
		nil, p.flow, p.target(), int64(r.Term), int64(max(r.After.Seq, p.there)))
}

// target is the table as the marks name it: SQLite folds its case.
func (p *Predictions) target() string { return strings.ToLower(p.name) }

// judge compares the mark that the file holds with the one of the checkpoint.
func (p *Predictions) judge(r tidemill.Resumption, held tidemill.Mark, found bool) error {
	at := fmt.Sprintf("sqlite: %s: table %s", p.path, p.name)
	switch {
	case r.After == (tidemill.Mark{}) && held.Seq > 0:
		return fmt.Errorf("%s holds %d outputs of flow %s and there is no checkpoint (another state folder, or it was lost); --adopt keeps the rows and goes on, --reset removes them: %w",
			at, held.Seq, p.flow, tidemill.ErrUnknownMark)
	case held.Term > r.Term:
		return fmt.Errorf("%s was taken by term %d of flow %s, this run has term %d: stop the other run; if there is none, and its state folder was lost, --adopt keeps the rows and goes on, --reset removes them: %w",
			at, held.Term, p.flow, r.Term, tidemill.ErrFenced)
	case r.After.Seq > 0 && !found:
		return fmt.Errorf("%s holds nothing of flow %s, the checkpoint %d outputs: another file? --adopt goes on with it: %w",
			at, p.flow, r.After.Seq, tidemill.ErrUnknownMark)
	case held.Seq < r.After.Seq || held.Term < r.After.Term:
		return fmt.Errorf("%s is at output %d of term %d, the checkpoint at %d of term %d: an older copy of the file? --adopt goes on with it: %w",
			at, held.Seq, held.Term, r.After.Seq, r.After.Term, tidemill.ErrUnknownMark)
	}
	return nil
}

func (p *Predictions) makeTables() error {
	var cols []string
	for _, c := range sinkColumns {
		if !c.truth || p.truth {
			cols = append(cols, c.name+" "+c.native)
		}
	}
	err := p.d.exec(fmt.Sprintf(`CREATE TABLE IF NOT EXISTS main.%s(%s, PRIMARY KEY(task, id)) WITHOUT ROWID;
		CREATE TABLE IF NOT EXISTS main.%s(flow TEXT NOT NULL, target TEXT NOT NULL, term INTEGER NOT NULL, seq INTEGER NOT NULL,
			PRIMARY KEY(flow, target)) WITHOUT ROWID`, quote(p.name), strings.Join(cols, ", "), marksTable))
	if err != nil {
		return err
	}
	return p.fitTable()
}

// fitTable adds the columns of the truth to a table that was made without, and refuses a table that is another thing.
func (p *Predictions) fitTable() error {
	missing, _, err := p.missing(p.d)
	if err != nil {
		return err
	}
	for _, name := range missing {
		if err := p.d.exec(fmt.Sprintf("ALTER TABLE main.%s ADD COLUMN %s TEXT", quote(p.name), name)); err != nil {
			return err
		}
	}
	return nil
}

// missing gives the columns of the truth that the table lacks, and whether there is a table. A table that is not one of
// predictions is an error.
func (p *Predictions) missing(d *db) (missing []string, have bool, err error) {
	cols := map[string]bool{}
	var key []string
	err = d.query("SELECT name, pk FROM pragma_table_xinfo(?) ORDER BY pk", func(s *stmt) error {
		n := strings.ToLower(s.text(0))
		cols[n] = true
		if s.int(1) > 0 {
			key = append(key, n)
		}
		return nil
	}, p.name)
	if err != nil || len(cols) == 0 {
		return nil, false, err
	}
	for _, c := range sinkColumns {
		switch {
		case cols[c.name] || c.truth && !p.truth:
		case c.truth:
			missing = append(missing, c.name)
		default:
			return nil, true, tidemill.Fatalf("sqlite: %s: table %q has no column %s: it is not a table of predictions; name another one", p.path, p.name, c.name)
		}
	}
	if strings.Join(key, ",") != "task,id" {
		return nil, true, tidemill.Fatalf("sqlite: %s: the primary key of table %q is not (task, id): it is not a table of predictions; name another one", p.path, p.name)
	}
	return missing, true, nil
}
