package config_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func env(name string) (string, bool) {
	v, ok := map[string]string{"DATABASE_URL": "postgres://mill:s3cret@db.example/shop", "EMPTY": "", "EPOCHS": "3", "EVIL": "a, b: {c: d}"}[name]
	return v, ok
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func parse(t *testing.T, src string) *config.File {
	t.Helper()
	f, err := config.Parse("flow.yaml", []byte(src), testKinds(), env)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const flights = `# a flow
name: late-flights
source:
  postgres: {url: "${DATABASE_URL}", tables: [flights]}
tasks:
  - name: late
    predict: {on: insert, table: flights, at: scheduled_at}
    learn:   {on: update, table: flights, at: landed_at, label: "arr_delay > 15"}
    wait: 2d
    features:
      - numeric: [month, hour, distance]
      - onehot: [carrier, origin, dest]
      - window: {count: rows, of: flights, by: origin, over: 1h}
      - window: {mean: arr_delay, of: flights, by: carrier, over: 3h}
    model: {logistic: {optimizer: sgd, learning_rate: 0.01}}
    scores: [accuracy, auc, logloss]
sinks:
  - postgres: {url: "${DATABASE_URL}", table: predictions}
serve: {listen: "localhost:8080"}
checkpoint: {dir: state, every: 10s}
`

func TestParse(t *testing.T) {
	f := parse(t, flights)
	task := f.Flow.Tasks[0]
	want := tidemill.On{Op: tidemill.Update, Table: "flights", At: "landed_at", Label: "arr_delay > 15"}
	if fmt.Sprint(task.Learn) != fmt.Sprint(want) {
		t.Errorf("learn: %+v", task.Learn)
	}
	if task.Predict.Op != tidemill.Insert || task.Predict.At != "scheduled_at" || task.Wait != 48*time.Hour || len(task.Features) != 4 || len(task.Scores) != 3 {
		t.Errorf("task: %+v", task)
	}
	if task.Snapshot != tidemill.SnapshotReplay {
		t.Errorf("windows are replayed: %v", task.Snapshot)
	}
	if f.Flow.Name != "late-flights" || f.Flow.Source == nil || len(f.Flow.Sinks) != 1 || f.Flow.Every != 10*time.Second || f.Flow.Seed != 1 {
		t.Errorf("flow: %+v", f.Flow)
	}
	if task.Encoders != nil {
		t.Errorf("encoders are the model's to choose: %v", task.Encoders)
	}
	if s := f.Serve.(*serveConfig); s.Listen != "localhost:8080" {
		t.Errorf("serve: %+v", s)
	}
	for path, line := range map[string]int{"tasks[0].features": 10, "tasks[0].features[2]": 13, "tasks[0].features[2].window.by": 13, "source.postgres": 4,
		"tasks[0].model.logistic": 15, "checkpoint.dir": 20, "tasks[0].model.logistic.l2": 15, "nowhere": 1} {
		if got := f.Line(path); got != line {
			t.Errorf("%s is in line %d, want %d", path, got, line)
		}
	}
	golden(t, "flights.yaml", f.YAML())
}

func TestYAMLReadsBack(t *testing.T) {
	for name, src := range valid() {
		f := parse(t, src)
		printed := f.YAML()
		if strings.Contains(printed, "s3cret") {
			t.Errorf("%s: a secret is printed:\n%s", name, printed)
		}
		again, err := config.Parse("printed.yaml", []byte(strings.ReplaceAll(printed, `"***"`, `"postgres://mill@db/shop"`)), testKinds(), env)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, printed)
			continue
		}
		if again.YAML() != printed {
			t.Errorf("%s: printed\n%s\nread and printed again\n%s", name, printed, again.YAML())
		}
	}
}

