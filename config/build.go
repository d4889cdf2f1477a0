package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
)

// builder makes the flow out of its shape.
type builder struct {
	*decoder
	file  *File
	shape *flowShape
}

// builtTask is what check needs of a task beside tidemill.Task.
type builtTask struct {
	shape    *taskShape
	path     string
	features []tidemill.Feature // nil where one is wrong
	paths    []string           // of the features
	model    tidemill.Model
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// build fills the file's Flow as far as it can; what is wrong is reported.
func (b *builder) build() {
	s, f := b.shape, &b.file.Flow
	f.Name, f.Seed, f.Every = s.Name, s.Seed, s.Checkpoint.Every
	if s.Name != "" && !goodName.MatchString(s.Name) {
		b.path("name", "name: %q is no name; use letters, digits, - and _, up to 63", s.Name)
	}
	if s.Seed == 0 {
		b.path("seed", "seed takes a number from 1 on")
	}
	f.Source, _ = makeOne(b, &s.Source)
	for i := range s.Transforms {
		if t, ok := makeOne(b, &s.Transforms[i]); ok {
			f.Transforms = append(f.Transforms, t)
		}
	}
	b.tasks()
	for i := range s.Sinks {
		if sink, ok := makeOne(b, &s.Sinks[i]); ok {
			f.Sinks = append(f.Sinks, sink)
		}
	}
	if s.Rejects.sink.name != "" {
		f.Rejects, _ = makeOne(b, &s.Rejects.sink)
	}
	b.defaultStore()
	f.Store, _ = makeOne(b, &s.Checkpoint.store)
	b.serve()
	if len(s.Tasks) == 0 && len(s.Sinks) == 0 && len(b.errs) == 0 {
		b.path("", "a flow without tasks and without sinks does nothing; give tasks:")
	}
	b.check()
}

// makeOne builds one kind and notes it; ok is false where it is missing or wrong.
func makeOne[T any](b *builder, o *one[T]) (made T, ok bool) {
	if o.cfg == nil {
		return made, false
	}
	made, err := o.cfg.Build(b.shape.Name)
	if err != nil {
		b.buildError(o.path, reflect.ValueOf(o.cfg).Elem(), err)
		return made, false
	}
	b.file.Parts = append(b.file.Parts, Part{o.path, wordOf[T](b.kinds).word + " " + o.name, made})
	return made, true
}

// buildError reports a kind's own error at the key that it names, if it names one.
func (b *builder) buildError(path string, cfg reflect.Value, err error) {
	text := err.Error()
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !(r == '_' || r >= 'a' && r <= 'z' ||
			r >= '0' && r <= '9')
	})
	for _, w := range words {
		for _, f := range fieldsOf(cfg.Type()) {
			if _, given := b.places[join(path, f.key)]; given && f.key == w {
				b.path(join(path, f.key), "%s", text)
				return
			}
		}
	}
	b.path(path, "%s", text)
}

// defaultStore is the folder state/<name>.
func (b *builder) defaultStore() {
	s := &b.shape.Checkpoint.store
	if s.name != "" || b.kinds.Stores["dir"] == nil || b.shape.Name == "" {
		return
	}
	s.name, s.path, s.made = "dir", "checkpoint.dir", b.kinds.Stores["dir"]
	s.cfg = s.made()
	v := reflect.ValueOf(s.cfg).Elem()
	if f, ok := shortField(fieldsOf(v.Type())); ok && f.typ.Kind() == reflect.String {
		v.FieldByIndex(f.index).SetString("state/" + b.shape.Name)
	}
}

func (b *builder) serve() {
	b.file.Serve = b.shape.Serve.cfg
	c, ok := b.shape.Serve.cfg.(interface{ Check() error })
	if !ok {
		return
	}
	if err := c.Check(); err != nil {
		b.buildError("serve", reflect.ValueOf(b.shape.Serve.cfg).Elem(), err)
	}
}

func (b *builder) tasks() {
	for i := range b.shape.Tasks {
		s := &b.shape.Tasks[i]
		t := &builtTask{shape: s, path: b.file.taskPath(i)}
		b.file.tasks = append(b.file.tasks, t)
		b.file.Flow.Tasks = append(b.file.Flow.Tasks, b.task(t))
	}
}

func (b *builder) task(t *builtTask) tidemill.Task {
	s := t.shape
	task := tidemill.Task{Name: s.Name, Wait: s.Wait.For, Then: s.Wait.Then, KeepFirst: s.Keep == "first",
		Epochs:  s.Epochs,
		Classes: s.Classes, Positive: s.Positive, Threshold: s.Threshold, Frozen: s.Frozen, Memory: s.Memory}
	for _, p := range s.Predict {
		also(&task.Predict, tidemill.On{Op: opOf(p.On), Table: p.Table, At: p.At, Unix: p.Unix, ID: p.ID, Where: p.Where})
	}
	for _, l := range s.Learn {
		also(&task.Learn, tidemill.On{Op: opOf(l.On), Table: l.Table, At: l.At, Unix: l.Unix, ID: l.ID, Where: l.Where,
			Label: l.Label})
	}
	for _, e := range s.Evaluate {
		also(&task.Evaluate, tidemill.On{Op: opOf(e.On), Table: e.Table, At: e.At, Unix: e.Unix, ID: e.ID, Where: e.Where,
			Label: e.Label})
	}
	whole := true
	for i := range s.Features {
		f, ok := makeOne(b, &s.Features[i])
		whole = whole && ok
		t.features, t.paths = append(t.features, f), append(t.paths, s.Features[i].path)
	}
	if !whole {
		t.features = nil
	}
	task.Features = t.features
	if b.kinds.Merge != nil {
		task.Features = b.kinds.Merge(t.features)
	}
	t.model, _ = makeOne(b, &s.Model)
	task.Model = t.model
	b.snapshot(t)
	task.Snapshot = map[string]tidemill.SnapshotMode{"replay": tidemill.SnapshotReplay,
		"skip": tidemill.SnapshotSkip}[s.Snapshot]
	switch s.Weight {
	case "":
	case "balanced":
		task.Balanced = true
	default:
		task.Weight = s.Weight
	}
	task.Encoders = b.encoders(t)
	b.defaultScores(t)
	for i := range s.Scores {
		if score, ok := makeOne(b, &s.Scores[i]); ok {
			task.Scores = append(task.Scores, score)
		}
	}
	return task
}

