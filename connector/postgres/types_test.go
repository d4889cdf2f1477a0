package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// typed is one column: its type, and the values that are stored in it, in SQL, with what they are read as.
type typed struct {
	sql    string
	kind   tidemill.Kind
	values map[string]string // stored: "kind text"
}

var types = []typed{
	{"bool", tidemill.KindBool, map[string]string{"true": "bool true", "false": "bool false"}},
	{"int2", tidemill.KindInt, map[string]string{"-32768": "int -32768"}},
	{"int4", tidemill.KindInt, map[string]string{"2147483647": "int 2147483647", "0": "int 0"}},
	{"int8", tidemill.KindInt, map[string]string{"-9223372036854775808": "int -9223372036854775808", "9223372036854775807": "int 9223372036854775807"}},
	{"oid", tidemill.KindInt, map[string]string{"4294967295": "int 4294967295"}},
	{"float4", tidemill.KindFloat, map[string]string{"0.1": "float 0.1", "'NaN'": "float NaN", "'-Infinity'": "float -Inf", "1e38": "float 1e+38"}},
	{"float8", tidemill.KindFloat, map[string]string{"0.1": "float 0.1", "1.7976931348623157e308": "float 1.7976931348623157e+308", "'Infinity'": "float +Inf", "5e-324": "float 5e-324", "'-0'": "float -0"}},
	{"numeric", tidemill.KindDecimal, map[string]string{"1.10": "decimal 1.10", "123456789012345678901234567890.000": "decimal 123456789012345678901234567890.000", "'NaN'": "other NaN", "'-Infinity'": "other -Infinity"}},
	{"numeric(6,2)", tidemill.KindDecimal, map[string]string{"-3.14159": "decimal -3.14"}},
	{"text", tidemill.KindText, map[string]string{"''": "text ", `E'tab\t nl\n cr\r bs\b ff\f vt\x0b back\\ \\N ünï 𝄞'`: "text tab\t nl\n cr\r bs\b ff\f vt\v back\\ \\N ünï 𝄞", "'\\N'": "text \\N", "'\\.'": "text \\."}},
	{"varchar(5)", tidemill.KindText, map[string]string{"'ab '": "text ab "}},
	{"char(5)", tidemill.KindText, map[string]string{"'ab'": "text ab   "}},
	{`"char"`, tidemill.KindText, map[string]string{"'x'": "text x"}},
	{"name", tidemill.KindText, map[string]string{"'n'": "text n"}},
	{"bytea", tidemill.KindBytes, map[string]string{`'\x0001ff5c0a'`: "bytes \x00\x01\xff\x5c\x0a", `''`: "bytes "}},
	{"date", tidemill.KindTime, map[string]string{"'2016-11-04'": "time 2016-11-04T00:00:00Z", "'1600-02-29'": "time 1600-02-29T00:00:00Z", "'infinity'": "other infinity",
		"'-infinity'": "other -infinity", "'0001-01-01 BC'": "time 0000-01-01T00:00:00Z", "'5874897-12-31'": "other 5874897-12-31", "'12345-06-07'": "time 12345-06-07T00:00:00Z"}},
	{"time", tidemill.KindTime, map[string]string{"'13:51:30.123789'": "time 1970-01-01T13:51:30.123789Z", "'24:00'": "time 1970-01-02T00:00:00Z", "'00:00'": "time 1970-01-01T00:00:00Z"}},
	{"time(3)", tidemill.KindTime, map[string]string{"'13:51:30.12'": "time 1970-01-01T13:51:30.12Z"}},
	{"timetz", tidemill.KindOther, map[string]string{"'13:51:30.123789+02'": "other 13:51:30.123789+02"}},
	{"timestamp", tidemill.KindTime, map[string]string{"'2016-11-04 13:51:30.123456'": "time 2016-11-04T13:51:30.123456Z", "'infinity'": "other infinity", "'1969-12-31 23:59:59.999999'": "time 1969-12-31T23:59:59.999999Z",
		"'0044-03-15 12:00 BC'": "time -0043-03-15T12:00:00Z", "'294276-12-31 23:59:59.999999'": "other 294276-12-31 23:59:59.999999"}},
	{"timestamptz", tidemill.KindTime, map[string]string{"'2016-11-04 13:51:30.12+05:30'": "time 2016-11-04T08:21:30.12Z", "'-infinity'": "other -infinity", "'4713-01-02 00:00+00 BC'": "time -4712-01-02T00:00:00Z"}},
	{"interval", tidemill.KindOther, map[string]string{"'1 year 2 mons 3 days 04:05:06.78'": "other 1 year 2 mons 3 days 04:05:06.78", "'-00:00:01'": "other -00:00:01"}},
	{"uuid", tidemill.KindText, map[string]string{"'B68A35A7-17AD-35B3-AF2A-AE46EDB4545A'": "text b68a35a7-17ad-35b3-af2a-ae46edb4545a"}},
	{"json", tidemill.KindText, map[string]string{`'{"a" :  [1,"\n"]}'`: `text {"a" :  [1,"\n"]}`}},
	{"jsonb", tidemill.KindText, map[string]string{`'{"b":1,"a":null}'`: `text {"a": null, "b": 1}`}},
	{"xml", tidemill.KindText, map[string]string{"'<a/>'": "text <a/>"}},
	{"mood", tidemill.KindText, map[string]string{"'happy'": "text happy"}},
	{"positive", tidemill.KindInt, map[string]string{"7": "int 7"}},
	{"moment", tidemill.KindTime, map[string]string{"'2016-11-04 13:51:30+00'": "time 2016-11-04T13:51:30Z"}},
	{"pair", tidemill.KindOther, map[string]string{"ROW(1,'a b')": `other (1,"a b")`}},
	{"int4[]", tidemill.KindOther, map[string]string{"'{1,NULL,3}'": "other {1,NULL,3}", "'{{1,2},{3,4}}'": "other {{1,2},{3,4}}"}},
	{"text[]", tidemill.KindOther, map[string]string{`ARRAY['a b', E'q"\\', '']`: `other {"a b","q\"\\",""}`}},
	{"timestamptz[]", tidemill.KindOther, map[string]string{"ARRAY['2016-11-04 13:51:30+01'::timestamptz]": `other {"2016-11-04 12:51:30+00"}`}},
	{"inet", tidemill.KindOther, map[string]string{"'192.168.2.1/32'": "other 192.168.2.1", "'10.0.0.0/8'": "other 10.0.0.0/8"}},
	{"cidr", tidemill.KindOther, map[string]string{"'10.0.0.0/8'": "other 10.0.0.0/8"}},
	{"macaddr", tidemill.KindOther, map[string]string{"'08:00:2b:01:02:03'": "other 08:00:2b:01:02:03"}},
	{"bit(3)", tidemill.KindOther, map[string]string{"B'101'": "other 101"}},
	{"varbit", tidemill.KindOther, map[string]string{"B''": "other "}},
	{"money", tidemill.KindOther, map[string]string{"1234.56": "other $1,234.56"}},
	{"point", tidemill.KindOther, map[string]string{"'(1.5,-2)'": "other (1.5,-2)"}},
	{"int4range", tidemill.KindOther, map[string]string{"'[1,5)'": "other [1,5)"}},
	{"tsrange", tidemill.KindOther, map[string]string{"'[2019-03-31 15:30,)'": `other ["2019-03-31 15:30:00",)`}},
	{"tsvector", tidemill.KindOther, map[string]string{"'a cat'": "other 'a' 'cat'"}},
	{"pg_lsn", tidemill.KindOther, map[string]string{"'0/16B3748'": "other 0/16B3748"}},
	{"regclass", tidemill.KindOther, map[string]string{"'pg_class'": "other pg_class"}},
}