// valid are flows without a mistake.
func valid() map[string]string {
	source := "name: a\nsource: {postgres: {url: postgres://db/x, tables: t}}\n"
	return map[string]string{
		"flights": flights,
		"least":   source + "tasks:\n  name: b\n  learn: {table: t, label: y}\n  features: {numeric: x}\n  model: linear\n",
		"capture": source + "sinks: {file: out.jsonl}\n",
		"lists": source + `tasks:
- name: b
  predict: [{table: t}, {table: public.t, on: [insert, update], where: "a is not null and b <> 'it''s'"}]
  evaluate: {table: t, label: "y"}
  wait: {for: 1d12h, then: false}
  keep: first
  features: [numeric: [x1, x2], onehot: c]
  model: {mlp: {layers: [{dense: 128, activation: relu}, 10]}}
  classes: [0..9]
  positive: 3
  threshold: 0.25
  weight: "amount * 2"
  snapshot: skip
  frozen: 4w
  memory: 1.5GiB
  scale: minmax
rejects: {file: {path: "${EMPTY:-rejects.jsonl}", follow: 1500ms}}
seed: 7
`,
		"anchors": "name: a\nsource:\n  postgres:\n    url: &url postgres://mill:s3cret@db/x\n    tables: [t]\nsinks: [{postgres: {url: *url}}]\n",
		"quoting": source + "tasks:\n- {name: b, learn: {table: t, label: 'x = ''$${HOME}: # [a]'''}, features: [numeric: ['odd, name', 'true', '5']], model: {kmeans: {k: 3, centers: [[1, 2], [3.0e-9, 4]]}}}\n",
		"zeros":   source + "tasks: {name: b, learn: {table: t, label: y, at: c}, features: [{window: {of: t, count: rows, over: 1d, late: 0s}}], model: {logistic: {optimizer: adam, batch: 0}}}\n",
		"balanced": source + `tasks:
  name: b
  learn: {table: t, label: "y = 1"}
  features: {numeric: [x]}
  encoders: [standard]
  model: {mlp: {layers: 2}}
  weight: balanced
  snapshot: learn
  epochs: ${EPOCHS}
  scores: accuracy
serve: ":9000"
checkpoint: {every: 1m}
`,
	}
}

func TestParseMore(t *testing.T) {
	f := parse(t, valid()["lists"])
	task := f.Flow.Tasks[0]
	if len(task.Predict.Also) != 1 || task.Predict.Also[0].Op != tidemill.Insert|tidemill.Update || task.Predict.Also[0].Where != "a is not null and b <> 'it''s'" {
		t.Errorf("predict: %+v", task.Predict)
	}
	if len(task.Classes) != 10 || task.Classes[9] != "9" || task.Positive != "3" || task.Threshold != 0.25 || task.Weight != "amount * 2" || !task.KeepFirst ||
		task.Snapshot != tidemill.SnapshotSkip || task.Frozen != 28*24*time.Hour || task.Memory != 3<<29 || task.Wait != 36*time.Hour || task.Then != "false" {
		t.Errorf("%+v", task)
	}
	if len(task.Encoders) != 2 || fmt.Sprintf("%T %T", task.Encoders[0], task.Encoders[1]) != "*config_test.minmax *config_test.onehot" {
		t.Errorf("scale: minmax takes the place of standard: %T", task.Encoders)
	}
	if f.Flow.Rejects == nil || f.Flow.Seed != 7 || f.Flow.Store.(*dir).path != "state/a" {
		t.Errorf("%+v", f.Flow)
	}
	task = parse(t, valid()["balanced"]).Flow.Tasks[0]
	if !task.Balanced || task.Weight != "" || task.Epochs != 3 || len(task.Encoders) != 1 {
		t.Errorf("%+v", task)
	}
	f = parse(t, strings.Replace(valid()["least"], "model: linear", "model: linear\n  scale: none", 1))
	if e := f.Flow.Tasks[0].Encoders; e == nil || len(e) != 1 {
		t.Errorf("scale: none leaves the onehot: %v", e)
	}
}

func TestEnvironmentCannotAddKeys(t *testing.T) {
	f := parse(t, strings.Replace(valid()["capture"], "{file: out.jsonl}", "\n  file: ${EVIL}", 1)+"seed: 5\n")
	if got := f.Parts[1].Built.(*sink).name; got != "file/a, b: {c: d}" {
		t.Errorf("the file is %q", got)
	}
}