// also adds an item to what predict, learn or evaluate names.
func also(on *tidemill.On, item tidemill.On) {
	if on.Table == "" {
		*on = item
		return
	}
	on.Also = append(on.Also, item)
}

func opOf(words []string) tidemill.Op {
	var op tidemill.Op
	for _, w := range words {
		op |= map[string]tidemill.Op{"insert": tidemill.Insert, "update": tidemill.Update, "delete": tidemill.Delete}[w]
	}
	return op
}

// snapshot fills the mode in: windows cannot be learned from a snapshot read at once, they must be replayed.
func (b *builder) snapshot(t *builtTask) {
	if t.shape.Snapshot != "" {
		return
	}
	t.shape.Snapshot = "learn"
	if len(t.shape.Learn) > 0 && (t.window() != "" || t.elsewhere(b) != "") && t.timed() {
		t.shape.Snapshot = "replay"
	}
}

// elsewhere is the path of the first learn whose answers come from a table that is not asked about; "" where there is
// none.
func (t *builtTask) elsewhere(b *builder) string {
	if len(t.shape.Predict)+len(t.shape.Evaluate) == 0 {
		return ""
	}
	for i, l := range t.shape.Learn {
		if l.Label != "" && l.ID != "" && !t.asks(l.Table) {
			return b.item(t.path, "learn", i)
		}
	}
	return ""
}

// window is the path of the first feature whose values hang on what came before; "" where there is none.
func (t *builtTask) window() string {
	for i, f := range t.features {
		if len(f.Folds()) > 0 {
			return t.paths[i]
		}
	}
	return ""
}

// timed is true where whatever is asked and answered tells its own time.
func (t *builtTask) timed() bool {
	for _, p := range t.shape.Predict {
		if p.At == "" {
			return false
		}
	}
	for _, l := range t.shape.Learn {
		if l.At == "" {
			return false
		}
	}
	for _, e := range t.shape.Evaluate {
		if e.At == "" {
			return false
		}
	}
	return true
}

// encoders are the task's own: from encoders, or from scale and missing laid over what the model asks for; nil leaves
// all to the model.
func (b *builder) encoders(t *builtTask) []tidemill.Encoder {
	s := t.shape
	if len(s.Encoders) > 0 {
		for _, key := range []string{"scale", "missing"} {
			if p := join(t.path, key); b.given(p) {
				b.path(p, "%s and encoders exclude each other; write the encoder into encoders", key)
			}
		}
		var list []tidemill.Encoder
		for i := range s.Encoders {
			if e, ok := makeOne(b, &s.Encoders[i]); ok {
				list = append(list, e)
			}
		}
		return list
	}
	if s.Scale == "" && s.Missing != "indicator" || t.model == nil || t.features == nil {
		return nil
	}
	list := []tidemill.Encoder{}
	if p, ok := t.model.(tidemill.Preparer); ok {
		list = append(list, p.Encoders(t.columns())...)
	}
	if s.Scale != "" {
		list = slices.DeleteFunc(list, func(e tidemill.Encoder) bool { return b.isScaler(e) })
		if s.Scale != "none" {
			list = b.prepend(list, s.Scale, join(t.path, "scale"))
		}
	}
	if s.Missing == "indicator" {
		list = b.prepend(list, "missing", join(t.path, "missing"))
	}
	return list
}

func (b *builder) given(path string) bool {
	_, ok := b.places[path]
	return ok
}

// isScaler recognises what the kinds standard and minmax build.
func (b *builder) isScaler(e tidemill.Encoder) bool {
	for _, name := range []string{"standard", "minmax"} {
		if n := b.kinds.Encoders[name]; n != nil {
			if s, err := n().Build(b.shape.Name); err == nil && reflect.TypeOf(s) == reflect.TypeOf(e) {
				return true
			}
		}
	}
	return false
}

func (b *builder) prepend(list []tidemill.Encoder, name, path string) []tidemill.Encoder {
	n := b.kinds.Encoders[name]
	if n == nil {
		b.path(path, "this program knows no encoder %q", name)
		return list
	}
	e, err := n().Build(b.shape.Name)
	if err != nil {
		b.path(path, "%v", err)
		return list
	}
	return append([]tidemill.Encoder{e}, list...)
}

func (t *builtTask) columns() []tidemill.FeatureColumn {
	var cols []tidemill.FeatureColumn
	for _, f := range t.features {
		dense, _ := f.Columns()
		cols = append(cols, dense...)
	}
	return cols
}

// defaultScores gives a task without scores the one that suits its model.
func (b *builder) defaultScores(t *builtTask) {
	if b.given(join(t.path, "scores")) || t.model == nil {
		return
	}
	name := map[tidemill.ModelKind]string{tidemill.Classify: "accuracy", tidemill.Regress: "mae",
		tidemill.Cluster: "silhouette"}[t.model.Kind()]
	if n := b.kinds.Scores[name]; n != nil {
		t.shape.Scores = many[tidemill.Score]{{name: name, path: fmt.Sprintf("%s.scores[0].%s", t.path, name), cfg: n(),
			made: n}}
	}
}
