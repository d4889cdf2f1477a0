package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// open takes the lock, restores the newest whole checkpoint or begins a history, and takes the sinks over.
func (m *Mill) open(ctx context.Context) error {
	c, err := m.openStore(ctx)
	if err != nil {
		return err
	}
	m.out.open(&m.flow)
	marks := make([]tidemill.Mark, len(m.out.boxes))
	replay := false
	if c != nil {
		if c.Flow != m.flow.Name {
			return tidemill.Fatalf("the state belongs to the flow %q, this one is %q: give each flow its own state folder: %w",
				c.Flow, m.flow.Name, tidemill.ErrChanged)
		}
		if marks, err = m.restore(c); err != nil {
			return err
		}
		m.figures.checkpoint = statusOf(ctx, m.flow.Store, c)
		said := c.Section("outputs")
		replay = m.live && said != nil && said.Fingerprint == decides(&m.flow, m.tasks)
	}
	if err := m.resumeSinks(ctx, marks, replay); err != nil {
		return err
	}
	if m.live || m.history.snapshotBegun {
		return m.saveNewSinks(ctx, marks)
	}
	m.history.firstAsk = !m.flow.Fresh
	if m.flow.Store == nil {
		return nil
	}
	m.history.snapshotBegun = true
	return m.saveBegun(ctx)
}

// openStore takes the lock and reads the newest whole checkpoint; nil where a history begins.
func (m *Mill) openStore(ctx context.Context) (*tidemill.Checkpoint, error) {
	if m.flow.Store == nil {
		m.term = 1
		return nil, nil
	}
	term, unlock, err := m.flow.Store.Lock(ctx)
	if err != nil {
		return nil, err
	}
	m.term, m.unlock = term, unlock
	for _, t := range m.tasks {
		t.term, t.ledger.questions.term = term, term
	}
	c, err := newest(ctx, &m.flow, m.figures)
	if err != nil || !m.flow.Fresh {
		return c, err
	}
	if c != nil {
		if m.history.starts, err = startsOf(c); err != nil {
			m.history.starts = uint32(term)
		}
		m.history.starts++
	}
	where, err := m.flow.Store.SetAside(ctx)
	if err != nil {
		return nil, fmt.Errorf("set the old state aside: %w", err)
	}
	if where != "" {
		m.figures.event("fresh", "the old state is kept in "+where)
	}
	return nil, nil
}

// resumeSinks takes the sinks over.
func (m *Mill) resumeSinks(ctx context.Context, marks []tidemill.Mark, replay bool) error {
	if m.flow.Reset && m.live {
		return tidemill.Fatalf("there is a checkpoint: --reset would remove rows that the flow does not write again; " +
			"start anew with run --fresh --reset, or keep them with --adopt")
	}
	for i, b := range m.out.boxes {
		r := tidemill.Resumption{Flow: m.flow.Name, Term: m.term, After: marks[i], Adopt: m.flow.Adopt || m.flow.Fresh ||
			m.flow.Reset, Reset: m.flow.Reset, Tasks: taskNames(m.tasks)}
		r.Replay = replay && !r.Adopt
		if err := ResumeSink(ctx, b.sink, r); err != nil {
			return fmt.Errorf("sink %s: %w", b.name, err)
		}
		b.written.Store(m.out.seq)
	}
	return nil
}

// statusOf is what people see of a checkpoint that was loaded; how long it took is not known any more.
func statusOf(ctx context.Context, store tidemill.Store, c *tidemill.Checkpoint) CheckpointStatus {
	s := CheckpointStatus{ID: c.ID, Position: c.Position, Loaded: true}
	for i := range c.Sections {
		s.Bytes += len(c.Sections[i].Data)
	}
	if d, ok := store.(tidemill.Dated); ok {
		if at, err := d.SavedAt(ctx, c.ID); err == nil && !at.IsZero() {
			s.At, s.Recent = at, []time.Time{at}
		}
	}
	return s
}

// wholeCheckpoint is the state as it stands, written down at once.
func (m *Mill) wholeCheckpoint() (*tidemill.Checkpoint, error) {
	c, err := m.capture()
	if err != nil {
		return nil, err
	}
	return c.complete()
}

