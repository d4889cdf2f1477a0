package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// saving gathers the sections of a task. State sections carry the description of their kind, so that an edited flow is
// noticed.
type saving struct {
	prefix   string // "task/late/"
	sections []section
}

func (w *saving) add(name, kind, fingerprint string, data []byte) *section {
	w.sections = append(w.sections, section{Section: tidemill.Section{Name: w.prefix + name, Kind: kind,
		Version: sectionVersion, Fingerprint: fingerprint, Data: data}})
	return &w.sections[len(w.sections)-1]
}

func (w *saving) state(name string, s tidemill.State) error {
	if c, ok := s.(tidemill.Capturer); ok {
		w.add(name, kindWord(s), describe(s), nil).write = c.Capture()
		return nil
	}
	b, err := s.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("save %s%s: %w", w.prefix, name, err)
	}
	w.add(name, kindWord(s), describe(s), b)
	return nil
}

// capture is a task's sections.
func (t *task) capture() ([]section, error) {
	w := &saving{prefix: "task/" + t.spec.Name + "/"}
	w.add("life", "life", t.triggers.fingerprint(), t.appendLife(nil))
	w.add("questions", "questions", "", t.ledger.questions.appendTo(nil))
	for i, f := range t.spec.Features {
		if err := w.state(featureSection(i), f); err != nil {
			return nil, err
		}
	}
	if err := t.learner.capture(w, ""); err != nil {
		return nil, err
	}
	if t.board.frozen != nil {
		if err := t.board.frozen.capture(w, "frozen/"); err != nil {
			return nil, err
		}
	}
	for _, ty := range t.board.tallies {
		write, err := ty.capture()
		if err != nil {
			return nil, fmt.Errorf("task %s: save scores: %w", t.spec.Name, err)
		}
		w.add("scores/"+ty.phase.String(), "scores", "", nil).write = write
	}
	return w.sections, nil
}

func featureSection(i int) string                { return fmt.Sprintf("feature/%d", i) }
func encoderSection(prefix string, i int) string { return fmt.Sprintf("%sencoder/%d", prefix, i) }

// capture adds the learner's sections.
func (l *learner) capture(w *saving, prefix string) error {
	for i, e := range l.encoders {
		if err := w.state(encoderSection(prefix, i), e); err != nil {
			return err
		}
	}
	return w.state(prefix+"model", l.model)
}

func (t *task) appendLife(b []byte) []byte {
	b = t.learner.classes.appendTo(b)
	b = t.board.base.appendTo(b)
	b = t.ledger.answered.appendTo(b)
	b = t.board.delays.appendTo(b)
	for _, n := range t.counts.list() {
		b = statebytes.AppendUvarint(b, *n)
	}
	b = append(b, byte(t.phase))
	b = statebytes.AppendBool(b, t.clock.started)
	b = statebytes.AppendVarint(b, t.clock.now)
	b = statebytes.AppendVarint(b, t.clock.start)
	b = t.nulls.appendTo(b)
	b = t.display.names.appendTo(b)
	tables := t.triggers.asked()
	b = statebytes.AppendUvarint(b, uint64(len(tables)))
	for _, table := range tables {
		b = statebytes.AppendTable(b, table)
	}
	return b
}

// loading gives a task its sections back.
type loading struct {
	c    *tidemill.Checkpoint
	task string
}

// path is where in the flow the task is, for people.
func (r *loading) path() string { return "tasks[" + r.task + "]" }

func (r *loading) section(name string) *tidemill.Section {
	return r.c.Section("task/" + r.task + "/" + name)
}

func (r *loading) fail(what string, err error) error {
	if tidemill.IsFatal(err) {
		return err
	}
	return tidemill.Fatalf("task %s: %s in checkpoint %v: %w", r.task, what, r.c.ID, err)
}

// same is an error unless the section is there and belongs to the kind as the flow has it.
func (r *loading) same(name, where string, kind any) (*tidemill.Section, error) {
	sec := r.section(name)
	if sec == nil {
		return nil, changed(r.path()+where, "absent", describe(kind))
	}
	if now := describe(kind); sec.Fingerprint != now {
		return nil, changed(r.path()+where, sec.Fingerprint, now)
	}
	return sec, nil
}

