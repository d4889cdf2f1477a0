package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// TestSinkStopsAtARowThatIsRefused holds that what no repetition can mend is fatal and names the row, and that the flow goes
// on once the table takes it.
func TestSinkStopsAtARowThatIsRefused(t *testing.T) {
	ctx := context.Background()
	const columns = "task TEXT, id TEXT, prediction TEXT, score REAL, probabilities TEXT, model_version TEXT, asked_at TEXT, position TEXT, truth TEXT, answered_at TEXT, PRIMARY KEY(task, id)"
	for _, c := range []struct{ name, made, bad, says, mend string }{
		{"check", "CREATE TABLE predictions(" + columns + ", CHECK(length(id) < 9))", "1234567890", "CHECK constraint failed", ""},
		{"strict", "CREATE TABLE predictions(" + strings.Replace(columns, "id TEXT", "id INTEGER", 1) + ") STRICT", "bad", "cannot store TEXT value in INTEGER column", ""},
		{"unique", "CREATE TABLE predictions(" + columns + "); CREATE UNIQUE INDEX one ON predictions(prediction) WHERE prediction='no'", "bad", "UNIQUE constraint failed", "DROP INDEX one"},
		{"trigger", "CREATE TABLE predictions(" + columns + "); CREATE TRIGGER no BEFORE INSERT ON predictions WHEN new.id='bad' BEGIN SELECT RAISE(ABORT, 'not this one'); END",
			"bad", "not this one", "DROP TRIGGER no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p.db")
			userDB(t, path, "wal", c.made).Close()
			s := Sink(path, "predictions")
			defer s.Close()
			if err := s.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
				t.Fatal(err)
			}
			out := []tidemill.Output{predicted(1, "1", "no"), predicted(2, c.bad, "no"), predicted(3, "3", "yes")}
			err := s.Write(ctx, out)
			if err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(err.Error(), "table predictions: the table does not take the row of task late, id "+c.bad) {
				t.Fatalf("got %v", err)
			}
			if c.mend == "" {
				return
			}
			d, err := open(path, readWrite)
			if err != nil {
				t.Fatal(err)
			}
			defer d.close()
			if err := d.exec(c.mend); err != nil {
				t.Fatal(err)
			}
			if err := s.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 2}); err != nil {
				t.Fatal(err)
			}
			if err := s.Write(ctx, out); err != nil {
				t.Fatal(err)
			}
			if got := rowsOf(t, path, "SELECT count(*) FROM predictions"); got != "3\n" {
				t.Errorf("after the mend: %s rows", got)
			}
		})
	}
}

// TestSinkStopsWhenItsTableIsGone holds that a table which was dropped while the flow writes to it is not waited for.
func TestSinkStopsWhenItsTableIsGone(t *testing.T) {
	ctx := context.Background()
	for _, gone := range []string{"predictions", "tidemill_marks"} {
		path, s, d := sinkBeside(t)
		if err := d.exec("DROP TABLE " + gone); err != nil {
			t.Fatal(err)
		}
		err := s.Write(ctx, []tidemill.Output{predicted(1, "1", "no")})
		if err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "no such table") || !strings.Contains(err.Error(), path) {
			t.Errorf("without %s: %v", gone, err)
		}
	}
}