// saveNewSinks writes the state again when a sink was added to the flow, so that what it will
// hold is known to a checkpoint.
func (m *Mill) saveNewSinks(ctx context.Context, marks []tidemill.Mark) error {
	added := false
	for i := range marks {
		if marks[i] == (tidemill.Mark{}) {
			marks[i], added = tidemill.Mark{Term: m.term}, true
		}
	}
	if !added || m.flow.Store == nil {
		return nil
	}
	c, err := m.wholeCheckpoint()
	if err != nil {
		return err
	}
	c.Marks = marks
	if err := m.flow.Store.Save(ctx, c); err != nil {
		return fmt.Errorf("save the checkpoint that knows the new sink: %w", err)
	}
	return nil
}

// saveBegun writes the checkpoint that says whether a history has begun: what a run that crashes before its snapshot is
// whole leaves at the source is then known as this flow's own.
func (m *Mill) saveBegun(ctx context.Context) error {
	c, err := m.wholeCheckpoint()
	if err != nil {
		return err
	}
	for range m.out.boxes {
		c.Marks = append(c.Marks, tidemill.Mark{Term: m.term})
	}
	if err := m.flow.Store.Save(ctx, c); err != nil {
		return fmt.Errorf("save the first checkpoint: %w", err)
	}
	return nil
}

// from is the position to ask the source for. The first run of a history asks with "": what lies at the source under
// our name is somebody else's. Later ones, and a fresh start, ask with Begun.
func (m *Mill) from() tidemill.Position {
	switch {
	case m.upto != "":
		return m.upto
	case m.history.firstAsk:
		m.history.firstAsk, m.history.askedFirst = false, true
		return ""
	}
	return tidemill.Begun
}

// refused takes back that the history has begun, when the source would not begin it.
func (m *Mill) refused() {
	if m.flow.Store == nil || m.history.yielded || m.live || m.upto != "" || m.flow.Fresh || !m.history.askedFirst {
		return
	}
	m.history.snapshotBegun = false
	if err := m.saveBegun(context.Background()); err != nil {
		m.log.Warn("take back the first checkpoint", "error", err)
	}
}

// newest is the newest whole checkpoint; broken ones are said aloud. nil if there is none at all; an error if there are
// only broken ones.
func newest(ctx context.Context, f *tidemill.Flow, figures *figures) (*tidemill.Checkpoint, error) {
	c, warnings, err := loadNewest(ctx, f.Store)
	for _, w := range warnings {
		figures.alarm("checkpoint", "a checkpoint cannot be used: "+w.Error())
	}
	if f.Fresh && err != nil && !errors.Is(err, tidemill.ErrNewer) {
		return nil, nil
	}
	return c, err
}

func loadNewest(ctx context.Context, s tidemill.Store) (c *tidemill.Checkpoint, warnings []error, err error) {
	ids, broken, err := s.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range broken {
		if errors.Is(b, tidemill.ErrNewer) {
			return nil, nil, b
		}
	}
	warnings = broken
	for _, id := range ids {
		c, err := s.Load(ctx, id)
		if err == nil {
			return c, warnings, nil
		}
		if errors.Is(err, tidemill.ErrNewer) {
			return nil, warnings, err
		}
		warnings = append(warnings, err)
	}
	if len(warnings) > 0 {
		return nil, warnings, tidemill.Fatalf("no checkpoint is whole: %w: restore one from a backup, or start anew with "+
			"run --fresh", errors.Join(warnings...))
	}
	return nil, nil, nil
}

func startsOf(c *tidemill.Checkpoint) (uint32, error) {
	s := c.Section("flow")
	if s == nil {
		return 0, statebytes.ErrShort
	}
	d := statebytes.Read(s.Data)
	d.Uvarint()
	n := d.Uvarint()
	return uint32(n), d.Err()
}

