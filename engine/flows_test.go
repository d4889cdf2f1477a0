package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

var (
	rewrite    = flag.Bool("rewrite", false, "write the outputs of testdata/flows anew")
	everywhere = flag.Bool("everywhere", false, "kill the flows of testdata/flows at every operation")
)

// TestFlows runs every script of testdata/flows: the meanings of a flow, line by line. Each must come out the same however
// the source cuts its batches, whether or not it tells rows as they were, and wherever the process dies.
func TestFlows(t *testing.T) {
	paths, err := filepath.Glob("testdata/flows/*.flow")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no flows: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".flow"), func(t *testing.T) {
			t.Parallel()
			checkScript(t, path)
		})
	}
}

func checkScript(t *testing.T, path string) {
	f, err := readScript(path, "full")
	if err != nil {
		t.Fatal(err)
	}
	want := runScript(t, f, 1, nil) // a change to a batch: where a flow stops, all before it is told
	if *rewrite {
		f.set("outputs", want.outputs)
		f.set("status", want.status)
		f.sections = slices.DeleteFunc(f.sections, func(s section) bool { return s.name == "stops" })
		if want.stops != "" {
			f.set("stops", want.stops+"\n")
		}
		if err := os.WriteFile(path, []byte(f.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, part := range []struct{ name, got string }{{"outputs", want.outputs}, {"status", want.status}, {"stops", want.stops}} {
		if written := strings.TrimSpace(f.section(part.name)); written != strings.TrimSpace(part.got) {
			t.Errorf("%s:\n%s\nthe file says:\n%s", part.name, part.got, written)
		}
	}
	if t.Failed() {
		return
	}
	same := func(what string, got *scriptRun) {
		t.Helper()
		if got.stops != want.stops {
			t.Errorf("%s: it stops with %q, want %q", what, got.stops, want.stops)
		}
		if got.clash != "" {
			t.Errorf("%s: %s", what, got.clash)
		}
		if want.stops != "" {
			if !strings.HasPrefix(want.outputs, got.outputs) {
				t.Errorf("%s: outputs:\n%s\nwant a part of:\n%s", what, got.outputs, want.outputs)
			}
			return
		}
		if got.outputs != want.outputs {
			t.Errorf("%s: outputs:\n%s\nwant:\n%s", what, got.outputs, want.outputs)
		}
		if got.status != want.status {
			t.Errorf("%s: status:\n%s\nwant:\n%s", what, got.status, want.status)
		}
		sameState(t, what, want.state, got.state)
	}
	if f.disk && !slices.ContainsFunc(want.state.Segments, func(name string) bool { return strings.HasPrefix(name, "questions-") }) {
		t.Error("nothing lies on disk")
	}
	if !f.full {
		k, err := readScript(path, "key")
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range scriptCuts {
			same(fmt.Sprintf("the key alone before, batches of %d", cut), runScript(t, k, cut, nil))
		}
	}
	for _, cut := range scriptCuts {
		none := tidemilltest.NewFaults(0, tidemilltest.FailOnce)
		same(fmt.Sprintf("batches of %d", cut), runScript(t, f, cut, killAt(none)))
		if t.Failed() {
			return
		}
		if testing.Short() || !*everywhere && cut != scriptCuts[tidemill.Hash("cut", path)%3] {
			continue
		}
		// Killed once, before and after each operation of source, sinks and store; then again and again, after every k of them.
		points := none.Ops()
		first, step := 1, 1
		if !*everywhere { // other ones for each script
			step = max(1, (points+crashPoints-1)/crashPoints)
			first += int(tidemill.Hash(path) % uint64(step))
		}
		for at := first; at <= points && !t.Failed(); at += step {
			for _, how := range []tidemilltest.Failure{tidemilltest.CrashBefore, tidemilltest.CrashAfter} {
				faults := tidemilltest.NewFaults(at, how)
				got := runScript(t, f, cut, killAt(faults))
				same(fmt.Sprintf("batches of %d, %s %s", cut, how, faults.What()), got)
			}
		}
		for k := 7; k <= points && !t.Failed(); k *= 2 {
			n := k
			got := runScript(t, f, cut, func() *tidemilltest.Faults {
				n++ // a longer life each time, so that it gets on
				return tidemilltest.NewFaults(n, tidemilltest.CrashAfter)
			})
			same(fmt.Sprintf("batches of %d, killed after every %d operations and more", cut, k), got)
		}
	}
}

// scriptCuts are the sizes of batches that scripts are run with.
var scriptCuts = []int{1, 3, 100}

// crashPoints is how many operations a script is killed at, with one of the sizes of batches, without -everywhere.
const crashPoints = 3

// killAt lets the first life of a flow end as faults say, and the second be without.
func killAt(faults *tidemilltest.Faults) func() *tidemilltest.Faults {
	return func() *tidemilltest.Faults {
		f := faults
		faults = nil
		return f
	}
}

// scriptRun is what came of a flow.
type scriptRun struct {
	outputs, status, stops, clash string
	state                         *tidemill.Checkpoint
}

// runScript runs the flow to its end, in as many lives as faults end.
func runScript(t *testing.T, f *flowScript, cut int, lives func() *tidemilltest.Faults) *scriptRun {
	t.Helper()
	sink, rejects, memory := &told{name: "told"}, &told{name: "rejected"}, store.Memory()
	r := &scriptRun{}
	for life := 0; ; life++ {
		if life == 1000 {
			t.Fatal("it does not come to its end")
		}
		file, err := config.Parse(f.path, []byte(f.yaml), scriptKinds(), os.LookupEnv)
		if err != nil {
			r.stops = err.Error()
			return r
		}
		flow := file.Flow
		flow.Source, flow.Sinks, flow.Store = &scriptSource{f, cut}, []tidemill.Sink{sink}, memory
		flow.Once, flow.Every = true, time.Nanosecond
		if flow.Rejects != nil {
			flow.Rejects = rejects
		}
		var faults *tidemilltest.Faults
		if lives != nil {
			faults = lives()
		}
		if faults != nil {
			flow.Source, flow.Sinks, flow.Store = faults.Source(flow.Source), []tidemill.Sink{faults.Sink(sink)}, faults.Store(memory)
			if flow.Rejects != nil {
				flow.Rejects = faults.Sink(rejects)
			}
		}
		m, err := engine.Start(t.Context(), flow)
		if err == nil {
			err = m.Wait()
		}
		if errors.Is(err, tidemilltest.ErrCrashed) {
			if err := faults.Bury(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			r.stops = err.Error()
		}
		if m != nil {
			r.status = statusText(m.Status())
		}
		break
	}
	r.outputs = toldLines(sink, rejects)
	r.clash = sink.clash + rejects.clash
	if ids, _, err := memory.List(t.Context()); err == nil && len(ids) > 0 && r.stops == "" {
		if r.state, err = memory.Load(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// segmentTerm finds a segment's length of name, name and term.
var segmentTerm = regexp.MustCompile(`(?s).(questions-\w+-\d{8})-\d+`)

// sameState compares what two flows know, but for what names the run.
func sameState(t *testing.T, what string, want, got *tidemill.Checkpoint) {
	t.Helper()
	if want == nil && got == nil {
		return
	}
	if want == nil || got == nil || len(want.Sections) != len(got.Sections) {
		t.Errorf("%s: another number of sections", what)
		return
	}
	if want.Position != got.Position || want.Clock != got.Clock {
		t.Errorf("%s: at %s, clock %d; want %s, %d", what, got.Position, got.Clock, want.Position, want.Clock)
	}
	for i, w := range want.Sections {
		g := got.Sections[i]
		if w.Name == "flow" || w.Name == "journal" {
			continue
		}
		if strings.HasSuffix(w.Name, "/questions") { // what lies in segments is named by the term of the run that wrote it
			w.Data, g.Data = segmentTerm.ReplaceAll(w.Data, []byte("$1")), segmentTerm.ReplaceAll(g.Data, []byte("$1"))
		}
		if w.Name != g.Name || w.Fingerprint != g.Fingerprint || !bytes.Equal(w.Data, g.Data) {
			n := 0
			for n < len(w.Data) && n < len(g.Data) && w.Data[n] == g.Data[n] {
				n++
			}
			t.Errorf("%s: section %s (%s) has %d bytes, want %s, %d, and differs from byte %d on: %x, want %x", what, g.Name, g.Fingerprint, len(g.Data),
				w.Fingerprint, len(w.Data), n, g.Data[n:min(n+16, len(g.Data))], w.Data[n:min(n+16, len(w.Data))])
		}
	}
}

// scriptKinds are the kinds that scripts may name.
func scriptKinds() config.Kinds {
	return config.Kinds{
		Sources: map[string]config.New[tidemill.Source]{"script": config.Kind[tidemill.Source](func() *scriptConfig { return &scriptConfig{} })},
		Features: map[string]config.New[tidemill.Feature]{
			"category": config.Kind[tidemill.Feature](feature.NewCategoryConfig),
			"numeric":  config.Kind[tidemill.Feature](feature.NewNumericConfig),
			"onehot":   config.Kind[tidemill.Feature](feature.NewOneHotConfig),
			"text":     config.Kind[tidemill.Feature](feature.NewTextConfig),
			"time":     config.Kind[tidemill.Feature](feature.NewTimeConfig),
			"window":   config.Kind[tidemill.Feature](feature.NewWindowConfig),
		},
		Encoders: map[string]config.New[tidemill.Encoder]{
			"impute":   config.Kind[tidemill.Encoder](encode.NewImputeConfig),
			"missing":  config.Kind[tidemill.Encoder](encode.NewMissingConfig),
			"onehot":   config.Kind[tidemill.Encoder](encode.NewOneHotConfig),
			"standard": config.Kind[tidemill.Encoder](encode.NewStandardConfig),
			"minmax":   config.Kind[tidemill.Encoder](encode.NewMinMaxConfig),
			"target":   config.Kind[tidemill.Encoder](encode.NewTargetConfig),
		},
		Models: map[string]config.New[tidemill.Model]{
			"echo":     config.Kind[tidemill.Model](func() *echoConfig { return &echoConfig{} }),
			"kmeans":   config.Kind[tidemill.Model](model.NewKMeansConfig),
			"linear":   config.Kind[tidemill.Model](model.NewLinearConfig),
			"logistic": config.Kind[tidemill.Model](model.NewLogisticConfig),
			"majority": config.Kind[tidemill.Model](model.NewMajorityConfig),
			"mean":     config.Kind[tidemill.Model](model.NewMeanConfig),
			"mlp":      config.Kind[tidemill.Model](model.NewMLPConfig),
		},
		Scores: map[string]config.New[tidemill.Score]{
			"accuracy":   config.Kind[tidemill.Score](score.NewAccuracyConfig),
			"auc":        config.Kind[tidemill.Score](score.NewAUCConfig),
			"logloss":    config.Kind[tidemill.Score](score.NewLogLossConfig),
			"mae":        config.Kind[tidemill.Score](score.NewMAEConfig),
			"precision":  config.Kind[tidemill.Score](score.NewPrecisionConfig),
			"recall":     config.Kind[tidemill.Score](score.NewRecallConfig),
			"silhouette": config.Kind[tidemill.Score](score.NewSilhouetteConfig),
		},
		Sinks:  map[string]config.New[tidemill.Sink]{"keep": config.Kind[tidemill.Sink](func() *keepConfig { return &keepConfig{} })},
		Stores: map[string]config.New[tidemill.Store]{"dir": config.Kind[tidemill.Store](func() *nowhereConfig { return &nowhereConfig{} })},
	}
}

type scriptConfig struct{}

func (*scriptConfig) Build(string) (tidemill.Source, error) { return &scriptSource{}, nil }

type keepConfig struct{}

func (*keepConfig) Build(string) (tidemill.Sink, error) { return &told{name: "rejected"}, nil }

type nowhereConfig struct {
	Path string `yaml:"path" short:"true" doc:"Nothing is written there."`
}

func (*nowhereConfig) Build(string) (tidemill.Store, error) { return store.Memory(), nil }

// echo is a model whose prediction is one of its columns as it sees it (or a term's value, where the column is beyond
// the dense ones), so that a script shows what features and encoders make of a row.
type echo struct {
	column int
}

type echoConfig struct {
	Column int `yaml:"column" short:"true" doc:"The column."`
}

func (c *echoConfig) Build(string) (tidemill.Model, error) { return &echo{column: c.Column}, nil }

func (m *echo) Describe() string          { return fmt.Sprintf("echo %d", m.column) }
func (m *echo) Kind() tidemill.ModelKind  { return tidemill.Regress }
func (m *echo) New() tidemill.Model       { return &echo{column: m.column} }
func (m *echo) Bind(tidemill.Input) error { return nil }
func (m *echo) Learn(*tidemill.Example)   {}
func (m *echo) Predict(dst []float64, x *tidemill.Vector) []float64 {
	if m.column < len(x.Dense) {
		return append(dst, x.Dense[m.column])
	}
	sum := 0.0
	for _, term := range x.Terms {
		sum += term.Value
	}
	return append(dst, sum)
}
func (m *echo) AppendBinary(b []byte) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(m.column))), nil
}
func (m *echo) UnmarshalBinary(b []byte) error {
	if len(b) != 8 {
		return errors.New("short")
	}
	return nil
}

// TestFlowsAreListed holds that every line of the design's chapters on meaning has its script.
func TestFlowsAreListed(t *testing.T) {
	text, err := os.ReadFile("testdata/flows/README.md")
	if err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob("testdata/flows/*.flow")
	var named []string
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return r == '`' || r == ' ' || r == '\n' || r == ',' || r == '|' }) {
		if strings.HasSuffix(word, ".flow") {
			named = append(named, word)
		}
	}
	for _, p := range paths {
		if !slices.Contains(named, filepath.Base(p)) {
			t.Errorf("README.md does not name %s", filepath.Base(p))
		}
	}
	for _, n := range named {
		if !slices.Contains(paths, filepath.Join("testdata/flows", n)) {
			t.Errorf("README.md names %s, which is not there", n)
		}
	}
}
