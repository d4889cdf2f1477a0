package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// flowShape is the flow file: its keys, their documentation and defaults. What only the file has, not the library, is
// told in build.go.
type flowShape struct {
	Name       string                   `yaml:"name" required:"true" doc:"The flow's name: letters, digits, - and _. It names the slot, the state folder and the marks in sinks."`
	Source     one[tidemill.Source]     `yaml:"source" required:"true" doc:"Where the changes come from."`
	Transforms many[tidemill.Transform] `yaml:"transforms" doc:"What reshapes the changes, in order."`
	Tasks      []taskShape              `yaml:"tasks" doc:"The questions that are asked of the stream."`
	Sinks      many[tidemill.Sink]      `yaml:"sinks" doc:"Where predictions go."`
	Rejects    rejects                  `yaml:"rejects" doc:"What happens to a row that cannot be used: halt, or a sink that takes it. Default halt."`
	Serve      served                   `yaml:"serve" doc:"REST, metrics and the dashboard. Default: not served."`
	Checkpoint checkpoint               `yaml:"checkpoint" doc:"Where and how often the state is saved. Default: the folder state/<name>, every 10s."`
	Seed       uint64                   `yaml:"seed" doc:"The seed of the shuffles. Default 1."`
}

type taskShape struct {
	Name      string                 `yaml:"name" required:"true" doc:"The task's name: letters, digits, - and _."`
	Predict   []predictShape         `yaml:"predict" doc:"The rows to ask about."`
	Learn     []learnShape           `yaml:"learn" doc:"The rows that carry the truth, and teach."`
	Evaluate  []evaluateShape        `yaml:"evaluate" doc:"The rows that carry a truth which scores and never teaches; they are predicted first."`
	Wait      waitShape              `yaml:"wait" doc:"How long a question stays open, by the flow's clock. Default: as long as it takes."`
	Keep      string                 `yaml:"keep" enum:"latest,first" doc:"Which question counts when an open row is asked about again. Default latest."`
	Features  many[tidemill.Feature] `yaml:"features" required:"true" doc:"What the model sees."`
	Encoders  many[tidemill.Encoder] `yaml:"encoders" doc:"What prepares the features for the model, in order. Default: what the model asks for."`
	Scale     string                 `yaml:"scale" enum:"none,standard,minmax" doc:"How numbers are scaled. Default: standard for models that need it, none for others."`
	Missing   string                 `yaml:"missing" enum:"zero,indicator" doc:"A number that is missing is 0 after scaling (zero), and a further column says so (indicator). Default zero."`
	Model     one[tidemill.Model]    `yaml:"model" required:"true" doc:"What learns and answers."`
	Scores    many[tidemill.Score]   `yaml:"scores" doc:"The figures that are kept over the answers. Default: accuracy for classes, mae for numbers, silhouette for clusters."`
	Classes   labels                 `yaml:"classes" doc:"Fixes the classes and their order; [0..9] is a range. Default: as the answers bring them."`
	Positive  string                 `yaml:"positive" doc:"The positive class of two. Default true, or 1."`
	Threshold float64                `yaml:"threshold" doc:"From which probability on the positive class is predicted. Default 0.5."`
	Weight    string                 `yaml:"weight" expr:"balanced" doc:"How much a row counts when it is learned: an expression, or balanced, which weighs each class by its rarity. Default: all the same."`
	Snapshot  string                 `yaml:"snapshot" enum:"learn,replay,skip" doc:"What happens to the rows that are there when the flow begins: those with a label are learned; or all are asked and answered in the order of their own times; or none is used. Default learn; replay where a feature has a window."`
	Epochs    int                    `yaml:"epochs" doc:"Passes over the snapshot. Default 1."`
	Frozen    time.Duration          `yaml:"frozen" doc:"A baseline: a copy of the model that stops learning after this time. Default: none."`
	Memory    int                    `yaml:"memory" unit:"bytes" doc:"How much of the open questions is kept in memory; the rest goes to disk. Default 16MiB."`
}

type predictShape struct {
	On    []string `yaml:"on" enum:"insert,update,delete" doc:"Which changes. Default insert."`
	Table string   `yaml:"table" required:"true" doc:"The table, as flights or public.flights."`
	At    string   `yaml:"at" doc:"The column of the event's own time. Default: the commit time."`
	Unix  string   `yaml:"unix" enum:"s,ms" doc:"How a number in at counts from 1970: in seconds or milliseconds. Default: at holds times or ISO text."`
	ID    string   `yaml:"id" expr:"true" doc:"An expression for the id that joins question and answer. Default: the primary key."`
	Where string   `yaml:"where" expr:"true" doc:"An expression: only rows for which it is true. Default: all."`
}

