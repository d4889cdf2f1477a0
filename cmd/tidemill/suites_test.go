package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/tidemilltest"
)

// example is a constructor of a kind's example.
func example[T any](t *testing.T, kind config.New[T]) func() T {
	t.Helper()
	if _, err := config.ExampleOf(kind); err != nil {
		t.Fatalf("its example cannot be built: %v; give the keys that need it a tag like:\"…\"", err)
	}
	return func() T {
		x, err := config.ExampleOf(kind)
		if err != nil {
			panic(err) // it was built once
		}
		return x
	}
}

// TestModelSuite holds every model of the list of kinds to the laws of models.
func TestModelSuite(t *testing.T) {
	for name, kind := range kinds().Models {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := example(t, kind)
			tidemilltest.ModelWith(t, tidemilltest.ModelCase{New: made, Terms: takesTerms(made())})
		})
	}
}

// takesTerms reports whether a model binds where sparse terms may come.
func takesTerms(m tidemill.Model) bool {
	return m.Bind(tidemill.Input{Columns: tidemilltest.ModelColumns(), Classes: 3, Terms: true}) == nil
}

// TestScoreSuite holds every score of the list of kinds to the laws of scores.
func TestScoreSuite(t *testing.T) {
	for name, kind := range kinds().Scores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tidemilltest.Score(t, example(t, kind))
		})
	}
}

// TestEncoderSuite holds every encoder of the list of kinds to the laws of encoders.
func TestEncoderSuite(t *testing.T) {
	for name, kind := range kinds().Encoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tidemilltest.Encoder(t, example(t, kind))
		})
	}
}

// TestFormatSuite holds every format of the list of kinds to the laws of formats.
func TestFormatSuite(t *testing.T) {
	for name, kind := range kinds().Formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tidemilltest.Format(t, example(t, kind))
		})
	}
}

// TestFeatureSuite holds every feature of the list of kinds to the laws of features, over the table of the examples.
func TestFeatureSuite(t *testing.T) {
	for name, kind := range kinds().Features {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := example(t, kind)
			folds := len(made().Folds()) > 0
			tidemilltest.FeatureWith(t, tidemilltest.FeatureCase{New: made, Changes: orders(t), Folds: folds, Defined: true})
		})
	}
}

// orderColumns are the table of the examples: what the tags like:"…" of features name.
var orderColumns = map[string]string{ // by the columns of tidemilltest.FeatureTable
	"flag": "express", "count": "items", "amount": "amount", "card": "country", "note": "note", "paid_at": "ordered_at", "picture": "thumbnail",
}

// orders are the changes of features' laws as changes of the table that the examples name.
func orders(t *testing.T) []tidemill.Change {
	t.Helper()
	const rows = 300
	from := tidemilltest.FeatureTable()
	columns := append([]tidemill.Column{}, from.Columns...)
	for i := range columns {
		if name, ok := orderColumns[columns[i].Name]; ok {
			columns[i].Name = name
		}
	}
	columns = append(columns, tidemill.Column{Name: "pixels", Kind: tidemill.KindBytes, Nullable: true},
		tidemill.Column{Name: "photo", Kind: tidemill.KindBytes, Nullable: true})
	table := tidemill.NewTable("public", "orders", columns, from.Key)
	changes := tidemilltest.FeatureChanges(rows)
	for i := range changes {
		c := &changes[i]
		c.Table = table
		grey := bytes.Repeat([]byte{byte(i)}, 28*28)
		for _, row := range []*[]tidemill.Value{&c.Before, &c.After} {
			if *row != nil {
				*row = append((*row)[:len(*row):len(*row)], tidemill.Blob(grey), tidemill.Blob(photo(t, byte(i))))
			}
		}
	}
	return changes
}

// photo is a small picture file of one grey.
func photo(t *testing.T, grey byte) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 28, 28))
	for i := range m.Pix {
		m.Pix[i] = grey
	}
	m.SetGray(3, 4, color.Gray{Y: 255 - grey})
	var b bytes.Buffer
	must(t, png.Encode(&b, m))
	return b.Bytes()
}

// taskOf is a task of a flow file that uses the example of a kind, in the way that config.Parse takes, with the flow around it.
func taskOf(t *testing.T, k config.Kinds, word, name, example string) (task, flow string) {
	t.Helper()
	task = "  - name: " + word + "_" + name + "\n    predict: {table: orders}\n    learn: {table: orders, label: y}\n"
	for line := range strings.Lines(example) {
		task += "    " + line
	}
	features := []string{"", "    features: [numeric: [amount]]\n", "    features: [numeric: [amount], category: [country]]\n"}
	models := []string{""}
	switch word {
	case "feature":
		features = features[:1]
	case "encoder":
		features = features[1:]
	default:
		features = features[1:2]
	}
	if word != "model" {
		models = nil
		for _, m := range []string{"linear", "logistic", "kmeans", "hoeffding_tree"} {
			models = append(models, "    model: "+m+"\n")
		}
	}
	var first error
	for _, f := range features {
		for _, m := range models {
			for _, more := range []string{"", "    snapshot: skip\n", "    classes: [0..9]\n"} {
				whole := "name: a\nsource: {sqlite: {path: orders.db, tables: [orders]}}\ntasks:\n" + task + f + m + more
				_, err := config.Parse("flow.yaml", []byte(whole), k, func(string) (string, bool) { return "", false })
				if err == nil {
					return task + f + m + more, whole
				}
				if first == nil {
					first = fmt.Errorf("%w\n%s", err, whole)
				}
			}
		}
	}
	t.Errorf("%s.%s: no task takes its example: %v", word, name, first)
	return "", ""
}

