package main

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// odd is a table as people have them. Rows are numbered n: 1 to 300 with their answers, then 1001 to 1060 without.
type odd struct {
	name   string // of the case
	table  string // as --table takes it; "" leaves the choice to init
	make   string
	row    string   // SELECT of one row from n; "?" stands for the answer, which is NULL in the rows that are asked about
	into   string   // INSERT INTO ...
	truth  string   // the answer, from n
	want   []string // lines of the flow
	absent []string
	mend   string // run before check --connect: what init said
	id     string // of a row, from n; default n
}

const (
	known = "300"
	label = "(n % 100 > 50)"
)

func oddPostgres() []odd {
	wide, of := "", ""
	for i := range 200 {
		wide += fmt.Sprintf(", c%d double precision", i)
		if of += ", "; i == 7 {
			of += "n % 100"
		} else {
			of += fmt.Sprintf("(n * %d) %% 3", i+1)
		}
	}
	return []odd{
		{name: "plain", table: "customers", make: "CREATE TABLE customers (id int PRIMARY KEY, age int, city text, churned boolean)",
			into: "customers", row: "n, n % 100, 'city' || n % 5, ?", truth: label, want: []string{"numeric: [age]", "onehot: [city]", `label: "churned"`, "model: logistic"}},
		{name: "two schemas", table: "shop.customers", make: "CREATE SCHEMA shop; CREATE TABLE shop.customers (id int PRIMARY KEY, spend float8, churned boolean)",
			into: "shop.customers", row: "n, n % 100, ?", truth: label, want: []string{"tables: [shop.customers]", "-shop-customers"}},
		{name: "no key, a column without doubles", table: "nokey", make: "CREATE TABLE nokey (no int, v int, returned boolean)", into: "nokey", row: "n, n % 100, ?", truth: label,
			want: []string{`id: "no"`, `ALTER TABLE "public"."nokey" ADD PRIMARY KEY ("no");`, "numeric: [v]"}, mend: `ALTER TABLE "public"."nokey" ADD PRIMARY KEY ("no")`},
		{name: "no key at all", table: "nothing", make: "CREATE TABLE nothing (v int, returned boolean)", into: "nothing (v, returned)", row: "n % 100, ?", truth: label,
			want: []string{`ALTER TABLE "public"."nothing" ADD COLUMN id bigserial PRIMARY KEY;`}, mend: `ALTER TABLE "public"."nothing" ADD COLUMN id bigserial PRIMARY KEY`, id: "CASE WHEN n > 1000 THEN n - 700 ELSE n END"},
		{name: "composite key", table: "lines", make: "CREATE TABLE lines (order_no int, line_no int, sku text, price numeric(10,2), returned boolean, PRIMARY KEY (order_no, line_no))",
			into: "lines", row: "n / 3, n % 3, 'sku' || n % 7, n % 100 + 0.5, ?", truth: label, id: "(n / 3) || ',' || (n % 3)", want: []string{"numeric: [price]", "left out: order_no, line_no (key)"}},
		{name: "reserved words", table: "Order", make: `CREATE TABLE "Order" ("Id" int PRIMARY KEY, "select" int, "group" text, "From Where" float8, "is" boolean, "Weird""Name" int, "äöü" int, "on" int, "null" boolean)`,
			into: `"Order"`, row: "n, n % 10, 'g' || n % 2, n % 100, n % 3 = 0, n % 17, n % 9, n % 4, ?", truth: label,
			want: []string{`"From Where"`, `"Weird\"Name"`, `"äöü"`, `"on"`, `label: "\"null\""`}},
		{name: "blanks in names", table: "Old Shop.My Table", make: `CREATE SCHEMA "Old Shop"; CREATE TABLE "Old Shop"."My Table" (id int PRIMARY KEY, "Some Value" float8, is_bad boolean)`,
			into: `"Old Shop"."My Table"`, row: "n, n % 100, ?", truth: label, want: []string{`tables: ["Old Shop.My Table"]`}},
		{name: "types", table: "typed", make: `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TABLE typed (id uuid PRIMARY KEY, m mood, tags text[], scores int[], doc jsonb, x xml,
			total int GENERATED ALWAYS AS (qty * 2) STORED, qty int, ip inet, span interval, r int4range, d date, mny money, b bit(8), pt point, outcome mood)`,
			into: "typed (id, m, tags, scores, doc, x, qty, ip, span, r, d, mny, b, pt, outcome)", id: "lpad(n::text, 32, '0')::uuid",
			row:   "lpad(n::text, 32, '0')::uuid, (ARRAY['sad','ok','happy'])[1 + n % 3]::mood, ARRAY['a','b'], ARRAY[n, 2], '{\"a\":1}', '<a/>', n % 100, '10.0.0.1', '1 day', '[1,5)', '2024-01-01'::date + n, 5, b'10101010', '(1,2)', ?",
			truth: "CASE WHEN " + label + " THEN 'happy'::mood ELSE 'sad'::mood END", want: []string{"numeric: [qty]", "onehot: [m]", "model: softmax", "doc (jsonb)", "tags (text[])"}, absent: []string{"total"}},
		{name: "partitions", table: "parts", make: `CREATE TABLE parts (id int, at timestamptz NOT NULL, v float8, fraud boolean, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
			CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-07-01'); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2024-07-01') TO ('2025-01-01')`,
			into: "parts", row: "n, '2024-01-01'::timestamptz + n * interval '5 hours', n % 100, ?", truth: label, id: "-1", want: []string{"at: at", "numeric: [v]"}},
		{name: "200 columns", table: "wide", make: "CREATE TABLE wide (id int PRIMARY KEY, label boolean" + wide + ")", into: "wide", row: "n, ?" + of, truth: label, want: []string{"numeric: [c0, c1, c3"}},
		{name: "empty", table: "empty", make: "CREATE TABLE empty (id int PRIMARY KEY, a int, b text, created_at timestamptz, label boolean)", into: "empty", want: []string{"numeric: [a]", "onehot: [b]"}},
		{name: "delayed", table: "late", make: "CREATE TABLE late (id int PRIMARY KEY, created_at timestamptz NOT NULL, closed_at timestamptz, amount numeric, reason text, refunded boolean)",
			into: "late", row: "n, '2024-01-01'::timestamptz + n * interval '1 hour', CASE WHEN n < 290 THEN '2024-01-01'::timestamptz + n * interval '2 hours' END, n % 100, CASE WHEN n < 290 THEN 'r' || n % 2 END, CASE WHEN n < 290 THEN (?)::boolean END",
			truth: label, want: []string{"at: created_at}", "at: closed_at, label", "wait: 30d", "reason (filled in later?)", "time: {column: created_at, parts: [weekday, hour], circle: true}"}},
		{name: "pictures", table: "photos", make: "CREATE TABLE photos (id int PRIMARY KEY, image bytea, is_dark boolean)", into: "photos", truth: label,
			row: `n, decode(CASE WHEN ` + label + ` THEN '` + pngOf(48, 40, 20) + `' ELSE '` + pngOf(48, 40, 230) + `' END, 'hex'), ?`, want: []string{"image: {column: image, width: 32, height: 27} # of 48 x 40 pixels"}},
		{name: "references", table: "visits", make: "CREATE TABLE doctors (no int PRIMARY KEY); INSERT INTO doctors SELECT generate_series(0, 9); CREATE TABLE visits (id int PRIMARY KEY, doctor int REFERENCES doctors, referred_by int REFERENCES doctors, age int, missed boolean)",
			into: "visits", row: "n, n % 10, CASE WHEN n % 2 = 0 THEN 3 END, n % 100, ?", truth: label, want: []string{"onehot: [doctor]", "numeric: [age]", `label: "missed"`, "referred_by (always the same)"}},
		{name: "little but a key", table: "grades", make: "CREATE TABLE grades (pupil int, subject text, passed boolean, PRIMARY KEY (pupil, subject))", into: "grades", row: "n, CASE WHEN " + label + " THEN 'a' ELSE 'b' END, ?", truth: label,
			id: "n || ',' || CASE WHEN " + label + " THEN 'a' ELSE 'b' END", want: []string{"onehot: [subject]", "left out: pupil (key)"}},
		{name: "infinities", table: "endless", make: "CREATE TABLE endless (id int PRIMARY KEY, v int, ratio float8, exact numeric, until timestamptz, coupon text, failed boolean)", into: "endless",
			row: "n, n % 100, CASE WHEN n % 10 = 0 THEN 'infinity'::float8 ELSE 1 / (n::float8) END, CASE WHEN n % 10 = 0 THEN 'NaN'::numeric ELSE n % 7 END, CASE WHEN n % 10 = 0 THEN 'infinity'::timestamptz ELSE now() END, CASE WHEN n % 3 = 0 THEN 'SUMMER' END, ?", truth: label,
			want: []string{"numeric: [v, exact]", "onehot: [coupon]", "ratio, until (infinite in some rows)"}},
		{name: "times as text and numbers", table: "texty", make: "CREATE TABLE texty (id int PRIMARY KEY, created text, seen_at bigint, amount int, is_fraud text)", into: "texty",
			row: "n, to_char('2024-01-01'::timestamp + n * interval '1 hour', 'YYYY-MM-DD HH24:MI:SS'), 1700000000000 + n * 1000::bigint, n % 100, ?", truth: "CASE WHEN " + label + " THEN 'yes' ELSE 'no' END", want: []string{"at: created,", "numeric: [amount]", "seen_at (time)", "model: softmax"}},
		{name: "a number", table: "houses", make: "CREATE TABLE houses (id int PRIMARY KEY, area float8, rooms int, price float8)", into: "houses", row: "n, n % 100 + n / 1000.0, n % 4, ?", truth: "(n % 100) * 1000.0 + n / 100.0",
			want: []string{`label: "price"`, "model: linear"}},
	}
}

