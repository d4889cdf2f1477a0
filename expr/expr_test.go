package expr_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

func exprTable() *tidemill.Table {
	return tidemill.NewTable("public", "flights", []tidemill.Column{
		{Name: "i", Kind: tidemill.KindInt}, {Name: "j", Kind: tidemill.KindInt},
		{Name: "f", Kind: tidemill.KindFloat}, {Name: "d", Kind: tidemill.KindDecimal},
		{Name: "b", Kind: tidemill.KindBool}, {Name: "carrier", Kind: tidemill.KindText},
		{Name: "at", Kind: tidemill.KindTime}, {Name: "landed", Kind: tidemill.KindTime},
		{Name: "raw", Kind: tidemill.KindBytes}, {Name: "mood", Kind: tidemill.KindOther},
		{Name: "any", Kind: tidemill.KindUnknown}, {Name: "odd name", Kind: tidemill.KindInt},
		{Name: "null", Kind: tidemill.KindInt}}, []int{0})
}

func micros(s string) tidemill.Value {
	t, err := time.Parse("2006-01-02 15:04:05.999999", s)
	if err != nil {
		panic(err)
	}
	return tidemill.TimeOf(t)
}

// exprRow: i = 7, j NULL, f = 2.5, d = 0.10, b true, carrier UA, at noon, landed a quarter past, raw NULL, mood happy.
func exprRow() []tidemill.Value {
	return []tidemill.Value{tidemill.Int(7), tidemill.Null(), tidemill.Float(2.5), tidemill.Decimal("0.10"), tidemill.Bool(true),
		tidemill.Text("UA"), micros("2024-05-01 12:00:00"), micros("2024-05-01 12:15:00.5"), tidemill.Null(),
		tidemill.Other("happy"), {}, tidemill.Int(3), tidemill.Int(4)}
}

func evalExpr(t *testing.T, src string, row []tidemill.Value) tidemill.Value {
	t.Helper()
	e, err := expr.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Bind(exprTable())
	if err != nil {
		t.Fatal(err)
	}
	return b.Eval(row)
}