// TestEveryKindRuns runs one flow with a task for every feature, encoder, model and score, over rows like those of the
// examples: each task learns.
func TestEveryKindRuns(t *testing.T) {
	k := kinds()
	flow := "name: every\nsource: {sqlite: {path: orders.db, tables: [orders]}}\ncheckpoint: {dir: state}\ntasks:\n"
	var names []string
	for _, p := range config.Reference(k) {
		word, name, _ := strings.Cut(p.Kind, ".")
		switch word {
		case "feature", "encoder", "model", "score":
			task, _ := taskOf(t, k, word, name, exampleIn(p.Text))
			flow += task
			names = append(names, word+"_"+name)
		}
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(flow), 0o600))
	db, err := sql.Open("sqlite", filepath.Join(dir, "orders.db")+busy)
	must(t, err)
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE orders(id INTEGER PRIMARY KEY, express BOOLEAN, items INTEGER, amount REAL, country TEXT, note TEXT,
		ordered_at TIMESTAMP, pixels BLOB, photo BLOB, y INTEGER)`)
	must(t, err)
	insert := func(from, to int) {
		for i := from; i < to; i++ {
			_, err = db.Exec("INSERT INTO orders VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", i, i%3 == 0, i%7, float64(i%10)*1.5, "c"+fmt.Sprint(i%4),
				"one two "+fmt.Sprint(i%5), fmt.Sprintf("2024-01-%02d 12:00:00", 1+i%28), bytes.Repeat([]byte{byte(i)}, 28*28), photo(t, byte(i)), i%2)
			must(t, err)
		}
	}
	insert(0, 40)
	call(t, dir, nil, exitOK, "run", "flow.yaml", "--once")
	insert(40, 60)
	out, _ := call(t, dir, nil, exitOK, "run", "flow.yaml", "--once", "--json")
	var r result
	must(t, json.Unmarshal([]byte(out), &r))
	for _, name := range names {
		if n := r.Tasks[name].Learned; n < 20 {
			t.Errorf("task %s learned %d rows", name, n)
		}
	}
}

// exampleIn is the example of a page of the reference.
func exampleIn(page string) string {
	_, example, _ := strings.Cut(page, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	return example
}

// TestSystemsHaveTheirSuites: the folder of every source and sink of the list of kinds has a test that holds it to the laws.
// They need servers and files of the system, so they are not run from here.
func TestSystemsHaveTheirSuites(t *testing.T) {
	suites := map[string]*regexp.Regexp{
		"source": regexp.MustCompile(`tidemilltest\.Source\(`),
		"sink":   regexp.MustCompile(`tidemilltest\.(SQL)?Sink\(`),
	}
	for name, typ := range kindTypes(kinds()) {
		word, _, _ := strings.Cut(name, ".")
		suite := suites[word]
		if suite == nil {
			continue
		}
		folder := filepath.Join("../..", strings.TrimPrefix(typ.PkgPath(), "github.com/tidemill/tidemill/"))
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		must(t, err)
		found := false
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(t, err)
			found = found || suite.Match(text)
		}
		if !found {
			t.Errorf("%s: no test in %s calls %s", name, folder, suite)
		}
	}
}

// TestUnsuitedScores: a score that has no figure for a model is refused with the names of all that have.
func TestUnsuitedScores(t *testing.T) {
	k := kinds()
	of := map[tidemill.ModelKind][]string{}
	for _, name := range slices.Sorted(maps.Keys(k.Scores)) {
		for _, kind := range []tidemill.ModelKind{tidemill.Classify, tidemill.Regress} {
			if example(t, k.Scores[name])().Suits(kind) {
				of[kind] = append(of[kind], name)
			}
		}
	}
	for kind, model := range map[tidemill.ModelKind]string{tidemill.Classify: "gaussian_nb", tidemill.Regress: "linear"} {
		flow := "name: a\nsource: {sqlite: {path: a.db, tables: [t]}}\ntasks:\n  - {name: b, learn: {table: t, label: y}, " +
			"features: [numeric: [x]], model: " + model + ", scores: [silhouette]}\n"
		_, err := config.Parse("flow.yaml", []byte(flow), k, func(string) (string, bool) { return "", false })
		if want := "scores for it: " + strings.Join(of[kind], ", "); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", model, err, want)
		}
	}
}
