package tidemill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// pass is one reading of the journal for one task.
type pass struct {
	task  int
	kind  passKind
	epoch int
}

type passKind uint8

const (
	epochPass  passKind = iota // learn every row again, shuffled
	replayPass                 // ask and answer in the order of the clock
	closePass                  // evaluate what is labelled, ask about what is not
)

// readRows takes snapshot rows as they are read: the first epoch.
func (m *Mill) readRows(ctx context.Context, cs []Change) error {
	if len(m.tasks) == 0 {
		m.pass(cs)
		return m.send(ctx)
	}
	for len(cs) > 0 {
		n := min(m.slice, len(cs))
		err := m.locked(func() error {
			for _, t := range m.tasks {
				if t.spec.Snapshot != SnapshotLearn {
					continue
				}
				if err := t.firstEpoch(cs[:n]); err != nil {
					return err
				}
			}
			return nil
		}, n)
		if err != nil {
			return err
		}
		if m.journal == nil && m.needsJournal() {
			m.journal = newJournal(m.flow.Store, m.term)
		}
		if m.journal != nil {
			for i := range cs[:n] {
				if err := m.journal.append(&cs[i]); err != nil {
					return err
				}
			}
		}
		m.gather()
		if err := m.send(ctx); err != nil {
			return err
		}
		cs = cs[n:]
	}
	return nil
}

func (m *Mill) needsJournal() bool {
	for _, t := range m.tasks {
		if t.spec.Snapshot == SnapshotReplay || t.spec.Snapshot == SnapshotLearn {
			return true
		}
	}
	return false
}

// firstEpoch learns labelled snapshot rows as they come.
func (t *taskState) firstEpoch(cs []Change) error {
	for i := range cs {
		c := &cs[i]
		tt, err := t.look(c.Table)
		if err != nil {
			return err
		}
		if err := t.firstEpochRow(c, tt, i); err != nil {
			if err := t.reject(err, c, tt, i); err != nil {
				return err
			}
		}
	}
	return t.flush()
}

func (t *taskState) firstEpochRow(c *Change, tt *taskTable, i int) error {
	b := matchRow(tt.learn, c)
	at := commitMicros(c)
	if h := tt.any(); h != nil {
		if b != nil {
			h = b
		}
		if h.at >= 0 {
			if v, ok := timeOf(c.After[h.at], h.on.Unix); ok {
				at = v
			} else {
				at = t.clock
			}
		}
		if !t.started || at > t.clock {
			if !t.started {
				t.startAt = at
			}
			t.started, t.clock = true, at
		}
	}
	if b == nil {
		return nil
	}
	y, has, err := t.snapshotLabel(b, c)
	if err != nil || (b.label != nil && !has) {
		return err
	}
	return t.learnRow(c, tt, at, y, has, i)
}

// snapshotLabel is the label of a row under one trigger; has is false while it is NULL.
func (t *taskState) snapshotLabel(b *boundOn, c *Change) (y float64, has bool, err error) {
	if b.label == nil {
		return math.NaN(), false, nil
	}
	lab := b.label.Eval(c.After)
	if !lab.Known() || lab.IsNull() {
		return 0, false, nil
	}
	y, _, err = t.truth(lab, true)
	return y, err == nil, err
}

// endSnapshot makes the journal durable, plans the passes that are left, and runs them.
func (m *Mill) endSnapshot(ctx context.Context) error {
	if m.journal != nil {
		if err := m.journal.finish(); err != nil {
			return err
		}
	}
	m.live = true
	m.passes, m.passNo, m.passAt = m.plan(), 0, 0
	m.mu.Lock()
	for _, t := range m.tasks {
		if t.spec.Snapshot == SnapshotLearn {
			t.endEpoch(t.spec.Epochs > 1)
		} else if t.spec.Snapshot == SnapshotSkip {
			t.endEpoch(false)
			t.phase = Stream
		}
	}
	m.mu.Unlock()
	m.sm.Lock()
	m.stats.snapshot.Seconds = time.Since(m.start).Seconds()
	m.sm.Unlock()
	if len(m.tasks) > 0 && m.clean {
		m.nextAt = time.Now() // what was read is kept at once: nothing is read twice
		if err := m.maybeCheckpoint(); err != nil {
			return err
		}
	}
	return m.runPasses(ctx)
}

// endEpoch is the data's own mark: what is pending steps.
func (t *taskState) endEpoch(more bool) {
	if b, ok := t.model.(Batched); ok {
		next := Stream
		if more {
			next = Snapshot
		}
		b.EndBatch(next)
	}
}