func TestExprEval(t *testing.T) {
	for src, want := range map[string]string{
		// numbers
		"i + 1": "8", "i - 10": "-3", "i * i": "49", "i / 2": "3", "-i / 2": "-3", "i / 2.0": "3.5", "i / 0": "NULL", "f / 0.0": "NULL",
		"i + f": "9.5", "d + 1": "1.1", "-d": "-0.1", "- - i": "7", "2 + 3 * 4": "14", "(2 + 3) * 4": "20", "10 - 2 - 3": "5", "- -5": "5",
		"9223372036854775807 + 1": "9.223372036854776e+18", "-9223372036854775808": "-9223372036854775808",
		"-(-9223372036854775808)": "9.223372036854776e+18", "3037000500 * 3037000500": "9.22337203700025e+18",
		"-9223372036854775808 / -1": "9.223372036854776e+18", "-9223372036854775808 - 1": "-9.223372036854776e+18",
		".5 + 1e1": "10.5", "i > f": "true", "i = 7.0": "true", "i <> 7": "false", "i != 8": "true", "i <= 7": "true", "i < 7": "false", "i >= 8": "false",
		"9007199254740993 = 9007199254740992.0": "false", "9007199254740993 > 9007199254740992.0": "true",
		"d = 0.1": "true", "d = .10": "true", "d < 1": "true", "d > i": "false", "d between 0 and 0.1": "true",
		// three-valued logic
		"j": "NULL", "j > 15": "NULL", "not j > 15": "NULL", "j = j": "NULL", "j = null": "NULL", "j is null": "true", "j is not null": "false",
		"j > 1 and false": "false", "j > 1 and true": "NULL", "j > 1 or true": "true", "j > 1 or false": "NULL", "false and j > 1": "false",
		"j in (1, 2)": "NULL", "i in (1, 7, null)": "true", "i in (1, null)": "NULL", "i not in (1, null)": "NULL", "i not in (1, 2)": "true",
		"i not in (7, null)": "false", "j between 1 and 2": "NULL", "i between 8 and null": "false", "i between 1 and null": "NULL",
		"i not between 8 and null": "true", "j + 1": "NULL", "null / 0": "NULL", "coalesce(j, 5)": "5", "coalesce(j, null)": "NULL", "not null": "NULL",
		"i = 7 is not null": "true", "j = 7 is null": "true",
		// unknown: any was not sent
		"any": "?", "any > 1": "?", "any is null": "?", "any is not null": "?", "any + 1": "?", "any + j": "NULL", "any = null": "NULL", "not (any > 1)": "?",
		"any > 1 and false": "false", "any > 1 or true": "true", "any > 1 and j > 1": "?", "any > 1 or j > 1": "?", "coalesce(any, 1)": "?",
		"coalesce(1, any)": "1", "i in (7, any)": "true", "i in (1, any)": "?", "any in (1, 2)": "?", "case when any > 1 then 1 else 1 end": "?",
		"case when true then 1 else any end": "1", "lower(any)": "?", "-any": "?",
		// text
		"carrier = 'UA'": "true", "carrier < 'UB'": "true", "lower(carrier)": "ua", "upper('é')": "É", "carrier in ('AA', 'UA')": "true",
		"'it''s'": "it's", "mood = 'happy'": "true", "mood <> 'sad'": "true", "mood in ('sad', 'happy')": "true", "lower(null)": "NULL",
		// times
		"at < landed": "true", "landed - at": "900.5", "landed - at > 900": "true", "at + 60": "2024-05-01T12:01:00Z", "60 + at": "2024-05-01T12:01:00Z",
		"at - 0.5": "2024-05-01T11:59:59.5Z", "at = '2024-05-01 12:00:00'": "true", "at = '2024-05-01T14:00+02:00'": "true", "at >= '2024-05-01'": "true",
		"at between '2024-05-01' and '2024-05-02'": "true", "at - '2024-05-01'": "43200", "coalesce(null, at, '2024-01-01')": "2024-05-01T12:00:00Z",
		"'2024-05-01 12:00:00' in (at, landed)": "true",
		// booleans
		"b": "true", "not b": "false", "b = true": "true", "b = 1": "true", "b <> 0": "true", "b and i": "true", "not 0": "true", "not 0.5": "false",
		"true or j": "true", "b in (true, null)": "true",
		// case
		"case when j > 1 then 'a' when i > 1 then 'b' else 'c' end": "b", "case when j > 1 then 'a' end": "NULL",
		"CASE WHEN i = 1 THEN 1 ELSE 2.5 END": "2.5",
		// names
		`"odd name" + 1`: "4", `"null" + 1`: "5", "i\n+\t1": "8", "TRUE AND Not False": "true", "true": "true",
		// precedence
		"not i = 1 and b": "true", "false and false or true": "true", "true or false and false": "true", "i + 1 > 7 and not j is not null": "true",
	} {
		if got := evalExpr(t, src, exprRow()).String(); got != want {
			t.Errorf("%s = %s, want %s", src, got, want)
		}
	}
}

