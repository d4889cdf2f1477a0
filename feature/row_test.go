package feature

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

func TestRowLaws(t *testing.T) {
	circle := &TimeConfig{Column: "paid_at", Parts: []string{"hour", "weekday", "unix"}, Zone: "Europe/Berlin", Circle: true}
	buckets := &HashedConfig{Columns: []string{"card"}, Buckets: 7}
	grams := &TextConfig{Column: "note", Of: "characters", From: 2, To: 4, Value: "log", Norm: true, Buckets: 64, Max: 100}
	for _, made := range []func() tidemill.Feature{
		func() tidemill.Feature { return Time("paid_at", timePartNames...) },
		func() tidemill.Feature { return built(t, circle) },
		func() tidemill.Feature { return Log("count", "amount") },
		func() tidemill.Feature { return Ratio("amount", "count") },
		func() tidemill.Feature { return Hashed("card", "count") },
		func() tidemill.Feature { return built(t, buckets) },
		func() tidemill.Feature { return Text("note") },
		func() tidemill.Feature { return built(t, grams) },
	} {
		t.Run(made().Describe(), func(t *testing.T) { tidemilltest.Feature(t, made) })
	}
}

func TestTimeParts(t *testing.T) {
	at := time.Date(2013, 7, 4, 23, 30, 15, 500_000_000, time.UTC) // a Thursday
	v, err := read(t, Time("x", timePartNames...), one(tidemill.KindTime, tidemill.TimeOf(at)))
	if want := "[2013 3 7 27 4 185 4 23 30 15 1410 1.3729806155e+09]"; err != nil || fmt.Sprint(v.Dense) != want {
		t.Errorf("%v, %v, not %s", v.Dense, err, want)
	}
	for _, c := range []struct {
		kind       tidemill.Kind
		v          tidemill.Value
		zone, unix string
		want, err  string
	}{
		{tidemill.KindText, tidemill.Text("2013-07-04 23:30:15"), "America/New_York", "", "[4 19]", ""},
		{tidemill.KindText, tidemill.Text("2013-07-04T23:30+02:00"), "", "", "[4 21]", ""},
		{tidemill.KindText, tidemill.Text("2013-07-04"), "", "", "[4 0]", ""},
		{tidemill.KindInt, tidemill.Int(1372980615), "", "s", "[4 23]", ""},
		{tidemill.KindInt, tidemill.Int(1372980615000), "Asia/Tokyo", "ms", "[5 8]", ""},
		{tidemill.KindFloat, tidemill.Float(1372980615.5), "", "s", "[4 23]", ""},
		{tidemill.KindText, tidemill.Null(), "", "", "[NaN NaN]", ""},
		{tidemill.KindInt, tidemill.Int(1372980615), "", "", "", "say how it counts with unix: s or ms"},
		{tidemill.KindText, tidemill.Text("soon"), "", "", "", `"soon" is no time`},
		{tidemill.KindText, tidemill.Text("2013-02-30"), "", "", "", "is no time"},
		{tidemill.KindInt, tidemill.Int(math.MaxInt64), "", "s", "", "is no time"},
	} {
		f := built(t, &TimeConfig{Column: "x", Parts: []string{"weekday", "hour"}, Zone: c.zone, Unix: c.unix})
		v, err := read(t, f, one(c.kind, c.v))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: error %v, not %q", c.v, err, c.err)
			}
		} else if err != nil || fmt.Sprint(v.Dense) != c.want {
			t.Errorf("%v in %q: %v, %v, not %s", c.v, c.zone, v.Dense, err, c.want)
		}
	}
	v, err = read(t, built(t, &TimeConfig{Column: "x", Parts: []string{"hour"}, Circle: true}), one(tidemill.KindText, tidemill.Text("2013-07-04 06:00")))
	if err != nil || math.Abs(v.Dense[0]-1) > 1e-15 || math.Abs(v.Dense[1]) > 1e-15 {
		t.Errorf("six o'clock is %v, %v", v.Dense, err)
	}
	for want, c := range map[string]*TimeConfig{
		`no part "huor"; did you mean "hour"?`: {Column: "x", Parts: []string{"huor"}},
		`no zone "Mars"`:                       {Column: "x", Parts: []string{"hour"}, Zone: "Mars"},
		"name the parts":                       {Column: "x"},
	} {
		if _, err := c.Build(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, not %q", err, want)
		}
	}
}

func TestLogAndRatio(t *testing.T) {
	for x, want := range map[float64]float64{0: 0, 1: math.Ln2, -1: -math.Ln2, math.E - 1: 1} {
		if v, err := read(t, Log("x"), one(tidemill.KindFloat, tidemill.Float(x))); err != nil || math.Abs(v.Dense[0]-want) > 1e-15 {
			t.Errorf("log of %v is %v, %v", x, v.Dense, err)
		}
	}
	table := tidemill.NewTable("", "t", []tidemill.Column{{Name: "a", Kind: tidemill.KindFloat}, {Name: "b", Kind: tidemill.KindFloat}}, nil)
	for _, c := range [][3]float64{{6, 3, 2}, {1, 0, math.NaN()}, {0, 0, math.NaN()}, {1e300, 1e-300, math.NaN()}, {0, 5, 0}} {
		v, err := read(t, Ratio("a", "b"), &tidemill.Change{Op: tidemill.Insert, Table: table, After: []tidemill.Value{tidemill.Float(c[0]), tidemill.Float(c[1])}})
		if err != nil || v.Dense[0] != c[2] && !(v.Dense[0] != v.Dense[0] && c[2] != c[2]) {
			t.Errorf("%v / %v is %v, %v", c[0], c[1], v.Dense, err)
		}
	}
}