func (m *Mill) plan() []pass {
	if m.journal == nil {
		return nil
	}
	var ps []pass
	for i, t := range m.tasks {
		switch t.spec.Snapshot {
		case SnapshotLearn:
			for e := 2; e <= t.spec.Epochs; e++ {
				ps = append(ps, pass{i, epochPass, e})
			}
			ps = append(ps, pass{i, closePass, 0})
		case SnapshotReplay:
			ps = append(ps, pass{i, replayPass, 0})
		}
	}
	return ps
}

// runPasses reads the journal as often as the tasks ask for, from where it stands; it may be cut off and resumed anywhere.
func (m *Mill) runPasses(ctx context.Context) error {
	began := time.Now()
	if m.journal != nil && m.passNo < len(m.passes) {
		m.mu.Lock()
		for _, table := range m.journal.tables {
			for _, t := range m.tasks {
				if _, err := t.look(table); err != nil {
					m.mu.Unlock()
					return err
				}
			}
		}
		m.mu.Unlock()
	}
	for ; m.passNo < len(m.passes); m.passNo++ {
		p := m.passes[m.passNo]
		t := m.tasks[p.task]
		m.sm.Lock()
		m.stats.snapshot.Epoch, m.stats.snapshot.Epochs = max(p.epoch, 1), max(t.spec.Epochs, 1)
		m.sm.Unlock()
		var err error
		switch p.kind {
		case epochPass:
			err = m.epoch(ctx, t, p.epoch)
		case replayPass:
			err = m.replay(ctx, t)
		case closePass:
			err = m.closing(ctx, t)
		}
		if err != nil {
			return err
		}
		m.passAt = 0
	}
	for _, t := range m.tasks {
		if t.phase == Snapshot {
			m.mu.Lock()
			t.phase = Stream
			m.mu.Unlock()
		}
	}
	m.sm.Lock()
	if !m.stats.snapshot.Done {
		m.stats.snapshot.Done = true
		m.stats.snapshot.Seconds += time.Since(began).Seconds()
		m.stats.streamAt = time.Now()
	}
	m.sm.Unlock()
	m.setState("streaming")
	return nil
}

// pause is what a pass does between slices: checkpoints, and the wish to stop.
func (m *Mill) pause(ctx context.Context) error {
	m.dirty = true
	m.gather()
	if err := m.send(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return errStopped
	case err := <-m.failed:
		return err
	case r := <-m.saving:
		if err := m.saved(r); err != nil {
			return err
		}
	default:
	}
	return m.maybeCheckpoint()
}

