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
	m.figures.watchModels(m.tasks) // a run that was short has not looked yet
	m.figures.setState("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), m.flow.StopTimeout)
	defer cancel()
	if err := m.send(ctx); err != nil {
		return unfinished(err, m.flow.StopTimeout)
	}
	if m.flow.Store == nil {
		return m.out.drain(m.flow.StopTimeout)
	}
	if err := m.ckpt.await(m.flow.StopTimeout); err != nil {
		return err
	}
	if !m.clean {
		return nil // inside a transaction or the snapshot: the last checkpoint stands
	}
	if !m.ckpt.dirty && m.ckpt.holds(m.upto) {
		return nil
	}
	if err := m.checkpoint(ctx); err != nil {
		return unfinished(err, m.flow.StopTimeout)
	}
	return m.ckpt.await(m.flow.StopTimeout)
}

// unfinished explains a stop that a sink held up.
func unfinished(err error, timeout time.Duration) error {
	if errors.Is(err, errStopped) {
		return fmt.Errorf("stopped without a last checkpoint: a sink did not take its rows within %s; the checkpoint "+
			"before stands, and what came after it is read again", timeout)
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
	c := &captured{head: tidemill.Checkpoint{ID: tidemill.CheckpointID{Term: m.term, Seq: m.ckpt.seq},
		Flow: m.flow.Name, Position: m.upto}}
	add := func(name, kind, fingerprint string, data []byte) {
		c.sections = append(c.sections, section{Section: tidemill.Section{Name: name, Kind: kind, Version: sectionVersion,
			Fingerprint: fingerprint, Data: data}})
	}
	add("flow", "flow", describe(m.flow.Source), m.appendFlow(nil))
	add("outputs", "outputs", decides(&m.flow, m.tasks), nil)
	if len(m.flow.Transforms) > 0 {
		add(transformsSection, transformsSection, m.chain.describe(), nil)
	}
	if m.snapshot.journal != nil && m.live {
		add("journal", "journal", "", m.snapshot.journal.appendTo(nil))
		c.head.Segments = append(c.head.Segments, m.snapshot.journal.names...)
	}
	for _, t := range m.tasks {
		if t.clock.started {
			c.head.Clock = max(c.head.Clock, t.clock.now)
		}
		sections, err := t.capture()
		if err != nil {
			return nil, err
		}
		c.sections = append(c.sections, sections...)
		c.head.Segments = append(c.head.Segments, t.ledger.questions.segments()...)
	}
	return c, nil
}

// decides is what may be edited in a flow that goes on and yet decides which outputs come.
func decides(f *tidemill.Flow, tasks []*task) string {
	var b strings.Builder
	for _, t := range tasks {
		s := t.spec
		fmt.Fprintf(&b, "task %s: wait %s, then %q, keep first %t, classes %q, positive %q, threshold %g, balanced %t, "+
			"rejects %t\n",
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
	b = statebytes.AppendBool(b, m.history.snapshotBegun)
	return b
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
	return []*uint64{&c.Asked, &c.Answered, &c.Corrected, &c.Unasked, &c.Replaced, &c.Dropped,
		&c.Expired, &c.Late, &c.Rejected, &c.Learned, &c.Evaluated, &c.Deleted}
}
