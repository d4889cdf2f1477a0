package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// maybeCheckpoint begins a checkpoint when it is time, the state is that of a position, and none is under way.
func (m *Mill) maybeCheckpoint(ctx context.Context) error {
	if !m.clean || !m.ckpt.due(m.upto) {
		return nil
	}
	return m.checkpoint(ctx)
}

// checkpoint captures the state and begins to save it.
func (m *Mill) checkpoint(ctx context.Context) error {
	began := time.Now()
	fixed, err := m.capture()
	if err != nil {
		return err
	}
	return m.ckpt.begin(ctx, fixed, began)
}

// finish ends the flow: drain, checkpoint, release. cause is why, nil for a wish to stop.
func (m *Mill) finish(cause error) error {
	if cause != nil && cause != errStopped {
		// What came before the trouble is good, and may be kept: the checkpoint under way ends, no new one is taken.
		m.ckpt.await(2 * time.Second)
		if tidemill.IsFatal(cause) {
			m.refused()
		}
		return cause
	}
	m.watchModels() // a run that was short has not looked yet
	m.figures.setState("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), m.flow.Patience)
	defer cancel()
	if err := m.send(ctx); err != nil {
		return unfinished(err, m.flow.Patience)
	}
	if m.flow.Store == nil {
		return m.out.drain(m.flow.Patience)
	}
	if err := m.ckpt.await(m.flow.Patience); err != nil {
		return err
	}
	if !m.clean {
		return nil // inside a transaction or the snapshot: the last checkpoint stands
	}
	if !m.ckpt.dirty && m.ckpt.holds(m.upto) {
		return nil
	}
	if err := m.checkpoint(ctx); err != nil {
		return unfinished(err, m.flow.Patience)
	}
	return m.ckpt.await(m.flow.Patience)
}

// unfinished explains a stop that a sink held up.
func unfinished(err error, patience time.Duration) error {
	if errors.Is(err, errStopped) {
		return fmt.Errorf("stopped without a last checkpoint: a sink did not take its rows within %s; the checkpoint before stands, and what came after it is read again", patience)
	}
	return err
}

// sectionVersion is of what the engine itself writes into sections: 2 since delays have means, 3 since
// the journal knows when rows without a commit time were read. The states of features,
// encoders, models and scores begin with versions of their own.
const sectionVersion = 3

// capture takes every state: the flow stands still for it.
func (m *Mill) capture() (*captured, error) {
	m.ckpt.seq++
	c := &captured{head: tidemill.Checkpoint{ID: tidemill.CheckpointID{Term: m.term, Seq: m.ckpt.seq}, Flow: m.flow.Name, Position: m.upto}}
	add := func(name, kind, fingerprint string, data []byte) {
		c.sections = append(c.sections, section{Section: tidemill.Section{Name: name, Kind: kind, Version: sectionVersion,
			Fingerprint: fingerprint, Data: data}})
	}
	add("flow", "flow", describe(m.flow.Source), m.appendFlow(nil))
	add("outputs", "outputs", m.decides(), nil)
	if m.snapshot.journal != nil && m.live {
		add("journal", "journal", "", m.snapshot.journal.appendTo(nil))
		c.head.Segments = append(c.head.Segments, m.snapshot.journal.names...)
	}
	for _, t := range m.tasks {
		if t.started {
			c.head.Clock = max(c.head.Clock, t.clock)
		}
		sections, err := t.capture()
		if err != nil {
			return nil, err
		}
		c.sections = append(c.sections, sections...)
		c.head.Segments = append(c.head.Segments, t.questions.segments()...)
	}
	return c, nil
}

// decides is what may be edited in a flow that goes on and yet decides which outputs come.
func (m *Mill) decides() string {
	var b strings.Builder
	for _, tr := range m.flow.Transforms {
		fmt.Fprintf(&b, "transform: %s\n", describe(tr))
	}
	for _, t := range m.tasks {
		s := t.spec
		fmt.Fprintf(&b, "task %s: wait %s, then %q, keep first %t, classes %q, positive %q, threshold %g, balanced %t, rejects %t\n",
			s.Name, s.Wait, s.Then, s.KeepFirst, s.Classes, s.Positive, t.learner.threshold, s.Balanced, !t.halt)
	}
	return b.String()
}

func (m *Mill) appendFlow(b []byte) []byte {
	b = statebytes.AppendUvarint(b, m.out.seq)
	b = statebytes.AppendUvarint(b, uint64(m.history.starts))
	b = statebytes.AppendBool(b, m.live)
	b = statebytes.AppendUvarint(b, uint64(m.snapshot.no))
	b = statebytes.AppendUvarint(b, uint64(m.snapshot.at))
	b = statebytes.AppendUvarint(b, uint64(len(m.out.boxes)))
	for _, x := range m.out.boxes {
		b = statebytes.AppendText(b, x.name)
	}
	m.figures.mu.Lock()
	b = statebytes.AppendUvarint(b, m.figures.rejected)
	b = statebytes.AppendUvarint(b, m.figures.snapshot.Rows)
	b = statebytes.AppendFloat(b, m.figures.snapshot.Seconds)
	b = statebytes.AppendUvarint(b, m.figures.stream.Rows)
	m.figures.mu.Unlock()
	b = statebytes.AppendBool(b, m.history.begun)
	return b
}

// capture is a task's sections. Feature, encoder and model states carry the description of their kind, so that a
// changed flow is noticed.
func (t *taskState) capture() ([]section, error) {
	var out []section
	prefix := "task/" + t.spec.Name + "/"
	add := func(name, kind, fingerprint string, data []byte) {
		out = append(out, section{Section: tidemill.Section{Name: prefix + name, Kind: kind, Version: sectionVersion,
			Fingerprint: fingerprint, Data: data}})
	}
	state := func(name string, s tidemill.State) error {
		if c, ok := s.(tidemill.Capturer); ok {
			add(name, kindWord(s), describe(s), nil)
			out[len(out)-1].write = c.Capture()
			return nil
		}
		b, err := s.AppendBinary(nil)
		if err != nil {
			return fmt.Errorf("task %s: save %s: %w", t.spec.Name, name, err)
		}
		add(name, kindWord(s), describe(s), b)
		return nil
	}
	add("life", "life", t.fingerprint(), t.appendLife(nil))
	add("questions", "questions", "", t.questions.appendTo(nil))
	for i, f := range t.spec.Features {
		if err := state(fmt.Sprintf("feature/%d", i), f); err != nil {
			return nil, err
		}
	}
	models := []struct {
		prefix   string
		model    tidemill.Model
		encoders []tidemill.Encoder
	}{{"", t.learner.model, t.learner.encoders}}
	if t.frozen != nil {
		models = append(models, struct {
			prefix   string
			model    tidemill.Model
			encoders []tidemill.Encoder
		}{"frozen/", t.frozen.model, t.frozen.encoders})
	}
	for _, m := range models {
		for i, e := range m.encoders {
			if err := state(fmt.Sprintf("%sencoder/%d", m.prefix, i), e); err != nil {
				return nil, err
			}
		}
		if err := state(m.prefix+"model", m.model); err != nil {
			return nil, err
		}
	}
	for _, ty := range t.tallies {
		write, err := ty.capture()
		if err != nil {
			return nil, fmt.Errorf("task %s: save scores: %w", t.spec.Name, err)
		}
		add("scores/"+ty.phase.String(), "scores", "", nil)
		out[len(out)-1].write = write
	}
	return out, nil
}

// kindWord is the first word of a kind's description.
func kindWord(v any) string {
	d := describe(v)
	for i, c := range d {
		if c == ' ' || c == '(' || c == '{' || c == '[' || c == ':' {
			return d[:i]
		}
	}
	return d
}

func (t *taskState) appendLife(b []byte) []byte {
	b = t.learner.classes.appendTo(b)
	b = t.base.appendTo(b)
	b = t.answered.appendTo(b)
	b = t.delays.appendTo(b)
	for _, n := range t.counts.list() {
		b = statebytes.AppendUvarint(b, *n)
	}
	b = append(b, byte(t.phase))
	b = statebytes.AppendBool(b, t.started)
	b = statebytes.AppendVarint(b, t.clock)
	b = statebytes.AppendVarint(b, t.startAt)
	for p := range t.nulls {
		b = statebytes.AppendUvarint(b, t.nullsOf[p])
		for _, n := range t.nulls[p] {
			b = statebytes.AppendUvarint(b, n)
		}
	}
	b = t.names.appendTo(b)
	tables := t.asked()
	b = statebytes.AppendUvarint(b, uint64(len(tables)))
	for _, table := range tables {
		b = statebytes.AppendTable(b, table)
	}
	return b
}

// asked are the newest shapes of the tables that the task's triggers name, in the order of the triggers.
func (t *taskState) asked() []*tidemill.Table {
	var out []*tidemill.Table
	for _, list := range [][]*trigger{t.predict, t.eval, t.learn} {
		for _, tr := range list {
			if table := t.shapes[tr.on.Table]; table != nil && !containsTable(out, table) {
				out = append(out, table)
			}
		}
	}
	return out
}

func containsTable(list []*tidemill.Table, t *tidemill.Table) bool {
	for _, x := range list {
		if x == t {
			return true
		}
	}
	return false
}

// list is the counts in a fixed order, but those that are derived.
func (c *Counts) list() []*uint64 {
	return []*uint64{&c.Asked, &c.Answered, &c.Corrected, &c.Unasked, &c.Replaced, &c.Dropped, &c.Expired, &c.Late, &c.Rejected,
		&c.Learned, &c.Evaluated, &c.Deleted}
}