func TestExprValuesThatAreNotOfTheirColumnsKind(t *testing.T) {
	for _, c := range []struct {
		src, want string
		i         tidemill.Value // the value in column i, which says integer
	}{
		{"i > 5", "true", tidemill.Text("7")}, {"i > 5", "NULL", tidemill.Text("seven")}, {"i = 1", "true", tidemill.Bool(true)},
		{"i > 5", "NULL", tidemill.Blob([]byte("7"))}, {"i + 1", "8", tidemill.Text("7")}, {"i + 1", "NULL", tidemill.Text("x")},
		{"i > 5", "NULL", tidemill.Float(math.NaN())}, {"i = i", "NULL", tidemill.Float(math.NaN())}, {"i + 1", "NULL", tidemill.Float(math.NaN())},
		{"i > 5", "true", tidemill.Float(math.Inf(1))}, {"i < -5", "true", tidemill.Float(math.Inf(-1))}, {"i > 5", "true", tidemill.Other("Infinity")},
		{"i > 5", "NULL", tidemill.Other("NaN")}, {"i = 12345678901234567890.1", "true", tidemill.Decimal("12345678901234567890.1")},
	} {
		row := exprRow()
		row[0] = c.i
		if got := evalExpr(t, c.src, row).String(); got != c.want {
			t.Errorf("%s with i = %s (%s): %s, want %s", c.src, c.i, c.i.Kind(), got, c.want)
		}
	}
	row := exprRow()
	row[7] = tidemill.Other("infinity")
	if got := evalExpr(t, "at < landed and landed > at", row); !got.Bool() {
		t.Errorf("a time before infinity: %s", got)
	}
	row[3], row[10] = tidemill.Decimal("12345678901234567890.10"), tidemill.Decimal("12345678901234567890.2")
	if got := evalExpr(t, "d < any", row); !got.Bool() {
		t.Errorf("decimals beyond a float's digits: %s", got)
	}
	row[3], row[10] = tidemill.Decimal("-0.00"), tidemill.Int(0)
	if got := evalExpr(t, "d = any", row); !got.Bool() {
		t.Errorf("-0.00 = 0: %s", got)
	}
	if got := evalExpr(t, "i is null", nil); got.Known() {
		t.Errorf("a row that is not there: %s", got)
	}
}

func TestExprKind(t *testing.T) {
	for src, want := range map[string]tidemill.Kind{
		"i": tidemill.KindInt, "i + 1": tidemill.KindInt, "i + 1.5": tidemill.KindFloat, "d * 2": tidemill.KindFloat, "i / j": tidemill.KindInt,
		"i > 1": tidemill.KindBool, "b and true": tidemill.KindBool, "any": tidemill.KindUnknown, "any + 1": tidemill.KindUnknown, "null": tidemill.KindNull,
		"landed - at": tidemill.KindFloat, "at + 5": tidemill.KindTime, "lower(carrier)": tidemill.KindText, "coalesce(i, f)": tidemill.KindFloat,
		"coalesce(null, i)": tidemill.KindInt, "case when b then i else d end": tidemill.KindDecimal, "case when b then 'x' end": tidemill.KindText,
		"coalesce(i, any)": tidemill.KindUnknown, "i is null": tidemill.KindBool, "i in (1)": tidemill.KindBool, "-i": tidemill.KindInt,
		"coalesce(mood, 'x')": tidemill.KindText, "raw": tidemill.KindBytes,
	} {
		e, err := expr.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Bind(exprTable())
		if err != nil {
			t.Error(err)
		} else if b.Kind() != want {
			t.Errorf("%s is %s, want %s", src, b.Kind(), want)
		}
	}
}

func TestExprErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", "expression ``, column 1: empty; write a comparison or a column's name"},
		{"i >> 5", "expression `i >> 5`, column 4: > is not expected; a column, a number, text or ( is"},
		{"i == 5", "column 3: \"==\" is written = here"},
		{"i > 5 adn b", "column 7: \"adn\" is not expected; the nearest word is \"and\""},
		{"i > 5 && b", `column 7: "&" has no meaning here; write and`},
		{"i > 5 || b", `column 7: "|" has no meaning here; write or`},
		{"!b", `column 1: "!" has no meaning here; write not`},
		{"i in 5", "column 6: 5 is not expected; ( is"},
		{"i in ()", "column 7: ) is not expected"},
		{"i not 5", "column 7: 5 is not expected; in or between is"},
		{"i between 1 or 2", "column 13: or is not expected; and is"},
		{"(i", "column 3: it ends where ) is missing"},
		{"i >", "column 4: it ends where a column, a number, text or ( is missing"},
		{"1 < i < 3", "column 7: comparisons do not chain: write a < b and b < c"},
		{"i is 5", "column 6: 5 is not expected; null is"},
		{"b is true", "column 6: is takes null only; write = true"},
		{"lowr(carrier)", `column 1: there is no function "lowr"; the nearest is "lower"`},
		{"exp(i)", `column 1: there is no function "exp"; there are coalesce, lower, upper`},
		{"lower(carrier, 1)", "column 1: lower takes one value"},
		{"flights.i", "column 8: an expression reads one row: write the column's name without a table"},
		{"case i when 1 then 2 end", "column 6: \"i\" is not expected"},
		{"case when b then 1", "column 19: it ends where end is missing"},
		{"'abc", "column 1: the quote is not closed"},
		{`""`, `column 1: "" is no column's name; empty text is ''`},
		{"1.2.3", `column 1: "1.2." is no number`},
		{"5x", `column 1: "5x" is no number`},
		{"1e999", "column 1: 1e999 is too large for a number"},
		{"i -- 5", "column 3: a comment has no place in an expression"},
		{"i > 5 ; drop", "column 7: \";\" has no meaning here"},
		{"carrier = “UA”", "column 11: \"“\" has no meaning here; text goes in 'single quotes'"},
		{"é > 5 ? 1", `column 7: "?" has no meaning here`},
		{"\xff", "column 1: not valid UTF-8"},
		{strings.Repeat("(", 1000) + "1", "nested deeper than 200"},
		{strings.Repeat("not ", 1000) + "b", "nested deeper than 200"},
		{strings.Repeat("-", 1000) + "b", "comment"},
		{strings.Repeat("- ", 1000) + "b", "nested deeper than 200"},
		{strings.Repeat("i + ", 1000) + "1", "nested deeper than 200"},
		{strings.Repeat("x", 1<<17), "longer than 16384 bytes"},
		// binding
		{"carier = 'UA'", `column 1: table public.flights has no column "carier"; the nearest is "carrier"`},
		{"CARRIER = 'UA'", `the nearest is "carrier"`},
		{`carrier = "UA 12"`, `column 11: table public.flights has no column "UA 12"; text goes in single quotes: 'UA 12'`},
		{"zzzzz > 1", "its columns begin with i, j, f,"},
		{"carrier > 5", "column 9: carrier is text and 5 is a number: they do not compare; as text it is '5'"},
		{"i = '5'", "column 3: i is a number and '5' is text: they do not compare; a number has no quotes"},
		{"i in (1, 'x')", "column 3: i is a number and 'x' is text"},
		{"carrier between 'A' and 5", "carrier is text and 5 is a number"},
		{"at > 5", "at is a time and 5 is a number"},
		{"at > 'noon'", "column 6: 'noon' is no ISO time; write '2024-05-01' or '2024-05-01 12:00:00'"},
		{"at > carrier", "at is a time and carrier is text"},
		{"carrier + 1", "column 9: + takes numbers, and carrier is text"},
		{"b + 1", "+ takes numbers, and b is a boolean"},
		{"at + landed", "+ does not go with times"},
		{"at * 2", "* does not go with times"},
		{"-at", "- does not go with times"},
		{"5 - at", "- does not go with times"},
		{"carrier and b", "column 1: and takes true or false, and carrier is text"},
		{"not at", "column 5: not takes true or false, and at is a time"},
		{"case when carrier then 1 end", "column 11: when takes true or false, and carrier is text"},
		{"case when b then 1 else 'x' end", "column 1: case gives either 1, which is a number, or 'x', which is text: write one kind"},
		{"coalesce(i, carrier)", "coalesce gives either i, which is a number, or carrier, which is text"},
		{"lower(i)", "lower takes text, and i is a number"},
		{"mood < 'sad'", "mood has a foreign type, which has no order"},
		{"raw = 'x'", "raw is bytes and 'x' is text"},
	} {
		e, err := expr.Parse(c.src)
		if err == nil {
			_, err = e.Bind(exprTable())
		}
		var place *expr.Error
		if !errors.As(err, &place) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v\nwant: %s", c.src, err, c.want)
		}
	}
}