type learnShape struct {
	On    []string `yaml:"on" enum:"insert,update,delete" doc:"Which changes. Default insert and update."`
	Table string   `yaml:"table" required:"true" doc:"The table, as flights or public.flights."`
	At    string   `yaml:"at" doc:"The column of the event's own time. Default: the commit time."`
	Unix  string   `yaml:"unix" enum:"s,ms" doc:"How a number in at counts from 1970: in seconds or milliseconds. Default: at holds times or ISO text."`
	ID    string   `yaml:"id" expr:"true" doc:"An expression for the id that joins question and answer. Default: the primary key."`
	Label string   `yaml:"label" expr:"true" doc:"An expression: the answer; NULL as long as it is not known. Models that group or find the strange need none."`
	Where string   `yaml:"where" expr:"true" doc:"An expression: only rows for which it is true. Default: all."`
}

type evaluateShape struct {
	On    []string `yaml:"on" enum:"insert,update,delete" doc:"Which changes. Default insert."`
	Table string   `yaml:"table" required:"true" doc:"The table, as flights or public.flights."`
	At    string   `yaml:"at" doc:"The column of the event's own time. Default: the commit time."`
	Unix  string   `yaml:"unix" enum:"s,ms" doc:"How a number in at counts from 1970: in seconds or milliseconds. Default: at holds times or ISO text."`
	ID    string   `yaml:"id" expr:"true" doc:"An expression for the id that joins question and answer. Default: the primary key."`
	Label string   `yaml:"label" expr:"true" required:"true" doc:"An expression: the answer; NULL as long as it is not known."`
	Where string   `yaml:"where" expr:"true" doc:"An expression: only rows for which it is true. Default: all."`
}

type waitShape struct {
	For  time.Duration `yaml:"for" short:"true" required:"true" doc:"How long."`
	Then string        `yaml:"then" doc:"The label that answers the question when the time is over. Default: the question is forgotten."`
}

func newFlowShape() *flowShape {
	return &flowShape{Seed: 1, Checkpoint: checkpoint{Every: 10 * time.Second}}
}

// defaults of a list's item are what it is before its keys are read.
func (t *taskShape) defaults() {
	*t = taskShape{Keep: "latest", Epochs: 1, Threshold: 0.5, Memory: 16 << 20}
}

func (p *predictShape) defaults()  { *p = predictShape{On: []string{"insert"}} }
func (l *learnShape) defaults()    { *l = learnShape{On: []string{"insert", "update"}} }
func (e *evaluateShape) defaults() { *e = evaluateShape{On: []string{"insert"}} }

// one is a field that names one kind.
type one[T any] struct {
	name string
	path string     // of the kind's config: "source.postgres"
	cfg  Builder[T] // nil where it is missing or wrong
	made New[T]     // its constructor
}

func (o *one[T]) decode(d *decoder, n *node, path string) {
	r := wordOf[T](d.kinds)
	name, key, value := d.kindName(n, r, path)
	if name == "" {
		return
	}
	if o.made == nil || o.name != name { // else it names the field's default, whose defaults stay
		o.made = newOf[T](d.kinds)[name]
	}
	o.name, o.path, o.cfg = name, join(path, name), nil
	d.mark(o.path, key)
	cfg := o.made()
	before := len(d.errs) + d.broken
	d.object(value, reflect.ValueOf(cfg).Elem(), o.path, r.word+" "+name)
	if len(d.errs)+d.broken == before {
		o.cfg = cfg
	}
}

// kindName finds which kind n names: "kmeans", or {kmeans: ...}.
func (d *decoder) kindName(n *node, r room, path string) (name string, key, value *node) {
	switch {
	case n.kind == scalarNode:
		key, value = n, &node{line: n.line, col: n.col, width: n.width}
	case n.kind == mappingNode && len(n.entries) == 1:
		key, value = n.entries[0].key, n.entries[0].value
	case n.kind == mappingNode && len(n.entries) > 1:
		second := n.entries[1].key
		d.node(second, path,
			"one %s, please: %q is already there (is it indented too little, or does a - belong before it?)", r.word,
			n.entries[0].key.text)
		return "", nil, nil
	default:
		d.node(n, path, "a %s is missing; there are %s", r.word, strings.Join(r.names, ", "))
		return "", nil, nil
	}
	for _, k := range r.names {
		if k == key.text {
			return k, key, value
		}
	}
	near := expr.Nearest(key.text, r.names)
	switch {
	case near != "":
		d.node(key, path, "there is no %s %q; the nearest is %q", r.word, key.text, near)
	case len(r.names) == 0:
		d.node(key, path, "there is no %s %q; this program knows none", r.word, key.text)
	default:
		d.node(key, path, "there is no %s %q; there are %s", r.word, key.text, strings.Join(r.names, ", "))
	}
	return "", nil, nil
}

func (o *one[T]) show() any {
	if o.cfg == nil {
		return nil
	}
	cfg := showConfig(filled(o.cfg), reflect.ValueOf(o.made()).Elem())
	if cfg == nil {
		return o.name
	}
	return pairs{{o.name, cfg}}
}

// many is a field that names kinds in a list.
type many[T any] []one[T]

func (m *many[T]) decode(d *decoder, n *node, path string) {
	if n.kind == nullNode {
		return
	}
	items := n.items
	if n.kind != listNode {
		items = []*node{n}
	}
	for i, item := range items {
		at := path
		if n.kind == listNode {
			at = fmt.Sprintf("%s[%d]", path, i)
			d.mark(at, item)
		}
		var o one[T]
		o.decode(d, item, at)
		*m = append(*m, o)
	}
}