// TestTypes stores every type in a snapshot row and in a streamed one: both must be read the same, and as stated.
func TestTypes(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, `CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE DOMAIN instant AS timestamptz; CREATE DOMAIN moment AS instant;
		CREATE TYPE pair AS (a int, b text); ALTER DATABASE `+s.Query(t, url, "SELECT current_database()")[0][0]+` SET datestyle = 'SQL, DMY'; ALTER ROLE postgres SET extra_float_digits = 0`)
	t.Cleanup(func() { s.Exec(t, url, "ALTER ROLE postgres RESET ALL") })
	var columns, inserts []string
	var want []map[int]string
	for i, ty := range types {
		columns = append(columns, fmt.Sprintf("c%d %s", i, ty.sql))
		n := 0
		for v, text := range ty.values {
			if n == len(want) {
				want = append(want, map[int]string{})
				inserts = append(inserts, "")
			}
			want[n][i] = text
			inserts[n] += fmt.Sprintf(", c%d = %s", i, v)
			n++
		}
	}
	sql := ""
	for i, set := range inserts {
		sql += fmt.Sprintf("INSERT INTO v (id) VALUES (%d); UPDATE v SET id = id%s WHERE id = %[1]d;", i, set)
	}
	s.Exec(t, url, "CREATE TABLE v (id int PRIMARY KEY, "+strings.Join(columns, ", ")+");"+sql)
	c := open(t, postgres.Source(url, "v"), "")
	c.until(func() bool { return c.live })
	snapshot := c.changes
	c.changes, c.rows = nil, nil
	s.Exec(t, url, "UPDATE v SET id = id + 100") // all rows come as they are stored
	c.until(func() bool { return len(c.changes) == len(snapshot) })
	for n := range snapshot {
		a, b := snapshot[n], c.changes[n]
		if a.Table != b.Table && a.Table.Sum != b.Table.Sum {
			t.Fatalf("tables differ: %+v, %+v", a.Table, b.Table)
		}
		for i, ty := range types {
			if k := a.Table.Columns[i+1].Kind; k != ty.kind {
				t.Errorf("column %s is of kind %s, want %s", ty.sql, k, ty.kind)
			}
			expect := want[n][i]
			if expect == "" {
				expect = "null NULL"
			}
			for j, v := range []tidemill.Value{a.After[i+1], b.After[i+1]} {
				if got := v.Kind().String() + " " + v.String(); got != expect {
					t.Errorf("%s %s: got %q, want %q", [...]string{"snapshot", "stream"}[j], ty.sql, got, expect)
				}
			}
			if !a.After[i+1].Equal(b.After[i+1]) {
				t.Errorf("%s: snapshot and stream differ: %v, %v", ty.sql, a.After[i+1], b.After[i+1])
			}
		}
	}
	if f := snapshot[0].Table.Columns; f[1].Native != "boolean" || f[11].Native != "character varying(5)" || f[27].Native != "public.mood" {
		t.Errorf("native names %q, %q, %q", f[1].Native, f[11].Native, f[27].Native)
	}
}