// TestInitPostgres: the flow that init writes for a table is valid for an editor, passes check, runs, and predicts what it should.
func TestInitPostgres(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.CreateDB(t)
	dir := t.TempDir()
	env := []string{"PGTZ=UTC"}
	for _, o := range oddPostgres() {
		server.Exec(t, url, o.make)
		fill := func(from, to, truth string) {
			if o.row != "" {
				server.Exec(t, url, "INSERT INTO "+o.into+" SELECT "+strings.ReplaceAll(o.row, "?", truth)+" FROM generate_series("+from+", "+to+") AS n")
			}
		}
		fill("1", known, o.truth)
		t.Run(o.name, func(t *testing.T) {
			flow := o.written(t, dir, env, url)
			if o.mend != "" {
				server.Exec(t, url, o.mend)
			}
			_, stderr := call(t, dir, env, exitOK, "check", flow, "--connect")
			if strings.Contains(stderr, "ERROR") {
				t.Fatalf("%s", stderr)
			}
			call(t, dir, env, exitOK, "run", flow, "--once", "--listen", "localhost:0")
			fill("1001", "1060", "NULL")
			call(t, dir, env, exitOK, "run", flow, "--once", "--listen", "localhost:0")
			call(t, dir, env, exitOK, "source", "drop", flow)
			if o.row == "" {
				return
			}
			id := o.id
			if id == "" {
				id = "n"
			}
			// Of a partitioned table and of times in the key the id is not rebuilt here: how many are there is enough.
			rows := server.Query(t, url, "SELECT count(*), count(*) FILTER (WHERE p.prediction = ("+o.truth+")::text), coalesce(avg(abs(p.score - "+numberOr(o.truth)+")), 0), (SELECT count(*) FROM predictions) FROM predictions p JOIN generate_series(1001, 1060) AS n ON p.id = ("+id+")::text")
			var asked, right, all int
			var off float64
			fmt.Sscan(strings.Join(rows[0], " "), &asked, &right, &off, &all)
			switch {
			case id == "-1":
				if all != 60 {
					t.Errorf("%d predictions", all)
				}
			case asked != 60:
				t.Errorf("%d of 60 rows were asked about (%d predictions)", asked, all)
			case strings.Contains(o.truth, "1000.0"):
				if off > 8000 {
					t.Errorf("it is off by %v on average, of 0 to 100,000", off)
				}
			case right < 50:
				t.Errorf("%d of 60 are right", right)
			}
			server.Exec(t, url, "DROP TABLE predictions")
		})
	}
	// The choice is told; what is no table is refused; a name that is nearly right is named.
	written, _ := call(t, dir, env, exitOK, "init", url)
	if !strings.Contains(written, "# Other tables with what looks like an answer, for --table: ") {
		t.Errorf("init is silent about the other tables:\n%.600s", written)
	}
	server.Exec(t, url, "CREATE VIEW seen AS SELECT * FROM customers; CREATE TABLE keys_only (id int PRIMARY KEY)")
	for table, want := range map[string]string{"seen": "seen is not a table", "custmers": `the nearest is "customers"`, "keys_only": "no column that can be a feature"} {
		code := exitValidation
		if table == "custmers" {
			code = exitEnvironment
		}
		if out, stderr := call(t, dir, env, code, "init", url, "--table", table); !strings.Contains(stderr, want) || out != "" {
			t.Errorf("--table %s: %s%s", table, out, stderr)
		}
	}
	// A table that the role may not read does not keep it from the others.
	server.Exec(t, url, "CREATE ROLE reader_of_init LOGIN PASSWORD 'x'; GRANT SELECT ON customers TO reader_of_init")
	written, stderr := call(t, dir, env, exitOK, "init", server.UserURL("reader_of_init", "x", server.Query(t, url, "SELECT current_database()")[0][0]))
	if !strings.Contains(written, "tables: [customers]") || !strings.Contains(stderr, "is passed over") || strings.Contains(written+stderr, ":x@") {
		t.Errorf("with one table to read:\n%s%s", written, stderr)
	}
	server.Exec(t, url, "DROP OWNED BY reader_of_init; DROP ROLE reader_of_init")
}