func TestExprString(t *testing.T) {
	for src, want := range map[string]string{
		"((i))>5 AND(b)": "i > 5 and b", "not (a and b)": "not (a and b)", "(a or b) and c": "(a or b) and c", "a or (b and c)": "a or b and c",
		"a - (b - c)": "a - (b - c)", "(a - b) - c": "a - b - c", "a != 1": "a <> 1", "- -a": "-(-a)", "-(5)": "-5", "a - -5": "a - -5", "a*(-5)": "a * -5",
		"-(a+b)": "-(a + b)", "a NOT IN(1,2)": "a not in (1, 2)", "(a between 1 and 2) is null": "(a between 1 and 2) is null",
		"a = (b = c)": "a = (b = c)", "a = b is null": "(a = b) is null", `"null" is NULL`: `"null" is null`, `"odd ""name"`: `"odd ""name"`, `"plain"`: "plain",
		"case when a then 1 else null end": "case when a then 1 end", "COALESCE( a,1.0 )": "coalesce(a, 1.0)", "1e30": "1e+30", "'it''s'": "'it''s'",
		"Carrier": "Carrier", "-(-9223372036854775808)": "9.223372036854776e+18", "0.0": "0.0", "-0.0": "-0.0",
	} {
		e, err := expr.Parse(src)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("%s prints %s, want %s", src, got, want)
		}
		if again, err := expr.Parse(e.String()); err != nil || again.String() != e.String() {
			t.Errorf("%s prints %s, which reads as %v, %v", src, e, again, err)
		}
	}
}

func TestExprColumns(t *testing.T) {
	e, err := expr.Parse(`case when b > a and b < 3 then "c d" else lower(e) end`)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Columns(); !slices.Equal(got, []string{"b", "a", "c d", "e"}) {
		t.Error(got)
	}
}

func TestExprAllocatesNothing(t *testing.T) {
	row := exprRow()
	for _, src := range []string{"i > 5 and f < 3.5", "i + j * 2 - f / 3", "d = 0.1 and d < i", "carrier = 'UA' or carrier in ('AA', 'DL')",
		"at < '2024-05-01' or landed - at > 900", "case when i between 1 and 3 then 1 else coalesce(j, i) end", "lower('ua') = 'ua'"} {
		e, _ := expr.Parse(src)
		b, err := e.Bind(exprTable())
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { b.Eval(row) }); n != 0 {
			t.Errorf("%s: %v allocations", src, n)
		}
	}
}

func TestExprConcurrentUse(t *testing.T) {
	e, _ := expr.Parse("case when i > 5 then lower(carrier) else 'x' end")
	b, err := e.Bind(exprTable())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if got := b.Eval(exprRow()); got.Str() != "ua" {
					t.Errorf("%s", got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestNearest(t *testing.T) {
	keys := []string{"learning_rate", "optimizer", "features", "model", "scores", "sinks", "and", "or", "l2"}
	for word, want := range map[string]string{"learnig_rate": "learning_rate", "feature": "features", "modle": "model", "adn": "and", "Model": "model",
		"score": "scores", "learning": "learning_rate", "zebra": "", "": "", "xy": "", "l1": "l2", "sink": "sinks", "optimiser": "optimizer", "rate": ""} {
		if got := expr.Nearest(word, keys); got != want {
			t.Errorf("nearest to %q: %q, want %q", word, got, want)
		}
	}
}

func BenchmarkExpr(b *testing.B) {
	e, _ := expr.Parse("i > 5 and f < 3.5 and carrier = 'UA'")
	bound, err := e.Bind(exprTable())
	if err != nil {
		b.Fatal(err)
	}
	row := exprRow()
	for b.Loop() {
		bound.Eval(row)
	}
}

func ExampleParse() {
	e, err := expr.Parse("arr_delay > 15 and carrier <> 'XX'")
	if err != nil {
		panic(err)
	}
	flights := tidemill.NewTable("", "flights", []tidemill.Column{
		{Name: "carrier", Kind: tidemill.KindText}, {Name: "arr_delay", Kind: tidemill.KindInt}}, nil)
	late, err := e.Bind(flights)
	if err != nil {
		panic(err)
	}
	fmt.Println(late.Eval([]tidemill.Value{tidemill.Text("UA"), tidemill.Int(20)}))
	fmt.Println(late.Eval([]tidemill.Value{tidemill.Text("UA"), tidemill.Null()}))
	// Output:
	// true
	// NULL
}
