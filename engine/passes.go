package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tidemill/tidemill"
)

// runPasses reads the journal as often as the tasks ask for, from where it stands; it may be
// cut off and resumed anywhere.
func (s *snapshot) run(ctx context.Context) error {
	m := s.mill
	began := time.Now()
	if s.journal != nil && s.no < len(s.passes) {
		m.mu.Lock()
		for _, table := range s.journal.tables {
			for _, t := range m.tasks {
				if _, err := t.triggers.look(table); err != nil {
					m.unlockState()
					return err
				}
			}
		}
		m.unlockState()
	}
	if s.no < len(s.passes) {
		m.figures.setState("snapshot")
	}
	for ; s.no < len(s.passes); s.no++ {
		p := s.passes[s.no]
		t := m.tasks[p.task]
		m.figures.mu.Lock()
		st := &m.figures.snapshot
		st.Epochs, st.Epoch = max(t.spec.Epochs, 1), max(p.epoch, 1)
		if p.kind == closePass {
			st.Epoch = st.Epochs
		} else {
			st.Pass, st.PassTotal = 0, 0
		}
		m.figures.mu.Unlock()
		var err error
		switch p.kind {
		case epochPass:
			err = s.epoch(ctx, t, p.epoch)
		case replayPass:
			err = s.replay(ctx, t)
		case closePass:
			err = s.closing(ctx, t)
		}
		if err != nil {
			return err
		}
		s.at, m.ckpt.dirty = 0, true // that it has ended is kept too, also while the database rests
	}
	for _, t := range m.tasks {
		if t.phase == tidemill.Snapshot {
			m.mu.Lock()
			t.phase = tidemill.Stream
			m.unlockState()
		}
	}
	m.figures.mu.Lock()
	if !m.figures.snapshot.Done {
		m.figures.snapshot.Done = true
		m.figures.snapshot.Pass, m.figures.snapshot.PassTotal = 0, 0
		m.figures.snapshot.Seconds += time.Since(began).Seconds()
		m.figures.streamAt = time.Now()
	}
	m.figures.mu.Unlock()
	m.figures.setState("streaming")
	return nil
}

// pause is what a pass does between slices: checkpoints, and the wish to stop.
func (s *snapshot) pause(ctx context.Context) error {
	m := s.mill
	m.ckpt.dirty = true
	if s.no < len(s.passes) && s.passes[s.no].kind != closePass { // a short look at what is left is no epoch
		m.figures.setPass(s.at)
	}
	publishCopies(m.tasks, m.figures.through())
	m.out.gather(m.tasks)
	if err := m.send(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return errStopped
	case err := <-m.out.failed:
		return err
	case r := <-m.ckpt.saving:
		if err := m.ckpt.saved(r); err != nil {
			return err
		}
	default:
	}
	return m.maybeCheckpoint(ctx)
}

// epoch learns the journal's rows again in an order that the seed decides.
func (s *snapshot) epoch(ctx context.Context, t *task, epoch int) error {
	m := s.mill
	var rows []place
	err := s.journal.scan(func(p place, c *tidemill.Change) error {
		tt, err := t.triggers.look(c.Table)
		if err != nil {
			return err
		}
		b, err := match(tt.learn, c)
		if err != nil || b == nil {
			return err
		}
		if _, _, has, err := t.snapshotLabel(b, c); err == nil && (has || b.label == nil) {
			rows = append(rows, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.figures.beginPass(s.at, len(rows))
	r := rand.New(rand.NewPCG(m.flow.Seed, tidemill.Hash(t.spec.Name)^uint64(epoch)))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	tx := s.journal.tx()
	var c tidemill.Change
	var buf []byte
	for s.at < len(rows) {
		n := min(maxBatch, len(rows)-s.at)
		t.batch.reset()
		t.batch.learn = true
		for _, p := range rows[s.at : s.at+n] {
			if buf, err = s.journal.rowAt(p, &c, tx, buf); err != nil {
				return err
			}
			if err := s.learnAgain(t, &c); err != nil {
				return err
			}
		}
		m.mu.Lock()
		t.relearn()
		m.unlockState()
		s.at += n
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	t.learner.endEpoch(epoch < t.spec.Epochs)
	m.unlockState()
	return nil
}

// learnAgain puts a journal row into the run; rows that the first epoch refused are left out again.
func (s *snapshot) learnAgain(t *task, c *tidemill.Change) error {
	tt, err := t.triggers.look(c.Table)
	if err != nil {
		return err
	}
	saw, err := tt.see(c)
	if err != nil {
		return err
	}
	b := saw.learn
	if _, err := t.snapshotTime(c, &saw); err != nil {
		return nil
	}
	y, _, has, err := t.snapshotLabel(b, c)
	if err != nil {
		return nil
	}
	x := t.batch.slot()
	w, err := (&row{c: c, table: tt}).weight()
	if err == nil {
		err = appendFeatures(x, t.spec.Features, c, t.clock.now)
	}
	var re *tidemill.RowError
	if errors.As(err, &re) {
		return nil
	}
	if err != nil {
		return err
	}
	t.batch.rows = append(t.batch.rows, batchRow{y: y, has: has, weight: w})
	return nil
}
