package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/file"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestTimesByEveryWay: what a text says of a time does not depend on the way by which it came.
func TestTimesByEveryWay(t *testing.T) {
	texts := tidemilltest.Times()
	for name, read := range map[string]func(*testing.T, []tidemilltest.TimeText) map[int]string{
		"csv": timesOfCSV, "jsonl": timesOfJSON, "rest": timesOfRows, "literal": timesOfLiterals, "text beside a time": timesBeside, "sqlite, at": timesOfSQLite, "feature": timesOfFeature,
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, texts)
			for n, x := range texts {
				want := x.UTC
				if at, _ := expr.ParseTime(want); name == "sqlite, at" && at > 1_750_000_000_000_000 {
					continue // a row of days to come is refused
				}
				if got[n] != want {
					t.Errorf("%q is %q, not %q", x.Text, got[n], want)
				}
			}
		})
	}
}

// timesOfFile are the values of column t by the number in column n.
func timesOfFile(t *testing.T, name, text string) map[int]string {
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := file.NewSourceConfig()
	c.Path, c.Columns, c.BadLines = path, []string{"n int", "t time"}, "skip"
	src, err := c.Build("")
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]string{}
	for b, err := range src.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Changes {
			row, of := b.Changes[i].After, b.Changes[i].Table
			if v := row[of.Col("t")]; v.Kind() == tidemill.KindTime {
				out[int(row[of.Col("n")].Int())] = v.String()
			}
		}
	}
	return out
}

func timesOfCSV(t *testing.T, texts []tidemilltest.TimeText) map[int]string {
	text := "n,t\n"
	for n, x := range texts {
		text += fmt.Sprintf("%d,%q\n", n, x.Text)
	}
	return timesOfFile(t, "times.csv", text)
}

func timesOfJSON(t *testing.T, texts []tidemilltest.TimeText) map[int]string {
	text := ""
	for n, x := range texts {
		text += fmt.Sprintf("{\"n\": %d, \"t\": %q}\n", n, x.Text)
	}
	return timesOfFile(t, "times.jsonl", text)
}

// timesOfRows are those of a row over REST, or given to Predict.
func timesOfRows(t *testing.T, texts []tidemilltest.TimeText) map[int]string {
	out := map[int]string{}
	for n, x := range texts {
		if v, err := engine.ValueOf(x.Text, tidemill.Column{Name: "t", Kind: tidemill.KindTime}); err == nil {
			out[n] = v.String()
		}
	}
	return out
}

// timesOfLiterals are those of literals beside a column of times: what is added to 1970 to be equal.
func timesOfLiterals(t *testing.T, texts []tidemilltest.TimeText) map[int]string {
	table := tidemill.NewTable("", "x", []tidemill.Column{{Name: "t", Kind: tidemill.KindTime}}, nil)
	out := map[int]string{}
	for n, x := range texts {
		e, err := expr.Parse("t = '" + x.Text + "'")
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Bind(table)
		if err != nil {
			continue
		}
		at, ok := expr.ParseTime(x.UTC)
		if v := b.Eval([]tidemill.Value{tidemill.Timestamp(at)}); ok && v.Kind() == tidemill.KindBool && v.Bool() {
			out[n] = x.UTC
		} else {
			out[n] = "another time"
		}
	}
	return out
}

// timesBeside are those of a column without a declared type, compared with a column of times.
func timesBeside(t *testing.T, texts []tidemilltest.TimeText) map[int]string {
	table := tidemill.NewTable("", "x", []tidemill.Column{{Name: "t", Kind: tidemill.KindTime}, {Name: "any"}}, nil)
	e, err := expr.Parse("t = any")
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Bind(table)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]string{}
	for n, x := range texts {
		at, _ := expr.ParseTime(x.UTC)
		v := b.Eval([]tidemill.Value{tidemill.Timestamp(at), tidemill.Other(x.Text)})
		if v.Kind() == tidemill.KindBool && v.Bool() {
			out[n] = x.UTC
		} else if v.Kind() == tidemill.KindBool && !strings.Contains(x.Text, "infinity") {
			out[n] = "another time"
		}
	}
	return out
}

// askedAt keeps when each question was asked.
type askedAt struct {
	out map[int]string
}

func (s *askedAt) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}
func (s *askedAt) Resume(context.Context, tidemill.Resumption) error { return nil }
func (s *askedAt) Flush(context.Context) (tidemill.Mark, error)      { return tidemill.Mark{}, nil }
func (s *askedAt) Close() error                                      { return nil }
func (s *askedAt) Write(_ context.Context, out []tidemill.Output) error {
	for i := range out {
		if out[i].Kind == tidemill.Predicted {
			s.out[int(out[i].Change.After[0].Int())] = tidemill.TimeOf(out[i].Asked).String()
		}
	}
	return nil
}

// timesOfSQLite are those of a text column of SQLite that `at:` names.
func timesOfSQLite(t *testing.T, texts []tidemilltest.TimeText) map[int]string {
	path := filepath.Join(t.TempDir(), "times.db")
	db, err := sql.Open("sqlite", path+busy)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE x (n INTEGER PRIMARY KEY, t TEXT, y REAL)"); err != nil {
		t.Fatal(err)
	}
	sink := &askedAt{out: map[int]string{}}
	run := func() {
		m, err := engine.Start(t.Context(), tidemill.Flow{Name: "times", Source: sqlite.Source(path, "x"), Store: store.Dir(filepath.Dir(path)), Sinks: []tidemill.Sink{sink}, Rejects: &askedAt{}, Once: true,
			Tasks: []tidemill.Task{{Name: "y", Predict: tidemill.On{Op: tidemill.Insert, Table: "x", At: "t"}, Learn: tidemill.On{Op: tidemill.Update, Table: "x", Label: "y"},
				Features: []tidemill.Feature{feature.Numeric("n")}, Model: model.Mean()}}})
		if err == nil {
			err = m.Wait()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run()
	for n, x := range texts {
		if _, err := db.Exec("INSERT INTO x VALUES (?, ?, NULL)", n, x.Text); err != nil {
			t.Fatal(err)
		}
	}
	run()
	return sink.out
}

// timesOfFeature are those of the feature of a time's parts over a text column.
func timesOfFeature(t *testing.T, texts []tidemilltest.TimeText) map[int]string {
	f := feature.Time("t", "unix")
	table := tidemill.NewTable("", "x", []tidemill.Column{{Name: "t", Kind: tidemill.KindText}}, nil)
	if err := f.Bind(table, tidemill.Asks); err != nil {
		t.Fatal(err)
	}
	out := map[int]string{}
	for n, x := range texts {
		var v tidemill.Vector
		if f.Append(&v, &tidemill.Change{Op: tidemill.Insert, Table: table, After: []tidemill.Value{tidemill.Text(x.Text)}}, 0) != nil {
			continue
		}
		at, ok := expr.ParseTime(x.UTC)
		if ok && v.Dense[0] == float64(at)/1e6 {
			out[n] = x.UTC
		} else {
			out[n] = "another time"
		}
	}
	return out
}