func (m *many[T]) show() any {
	if len(*m) == 0 {
		return nil
	}
	var list []any
	for i := range *m {
		list = append(list, (*m)[i].show())
	}
	return list
}

// labels are class labels: scalars of any kind, and ranges.
type labels []string

func (l *labels) decode(d *decoder, n *node, path string) {
	items := n.items
	if n.kind != listNode {
		items = []*node{n}
	}
	for _, item := range items {
		if item.kind != scalarNode {
			d.node(item, path, "classes takes a list of labels, not %s", item.what())
			continue
		}
		from, to, ok := parseRange(item.text)
		if !ok || item.quoted {
			*l = append(*l, item.text)
			continue
		}
		for ; from <= to; from++ {
			*l = append(*l, strconv.FormatInt(from, 10))
		}
	}
	for i, a := range *l {
		for _, b := range (*l)[:i] {
			if a == b {
				d.node(n, path, "class %q is given twice", a)
				return
			}
		}
	}
}

func (l *labels) show() any {
	if len(*l) == 0 {
		return nil
	}
	from, to := (*l)[0], (*l)[len(*l)-1]
	if f, t, ok := parseRange(from + ".." + to); ok && int(t-f) == len(*l)-1 && t > f+1 {
		for i, s := range *l {
			if s != strconv.FormatInt(f+int64(i), 10) {
				return anys(*l)
			}
		}
		return []any{bare(from + ".." + to)}
	}
	return anys(*l)
}

func anys(list []string) []any {
	var out []any
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// rejects is halt, or a sink.
type rejects struct{ sink one[tidemill.Sink] }

func (r *rejects) decode(d *decoder, n *node, path string) {
	if n.kind == scalarNode && n.text == "halt" {
		return
	}
	r.sink.decode(d, n, path)
}

func (r *rejects) show() any {
	if r.sink.cfg == nil {
		return "halt"
	}
	return r.sink.show()
}

// served is the config struct that Kinds.Serve makes.
type served struct{ cfg any }

func (s *served) decode(d *decoder, n *node, path string) {
	if d.kinds.Serve == nil {
		d.node(n, path, "this program cannot serve")
		return
	}
	s.cfg = d.kinds.Serve()
	d.object(n, reflect.ValueOf(s.cfg).Elem(), path, "serve")
}

func (s *served) show() any {
	if s.cfg == nil {
		return nil
	}
	return showConfig(reflect.ValueOf(s.cfg).Elem(), reflect.Value{})
}

// checkpoint is a store, by its kind's name, beside every.
type checkpoint struct {
	Every time.Duration
	store one[tidemill.Store]
}

const everyDoc = "How often the state is saved. Default 10s."

func (c *checkpoint) decode(d *decoder, n *node, path string) {
	if n.kind != mappingNode {
		d.node(n, path, "checkpoint takes a mapping like {dir: state, every: 10s}, not %s", n.what())
		return
	}
	r := wordOf[tidemill.Store](d.kinds)
	rest := &node{kind: mappingNode, line: n.line, col: n.col, width: n.width}
	for _, e := range n.entries {
		switch {
		case e.key.text == "every":
			d.mark(path+".every", e.key)
			d.value(e.value, reflect.ValueOf(&c.Every).Elem(), field{key: "every"}, path+".every")
			if c.Every <= 0 {
				d.node(e.value, path+".every", "every takes a time above 0")
			}
		case expr.Nearest(e.key.text, append(r.names, "every")) == "every":
			d.node(e.key, path, "checkpoint has no key %q; the nearest is %q", e.key.text, "every")
		default:
			rest.entries = append(rest.entries, e)
		}
	}
	if len(rest.entries) > 0 {
		c.store.decode(d, rest, path)
	}
}

func (c *checkpoint) show() any {
	var p pairs
	switch s := c.store.show().(type) {
	case pairs:
		p = s
	case string:
		p = pairs{{s, pairs{}}}
	}
	return append(p, pair{"every", bare(formatDuration(c.Every))})
}

func newOf[T any](k *Kinds) map[string]New[T] {
	for _, m := range []any{k.Sources, k.Transforms, k.Features, k.Encoders, k.Models, k.Scores, k.Sinks, k.Formats,
		k.Stores} {
		if found, ok := m.(map[string]New[T]); ok {
			return found
		}
	}
	return nil
}

func wordOf[T any](k *Kinds) room {
	words := map[reflect.Type]string{
		reflect.TypeFor[tidemill.Source](): "source", reflect.TypeFor[tidemill.Transform](): "transform",
		reflect.TypeFor[tidemill.Feature](): "feature", reflect.TypeFor[tidemill.Encoder](): "encoder",
		reflect.TypeFor[tidemill.Model](): "model", reflect.TypeFor[tidemill.Score](): "score",
		reflect.TypeFor[tidemill.Sink](): "sink", reflect.TypeFor[tidemill.Format](): "format",
		reflect.TypeFor[tidemill.Store](): "store",
	}
	return k.room(words[reflect.TypeFor[T]()])
}
