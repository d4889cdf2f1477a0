package postgres_test

import (
	"strings"
	"testing"

	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// What the server keeps for the slot grows with what is written, and is unknown while there is no slot.
func TestRetained(t *testing.T) {
	db := postgrestest.Start(t)
	url := db.CreateDB(t)
	db.Exec(t, url, "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t VALUES (1, 'a')")
	source := postgres.Source(url, "t")
	if n, err := source.Retained(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no slot") {
		t.Errorf("before the slot: %d %v", n, err)
	}
	c := open(t, source, "")
	c.until(func() bool { return c.live })
	before, err := source.Retained(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(t, url, "INSERT INTO t SELECT i, repeat(md5(i::text), 30) FROM generate_series(2, 5000) i")
	after, err := source.Retained(t.Context())
	if err != nil || after < before+4<<20 {
		t.Errorf("%d bytes before 5 MB were written, %d after (%v)", before, after, err)
	}
}