// numberOr is the truth where it is a number, else 0.
func numberOr(truth string) string {
	if strings.Contains(truth, "1000.0") {
		return truth
	}
	return "0"
}

// written calls init and looks at what it writes.
func (o *odd) written(t *testing.T, dir string, env []string, where string) (flow string) {
	t.Helper()
	args := []string{"init", where}
	if o.table != "" {
		args = append(args, "--table", o.table)
	}
	out, _ := call(t, dir, env, exitOK, args...)
	for _, w := range o.want {
		if !strings.Contains(out, w) {
			t.Errorf("the flow has no %s:\n%s", w, out)
		}
	}
	for _, w := range o.absent {
		if strings.Contains(out, w) {
			t.Errorf("the flow has %s:\n%s", w, out)
		}
	}
	if first, _, _ := strings.Cut(out, "\n"); !strings.HasPrefix(first, "# yaml-language-server: $schema=https://") {
		t.Errorf("the first line is %q", first)
	}
	for i, l := range strings.Split(out, "\n") {
		if len([]rune(l)) > 200 {
			t.Errorf("line %d has %d letters", i+1, len([]rune(l)))
		}
	}
	if err := flowSchema(t).Validate(asJSON(t, out)); err != nil {
		t.Errorf("an editor finds fault: %v\n%s", err, out)
	}
	flow = strings.ReplaceAll(o.name, " ", "-") + ".yaml"
	must(t, os.WriteFile(filepath.Join(dir, flow), []byte(out), 0o644))
	call(t, dir, env, exitOK, "check", flow)
	return flow
}

