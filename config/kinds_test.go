package config_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
)

// The kinds of these tests: the shapes of real ones without what they do.

type sourceConfig struct {
	URL    string   `yaml:"url" required:"true" secret:"true" doc:"The connection string."`
	Tables []string `yaml:"tables" required:"true" doc:"The tables to read."`
	Slot   string   `yaml:"slot" doc:"The slot. Default tidemill_<flow>."`
	Make   bool     `yaml:"create_publication" doc:"Make the publication. Default true."`
}

func newSource() *sourceConfig { return &sourceConfig{Make: true} }

func (c *sourceConfig) Build(flow string) (tidemill.Source, error) {
	if !strings.HasPrefix(c.URL, "postgres://") {
		return nil, errors.New("postgres: url does not begin with postgres://")
	}
	return &source{*c}, nil
}

type source struct{ sourceConfig }

func (s *source) Changes(context.Context, tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(func(tidemill.Batch, error) bool) {}
}
func (s *source) Release(context.Context, tidemill.Position) error { return nil }
func (s *source) TableNames() []string {
	var names []string
	for _, t := range s.Tables {
		names = append(names, "db/"+t)
	}
	return names
}

type fileConfig struct {
	Path   string        `yaml:"path" like:"rows.csv" required:"true" short:"true" doc:"The file."`
	Follow time.Duration `yaml:"follow" doc:"How often a growing file is looked at. Default 0s."`
}

func newFile() *fileConfig { return &fileConfig{} }

func (c *fileConfig) Build(string) (tidemill.Sink, error) { return &sink{"file/" + c.Path}, nil }

type sinkConfig struct {
	URL   string `yaml:"url" required:"true" secret:"true" doc:"The connection string."`
	Table string `yaml:"table" doc:"The table. Default predictions."`
}

func newSink() *sinkConfig { return &sinkConfig{Table: "predictions"} }

func (c *sinkConfig) Build(string) (tidemill.Sink, error) { return &sink{"db/" + c.Table}, nil }

type sink struct{ name string }

func (*sink) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}
func (*sink) Resume(context.Context, tidemill.Resumption) error  { return nil }
func (*sink) Write(context.Context, []tidemill.Output) error     { return nil }
func (*sink) Flush(context.Context) (m tidemill.Mark, err error) { return m, nil }
func (*sink) Close() error                                       { return nil }
func (s *sink) TableNames() []string                             { return []string{s.name} }

type stateless struct{}

func (stateless) AppendBinary(b []byte) ([]byte, error) { return b, nil }
func (stateless) UnmarshalBinary([]byte) error          { return nil }

type columnsConfig struct {
	Columns []string `yaml:"columns" required:"true" short:"true" doc:"The columns."`
}

func newColumns() *columnsConfig { return &columnsConfig{} }

func (c *columnsConfig) Build(string) (tidemill.Feature, error) {
	return &feature{columns: c.Columns}, nil
}

type windowConfig struct {
	Mean  string        `yaml:"mean" doc:"The column whose mean is taken."`
	Count string        `yaml:"count" enum:"rows" doc:"Counts rows."`
	Of    string        `yaml:"of" required:"true" table:"true" doc:"The table."`
	By    string        `yaml:"by" doc:"The column that groups. Default none."`
	Over  time.Duration `yaml:"over" required:"true" doc:"How far back."`
	Late  time.Duration `yaml:"late" doc:"How late a row may be. Default 1h."`
}

func newWindow() *windowConfig { return &windowConfig{Late: time.Hour} }

func (c *windowConfig) Build(string) (tidemill.Feature, error) {
	if c.Mean != "" && c.Count != "" {
		return nil, errors.New("window: mean and count exclude each other")
	}
	return &window{feature{columns: []string{c.Mean + c.Count + "_" + c.By}}, c.Of}, nil
}

type feature struct {
	stateless
	columns []string
}