// restore puts every state back, and matches marks with sinks by their description: a new sink starts without one.
func (m *Mill) restore(c *tidemill.Checkpoint) ([]tidemill.Mark, error) {
	s := c.Section("flow")
	if s == nil {
		return nil, tidemill.Fatalf("checkpoint %v has no flow section", c.ID)
	}
	switch {
	case s.Version > sectionVersion:
		return nil, tidemill.Fatalf("checkpoint %v: its sections have version %d, this program reads %d: use the newer "+
			"program: %w", c.ID, s.Version, sectionVersion, tidemill.ErrNewer)
	case s.Version < sectionVersion:
		return nil, tidemill.Fatalf("checkpoint %v: its sections have version %d, this program reads %d: start anew with "+
			"run --fresh (the old state is kept beside), or go on with the older program", c.ID, s.Version, sectionVersion)
	}
	if now := describe(m.flow.Source); s.Fingerprint != now {
		return nil, changed("source", s.Fingerprint, now)
	}
	d := statebytes.Read(s.Data)
	m.out.seq, m.history.starts, m.live = d.Uvarint(), uint32(d.Uvarint()), d.Bool()
	m.snapshot.no, m.snapshot.at = int(d.Uvarint()), int(d.Uvarint())
	names := make([]string, d.Count(1))
	for i := range names {
		names[i] = d.Text()
	}
	m.figures.rejected = d.Uvarint()
	m.figures.snapshot.Rows, m.figures.snapshot.Seconds = d.Uvarint(), d.Float()
	m.figures.stream.Rows = d.Uvarint()
	m.history.snapshotBegun = d.Bool()
	if err := d.End(); err != nil {
		return nil, tidemill.Fatalf("checkpoint %v, flow: %w", c.ID, err)
	}
	m.upto, m.clean = c.Position, true
	position := c.Position
	m.figures.position.Store(&position)
	m.out.made.Store(m.out.seq)
	m.ckpt.kept = []tidemill.Position{c.Position}
	if j := c.Section("journal"); j != nil {
		m.snapshot.journal = newJournal(m.flow.Store, m.term)
		d := statebytes.Read(j.Data)
		m.snapshot.journal.read(d)
		if err := d.End(); err != nil {
			return nil, tidemill.Fatalf("checkpoint %v, journal: %w", c.ID, err)
		}
	}
	if m.live { // before, nothing is learned that an edited flow could spoil
		if err := m.chain.same(c); err != nil {
			return nil, err
		}
		if err := m.restoreTasks(c); err != nil {
			return nil, err
		}
		m.snapshot.passes = m.snapshot.plan()
		m.figures.snapshot.Done = m.snapshot.no >= len(m.snapshot.passes)
		for _, t := range m.tasks {
			if m.figures.snapshot.Done {
				t.phase = tidemill.Stream
			}
		}
	} else {
		m.upto = ""
	}
	m.figures.event("resume", fmt.Sprintf("resumed from checkpoint %d.%d at %s",
		c.ID.Term, c.ID.Seq, cmp.Or(string(c.Position), "the beginning")))
	return m.marksOf(c, names), nil
}

// marksOf matches a checkpoint's marks with the flow's sinks by their descriptions; a new sink has none.
func (m *Mill) marksOf(c *tidemill.Checkpoint, names []string) []tidemill.Mark {
	marks := make([]tidemill.Mark, len(m.out.boxes))
	for i, b := range m.out.boxes {
		if k := slices.Index(names, b.name); k >= 0 && k < len(c.Marks) {
			marks[i], names[k] = c.Marks[k], ""
		}
	}
	return marks
}

// restoreTasks puts the tasks' states back. The checkpoint's tasks must be the flow's.
func (m *Mill) restoreTasks(c *tidemill.Checkpoint) error {
	seen := 0
	for _, t := range m.tasks {
		found, err := t.restore(c)
		if err != nil {
			return err
		}
		if found {
			seen++
		}
	}
	kept := map[string]bool{}
	for i := range c.Sections {
		if name, ok := strings.CutPrefix(c.Sections[i].Name, "task/"); ok {
			name, _, _ = strings.Cut(name, "/")
			kept[name] = true
		}
	}
	if seen != len(m.tasks) || len(kept) != len(m.tasks) {
		return changed("tasks", fmt.Sprint(keysOf(c)), fmt.Sprint(taskNames(m.tasks)))
	}
	return nil
}

func taskNames(tasks []*task) []string {
	var out []string
	for _, t := range tasks {
		out = append(out, t.spec.Name)
	}
	return out
}

func keysOf(c *tidemill.Checkpoint) []string {
	var out []string
	for i := range c.Sections {
		if name, ok := strings.CutSuffix(c.Sections[i].Name, "/life"); ok {
			out = append(out, strings.TrimPrefix(name, "task/"))
		}
	}
	return out
}

// changed says what was edited, and what to do.
func changed(path, was, now string) error {
	return tidemill.Fatalf("%s: was %s, now %s: what was learned belongs to the former; change it back, or start anew "+
		"with run --fresh (the old state is kept beside): %w",
		path, strings.TrimSpace(was), strings.TrimSpace(now), tidemill.ErrChanged)
}

// diffLine is the first line of a that b does not have.
func diffLine(a, b string) string {
	for _, l := range strings.Split(a, "\n") {
		if !strings.Contains(b, l) {
			return l
		}
	}
	return "without it"
}