// pngOf is a grey picture as the hex digits of a PNG file.
func pngOf(width, height int, grey uint8) string {
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = grey
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b.Bytes())
}

// TestInitPasswords: no way to write a password into a URL makes init print it, nor a part of it.
func TestInitPasswords(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Password("s3cr3t"))
	where := strings.TrimPrefix(server.URL("postgres"), "postgres://")
	user, rest, _ := strings.Cut(where, ":")
	_, host, _ := strings.Cut(rest, "@")
	host, options, _ := strings.Cut(host, "?")
	server.Exec(t, server.URL("postgres"), "CREATE TABLE customers (id int PRIMARY KEY, age int, churned boolean); INSERT INTO customers SELECT n, n % 100, n % 2 = 0 FROM generate_series(1, 100) n")
	for _, url := range []string{"postgres://" + user + "@" + host + "?password=s3cr3t&" + options, server.URL("postgres")} {
		out, stderr := call(t, t.TempDir(), nil, exitOK, "init", url)
		if strings.Contains(out+stderr, "s3cr3t") || !strings.Contains(out, `url: "${DATABASE_URL}"`) {
			t.Errorf("%s%s", out, stderr)
		}
	}
	for _, url := range []string{"postgres://" + user + ":pa@s3cr3t@" + host, "postgres://" + user + ":pa/@s3cr3t@" + host, "postgres://" + user + ":s3cr3t#x@" + host, "postgres://" + user + ":s3cr3t?x@" + host,
		"postgres://" + user + ":s3cr3t%zz@" + host, "postgres://" + user + ":as3cr3t@" + host, "mysql://root:s3cr3t@localhost/x", "host=localhost port=1 user=x password=s3cr3t"} {
		for _, line := range [][]string{{"init", url}, {"check", "flow.yaml", "--connect"}, {"run", "flow.yaml", "--once"}} {
			c := exec.Command(binary, line...)
			c.Dir = t.TempDir()
			c.Env = append(os.Environ(), "URL="+url)
			must(t, os.WriteFile(filepath.Join(c.Dir, "flow.yaml"), []byte("name: a\nsource: {postgres: {url: \"${URL}\", tables: [customers]}}\n"+
				"tasks: [{name: b, learn: {table: customers, label: churned}, features: [numeric: age], model: logistic}]\n"), 0o644))
			if out, err := c.CombinedOutput(); err == nil || strings.Contains(string(out), "s3cr3t") || len(out) == 0 {
				t.Errorf("%s %s: %v: %s", line[0], url, err, out)
			}
		}
	}
}

