package expr_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// randomExpr writes a well-typed expression over the columns i1 i2 (integers), f1 f2 (floats), t1 t2 (texts).
type randomExpr struct{ *rand.Rand }

func (r randomExpr) pick(of ...string) string { return of[r.IntN(len(of))] }

func (r randomExpr) number(depth int) string {
	if depth <= 0 {
		return r.pick("i1", "i2", "f1", "f2", "0", "1", "-3", "7", "2.5", "-0.5", "null", "9223372036854775807", "100000000000000000000")
	}
	a, b := r.number(depth-1), r.number(depth-2)
	switch r.IntN(8) {
	case 0:
		return "(" + a + ") + (" + b + ")"
	case 1:
		return "(" + a + ") - (" + b + ")"
	case 2:
		return a + " * (" + b + ")"
	case 3:
		return "(" + a + ") / (" + b + ")"
	case 4:
		return "- (" + a + ")"
	case 5:
		return "coalesce(" + a + ", " + b + ")"
	case 6:
		return "case when " + r.truth(depth-1) + " then " + a + " when " + r.truth(depth-2) + " then " + b + " else " + r.number(depth-2) + " end"
	}
	return "case when " + r.truth(depth-1) + " then " + a + " end"
}

func (r randomExpr) text(depth int) string {
	if depth <= 0 {
		return r.pick("t1", "t2", "'abc'", "'ABC'", "''", "'it''s'", "null")
	}
	switch r.IntN(4) {
	case 0:
		return "lower(" + r.text(depth-1) + ")"
	case 1:
		return "upper(" + r.text(depth-1) + ")"
	case 2:
		return "coalesce(" + r.text(depth-1) + ", " + r.text(depth-2) + ")"
	}
	return "case when " + r.truth(depth-1) + " then " + r.text(depth-1) + " else " + r.text(depth-2) + " end"
}

func (r randomExpr) truth(depth int) string {
	side := r.number
	if r.IntN(3) == 0 {
		side = r.text
	}
	not := r.pick("", "not ")
	if depth <= 0 {
		return "(" + side(0) + ")" + r.pick(" = ", " <> ", " != ", " < ", " <= ", " > ", " >= ") + "(" + side(0) + ")"
	}
	switch r.IntN(7) {
	case 0:
		return r.truth(depth-1) + r.pick(" and ", " or ") + r.truth(depth-1)
	case 1:
		return "not " + r.truth(depth-1)
	case 2:
		return "(" + r.truth(depth-1) + ")"
	case 3:
		return "(" + side(depth-1) + ") " + not + "in (" + side(depth-1) + ", " + side(0) + ", " + side(0) + ")"
	case 4:
		return "(" + side(depth-1) + ") " + not + "between (" + side(depth-1) + ") and (" + side(0) + ")"
	case 5:
		return "(" + side(depth-1) + ") is " + not + "null"
	}
	return "(" + side(depth-1) + ")" + r.pick(" = ", " <> ", " < ", " <= ", " > ", " >= ") + "(" + side(depth-1) + ")"
}

func (r randomExpr) any() string {
	depth := r.IntN(4)
	switch r.IntN(3) {
	case 0:
		return r.number(depth)
	case 1:
		return r.text(depth)
	}
	return r.truth(depth)
}

func (r randomExpr) row() []tidemill.Value {
	ints := []tidemill.Value{tidemill.Null(), tidemill.Int(0), tidemill.Int(1), tidemill.Int(-3), tidemill.Int(7), tidemill.Int(1 << 53), tidemill.Int(-1 << 63)}
	floats := []tidemill.Value{tidemill.Null(), tidemill.Float(0), tidemill.Float(2.5), tidemill.Float(-0.5), tidemill.Float(7), tidemill.Float(1 << 53), tidemill.Float(1e300)}
	texts := []tidemill.Value{tidemill.Null(), tidemill.Text(""), tidemill.Text("abc"), tidemill.Text("ABC"), tidemill.Text("b")}
	var row []tidemill.Value
	for _, of := range [][]tidemill.Value{ints, ints, floats, floats, texts, texts} {
		row = append(row, of[r.IntN(len(of))])
	}
	return row
}

func randomTable() *tidemill.Table {
	return tidemill.NewTable("", "r", []tidemill.Column{{Name: "i1", Kind: tidemill.KindInt}, {Name: "i2", Kind: tidemill.KindInt},
		{Name: "f1", Kind: tidemill.KindFloat}, {Name: "f2", Kind: tidemill.KindFloat}, {Name: "t1", Kind: tidemill.KindText}, {Name: "t2", Kind: tidemill.KindText}}, nil)
}

