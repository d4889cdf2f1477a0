package main

import (
	"database/sql"
	stdjson "encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestTransformLaws holds every transform of the list to the door's laws, with the settings of its page's example.
func TestTransformLaws(t *testing.T) {
	for name, kind := range kinds().Transforms {
		t.Run(name, func(t *testing.T) {
			text := "name: laws\nsource: {file: rows.csv}\n" + config.Example("transform", name, kind()) + "sinks:\n  - stdout\n"
			tidemilltest.Transform(t, func() tidemill.Transform {
				f, err := config.Parse("flow.yaml", []byte(text), kinds(), os.LookupEnv)
				if err != nil {
					t.Fatalf("%s\n%v", text, err)
				}
				return f.Flow.Transforms[0]
			})
		})
	}
}

// flowOf writes a flow file with transforms over rows in a CSV file.
func flowOf(t *testing.T, dir, transforms, table string) *config.File {
	f, err := config.Parse("flow.yaml", []byte(flowText(dir, transforms, table)), kinds(), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	f.Flow.Once = true
	return f
}

func flowText(dir, transforms, table string) string {
	return "name: orders\nsource: {file: {path: " + filepath.Join(dir, "orders.csv") + ", key: [id]}}\ntransforms:\n" + transforms + `
tasks:
  - name: late
    predict: {on: insert, table: ` + table + `}
    learn: {on: insert, table: ` + table + `, label: "late"}
    features: [{numeric: [price]}]
    model: logistic
rejects: {file: {path: ` + filepath.Join(dir, "rejects.jsonl") + `}}
checkpoint: {dir: ` + filepath.Join(dir, "state") + `, every: 10s}
`
}

func runFlow(t *testing.T, f *config.File) (*engine.Status, error) {
	m, err := engine.Start(t.Context(), f.Flow)
	if err == nil {
		err = m.Wait()
	}
	if err != nil {
		return nil, err
	}
	return m.Status(), nil
}

func ordersDatabase(t *testing.T, dir string) {
	must(t, os.WriteFile(filepath.Join(dir, "orders.csv"), []byte("id,country,price,email,late\n1,nl,2.5,a@example.org,true\n2,de,3,b@example.org,false\n3,nl,4,c@example.org,false\n"), 0o600))
}

// TestTransformEdited: a flow whose transforms were edited does not go on with the old model; the error names the line.
func TestTransformEdited(t *testing.T) {
	dir := t.TempDir()
	ordersDatabase(t, dir)
	s, err := runFlow(t, flowOf(t, dir, `  - filter: "country = 'nl'"`, "orders"))
	if err != nil || s.Tasks[0].Counts.Learned != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := runFlow(t, flowOf(t, dir, `  - filter: "country='nl'"`, "orders")); err != nil {
		t.Errorf("the same filter: %v", err)
	}
	for _, c := range []struct{ edit, says string }{
		{`  - filter: "country = 'de'"`, "flow.yaml:4:"}, {"  - drop: [email]\n  - filter: \"country = 'nl'\"", "flow.yaml:4:"},
		{"  - filter: \"country = 'nl'\"\n  - drop: [email]", "flow.yaml:5:"},
	} {
		f := flowOf(t, dir, c.edit, "orders")
		_, err := runFlow(t, f)
		if !errors.Is(err, tidemill.ErrChanged) || !strings.Contains(err.Error(), "--fresh") {
			t.Fatalf("%s: %v", c.edit, err)
		}
		if e := testApp().placed(f, err); !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s: %v, not at %s", c.edit, e, c.says)
		}
	}
}

// TestTransformedTables: a task may name a renamed table, and check runs the tables through.
func TestTransformedTables(t *testing.T) {
	dir := t.TempDir()
	ordersDatabase(t, dir)
	f := flowOf(t, dir, "  - rename: {table: orders, to: sales}\n  - derive: {column: total, as: price * 2}", "sales")
	s, err := runFlow(t, f)
	if err != nil || s.Tasks[0].Counts.Learned != 3 || s.Tasks[0].Table != "sales" {
		t.Fatalf("%+v, %v", s, err)
	}
	table := tidemill.NewTable("", "orders", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "price", Kind: tidemill.KindFloat}, {Name: "late", Kind: tidemill.KindBool}}, []int{0})
	if err := f.CheckTables([]*tidemill.Table{table}); err != nil {
		t.Errorf("check: %v", err)
	}
	f = flowOf(t, dir, "  - rename: {table: orders, to: sales}\n  - derive: {column: total, as: prise * 2}", "sales")
	if err := f.CheckTables([]*tidemill.Table{table}); err == nil || !strings.Contains(err.Error(), "flow.yaml:5") || !strings.Contains(err.Error(), "price") {
		t.Errorf("check: %v", err)
	}
}