func oddSQLite() []odd {
	return []odd{
		{name: "no key", table: "nokey", make: "CREATE TABLE nokey (v int, returned boolean)", into: "nokey", row: "n % 100, ?", truth: label, id: "CASE WHEN n > 1000 THEN n - 700 ELSE n END", want: []string{"numeric: [v]", "model: logistic"}},
		{name: "reserved words", table: "Order", make: `CREATE TABLE "Order" ("Id" integer PRIMARY KEY, "select" int, "group" text, "From Where" real, "on" int, "label" boolean)`,
			into: `"Order"`, row: "n, n % 10, 'g' || n % 2, n % 100, n % 4, ?", truth: label, want: []string{`"From Where"`, `"on"`}},
		{name: "composite key", table: "lines", make: "CREATE TABLE lines (o int, l int, price real, returned int, PRIMARY KEY (o, l)) WITHOUT ROWID", into: "lines", row: "n / 3, n % 3, n % 100, ?", truth: label, id: "(n / 3) || ',' || (n % 3)"},
		{name: "seconds since 1970", table: "seconds", make: "CREATE TABLE seconds (id integer PRIMARY KEY, created_at integer, amount real, is_bad int)", into: "seconds", row: "n, 1700000000 + 3600 * n, n % 100, ?", truth: label,
			want: []string{"at: created_at, unix: s", "circle: true, unix: s"}, absent: []string{"numeric: [created_at"}},
		{name: "milliseconds since 1970", table: "millis", make: "CREATE TABLE millis (id integer PRIMARY KEY, created_at TIMESTAMP, amount real, is_bad int)", into: "millis", row: "n, 1700000000000 + 3600000 * n, n % 100, ?", truth: label,
			want: []string{"at: created_at, unix: ms"}},
		{name: "times as text", table: "texttimes", make: "CREATE TABLE texttimes (id integer PRIMARY KEY, paid_at TEXT, reviewed_at TEXT, amount real, seen_on TEXT, is_fraud int)", into: "texttimes",
			row:   "n, datetime('2024-01-01', n || ' hours'), CASE WHEN n < 290 THEN datetime('2024-01-03', n || ' hours') END, n % 100, 'shelf ' || (n % 3), CASE WHEN n < 290 THEN (?) END",
			truth: label, want: []string{"at: paid_at}", "at: reviewed_at, label", "onehot: [seen_on]", "time: {column: paid_at, parts: [weekday, hour], circle: true}", "numeric: [amount]"}},
		{name: "times that cannot be read", table: "us", make: "CREATE TABLE us (id integer PRIMARY KEY, created_at DATETIME, amount real, is_bad int)", into: "us", row: "n, (1 + n % 12) || '/01/2024 10:00', n % 100, ?", truth: label,
			want: []string{"created_at (neither ISO text nor"}, absent: []string{"at: created_at"}},
		{name: "generated and json", table: "gen", make: "CREATE TABLE gen (id integer PRIMARY KEY, q int, twice int GENERATED ALWAYS AS (q * 2) STORED, doc json, label bool)", into: "gen (id, q, doc, label)", row: "n, n % 100, '{}', ?", truth: label,
			want: []string{"doc (json)"}},
		{name: "empty", table: "empty", make: "CREATE TABLE empty (id integer PRIMARY KEY, a int, label boolean)", into: "empty", want: []string{"numeric: [a]", "model: logistic"}},
		{name: "no types", table: "untyped", make: "CREATE TABLE untyped (id integer PRIMARY KEY, x, y, z, won)", into: "untyped", row: "n, n % 100, CASE WHEN n % 5 = 0 THEN 'none' ELSE n END, 'z' || (n % 3), ?", truth: label,
			want: []string{"numeric: [x]", "onehot: [z]", "y (numbers, text or bytes by the row)", "model: logistic"}},
		{name: "text among numbers", table: "dirty", make: "CREATE TABLE dirty (id integer PRIMARY KEY, a int, b real, is_bad int)", into: "dirty", row: "n, CASE WHEN n % 50 = 0 THEN 'n/a' ELSE n END, n % 100, ?", truth: label,
			want: []string{"numeric: [b]", "a (numbers, text or bytes by the row)"}},
		{name: "pictures", table: "photos", make: "CREATE TABLE photos (id integer PRIMARY KEY, image blob, is_dark int)", into: "photos", truth: label,
			row: `n, CASE WHEN ` + label + ` THEN x'` + pngOf(12, 9, 20) + `' ELSE x'` + pngOf(12, 9, 230) + `' END, ?`, want: []string{"image: {column: image, width: 12, height: 9}"}},
		{name: "references", table: "visits", make: "CREATE TABLE doctors (no integer PRIMARY KEY); CREATE TABLE visits (id integer PRIMARY KEY, doctor int REFERENCES doctors (no), age int, missed int)", into: "visits", row: "n, n % 10, n % 100, ?", truth: label,
			want: []string{"onehot: [doctor]", "numeric: [age]"}},
		{name: "only text", table: "texts", make: "CREATE TABLE texts (id text PRIMARY KEY, words text, spam boolean)", into: "texts", row: "n, CASE WHEN n % 100 > 50 THEN 'cheap pills ' ELSE 'dear friend ' END || n, ?", truth: label,
			want: []string{"text: words"}},
	}
}

