package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// File is a flow file that was read without an error.
type File struct {
	// Flow is ready to Start. Every Parse builds new sources, features and models.
	Flow tidemill.Flow
	// Serve is the struct that Kinds.Serve made, filled in; nil where the file has no `serve:`.
	Serve any
	// Parts are the things that a flow is built of, by path: "source.postgres", "sinks[0].file", "checkpoint.dir".
	Parts []Part

	shape  *flowShape
	report *report
	tasks  []*builtTask
}

// Part is one thing that a kind's config has built.
type Part struct {
	Path  string
	Kind  string // "source postgres"
	Built any    // a tidemill.Source, Sink, Store, Feature, Model ...
}

// Parse reads a flow file. file is its name, for messages. env looks a variable up, as os.LookupEnv does. The error is
// an Errors with everything that is wrong, not only the first.
func Parse(file string, data []byte, kinds Kinds, env func(string) (string, bool)) (*File, error) {
	r := newReport(file, data)
	root := readYAML(r, data, env)
	if root == nil {
		return nil, r.finish()
	}
	d := &decoder{report: r, kinds: &kinds}
	shape := newFlowShape()
	if root.kind != mappingNode {
		d.node(root, "", "a flow file is a mapping with the keys %s, not %s",
			strings.Join(keysOf(fieldsOf(reflect.TypeFor[flowShape]())), ", "), root.what())
		return nil, r.finish()
	}
	d.object(root, reflect.ValueOf(shape).Elem(), "", "a flow")
	f := &File{shape: shape, report: r}
	b := &builder{decoder: d, file: f, shape: shape}
	b.build()
	if err := r.finish(); err != nil {
		return nil, err
	}
	return f, nil
}

// YAML is the flow with every default filled in, as a flow file; secrets are "***".
func (f *File) YAML() string {
	var b strings.Builder
	p, _ := showConfig(reflect.ValueOf(f.shape).Elem(), reflect.Value{}).(pairs)
	printYAML(&b, p, "")
	return b.String()
}

// Line is the line of a path ("tasks[0].features"), or of the nearest path above it; 1 for one that is nowhere.
func (f *File) Line(path string) int { return f.report.find(path).line }

// At is an error at the place of a path.
func (f *File) At(path, reason string) *Error {
	r := *f.report
	r.errs = nil
	r.path(path, "%s", reason)
	return asErrors(r.finish())[0]
}

func asErrors(err error) Errors {
	var e Errors
	errors.As(err, &e)
	return e
}

// The places that errors of the engine name: "task late: learn: label: ...", and "tasks[late].model" of an edited flow.
var (
	enginePlace = regexp.MustCompile(`task ([A-Za-z0-9_-]+): ` +
		`(?:(predict|learn|evaluate|weight|model|features?|scores|encoders?)\b:? ?(?:(label|where|id|at|table)\b)?)?`)
	editedTransform = regexp.MustCompile(`^transforms(\[(\d+)\])?: was `)
	editedPlace     = regexp.MustCompile(`tasks\[([A-Za-z0-9_-]+)\](?:\.([a-z]+))?`)
)

// Explain puts an error of the engine at its place in the file; nil where it does not name one.
func (f *File) Explain(err error) *Error {
	if err == nil {
		return nil
	}
	if m := editedTransform.FindStringSubmatch(err.Error()); m != nil {
		r := *f.report
		r.errs = nil
		if i, e := strconv.Atoi(m[2]); e == nil && i < len(f.shape.Transforms) {
			r.path(f.shape.Transforms[i].path, "%v", err)
		} else {
			r.path("transforms", "%v", err)
		}
		return r.errs[0]
	}
	m := append(editedPlace.FindStringSubmatch(err.Error()), "")
	if len(m) == 1 {
		m = enginePlace.FindStringSubmatch(err.Error())
	}
	if m == nil {
		return nil
	}
	for i := range f.shape.Tasks {
		if f.shape.Tasks[i].Name != m[1] {
			continue
		}
		path := f.taskPath(i)
		if part := m[2]; part != "" {
			if part == "feature" || part == "encoder" {
				part += "s"
			}
			path = join(path, part)
		}
		if m[3] != "" {
			path = join(path, m[3])
		}
		return f.explain(f.tasks[i], path, err)
	}
	return nil
}

// explain puts an error at the word of an expression, or of a feature, that it is about, else at its path.
func (f *File) explain(t *builtTask, path string, err error) *Error {
	r := *f.report
	r.errs = nil
	var expr *expr.Error
	n := r.scalars[path]
	switch {
	case n != nil && n.exact && errors.As(err, &expr):
		r.exprError(n, path, expr)
	case strings.HasSuffix(path, ".features"):
		for k, feature := range t.features {
			if strings.Contains(err.Error(), ": feature "+feature.Describe()+": ") {
				path = t.paths[k]
			}
		}
		r.column(path, err)
	default:
		r.path(path, "%v", err)
	}
	return asErrors(r.finish())[0]
}

// taskPath is the path of the i-th task: without an index where the file gives the one task without a list.
func (f *File) taskPath(i int) string {
	path := fmt.Sprintf("tasks[%d]", i)
	if _, ok := f.report.places[path]; !ok {
		return "tasks"
	}
	return path
}