func (f *feature) Describe() string { return "feature " + strings.Join(f.columns, ",") }
func (f *feature) Columns() (list []tidemill.FeatureColumn, terms bool) {
	for _, c := range f.columns {
		list = append(list, tidemill.FeatureColumn{Name: c})
	}
	return list, false
}
func (f *feature) Folds() []string                                       { return nil }
func (f *feature) Needs(*tidemill.Table, tidemill.Role) ([]string, bool) { return f.columns, false }
func (f *feature) Bind(t *tidemill.Table, _ tidemill.Role) error {
	for _, c := range f.columns {
		if t.Col(c) < 0 {
			return fmt.Errorf("table %s has no column %q", t, c)
		}
	}
	return nil
}
func (*feature) Update(*tidemill.Change, int64)                         {}
func (*feature) Append(*tidemill.Vector, *tidemill.Change, int64) error { return nil }

type window struct {
	feature
	of string
}

func (w *window) Folds() []string                         { return []string{w.of} }
func (*window) Bind(*tidemill.Table, tidemill.Role) error { return nil }

type encoderConfig struct{}

func newEncoder() *encoderConfig { return &encoderConfig{} }

func (*encoderConfig) Build(string) (tidemill.Encoder, error) { return &encoder{}, nil }

type encoder struct{ stateless }

func (*encoder) Describe() string                               { return "encoder" }
func (*encoder) Supervised() bool                               { return false }
func (*encoder) Bind(in tidemill.Input) (tidemill.Input, error) { return in, nil }
func (*encoder) Learn(*tidemill.Vector, []float64)              {}
func (*encoder) Apply(dst, x *tidemill.Vector)                  {}
func (*encoder) New() tidemill.Encoder                          { return &encoder{} }

type minmaxConfig struct{}

func newMinmax() *minmaxConfig { return &minmaxConfig{} }

func (*minmaxConfig) Build(string) (tidemill.Encoder, error) { return &minmax{}, nil }

type minmax struct{ encoder }

func (*minmax) New() tidemill.Encoder { return &minmax{} }

type onehot struct{ encoder }

func (*onehot) New() tidemill.Encoder { return &onehot{} }

type logisticConfig struct {
	Optimizer string  `yaml:"optimizer" enum:"sgd,adam" doc:"How a step is made. Default sgd."`
	Rate      float64 `yaml:"learning_rate" doc:"The size of a step. Default 0.01."`
	L2        float64 `yaml:"l2" doc:"The penalty on large weights. Default 0."`
	Batch     int     `yaml:"batch" doc:"Rows per step. Default 1."`
}

func newLogistic() *logisticConfig { return &logisticConfig{Optimizer: "sgd", Rate: 0.01, Batch: 1} }

func (c *logisticConfig) Build(string) (tidemill.Model, error) {
	if c.Rate <= 0 {
		return nil, fmt.Errorf("logistic: learning_rate is %v; it must be above 0", c.Rate)
	}
	return &model{kind: tidemill.Classify}, nil
}

type linearConfig struct{}

func newLinear() *linearConfig { return &linearConfig{} }

func (*linearConfig) Build(string) (tidemill.Model, error) {
	return &model{kind: tidemill.Regress}, nil
}

type kmeansConfig struct {
	K       int         `yaml:"k" short:"true" doc:"How many centres. Default 2."`
	Centers [][]float64 `yaml:"centers" doc:"The centres to start from. Default none."`
	Seed    uint64      `yaml:"seed" doc:"The seed of the start. Default 1."`
}

func newKMeans() *kmeansConfig { return &kmeansConfig{K: 2, Seed: 1} }

func (*kmeansConfig) Build(string) (tidemill.Model, error) {
	return &model{kind: tidemill.Cluster}, nil
}

type layerConfig struct {
	Dense      int    `yaml:"dense" short:"true" required:"true" doc:"Units."`
	Activation string `yaml:"activation" enum:"relu,tanh,linear" doc:"What follows."`
}

type mlpConfig struct {
	Layers []layerConfig `yaml:"layers" required:"true" doc:"The layers."`
}

