package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/serve"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

type dirConfig struct {
	Path string `yaml:"path" short:"true" doc:"The folder."`
}

func (c *dirConfig) Build(string) (tidemill.Store, error) { return store.Dir(c.Path), nil }

func testKinds() config.Kinds {
	return config.Kinds{
		Sources: map[string]config.New[tidemill.Source]{
			"postgres": config.Kind[tidemill.Source](postgres.NewSourceConfig),
			"sqlite":   config.Kind[tidemill.Source](sqlite.NewSourceConfig),
		},
		Features: map[string]config.New[tidemill.Feature]{
			"category": config.Kind[tidemill.Feature](feature.NewCategoryConfig),
			"numeric":  config.Kind[tidemill.Feature](feature.NewNumericConfig),
			"onehot":   config.Kind[tidemill.Feature](feature.NewOneHotConfig),
			"pixels":   config.Kind[tidemill.Feature](feature.NewPixelsConfig),
			"window":   config.Kind[tidemill.Feature](feature.NewWindowConfig),
		},
		Models: map[string]config.New[tidemill.Model]{
			"hoeffding_tree": config.Kind[tidemill.Model](model.NewHoeffdingTreeConfig),
			"kmeans":         config.Kind[tidemill.Model](model.NewKMeansConfig),
			"logistic":       config.Kind[tidemill.Model](model.NewLogisticConfig),
			"mlp":            config.Kind[tidemill.Model](model.NewMLPConfig),
		},
		Scores: map[string]config.New[tidemill.Score]{
			"accuracy":  config.Kind[tidemill.Score](score.NewAccuracyConfig),
			"auc":       config.Kind[tidemill.Score](score.NewAUCConfig),
			"confusion": config.Kind[tidemill.Score](score.NewConfusionConfig),
			"logloss":   config.Kind[tidemill.Score](score.NewLogLossConfig),
			"precision": config.Kind[tidemill.Score](score.NewPrecisionConfig),
			"recall":    config.Kind[tidemill.Score](score.NewRecallConfig),
		},
		Sinks: map[string]config.New[tidemill.Sink]{
			"postgres": config.Kind[tidemill.Sink](postgres.NewSinkConfig),
			"sqlite":   config.Kind[tidemill.Sink](sqlite.NewSinkConfig),
		},
		Stores: map[string]config.New[tidemill.Store]{"dir": config.Kind[tidemill.Store](func() *dirConfig { return &dirConfig{} })},
		Serve:  func() any { return serve.NewConfig() },
	}
}

func runDemo(t *testing.T, name string, o Options) Result {
	t.Helper()
	var out, errs bytes.Buffer
	o.Dir, o.Once, o.JSON, o.Kinds, o.Out, o.Err = t.TempDir(), true, true, testKinds(), &out, &errs
	if err := Run(t.Context(), name, o); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	t.Logf("%s%s", errs.String(), out.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var r Result
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMNISTOnSQLite(t *testing.T) {
	r := runDemo(t, "mnist", Options{})
	if r.Learned != 60000 || r.Predicted != 10000 || r.Scores["accuracy"] < 0.94 {
		t.Errorf("%+v", r)
	}
}

func TestIrisOnSQLite(t *testing.T) {
	r := runDemo(t, "iris", Options{})
	if r.Scores["spark"] < 10.0/11 || r.Scores["flink"] < 9.0/11 || r.Learned != 139 || r.Predicted != 33 {
		t.Errorf("%+v", r)
	}
	if r.Scores["spark_after_1_percent"] >= r.Scores["spark"] {
		t.Errorf("the predictions should improve: %v", r.Scores)
	}
}

func TestDemosOnPostgres(t *testing.T) {
	url := postgrestest.Start(t).URL("postgres")
	for i := range 2 { // the second run begins afresh
		if i == 0 || os.Getenv("TIDEMILL_SOAK") != "" { // the digits' is long
			r := runDemo(t, "mnist", Options{Source: url})
			if r.Learned != 60000 || r.Predicted != 10000 || r.Scores["accuracy"] < 0.94 || r.Source != "postgres" {
				t.Errorf("%+v", r)
			}
		}
		if r := runDemo(t, "iris", Options{Source: url}); r.Scores["spark"] < 10.0/11 {
			t.Errorf("%+v", r)
		}
	}
}

// TestDemoSparesTables: a table of the demo's name that no demo made is not touched, nor are predictions of other flows.
func TestDemoSparesTables(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.CreateDB(t)
	server.Exec(t, url, "CREATE TABLE iris_new (id int PRIMARY KEY); INSERT INTO iris_new VALUES (7)")
	o := Options{Dir: t.TempDir(), Source: url, Once: true, Kinds: testKinds(), Out: io.Discard, Err: io.Discard}
	if err := Run(t.Context(), "iris", o); err == nil || !strings.Contains(err.Error(), "a table iris_new that no demo made") {
		t.Fatalf("%v", err)
	}
	if rows := server.Query(t, url, "SELECT id FROM iris_new"); len(rows) != 1 || rows[0][0] != "7" {
		t.Errorf("the table holds %v", rows)
	}
	server.Exec(t, url, "DROP TABLE iris_new")
	runDemo(t, "iris", Options{Source: url})
	server.Exec(t, url, "INSERT INTO predictions (task, id, prediction) VALUES ('another', '1', 'x'), ('spark', 'gone', 'x')")
	runDemo(t, "iris", Options{Source: url})
	if rows := server.Query(t, url, "SELECT task FROM predictions WHERE prediction = 'x'"); len(rows) != 1 || rows[0][0] != "another" {
		t.Errorf("of other rows there are %v", rows)
	}
}

// TestWatched: without Once the dashboard's address is said, and answers, before the rows come; it is said again when all are in,
// and stays until the context ends.
func TestWatched(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{"mnist", "Dashboard: ", "Still serving: "},
		{"iris", "Dashboard: ", "1 "}, // its first line; the rest comes at ten flowers a second
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, w := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				err := Run(ctx, c.name, Options{Dir: t.TempDir(), Rows: 200, Kinds: testKinds(), Out: w, Err: io.Discard})
				w.Close()
				ended <- err
			}()
			var said string
			watched := false
			lines := bufio.NewScanner(r)
			for lines.Scan() {
				line := lines.Text()
				said += line + "\n"
				if at, ok := strings.CutPrefix(line, c.before); ok {
					at, _, _ = strings.Cut(at, " ")
					resp, err := http.Get(at + "/v2/health/live")
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					watched = resp.StatusCode == http.StatusOK
				}
				if strings.HasPrefix(line, c.after) {
					if !watched {
						t.Errorf("the address should come first, and answer:\n%s", said)
					}
					cancel()
				}
			}
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%v\n%s", err, said)
			}
			if !watched || !strings.Contains(said, c.after) {
				t.Errorf("said:\n%s", said)
			}
		})
	}
}

// TestBarEndsOnce: what is done is shown once, however often it is looked at, and the next phase begins anew.
func TestBarEndsOnce(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var out bytes.Buffer
		b := newBar(&out, terminal)
		for range 5 {
			b.show("learn", 10, 10, "")
		}
		b.end()
		b.show("stream", 4, 4, "")
		if text := out.String(); terminal && strings.Count(text, "\x1b[?7l") != 2 { // a line that wraps cannot be drawn over
			t.Errorf("%q", text)
		}
		if text := out.String(); strings.Count(text, "learn") != 1 || strings.Count(text, "stream") != 1 {
			t.Errorf("terminal %v: %q", terminal, text)
		}
	}
}