// TestMaskedNowhere: what is masked is in no file that the flow writes, and in no status: of a file that is streamed, and of a
// database whose snapshot is kept in a journal, with a row among it that is rejected.
func TestMaskedNowhere(t *testing.T) {
	const mask = "  - mask: {columns: [email], how: stars}"
	t.Run("file", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "orders.csv"), []byte("id,country,price,email,late\n1,nl,2.5,secretone,true\n2,de,,secrettwo,\n3,nl,inf,secretthree,false\n"), 0o600))
		s, err := runFlow(t, flowOf(t, dir, mask, "orders"))
		if err != nil || s.Rejected != 1 {
			t.Fatalf("%+v, %v", s, err)
		}
		nothingMasked(t, dir, s, "orders.csv")
	})
	t.Run("snapshot", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "orders.db")
		db, err := sql.Open("sqlite", path)
		must(t, err)
		defer db.Close()
		for _, q := range []string{"CREATE TABLE orders (id INTEGER PRIMARY KEY, country TEXT, price REAL, email TEXT, late INT)",
			"INSERT INTO orders VALUES (1, 'nl', 2.5, 'secretone', 1), (2, 'de', 3, 'secrettwo', 0), (3, 'nl', 9e999, 'secretthree', 1), (4, 'be', 4, 'secretfour', NULL)"} {
			_, err := db.Exec(q)
			must(t, err)
		}
		flow := strings.Replace(flowText(dir, mask, "orders"), "source: {file: {path: "+filepath.Join(dir, "orders.csv")+", key: [id]}}",
			"source: {sqlite: {path: "+path+", tables: [orders]}}", 1)
		flow = strings.Replace(flow, "    model: logistic\n", "    model: logistic\n    epochs: 3\n", 1)
		f, err := config.Parse("flow.yaml", []byte(flow), kinds(), os.LookupEnv)
		must(t, err)
		f.Flow.Once = true
		s, err := runFlow(t, f)
		if err != nil || s.Rejected != 1 || len(s.Rejects) != 1 {
			t.Fatalf("%+v, %v", s, err)
		}
		journal, err := filepath.Glob(filepath.Join(dir, "state", "current", "segments", "journal-*"))
		if err != nil || len(journal) != 1 {
			t.Fatalf("the journal: %q, %v", journal, err)
		}
		b, err := os.ReadFile(journal[0])
		must(t, err)
		if n := strings.Count(string(b), "***"); n != 4 {
			t.Errorf("the journal has %d masked values, not 4", n)
		}
		nothingMasked(t, dir, s, "orders.db")
	})
}

// nothingMasked looks for the masked values, which begin with "secret", in all files of dir but the source's, and in a status.
func nothingMasked(t *testing.T, dir string, s *engine.Status, source string) {
	t.Helper()
	seen := 0
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), source) {
			return err
		}
		seen++
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), "secret") {
			t.Errorf("%s has what is masked", path)
		}
		return err
	}))
	if seen < 3 {
		t.Errorf("the flow wrote %d files", seen)
	}
	for _, r := range s.Rejects {
		if r.Row["email"] != "***" {
			t.Errorf("rejected %+v", r)
		}
	}
	if text, err := stdjson.Marshal(s); err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("the status: %s, %v", text, err)
	}
}