// TestInitSQLite is TestInitPostgres over SQLite.
func TestInitSQLite(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "odd.db")+busy)
	must(t, err)
	defer db.Close()
	for _, o := range oddSQLite() {
		fill := func(from, to, truth string) {
			if o.row != "" {
				_, err := db.Exec("WITH RECURSIVE s(n) AS (SELECT " + from + " UNION ALL SELECT n + 1 FROM s WHERE n < " + to + ") INSERT INTO " + o.into + " SELECT " + strings.ReplaceAll(o.row, "?", truth) + " FROM s")
				must(t, err)
			}
		}
		_, err := db.Exec(o.make)
		must(t, err)
		fill("1", known, o.truth)
		t.Run(o.name, func(t *testing.T) {
			flow := o.written(t, dir, nil, "odd.db")
			_, stderr := call(t, dir, nil, exitOK, "check", flow, "--connect")
			if strings.Contains(stderr, "ERROR") {
				t.Fatalf("%s", stderr)
			}
			call(t, dir, nil, exitOK, "run", flow, "--once", "--listen", "localhost:0")
			fill("1001", "1060", "NULL")
			call(t, dir, nil, exitOK, "run", flow, "--once", "--listen", "localhost:0")
			if o.row == "" {
				return
			}
			id := o.id
			if id == "" {
				id = "n"
			}
			var asked, right int
			must(t, db.QueryRow("WITH RECURSIVE s(n) AS (SELECT 1001 UNION ALL SELECT n + 1 FROM s WHERE n < 1060) SELECT count(*), coalesce(sum(p.prediction IN (CASE WHEN "+o.truth+" THEN 'true' ELSE 'false' END, "+o.truth+" || '')), 0) FROM predictions p JOIN s ON p.id = "+id+" || ''").Scan(&asked, &right))
			if asked != 60 || right < 50 {
				var all, ids string
				must(t, db.QueryRow("SELECT count(*), coalesce(group_concat(id, ' '), '') FROM (SELECT id FROM predictions LIMIT 10)").Scan(&all, &ids))
				t.Errorf("%d of 60 rows were asked about, %d are right; there are %s...: %s", asked, right, all, ids)
			}
			_, err := db.Exec("DROP TABLE predictions")
			must(t, err)
		})
	}
}

// flowSchema is what `tidemill schema` prints.
func flowSchema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	out, _ := call(t, ".", nil, exitOK, "schema")
	var s jsonschema.Schema
	must(t, json.Unmarshal([]byte(out), &s))
	r, err := s.Resolve(nil)
	must(t, err)
	return r
}

// asJSON reads YAML as a JSON value.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	must(t, yaml.Unmarshal([]byte(text), &v))
	data, err := json.Marshal(v)
	must(t, err)
	must(t, json.Unmarshal(data, &v))
	return v
}