func bindRandom(t *testing.T, src string) (*expr.Expr, *expr.Bound) {
	t.Helper()
	e, err := expr.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Bind(randomTable())
	if err != nil {
		t.Fatal(err)
	}
	return e, b
}

// TestExprAsSQLite: what SQLite says of the same expressions over the same rows.
func TestExprAsSQLite(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE r (i1 INTEGER, i2 INTEGER, f1 REAL, f2 REAL, t1 TEXT, t2 TEXT)"); err != nil {
		t.Fatal(err)
	}
	r := randomExpr{rand.New(rand.NewPCG(1, 2))}
	var rows [][]tidemill.Value
	for range 12 {
		row := r.row()
		args := make([]any, len(row))
		for i, v := range row {
			switch v.Kind() {
			case tidemill.KindInt:
				args[i] = v.Int()
			case tidemill.KindFloat:
				args[i] = v.Float()
			case tidemill.KindText:
				args[i] = v.Str()
			}
		}
		if _, err := db.Exec("INSERT INTO r VALUES (?, ?, ?, ?, ?, ?)", args...); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	for range 3000 {
		src := r.any()
		e, b := bindRandom(t, src)
		for _, text := range []string{src, e.String()} {
			found, err := db.Query("SELECT " + text + " FROM r ORDER BY rowid")
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			for i := 0; found.Next(); i++ {
				var want any
				if err := found.Scan(&want); err != nil {
					t.Fatal(err)
				}
				if got := plain(b.Eval(rows[i])); got != want {
					t.Fatalf("%s\nas %s\nover %v\nis %v (%T), SQLite says %v (%T)", src, e, rows[i], got, got, want, want)
				}
			}
			if err := found.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// plain is a value as SQLite gives it.
func plain(v tidemill.Value) any {
	switch v.Kind() {
	case tidemill.KindNull:
		return nil
	case tidemill.KindBool:
		if v.Bool() {
			return int64(1)
		}
		return int64(0)
	case tidemill.KindInt:
		return v.Int()
	case tidemill.KindFloat:
		return v.Float()
	}
	return v.String()
}

// TestExprUnknownIsHonest: where some values were not sent and the result is known all the same, no value that might have
// been there gives another result.
func TestExprUnknownIsHonest(t *testing.T) {
	r := randomExpr{rand.New(rand.NewPCG(3, 4))}
	known := 0
	for range 5000 {
		_, b := bindRandom(t, r.any())
		row := r.row()
		hidden := r.IntN(len(row))
		sent := append([]tidemill.Value(nil), row...)
		sent[hidden] = tidemill.Value{}
		got := b.Eval(sent)
		if !got.Known() {
			continue
		}
		known++
		for range 10 {
			row[hidden] = r.row()[hidden]
			if want := b.Eval(row); !got.Equal(want) {
				t.Fatalf("column %d not sent: %s; sent as %s: %s", hidden, got, row[hidden], want)
			}
		}
	}
	if known < 500 {
		t.Errorf("only %d results were known", known)
	}
}

func FuzzParseExpr(f *testing.F) {
	for _, s := range []string{"arr_delay > 15", "a in (1, 2.5, 'x')", "not a is not null", `case when "q" then -1 else coalesce(a, 'b''c') end`,
		"a between 1 and 2 and lower(b) <> upper('x')", "((((1", "- - -1", "1e", "'", strings.Repeat("(", 300)} {
		f.Add(s)
	}
	r := randomExpr{rand.New(rand.NewPCG(5, 6))}
	for range 50 {
		f.Add(r.any())
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, err := expr.Parse(src)
		if err != nil {
			if place, ok := err.(*expr.Error); !ok || place.Col < 1 || place.Col > len(src)+1 {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := expr.Parse(e.String())
		if err != nil || again.String() != e.String() || fmt.Sprint(again.Columns()) != fmt.Sprint(e.Columns()) {
			t.Fatalf("%q prints %q, which reads as %v, %v", src, e, again, err)
		}
		var columns []tidemill.Column
		row := []tidemill.Value{tidemill.Int(1), tidemill.Text("1"), tidemill.Null(), {}, tidemill.Float(0.5), tidemill.Decimal("1"), tidemill.Other("x")}
		for range 7 {
			columns = columns[:0]
			for i, c := range e.Columns() {
				columns = append(columns, tidemill.Column{Name: c, Kind: row[i%len(row)].Kind()})
			}
			if b, err := e.Bind(tidemill.NewTable("", "t", columns, nil)); err == nil {
				long := row
				for len(long) < len(columns) {
					long = append(long, row...)
				}
				b.Eval(long)
				b.True(row[:1])
			}
			row = append(row[1:], row[0])
		}
	})
}