func newMLP() *mlpConfig { return &mlpConfig{} }

func (*mlpConfig) Build(string) (tidemill.Model, error) {
	return &mlp{model{kind: tidemill.Classify}}, nil
}

type mlp struct{ model }

func (m *mlp) New() tidemill.Model { return m }
func (*mlp) Bind(in tidemill.Input) error {
	if in.Classes == 0 {
		return errors.New("mlp: needs its classes fixed: write classes: [...]")
	}
	return nil
}

type model struct {
	stateless
	kind tidemill.ModelKind
}

func (m *model) Kind() tidemill.ModelKind                          { return m.kind }
func (m *model) Describe() string                                  { return "model" }
func (m *model) New() tidemill.Model                               { return m }
func (*model) Bind(tidemill.Input) error                           { return nil }
func (*model) Learn(*tidemill.Example)                             {}
func (*model) Predict(dst []float64, _ *tidemill.Vector) []float64 { return dst }
func (*model) Encoders([]tidemill.FeatureColumn) []tidemill.Encoder {
	return []tidemill.Encoder{&encoder{}, &onehot{}}
}

type scoreConfig struct{}

func newScore() *scoreConfig { return &scoreConfig{} }

func (*scoreConfig) Build(string) (tidemill.Score, error) { return &score{}, nil }

type score struct{ stateless }

func (*score) Name() string                  { return "score" }
func (*score) Describe() string              { return "score" }
func (*score) Suits(tidemill.ModelKind) bool { return true }
func (*score) Fading(float64) tidemill.Score { return nil }
func (*score) New() tidemill.Score           { return &score{} }
func (*score) Update(*tidemill.Answer)       {}
func (*score) Value() float64                { return 0 }

type dirConfig struct {
	Path string `yaml:"path" like:"state" required:"true" short:"true" doc:"The folder."`
}

func newDir() *dirConfig { return &dirConfig{} }

func (c *dirConfig) Build(string) (tidemill.Store, error) { return &dir{path: c.Path}, nil }

type dir struct {
	tidemill.Store
	path string
}

type serveConfig struct {
	Listen string `yaml:"listen" short:"true" doc:"Address and port. Default localhost:8080."`
	Token  string `yaml:"token" secret:"true" doc:"Bearer token. Default none."`
}

func testKinds() config.Kinds {
	return config.Kinds{
		Sources: map[string]config.New[tidemill.Source]{"postgres": config.Kind[tidemill.Source](newSource)},
		Features: map[string]config.New[tidemill.Feature]{"numeric": config.Kind[tidemill.Feature](newColumns),
			"onehot": config.Kind[tidemill.Feature](newColumns), "window": config.Kind[tidemill.Feature](newWindow)},
		Encoders: map[string]config.New[tidemill.Encoder]{"standard": config.Kind[tidemill.Encoder](newEncoder),
			"minmax": config.Kind[tidemill.Encoder](newMinmax)},
		Models: map[string]config.New[tidemill.Model]{"logistic": config.Kind[tidemill.Model](newLogistic),
			"linear": config.Kind[tidemill.Model](newLinear), "kmeans": config.Kind[tidemill.Model](newKMeans), "mlp": config.Kind[tidemill.Model](newMLP)},
		Scores: map[string]config.New[tidemill.Score]{"accuracy": config.Kind[tidemill.Score](newScore), "auc": config.Kind[tidemill.Score](newScore),
			"logloss": config.Kind[tidemill.Score](newScore)},
		Sinks:  map[string]config.New[tidemill.Sink]{"postgres": config.Kind[tidemill.Sink](newSink), "file": config.Kind[tidemill.Sink](newFile)},
		Stores: map[string]config.New[tidemill.Store]{"dir": config.Kind[tidemill.Store](newDir)},
		Serve:  func() any { return &serveConfig{Listen: "localhost:8080"} },
		Docs:   map[string]string{"model.logistic": "Logistic regression by stochastic gradient descent."},
	}
}