// epoch learns the journal's rows again in an order that the seed decides.
func (m *Mill) epoch(ctx context.Context, t *taskState, epoch int) error {
	var rows []place
	err := m.journal.scan(func(p place, c *Change) error {
		tt, err := t.look(c.Table)
		if err != nil {
			return err
		}
		b := matchRow(tt.learn, c)
		if b == nil {
			return nil
		}
		if _, has, err := t.snapshotLabel(b, c); err == nil && (has || b.label == nil) {
			rows = append(rows, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(m.flow.Seed, Hash(t.spec.Name)^uint64(epoch)))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	tx := &Tx{Order: m.journal.order, Commit: m.journal.commit}
	var c Change
	var buf []byte
	for m.passAt < len(rows) {
		n := min(runMax, len(rows)-m.passAt)
		t.run.reset()
		t.run.learn = true
		for _, p := range rows[m.passAt : m.passAt+n] {
			if buf, err = m.journal.rowAt(p, &c, tx, buf); err != nil {
				return err
			}
			if err := t.again(&c); err != nil {
				return err
			}
		}
		m.mu.Lock()
		t.relearn()
		m.mu.Unlock()
		m.passAt += n
		if err := m.pause(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	t.endEpoch(epoch < t.spec.Epochs)
	m.mu.Unlock()
	return nil
}

// again puts a journal row into the run; rows that the first epoch refused are left out again.
func (t *taskState) again(c *Change) error {
	tt, err := t.look(c.Table)
	if err != nil {
		return err
	}
	b := matchRow(tt.learn, c)
	y, has, err := t.snapshotLabel(b, c)
	if err != nil {
		return nil
	}
	x := t.run.slot()
	w, err := t.rowWeight(tt, c)
	if err == nil {
		err = t.vector(x, c, t.clock)
	}
	var re *RowError
	if errors.As(err, &re) {
		return nil
	}
	if err != nil {
		return err
	}
	t.run.rows = append(t.run.rows, runRow{y: y, has: has, weight: w})
	return nil
}

// closing scores the snapshot's rows that evaluate, and asks about those whose answer is still to come.
func (m *Mill) closing(ctx context.Context, t *taskState) error {
	n := 0
	err := m.journal.scan(func(_ place, c *Change) error {
		n++
		if n <= m.passAt {
			return nil
		}
		tt, err := t.look(c.Table)
		if err != nil {
			return err
		}
		own := c.clone() // a run and its outputs keep the row past the scan
		m.mu.Lock()
		err = t.closeRow(own, tt)
		if err == nil && n%runMax == 0 {
			err = t.flush()
		}
		m.mu.Unlock()
		if err != nil {
			return err
		}
		if n%runMax == 0 {
			m.passAt = n
			return m.pause(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	err = t.flush()
	m.mu.Unlock()
	if err != nil {
		return err
	}
	m.passAt = n
	return m.pause(ctx)
}

func (t *taskState) closeRow(c *Change, tt *taskTable) error {
	asks := matchRow(tt.predict, c)
	ev := matchRow(tt.eval, c)
	if asks == nil {
		asks = ev
	}
	if asks == nil {
		return nil
	}
	var labels []*boundOn
	labels = append(append(labels, tt.learn...), tt.eval...)
	if len(labels) == 0 && !t.answerable() {
		return nil
	}
	at := commitMicros(c)
	if asks.at >= 0 {
		v, ok := timeOf(c.After[asks.at], asks.on.Unix)
		if !ok {
			return nil
		}
		at = v
	}
	var err error
	id, ok := asks.idOf(c.After)
	if !ok {
		return nil
	}
	for _, b := range labels {
		if b.label == nil {
			return nil
		}
		lab := b.label.Eval(c.After)
		if !lab.Known() || lab.IsNull() {
			continue
		}
		if ev == nil || len(tt.learn) > 0 {
			return nil // learned in the first epoch
		}
		y, text, e := t.truth(lab, false)
		if e == nil {
			t.mute = true
			err = t.ask(c, tt, id, at, 0, scoreIt, y, text)
			t.mute = false
		} else {
			err = e
		}
		return t.closeError(err, c, tt)
	}
	if t.spec.Wait > 0 && at < t.clock-t.spec.Wait.Microseconds() {
		return nil
	}
	return t.closeError(t.ask(c, tt, id, at, 0, holdIt, math.NaN(), ""), c, tt)
}

func (t *taskState) closeError(err error, c *Change, tt *taskTable) error {
	if err == nil {
		return nil
	}
	return t.reject(err, c, tt, 0)
}

// clone is the change with values of its own.
func (c *Change) clone() *Change {
	d := *c
	d.After = slices.Clone(c.After)
	for i, v := range d.After {
		d.After[i] = v.Clone()
	}
	d.Before = slices.Clone(c.Before)
	for i, v := range d.Before {
		d.Before[i] = v.Clone()
	}
	return &d
}

// moment is one event of a replay: a row asked about, or answered.
type moment struct {
	at     int64
	row    place
	order  uint32 // of the row in the journal
	answer bool
}

// replay asks and answers the snapshot's rows in the order of the flow's clock, each at its own time.
func (m *Mill) replay(ctx context.Context, t *taskState) error {
	moments, err := m.moments(t)
	if err != nil {
		return err
	}
	tx := &Tx{Order: m.journal.order, Commit: m.journal.commit}
	for m.passAt < len(moments) {
		n := min(runMax, len(moments)-m.passAt)
		rows := make([]Change, n)
		for k := range n {
			if _, err := m.journal.rowAt(moments[m.passAt+k].row, &rows[k], tx, nil); err != nil {
				return err
			}
		}
		m.mu.Lock()
		for k := range n {
			tt, err := t.look(rows[k].Table)
			if err == nil {
				err = t.replayed(&rows[k], tt, moments[m.passAt+k].answer, k)
			}
			if err != nil {
				m.mu.Unlock()
				return err
			}
		}
		err = t.flush()
		m.mu.Unlock()
		if err != nil {
			return err
		}
		m.passAt += n
		if err := t.questions.spill(); err != nil {
			return err
		}
		if err := m.pause(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	t.endEpoch(false)
	m.mu.Unlock()
	return nil
}

// moments are the replay's events: by time, answers before asks of the same time, then in the order of reading.
func (m *Mill) moments(t *taskState) ([]moment, error) {
	var out []moment
	n := uint32(0)
	err := m.journal.scan(func(p place, c *Change) error {
		n++
		tt, err := t.look(c.Table)
		if err != nil {
			return err
		}
		asks, ln, ev := matchRow(tt.predict, c), matchRow(tt.learn, c), matchRow(tt.eval, c)
		if asks == nil {
			asks = ev
		}
		by := ln
		if by == nil {
			by = ev
		}
		var asked int64
		if asks != nil {
			at, ok := timeOf(c.After[asks.at], asks.on.Unix)
			if !ok {
				return nil
			}
			asked = at
			out = append(out, moment{at, p, n, false})
		}
		if by == nil || by.label == nil || asks != nil && by.on.Op&Update == 0 {
			return nil
		}
		if lab := by.label.Eval(c.After); !lab.Known() || lab.IsNull() {
			return nil
		}
		at, ok := timeOf(c.After[by.at], by.on.Unix)
		if !ok || asks != nil && at <= asked {
			return nil // asked and answered at once
		}
		out = append(out, moment{at, p, n, true})
		return nil
	})
	slices.SortStableFunc(out, func(a, b moment) int {
		switch {
		case a.at != b.at:
			if a.at < b.at {
				return -1
			}
			return 1
		case a.answer != b.answer:
			if a.answer {
				return -1
			}
			return 1
		}
		return int(a.order) - int(b.order)
	})
	return out, err
}

// replayed is one event of a replay as the stream would have brought it: the INSERT without what was filled in later,
// then the UPDATE with it.
func (t *taskState) replayed(c *Change, tt *taskTable, answer bool, i int) error {
	full := c.After
	var blank []int
	known, atOnce := true, false
	for _, b := range append(slices.Clone(tt.learn), tt.eval...) {
		if b.label == nil || b.on.Op&Update == 0 {
			continue
		}
		for _, col := range b.trigger.label.Columns() {
			if k := c.Table.Col(col); k >= 0 {
				blank = append(blank, k)
			}
		}
		times := tt.askTimes()
		if b.at >= 0 && !slices.Contains(times, b.at) {
			blank = append(blank, b.at)
		}
		lab := b.label.Eval(full)
		known = known && lab.Known() && !lab.IsNull()
		answered, _ := timeOf(full[max(b.at, 0)], b.on.Unix)
		for _, k := range times {
			if asked, ok := timeOf(full[k], b.on.Unix); ok && known && answered <= asked {
				atOnce = true
			}
		}
	}
	first := slices.Clone(full)
	for _, k := range blank {
		first[k] = Null()
	}
	t.mute = known
	defer func() { t.mute = false }()
	if !answer || len(tt.predict)+len(tt.eval) == 0 {
		in := *c
		in.Op = Insert
		if len(tt.predict)+len(tt.eval) > 0 {
			in.After = first
		}
		if err := t.step(&in, tt, i); err != nil {
			return t.reject(err, &in, tt, i)
		}
		if !atOnce {
			return nil
		}
	}
	if len(tt.predict)+len(tt.eval) == 0 {
		return nil
	}
	up := *c
	up.Op, up.Before = Update, first
	if err := t.step(&up, tt, i); err != nil {
		return t.reject(err, &up, tt, i)
	}
	return nil
}

// askTimes are the columns that tell when rows of the table are asked about.
func (tt *taskTable) askTimes() []int {
	var out []int
	for _, b := range append(slices.Clone(tt.predict), tt.eval...) {
		if b.at >= 0 {
			out = append(out, b.at)
		}
	}
	return out
}

// startOver empties everything after a snapshot that broke off.
func (m *Mill) startOver() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.journal != nil {
		m.journal.discard()
		m.journal = nil
	}
	for i, t := range m.tasks {
		for j, f := range t.spec.Features {
			if err := f.UnmarshalBinary(m.initial[i][j]); err != nil {
				return fmt.Errorf("task %s: feature %s: %w", t.spec.Name, describe(f), err)
			}
		}
		t.tables, t.lastTable, t.lastBound = map[*Table]*taskTable{}, nil, nil
		if err := t.build(); err != nil {
			return err
		}
	}
	m.upto, m.clean, m.live, m.seq = "", false, false, 0
	m.sm.Lock()
	m.stats.snapshot = PhaseStatus{}
	m.sm.Unlock()
	return nil
}
