package postgres_test

import (
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

func TestRecallAndFind(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	late := answered(5, "2", "no")
	late.Answered = late.Answered.Add(time.Hour)
	write(t, w, predicted(1, "1", "no"), predicted(2, "2", "yes"), predicted(3, "3", "yes"), answered(4, "1", "no"), late)
	got, err := postgres.Sink(url, "predictions").Recall(t.Context(), "late", 10)
	if err != nil || len(got) != 2 || got[0].ID != "2" || got[0].Label != "yes" || got[0].Truth != "no" || got[0].Score != 0.75 || got[0].Probabilities["no"] != 0.25 ||
		!got[0].Answered.Equal(late.Answered) || got[0].Asked.UTC().Format("15:04:05.000000") != "03:04:05.678901" || got[1].ID != "1" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := postgres.Sink(url, "others").Recall(t.Context(), "late", 10); err == nil {
		t.Error("a table that is not there was read")
	}
	s.Exec(t, url, `CREATE TABLE t (id int PRIMARY KEY, b bytea, note text); INSERT INTO t VALUES (1, '\x0102', 'x'), (2, NULL, 'y')`)
	c := postgres.Source(url, "t")
	s.Exec(t, url, "CREATE TABLE many AS SELECT i AS id FROM generate_series(1, 5000) AS i; ANALYZE many")
	if n, stream, err := postgres.Source(url, "many").Count(t.Context()); n != 5000 || stream != 0 || err != nil {
		t.Errorf("%d, %d, %v", n, stream, err)
	}
	found, err := c.Find(t.Context(), "public.t", "b", []string{"1", "2", "9", `\'`})
	if v := found["2"]; err != nil || len(found) != 2 || string(found["1"].Bytes()) != "\x01\x02" || !v.IsNull() {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := c.Find(t.Context(), "public.t", "note", []string{"1"}); err != nil || found["1"].Str() != "x" {
		t.Errorf("%v, %v", found, err)
	}
}
