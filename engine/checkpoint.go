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

// saved is what a checkpoint under way reports.
type saved struct {
	c     *tidemill.Checkpoint
	pause time.Duration
	took  time.Duration
	bytes int
	err   error
}

// maybeCheckpoint begins a checkpoint when it is time, the state is that of a position, and none is under way.
func (m *Mill) maybeCheckpoint(ctx context.Context) error {
	if m.flow.Store == nil || m.inSave || !m.clean || time.Now().Before(m.nextAt) {
		return nil
	}
	if !m.dirty && (len(m.kept) > 0 && m.kept[len(m.kept)-1] == m.upto || time.Now().Before(m.nextAt.Add(5*m.flow.Every))) {
		return nil // nothing happened; a position that moves on its own is kept at a sixth of the pace
	}
	return m.begin(ctx)
}

// begin captures the state, and hands it to a goroutine that waits for the sinks and saves it.
func (m *Mill) begin(ctx context.Context) error {
	began := time.Now()
	fixed, err := m.capture()
	if err != nil {
		return err
	}
	pause := time.Since(began)
	m.inSave, m.dirty = true, false
	m.nextAt = began.Add(m.flow.Every)
	marks := make([]chan markResult, len(m.boxes))
	for i, b := range m.boxes {
		marks[i] = make(chan markResult, 1)
		item := outItem{upto: m.seq, mark: marks[i]}
		select {
		case b.in <- item:
		case err := <-m.failed:
			m.inSave, m.dirty = false, true
			return err
		case <-ctx.Done(): // a sink is behind: the checkpoint before stands
			m.inSave, m.dirty = false, true
			return errStopped
		}
	}
	go func() {
		r := saved{pause: pause}
		defer func() { m.saving <- r }()
		c, err := fixed.complete()
		if r.c, r.err = c, err; err != nil {
			return
		}
		for _, ch := range marks {
			mk := <-ch
			if mk.err != nil {
				r.err = mk.err
				return
			}
			c.Marks = append(c.Marks, mk.mark)
		}
		for i := range c.Sections {
			r.bytes += len(c.Sections[i].Data)
		}
		r.err = m.flow.Store.Save(context.Background(), c)
		r.took = time.Since(began)
	}()
	return nil
}

