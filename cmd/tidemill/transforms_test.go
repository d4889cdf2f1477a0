package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	text := "name: orders\nsource: {file: {path: " + filepath.Join(dir, "orders.csv") + ", key: [id]}}\ntransforms:\n" + transforms + `
tasks:
  - name: late
    predict: {on: insert, table: ` + table + `}
    learn: {on: insert, table: ` + table + `, label: "late"}
    features: [{numeric: [price]}]
    model: logistic
rejects: {file: {path: ` + filepath.Join(dir, "rejects.jsonl") + `}}
checkpoint: {dir: ` + filepath.Join(dir, "state") + `, every: 10s}
`
	f, err := config.Parse("flow.yaml", []byte(text), kinds(), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	f.Flow.Once = true
	return f
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

// TestMaskedNowhere: what is masked is in no file that the flow writes, and in no status.
func TestMaskedNowhere(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "orders.csv"), []byte("id,country,price,email,late\n1,nl,2.5,secretone,true\n2,de,,secrettwo,\n3,nl,inf,secretthree,false\n"), 0o600))
	s, err := runFlow(t, flowOf(t, dir, "  - mask: {columns: [email], how: stars}", "orders"))
	if err != nil || s.Rejected != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "orders.csv" {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), "secret") {
			t.Errorf("%s has what is masked", path)
		}
		return err
	}))
	for _, r := range s.Rejects {
		if r.Row["email"] != "***" {
			t.Errorf("rejected %+v", r)
		}
	}
}
