package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// TestBinaryIsRead stores every value of the types that are read in binary, in a table where they are, and compares with
// what the snapshot's text says.
func TestBinaryIsRead(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	var columns, sets []string
	for _, ty := range types {
		if !slices.Contains(strings.Fields("bool int2 int4 int8 float8 text varchar(5) char(5) bytea date timestamp timestamptz json"), ty.sql) {
			continue
		}
		col := fmt.Sprintf("c%d", len(columns))
		columns = append(columns, col+" "+ty.sql)
		for v := range ty.values {
			if !strings.Contains(v, "294276") && !strings.Contains(v, "5874897") { // beyond a Timestamp
				sets = append(sets, col+" = "+v)
			}
		}
	}
	for _, v := range []string{"'NaN'", "'-Infinity'", "1e-310", "123456789.125", "-1e22", "3.141592653589793"} {
		sets = append(sets, "c4 = "+v)
	}
	for _, v := range []string{"'2262-04-11 23:47:16.854775'", "'2300-01-01'", "'1999-12-31 23:59:59.999999'", "'9999-12-31 12:00'"} {
		sets = append(sets, "c10 = "+v, "c11 = "+v)
	}
	s.Exec(t, url, "CREATE TABLE v (id int PRIMARY KEY, "+strings.Join(columns, ", ")+"); ALTER TABLE v REPLICA IDENTITY FULL")
	for i, set := range sets {
		s.Exec(t, url, fmt.Sprintf("INSERT INTO v (id) VALUES (%d); UPDATE v SET %s WHERE id = %[1]d", i, set))
	}
	src := postgres.Source(url, "v")
	c := open(t, src, "")
	c.until(func() bool { return c.live })
	snapshot := c.changes
	c.changes, c.rows = nil, nil
	s.Exec(t, url, "UPDATE v SET id = id + 1000")
	c.until(func() bool { return len(c.changes) == len(snapshot) })
	for n := range snapshot {
		for i := range columns {
			a, b, old := snapshot[n].After[i+1], c.changes[n].After[i+1], c.changes[n].Before[i+1]
			if !a.Equal(b) || !a.Equal(old) || a.Kind() != b.Kind() || a.String() != b.String() {
				t.Errorf("%s: the snapshot has %s %q, the stream %s %q", columns[i], a.Kind(), a, b.Kind(), b)
			}
		}
	}
	if src.TextOnly() {
		t.Error("the source has gone over to text")
	}
	c.close()
	at := c.upto
	// Values and types that are read in text alone: the source says so once, and goes on in text.
	for _, sql := range []string{"UPDATE v SET c10 = '294276-12-31 23:59:59.999999' WHERE id = 1001", "ALTER TABLE v ADD n numeric; UPDATE v SET n = 1.10 WHERE id = 1002"} {
		s.Exec(t, url, sql+"; UPDATE v SET c10 = NULL WHERE id = 1003")
		fresh := postgres.Source(url, "v")
		d := open(t, fresh, at)
		var err error
		for err == nil && len(d.changes) == 0 && !fresh.TextOnly() {
			err = d.step()
		}
		if err != nil {
			d = open(t, fresh, at)
		} else if !strings.Contains(sql, "ALTER") { // the table has numeric by now: text from the start
			t.Errorf("%s: the source went on", sql)
		}
		d.until(func() bool { return len(d.changes) == 2 && d.upto != "" && d.caughtUp })
		row := d.changes[0].After
		if got := row[11].String() + " " + row[len(row)-1].String(); !strings.HasPrefix(got, "294276-12-31 23:59:59.999999") && !strings.HasSuffix(got, " 1.10") {
			t.Errorf("got %s", got)
		}
		d.close()
		at = d.upto
	}
}
