package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// TestSinkStopsAtARowThatIsRefused holds that what no repetition can mend is fatal and names the row, that what came before
// the row is written, and that the flow goes on once the table takes it.
func TestSinkStopsAtARowThatIsRefused(t *testing.T) {
	s := postgrestest.Start(t)
	const columns = "task text, id text, prediction text, score float8, probabilities json, model_version text, asked_at timestamptz, position text, truth text, answered_at timestamptz, PRIMARY KEY (task, id)"
	var long strings.Builder // nothing that compresses: an index takes a third of a page
	for r := rand.New(rand.NewPCG(1, 2)); long.Len() < 9000; {
		fmt.Fprintf(&long, "%x", r.Uint64())
	}
	narrow := strings.Replace(columns, "id text", "id varchar(9)", 1)
	for _, c := range []struct {
		name, table, bad, says, mend string
	}{
		{"too long", narrow, "1234567890", "22001", "ALTER TABLE predictions ALTER id TYPE text"},
		{"check", columns + ", CONSTRAINT few CHECK (id <> 'bad')", "bad", "23514", "ALTER TABLE predictions DROP CONSTRAINT few"},
		{"index", columns, long.String(), "54000", ""},
		{"trigger", columns, "bad", "P0001", "DROP TRIGGER no ON predictions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := s.CreateDB(t)
			s.Exec(t, url, "CREATE TABLE predictions ("+c.table+")")
			if c.name == "trigger" {
				s.Exec(t, url, `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					IF NEW.id = 'bad' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
					CREATE TRIGGER no BEFORE INSERT ON predictions FOR EACH ROW EXECUTE FUNCTION no()`)
			}
			w := postgres.Sink(url, "predictions")
			resume(t, w, 1, tidemill.Mark{})
			var out []tidemill.Output
			for i := range 200 {
				out = append(out, predicted(uint64(i+1), fmt.Sprint(i), "no"))
			}
			out[150].ID = c.bad
			err := w.Write(context.Background(), out)
			if err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "sink public.predictions: the table does not take the row of task late, id "+c.bad) {
				t.Fatalf("got %v", err)
			}
			if got := table(t, s, url, "SELECT count(*), max(m.seq) FROM predictions, tidemill_marks m"); got != "150 150" {
				t.Errorf("rows and mark before the row: %s", got)
			}
			if c.mend == "" {
				return
			}
			s.Exec(t, url, c.mend)
			if err := w.Resume(context.Background(), tidemill.Resumption{Flow: "f", Term: 2, After: tidemill.Mark{Term: 1, Seq: 100}, Replay: true}); err != nil {
				t.Fatal(err)
			}
			write(t, w, out[100:]...)
			if got := table(t, s, url, "SELECT count(*), max(m.seq) FROM predictions, tidemill_marks m"); got != "200 200" {
				t.Errorf("after the mend: %s", got)
			}
		})
	}
}
