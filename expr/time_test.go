package expr_test

import (
	"math"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/tidemilltest"
)

func TestParseTime(t *testing.T) {
	for _, x := range tidemilltest.Times() {
		got := ""
		if at, ok := expr.ParseTime(x.Text); ok {
			got = tidemill.Timestamp(at).String()
		}
		if got != x.UTC {
			t.Errorf("%q is %q, not %q", x.Text, got, x.UTC)
		}
	}
}

// Every day of 800 years, and every canonical text, is what the standard library says.
func TestParseTimeEveryDay(t *testing.T) {
	for d := time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2400; d = d.AddDate(0, 0, 1) {
		if at, ok := expr.ParseTime(d.Format(time.DateOnly)); !ok || at != d.UnixMicro() {
			t.Fatalf("%s is %d, %v", d.Format(time.DateOnly), at, ok)
		}
	}
	for _, at := range []int64{0, -1, 1, 1 << 40, -1 << 40, 1 << 62, -1 << 62, math.MaxInt64 - 86_400_000_000, math.MinInt64 + 86_400_000_000} {
		text := tidemill.Timestamp(at).String()
		if again, ok := expr.ParseTime(text); !ok || again != at {
			t.Errorf("%d prints %s, which is %d, %v", at, text, again, ok)
		}
	}
}

func TestParseClock(t *testing.T) {
	for text, want := range map[string]int64{"08:30": 30_600_000_000, "08:30:15.5": 30_615_500_000, "24:00:00": 86_400_000_000,
		"00:00:00": 0, "24:00:01": -1, "8:30": -1, "08:30:15+01": -1, "": -1, "08:3": -1, "08:30:": -1, "08:30:1": -1} {
		got, ok := expr.ParseClock(text)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %d, not %d", text, got, want)
		}
	}
}

func TestMicros(t *testing.T) {
	for _, x := range []struct {
		v    tidemill.Value
		unix string
		want int64 // -1 is none
	}{
		{tidemill.Timestamp(5), "", 5}, {tidemill.Timestamp(5), "s", 5},
		{tidemill.Text("1970-01-01 00:00:01"), "", 1e6}, {tidemill.Other("1970-01-01 00:00:01"), "", 1e6}, {tidemill.Other("infinity"), "", -1},
		{tidemill.Int(7), "", -1}, {tidemill.Int(7), "s", 7e6}, {tidemill.Int(7), "ms", 7e3},
		{tidemill.Int(9_223_372_036_854), "s", 9_223_372_036_854_000_000}, {tidemill.Int(9_223_372_036_855), "s", -1},
		{tidemill.Int(math.MaxInt64), "ms", -1}, {tidemill.Int(math.MinInt64), "s", -1},
		{tidemill.Float(1.5), "s", 1_500_000}, {tidemill.Float(1.5), "ms", 1_500}, {tidemill.Float(1.5), "", -1},
		{tidemill.Float(1700000000.123456), "s", 1_700_000_000_123_456}, {tidemill.Decimal("1700000000.123456"), "s", 1_700_000_000_123_456},
		{tidemill.Text("1.5"), "s", 1_500_000}, {tidemill.Text("x"), "s", -1}, {tidemill.Text("2024-01-01"), "s", -1},
		{tidemill.Float(math.NaN()), "s", -1}, {tidemill.Float(math.Inf(1)), "s", -1}, {tidemill.Float(1e18), "s", -1}, {tidemill.Float(-1e18), "ms", -1},
		{tidemill.Bool(true), "s", -1}, {tidemill.Null(), "s", -1}, {tidemill.Value{}, "", -1}, {tidemill.Blob([]byte("2024-01-01")), "", -1},
	} {
		got, ok := expr.Micros(x.v, x.unix)
		if !ok {
			got = -1
		}
		if got != x.want {
			t.Errorf("%v by %q is %d, not %d", x.v, x.unix, got, x.want)
		}
	}
}

// FuzzParseTime compares with the standard library wherever that takes a text and prints it as it was, and reads what it
// took again as its canonical text.
func FuzzParseTime(f *testing.F) {
	for _, x := range tidemilltest.Times() {
		f.Add(x.Text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := expr.ParseTime(s)
		if ok {
			text := tidemill.Timestamp(at).String()
			if again, ok := expr.ParseTime(text); !ok || again != at {
				t.Fatalf("%q is %d, printed %q, which is %d, %v", s, at, text, again, ok)
			}
		}
		for _, layout := range []string{time.RFC3339Nano, time.DateOnly, time.DateTime + ".999999999", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999-07",
			"2006-01-02 15:04:05-0700", "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05 -07:00:00"} {
			want, err := time.Parse(layout, s)
			if err != nil || want.Format(layout) != s {
				continue // the library takes one digit for an hour, and any number of digits of a fraction
			}
			if _, offset := want.Zone(); offset >= 16*3600 || offset <= -16*3600 {
				continue
			}
			if !ok || at != want.Truncate(time.Microsecond).UnixMicro() {
				t.Fatalf("%q by %s is %d, %v, not %d", s, layout, at, ok, want.UnixMicro())
			}
		}
	})
}