// saved takes the result of a checkpoint, and releases the source up to the oldest one that is kept.
func (m *Mill) saved(r saved) error {
	m.inSave = false
	if r.err != nil {
		m.dirty = true
		m.sm.Lock()
		m.stats.checkpoint.Failures++
		m.sm.Unlock()
		m.trouble(fmt.Errorf("checkpoint: %w", r.err))
		m.alarm("checkpoint", "a checkpoint failed, nothing is acknowledged to the source until one works: "+r.err.Error())
		if tidemill.IsFatal(r.err) {
			return r.err
		}
		return nil
	}
	m.sm.Lock()
	s := &m.stats.checkpoint
	s.ID, s.At, s.Position, s.Bytes, s.Pause, s.Took, s.Loaded = r.c.ID, time.Now(), r.c.Position, r.bytes, r.pause, r.took, false
	s.Recent = append(s.Recent, s.At)
	if len(s.Recent) > 60 {
		s.Recent = s.Recent[1:]
	}
	m.sm.Unlock()
	m.kept = append(m.kept, r.c.Position)
	if len(m.kept) > 2 {
		m.kept = m.kept[len(m.kept)-2:]
	}
	if upto := m.kept[0]; upto != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := m.flow.Source.Release(ctx, upto); err != nil && !tidemill.IsFatal(err) {
			m.log.Warn("release the source", "position", upto, "error", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// finish ends the flow: drain, checkpoint, release. cause is why, nil for a wish to stop.
func (m *Mill) finish(cause error) error {
	if cause != nil && cause != errStopped {
		// What came before the trouble is good, and may be kept: the checkpoint under way ends, no new one is taken.
		m.await(2 * time.Second)
		if tidemill.IsFatal(cause) {
			m.refused()
		}
		return cause
	}
	m.watchModels() // a run that was short has not looked yet
	m.setState("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), m.flow.Patience)
	defer cancel()
	if err := m.send(ctx); err != nil {
		return m.unfinished(err)
	}
	if m.flow.Store == nil {
		return m.drain()
	}
	if err := m.await(m.flow.Patience); err != nil {
		return err
	}
	if !m.clean {
		return nil // inside a transaction or the snapshot: the last checkpoint stands
	}
	if !m.dirty && len(m.kept) > 0 && m.kept[len(m.kept)-1] == m.upto {
		return nil
	}
	if err := m.begin(ctx); err != nil {
		return m.unfinished(err)
	}
	return m.await(m.flow.Patience)
}

// unfinished explains a stop that a sink held up.
func (m *Mill) unfinished(err error) error {
	if errors.Is(err, errStopped) {
		return fmt.Errorf("stopped without a last checkpoint: a sink did not take its rows within %s; the checkpoint before stands, and what came after it is read again", m.flow.Patience)
	}
	return err
}

// await waits for the checkpoint under way.
func (m *Mill) await(patience time.Duration) error {
	if !m.inSave {
		return nil
	}
	select {
	case r := <-m.saving:
		if err := m.saved(r); err != nil {
			return err
		}
		return r.err
	case <-time.After(patience):
		return fmt.Errorf("a sink or the store did not finish within %s: the checkpoint before stands, nothing is lost", patience)
	}
}

// drain waits until every sink has everything.
func (m *Mill) drain() error {
	for _, b := range m.boxes {
		ch := make(chan markResult, 1)
		ctx, cancel := context.WithTimeout(context.Background(), m.flow.Patience)
		defer cancel()
		select {
		case b.in <- outItem{upto: m.seq, mark: ch}:
		case <-ctx.Done():
		}
		select {
		case r := <-ch:
			if r.err != nil {
				return r.err
			}
		case <-ctx.Done():
			return fmt.Errorf("sink %s did not take its rows within %s", b.name, m.flow.Patience)
		}
	}
	return nil
}

// sectionVersion is of what the engine itself writes into sections: 2 since delays have means, 3 since
// the journal knows when rows without a commit time were read. The states of features,
// encoders, models and scores begin with versions of their own.
const sectionVersion = 3

// capture takes every state: the flow stands still for it.
func (m *Mill) capture() (*captured, error) {
	m.ckptSeq++
	c := &captured{head: tidemill.Checkpoint{ID: tidemill.CheckpointID{Term: m.term, Seq: m.ckptSeq}, Flow: m.flow.Name, Position: m.upto}}
	add := func(name, kind, fingerprint string, data []byte) {
		c.sections = append(c.sections, section{Section: tidemill.Section{Name: name, Kind: kind, Version: sectionVersion,
			Fingerprint: fingerprint, Data: data}})
	}
	add("flow", "flow", describe(m.flow.Source), m.appendFlow(nil))
	add("outputs", "outputs", m.decides(), nil)
	if len(m.flow.Transforms) > 0 {
		add(transformsSection, transformsSection, m.describeTransforms(), nil)
	}
	if m.journal != nil && m.live {
		add("journal", "journal", "", m.journal.appendTo(nil))
		c.head.Segments = append(c.head.Segments, m.journal.names...)
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
func (m *Mill) decides() string {
	var b strings.Builder
	for _, t := range m.tasks {
		s := t.spec
		fmt.Fprintf(&b, "task %s: wait %s, then %q, keep first %t, classes %q, positive %q, threshold %g, balanced %t, rejects %t\n",
			s.Name, s.Wait, s.Then, s.KeepFirst, s.Classes, s.Positive, t.learner.threshold, s.Balanced, !t.halt)
	}
	return b.String()
}

func (m *Mill) appendFlow(b []byte) []byte {
	b = statebytes.AppendUvarint(b, m.seq)
	b = statebytes.AppendUvarint(b, uint64(m.starts))
	b = statebytes.AppendBool(b, m.live)
	b = statebytes.AppendUvarint(b, uint64(m.passNo))
	b = statebytes.AppendUvarint(b, uint64(m.passAt))
	b = statebytes.AppendUvarint(b, uint64(len(m.boxes)))
	for _, x := range m.boxes {
		b = statebytes.AppendText(b, x.name)
	}
	m.sm.Lock()
	b = statebytes.AppendUvarint(b, m.stats.rejected)
	b = statebytes.AppendUvarint(b, m.stats.snapshot.Rows)
	b = statebytes.AppendFloat(b, m.stats.snapshot.Seconds)
	b = statebytes.AppendUvarint(b, m.stats.stream.Rows)
	m.sm.Unlock()
	b = statebytes.AppendBool(b, m.begun)
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
	return []*uint64{&c.Asked, &c.Answered, &c.Corrected, &c.Unasked, &c.Replaced, &c.Dropped, &c.Expired, &c.Late, &c.Rejected,
		&c.Learned, &c.Evaluated, &c.Deleted}
}