// last is an error where the checkpoint has one more of a list than the flow.
func (r *loading) last(name, where string) error {
	if sec := r.section(name); sec != nil {
		return changed(r.path()+where, "also "+sec.Fingerprint, "without it")
	}
	return nil
}

func (r *loading) state(name, where string, s tidemill.State) error {
	sec, err := r.same(name, where, s)
	if err != nil {
		return err
	}
	if err := s.UnmarshalBinary(sec.Data); err != nil {
		return r.fail(name, err)
	}
	return nil
}

// restore puts a task's state back; false if the checkpoint does not have the task.
func (t *task) restore(c *tidemill.Checkpoint) (bool, error) {
	r := &loading{c: c, task: t.spec.Name}
	life := r.section("life")
	if life == nil {
		return false, nil
	}
	if err := t.unchanged(r, life); err != nil {
		return true, err
	}
	if err := t.readLife(statebytes.Read(life.Data)); err != nil {
		var edited *classesChanged
		if errors.As(err, &edited) {
			return true, changed(r.path()+".classes", edited.was, edited.now)
		}
		return true, r.fail("life", err)
	}
	if q := r.section("questions"); q != nil {
		t.ledger.questions = newQuestions(t.spec.Name, t.spec.Memory, t.store, t.term)
		if err := t.ledger.questions.read(q.Data); err != nil {
			return true, r.fail("open questions", err)
		}
	}
	for i, f := range t.spec.Features {
		if err := r.state(featureSection(i), fmt.Sprintf(".features[%d]", i), f); err != nil {
			return true, err
		}
	}
	if err := t.learner.restore(r, ""); err != nil {
		return true, err
	}
	if t.spec.Frozen > 0 && r.section("frozen/model") != nil {
		frozen, err := newLearner(t.spec, t.raw, t.learner.classes)
		if err != nil {
			return true, err
		}
		if err := frozen.restore(r, "frozen/"); err != nil {
			return true, err
		}
		t.board.frozen = frozen
	}
	for _, ty := range t.board.tallies {
		if sec := r.section("scores/" + ty.phase.String()); sec != nil {
			if err := ty.read(sec.Data); err != nil {
				return true, r.fail("scores", err)
			}
		}
	}
	return true, nil
}

// unchanged is an error where the task was edited in a way that makes its state mean something else.
func (t *task) unchanged(r *loading, life *tidemill.Section) error {
	if now := t.triggers.fingerprint(); life.Fingerprint != now {
		a, b := diffLine(life.Fingerprint, now), diffLine(now, life.Fingerprint)
		key, _, ok := strings.Cut(b, ":")
		if !ok {
			key, _, _ = strings.Cut(a, ":")
		}
		return changed(r.path()+"."+key, a, b)
	}
	for i, f := range t.spec.Features {
		if _, err := r.same(featureSection(i), fmt.Sprintf(".features[%d]", i), f); err != nil {
			return err
		}
	}
	return r.last(featureSection(len(t.spec.Features)), ".features")
}

// restore puts the learner's state back.
func (l *learner) restore(r *loading, prefix string) error {
	for i, e := range l.encoders {
		if err := r.state(encoderSection(prefix, i), ".encoders", e); err != nil {
			return err
		}
	}
	if err := r.last(encoderSection(prefix, len(l.encoders)), ".encoders"); err != nil {
		return err
	}
	return r.state(prefix+"model", ".model", l.model)
}

func (t *task) readLife(d *statebytes.Reader) error {
	if err := t.learner.classes.read(d); err != nil {
		return err
	}
	t.board.base.read(d)
	t.ledger.answered.read(d)
	t.board.delays.read(d)
	for _, n := range t.counts.list() {
		*n = d.Uvarint()
	}
	t.phase = tidemill.Phase(d.Byte() & 1)
	t.clock.started, t.clock.now, t.clock.start = d.Bool(), d.Varint(), d.Varint()
	t.nulls.read(d)
	t.display.names.read(d)
	for n := d.Count(4); n > 0 && d.Err() == nil; n-- {
		if table := d.Table(); table != nil {
			if _, err := t.triggers.look(table); err != nil {
				return err
			}
		}
	}
	return d.End()
}