func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse("flow.yaml", data, testKinds(), env)
			errs, ok := err.(config.Errors)
			if !ok {
				t.Fatalf("no error but %v", err)
			}
			if strings.Contains(errs.Render(false), "s3cret") || strings.Contains(errs.Error(), "s3cret") {
				t.Errorf("a secret is shown: %s", errs.Render(false))
			}
			golden(t, "bad/"+strings.TrimSuffix(filepath.Base(file), ".yaml")+".txt", errs.Render(false))
		})
	}
}

func TestRenderInColour(t *testing.T) {
	_, err := config.Parse("flow.yaml", []byte("nam: a\n"), testKinds(), env)
	got := err.(config.Errors)[0].Render(true)
	if !strings.Contains(got, "\x1b[31m^^^\x1b[0m") {
		t.Errorf("%q", got)
	}
}

func TestCheckTables(t *testing.T) {
	src := strings.ReplaceAll(flights, "label: \"arr_delay > 15\"", "label: \"arr_delay > 'late'\", where: \"arr_dely is not null\"")
	src = strings.Replace(src, "at: scheduled_at", "at: schedule_at", 1)
	f := parse(t, src)
	table := tidemill.NewTable("public", "flights", []tidemill.Column{{Name: "month", Kind: tidemill.KindInt}, {Name: "distance", Kind: tidemill.KindInt},
		{Name: "carrier", Kind: tidemill.KindText}, {Name: "origin", Kind: tidemill.KindText}, {Name: "dest", Kind: tidemill.KindText}, {Name: "arr_delay", Kind: tidemill.KindInt},
		{Name: "scheduled_at", Kind: tidemill.KindTime}, {Name: "landed_at", Kind: tidemill.KindTime}}, nil)
	err := f.CheckTables([]*tidemill.Table{table})
	errs, ok := err.(config.Errors)
	if !ok {
		t.Fatal(err)
	}
	golden(t, "tables.txt", errs.Render(false))
	if err := f.CheckTables([]*tidemill.Table{tidemill.NewTable("public", "flight", nil, nil)}); !strings.Contains(err.Error(), `flow.yaml:7:`) ||
		!strings.Contains(err.Error(), `the database has no table "flights"; the nearest is "flight"`) {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	f := parse(t, flights)
	for text, want := range map[string]string{
		"task late: learn: label: table flights: expression `arr_delay > 15`": "flow.yaml:8:58",
		"task late: features: column distance has gone":                       "flow.yaml:10:5",
		"task late: something": "flow.yaml:6:5",
	} {
		if e := f.Explain(fmt.Errorf("run: %s", text)); e == nil || !strings.HasPrefix(e.Error(), want+": ") {
			t.Errorf("%s: %v, want %s", text, e, want)
		}
	}
	if e := f.Explain(fmt.Errorf("postgres: down")); e != nil {
		t.Error(e)
	}
}

func FuzzYAML(f *testing.F) {
	for _, src := range valid() {
		f.Add(src)
	}
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	for _, s := range []string{"", "a", "- a", "{", "&a [*a]", "a: &a [*a, *a]\nb: &b [*a, *a]", "<<: *a", "? a\n: b", "!!x y", "a: |\n b", "\xff", "a: ${", "name: [", strings.Repeat("[", 5000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		file, err := config.Parse("flow.yaml", []byte(src), testKinds(), env)
		if err != nil {
			for _, e := range err.(config.Errors) {
				if e.Line < 1 || e.Col < 1 || e.Caret < 1 || e.Reason == "" {
					t.Fatalf("%+v", e)
				}
				e.Render(true)
			}
			return
		}
		printed := strings.ReplaceAll(file.YAML(), `"***"`, `"postgres://x"`)
		if _, err := config.Parse("printed.yaml", []byte(printed), testKinds(), env); err != nil {
			t.Fatalf("%v\n%s", err, printed)
		}
	})
}
