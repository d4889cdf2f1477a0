package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

func TestSourceConfig(t *testing.T) {
	c := NewSourceConfig()
	c.Path, c.Tables = "a.db", []string{"flights"}
	s, err := c.Build("Late-flights")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.(tidemill.Describer).Describe(), `sqlite path="a.db" tables=[flights] log=tidemill_log_late_flights before=full`; got != want {
		t.Errorf("Describe gives %s, want %s", got, want)
	}
	for says, c := range map[string]*SourceConfig{
		"path is missing":    {Tables: []string{"t"}},
		"tables is missing":  {Path: "a"},
		`"T" is named twice`: {Path: "a", Tables: []string{"t", "T"}},
		"use letters":        {Path: "a", Tables: []string{"t"}, Log: "a b"},
		"for itself":         {Path: "a", Tables: []string{"t"}, Log: "sqlite_log"},
		"the change log":     {Path: "a", Tables: []string{"l"}, Log: "L"},
		"neither full nor":   {Path: "a", Tables: []string{"t"}, Before: "half"},
	} {
		if _, err := c.Build("f"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want: %s", c, err, says)
		}
	}
}

func TestSinkConfig(t *testing.T) {
	c := NewSinkConfig()
	c.Path = "p.db"
	s, err := c.Build("f")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.(tidemill.Describer).Describe(), `sqlite path="p.db" table=predictions truth=true`; got != want {
		t.Errorf("Describe gives %s, want %s", got, want)
	}
	for says, c := range map[string]*SinkConfig{
		"path is missing": {Table: "t"},
		"another table":   {Path: "a", Table: "tidemill_marks"},
	} {
		if _, err := c.Build("f"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want: %s", c, err, says)
		}
	}
}

func TestTableNames(t *testing.T) {
	dir := t.TempDir()
	here := filepath.Join(dir, "a.db")
	userDB(t, here, "wal", "CREATE TABLE t(a)")
	there := filepath.Join(dir, "x", "..", "a.db")
	if a, b := Source(here, "Predictions").TableNames(), Sink(there, "predictions").TableNames(); a[0] != b[0] {
		t.Errorf("one table has two names: %s, %s", a, b)
	}
	if a, b := Source(here, "t").TableNames(), Sink(filepath.Join(dir, "b.db"), "t").TableNames(); a[0] == b[0] {
		t.Errorf("two tables have one name: %s", a)
	}
}

func findingsText(fs []tidemill.Finding) (s string) {
	for _, f := range fs {
		s += fmt.Sprintf("%s %s: %s | %s\n", f.Level, f.Path, f.Text, f.Mend)
	}
	return s
}

func TestCheck(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "a.db")
	u := userDB(t, path, "delete", "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", "CREATE TABLE r(a)")
	got := findingsText(Source(path, "t", "r").Check(ctx))
	want := "warning source.sqlite: journal_mode is delete: writers wait while changes are read, and the snapshot is read from a temporary copy of the file | PRAGMA journal_mode=WAL\n" +
		"ok source.sqlite: table t: 2 columns, primary key id | \n" +
		"warning source.sqlite: table r has no primary key: rows are told apart by rowid, which VACUUM may change | give the table an INTEGER PRIMARY KEY\n" +
		"ok source.sqlite: the change log tidemill_log and 6 triggers will be made | \n"
	if got != want {
		t.Errorf("Check says\n%s, want\n%s", got, want)
	}
	for b, err := range Source(path, "t").Changes(ctx, "") {
		if err != nil || b.CaughtUp {
			break
		}
	}
	must(t, u, "INSERT INTO t VALUES(1,1)")
	if got := findingsText(Source(path, "t").Check(ctx)); !strings.Contains(got, "ok source.sqlite: the change log tidemill_log holds rows 1 to 2 | \n") {
		t.Errorf("Check beside a log says\n%s", got)
	}
	if got := findingsText(Sink(path, "t").Check(ctx)); !strings.Contains(got, `error sinks.sqlite: `+path+`: table "t" has no column task`) {
		t.Errorf("Check of a sink says\n%s", got)
	}
	if got := findingsText(Sink(path, "p").Check(ctx)); !strings.Contains(got, "table p will be made") {
		t.Errorf("Check of a sink says\n%s", got)
	}
	if got := findingsText(Sink(path+"2", "p").Check(ctx)); got != "ok sinks.sqlite: "+path+"2 and table p will be made | \n" {
		t.Errorf("Check of a new sink says\n%s", got)
	}
	tables, err := Source(path).Tables(ctx)
	if err != nil || len(tables) != 2 || tables[0].Name != "r" || tables[1].String() != "t" || tables[1].Key[0] != 0 {
		t.Errorf("Tables gives %v, %v", tables, err)
	}
}

func TestTypes(t *testing.T) {
	for native, want := range map[string]tidemill.Kind{"INTEGER": tidemill.KindInt, "bigint": tidemill.KindInt, "BOOLEAN": tidemill.KindInt, "VARCHAR(10)": tidemill.KindText,
		"DOUBLE PRECISION": tidemill.KindFloat, "REAL": tidemill.KindFloat, "DECIMAL(10,2)": tidemill.KindFloat, "NUMERIC": tidemill.KindFloat, "BLOB": tidemill.KindBytes,
		"DATETIME": tidemill.KindText, "timestamp": tidemill.KindText, "DATE": tidemill.KindText, "JSON": tidemill.KindText, "": tidemill.KindUnknown, "ANY": tidemill.KindUnknown} {
		if got := kindOf(native); got != want {
			t.Errorf("%q is of kind %s, want %s", native, got, want)
		}
	}
}