func grams(t *testing.T, c *TextConfig, s string) map[uint64]float64 {
	t.Helper()
	c.Column = "x"
	v, err := read(t, built(t, c), one(tidemill.KindText, tidemill.Text(s)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[uint64]float64{}
	for _, term := range v.Terms {
		if out[term.Hash] != 0 {
			t.Errorf("term %x twice", term.Hash)
		}
		out[term.Hash] = term.Value
	}
	return out
}

func TestText(t *testing.T) {
	has := func(got map[uint64]float64, want map[string]float64) {
		t.Helper()
		seed := tidemill.Hash("text", "x")
		if len(got) != len(want) {
			t.Errorf("%d terms, not %d", len(got), len(want))
		}
		for gram, n := range want {
			if v := got[tidemill.HashBytes(seed, []byte(gram))]; math.Abs(v-n) > 1e-12 {
				t.Errorf("%q is %v, not %v", gram, v, n)
			}
		}
	}
	c := NewTextConfig()
	has(grams(t, c, "To be, or NOT to be: Ünïcode 42!"), map[string]float64{"to": 2, "be": 2, "or": 1, "not": 1, "ünïcode": 1, "42": 1})
	c.To = 2
	has(grams(t, c, "a b a b"), map[string]float64{"a": 2, "b": 2, "a b": 2, "b a": 1})
	c.From, c.Value = 2, "binary"
	has(grams(t, c, "a b a b"), map[string]float64{"a b": 1, "b a": 1})
	c = NewTextConfig()
	c.Of, c.From, c.To, c.Value, c.Norm, c.Case = "characters", 2, 2, "log", true, true
	has(grams(t, c, "aaB"), map[string]float64{"aa": math.Sqrt2 / 2, "aB": math.Sqrt2 / 2})
	has(grams(t, NewTextConfig(), " ,.- "), nil)
	c = NewTextConfig()
	c.Buckets = 3
	if got := grams(t, c, "a b c d e f g h i j k l m n"); len(got) != 3 {
		t.Errorf("%d of 3 buckets", len(got))
	}
	c = NewTextConfig()
	c.Max = 3
	has(grams(t, c, "ab cd ef"), map[string]float64{"ab": 1})
	for want, c := range map[string]*TextConfig{
		"of is":        {Of: "lines", From: 1, To: 1, Value: "count", Max: 1},
		"from 3 to 2":  {Of: "words", From: 3, To: 2, Value: "count", Max: 1},
		"value is":     {Of: "words", From: 1, To: 1, Value: "tf", Max: 1},
		"max is 0":     {Of: "words", From: 1, To: 1, Value: "count"},
		"buckets is -": {Of: "words", From: 1, To: 1, Value: "count", Max: 1, Buckets: -1},
	} {
		if _, err := c.Build(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, not %q", err, want)
		}
	}
}

func TestHashed(t *testing.T) {
	a, err := read(t, Hashed("x"), one(tidemill.KindText, tidemill.Text("UA")))
	b, err2 := read(t, Hashed("x"), one(tidemill.KindText, tidemill.Text("AA")))
	if err != nil || err2 != nil || len(a.Terms) != 1 || a.Terms[0].Value != 1 || a.Terms[0].Hash == b.Terms[0].Hash || len(a.Dense) != 0 {
		t.Errorf("%v and %v", a, b)
	}
	seen := map[uint64]bool{}
	for i := range 100 {
		v, err := read(t, built(t, &HashedConfig{Columns: []string{"x"}, Buckets: 8}), one(tidemill.KindInt, tidemill.Int(int64(i))))
		if err != nil {
			t.Fatal(err)
		}
		seen[v.Terms[0].Hash] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d of 8 buckets", len(seen))
	}
	if _, err := (&HashedConfig{Columns: []string{"x"}, Buckets: -1}).Build(""); err == nil {
		t.Error("-1 buckets are built")
	}
}

func ExampleTime() {
	orders := tidemill.NewTable("", "orders", []tidemill.Column{{Name: "at", Kind: tidemill.KindText}}, nil)
	f := Time("at", "weekday", "hour")
	if err := f.Bind(orders, tidemill.Asks); err != nil {
		fmt.Println(err)
		return
	}
	var x tidemill.Vector
	err := f.Append(&x, &tidemill.Change{Op: tidemill.Insert, Table: orders, After: []tidemill.Value{tidemill.Text("2013-07-04 23:30")}}, 0)
	fmt.Println(x.Dense, err)
	// Output: [4 23] <nil>
}
