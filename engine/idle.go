package engine

import "time"

const (
	// idleAfter is how long nothing has come when a flow counts as idle.
	idleAfter = 3 * time.Second
	// idleWork is after how many changes being idle is worth a word: less leaves little behind.
	idleWork = 10_000
)

// releaseIdle lets go, once it has become quiet after much work (what a flow begins with, a snapshot or a checkpoint,
// is much), of memory that only work needs: scratch that is sized by the largest batch, the last batch that it still
// points to, the copies of models that nobody asked for lately. Then the program is told, which knows whether the heap
// is its own to shrink. The engine calls it now and then, between batches.
func (m *Mill) releaseIdle(now time.Time) {
	if m.work < idleWork || m.ckpt.inSave || m.ckpt.dirty && m.flow.Store != nil || now.Sub(m.busyAt) < idleAfter {
		return
	}
	m.work = 0
	m.out.pending, m.out.heads = nil, nil
	m.mu.Lock()
	for _, t := range m.tasks {
		if len(t.batch.rows) == 0 {
			t.batch = rowBatch{}
			t.batch.reset()
		}
		if len(t.out.list) == 0 {
			t.out.list = nil
		}
		if c := t.copies.copy.Load(); c != nil && now.Sub(c.at) > copyMaxAge {
			t.copies.copy.Store(nil)
			t.copies.state = nil
		}
	}
	m.unlockState()
	if m.flow.Idle != nil {
		go m.flow.Idle() // a collection of a large heap takes a while, and a change may come meanwhile
	}
}
