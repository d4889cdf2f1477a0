package jsontext

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// encoded is what encoding/json writes of v.
func encoded(t *testing.T, v any, html bool) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// FuzzString: the styles of encoding/json are its bytes; every style reads back as the same text.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c<>&\u2028\u2029\xff\x00\x1f\x7fé😀\b\f\n\r\t", "\xed\xa0\x80", "\ufffd", "\xff\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := encoded(t, s, true)
		if got := string(Standard.AppendString(nil, s)); got != want {
			t.Fatalf("%q is %s, by encoding/json %s", s, got, want)
		}
		if got, want := string((Script|Decimals).AppendString(nil, s)), encoded(t, s, false); got != want {
			t.Fatalf("%q is %s, by encoding/json %s", s, got, want)
		}
		var text string
		if err := json.Unmarshal([]byte(want), &text); err != nil {
			t.Fatal(err)
		}
		for style := range Standard + 1 {
			var back string
			b := style.AppendString([]byte("x"), s)
			if err := json.Unmarshal(b[1:], &back); err != nil || back != text || b[0] != 'x' {
				t.Fatalf("style %d: %q is %s and reads as %q, %v", style, s, b, back, err)
			}
		}
	})
}

// FuzzNumber: with Decimals the bytes are those of encoding/json; every style reads back as the same bits.
func FuzzNumber(f *testing.F) {
	for _, x := range []float64{0, math.Copysign(0, -1), 1, 0.1, 1e6, 1234567, 1e20, 1e21, 9.99e-7, 1e-6, 1e-10, 1e100, 5e-324,
		math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1)} {
		f.Add(math.Float64bits(x))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		x := math.Float64frombits(bits)
		for style := range Standard + 1 {
			got := string(style.AppendNumber(nil, x))
			if math.IsNaN(x) || math.IsInf(x, 0) {
				if got != "null" {
					t.Fatalf("%v is %s", x, got)
				}
				continue
			}
			var back float64
			if err := json.Unmarshal([]byte(got), &back); err != nil || math.Float64bits(back) != bits {
				t.Fatalf("style %d: %v is %s and reads as %v, %v", style, x, got, back, err)
			}
			if want := encoded(t, x, true); style&Decimals != 0 && got != want {
				t.Fatalf("%v is %s, by encoding/json %s", x, got, want)
			}
		}
	})
}

func TestValues(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
	table := tidemill.NewTable("", "t", []tidemill.Column{{Name: "a"}, {Name: "b<"}}, nil)
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{Plain.AppendValue(nil, tidemill.Value{}), `null`},
		{Plain.AppendValue(nil, tidemill.Null()), `null`},
		{Plain.AppendValue(nil, tidemill.Bool(true)), `true`},
		{Plain.AppendValue(nil, tidemill.Int(math.MinInt64)), `-9223372036854775808`},
		{Plain.AppendValue(nil, tidemill.Float(1e6)), `1e+06`},
		{Decimals.AppendValue(nil, tidemill.Float(1e6)), `1000000`},
		{Plain.AppendValue(nil, tidemill.Float(math.NaN())), `null`},
		{Plain.AppendValue(nil, tidemill.Decimal("1.50")), `"1.50"`},
		{Plain.AppendValue(nil, tidemill.Text("<\"")), `"<\""`},
		{HTML.AppendValue(nil, tidemill.Text("<\"")), `"\u003c\""`},
		{Plain.AppendValue(nil, tidemill.Blob([]byte{0, 255})), `"AP8="`},
		{Plain.AppendValue(nil, tidemill.TimeOf(at)), `"2024-02-29T11:00:00.123456Z"`},
		{Plain.AppendValue(nil, tidemill.Other("{1}")), `"{1}"`},
		{Plain.AppendTime(nil, at), `"2024-02-29T11:00:00.123456Z"`},
		{Plain.AppendTime(nil, time.Time{}), `null`},
		{Plain.AppendNumbers(nil, nil), `[]`},
		{Plain.AppendNumbers(nil, []float64{1, math.Inf(1), 0.5}), `[1,null,0.5]`},
		{Plain.AppendProbabilities(nil, []string{"a", "b\n", "c"}, []float64{0.25, math.NaN()}), `{"a":0.25,"b\n":null}`},
		{Plain.AppendProbabilities(nil, nil, []float64{1}), `{}`},
		{Plain.AppendRow(nil, table, []tidemill.Value{{}, tidemill.Int(1), tidemill.Int(2)}), `{"b<":1}`},
		{HTML.AppendRow(nil, table, []tidemill.Value{tidemill.Null(), tidemill.Int(1)}), `{"a":null,"b\u003c":1}`},
		{Plain.AppendRow(nil, table, nil), `{}`},
	} {
		if string(c.got) != c.want || !json.Valid(c.got) {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	buf := make([]byte, 0, 4096)
	classes, p := []string{"no", "y\"es"}, []float64{0.25, 0.75}
	table := tidemill.NewTable("", "t", []tidemill.Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}, nil)
	row := []tidemill.Value{tidemill.Timestamp(1e15), tidemill.Text("x\ny"), tidemill.Float(0.1)}
	at := time.Unix(1e9, 0)
	text, into := []byte(`{"a":[1,2,"x\n"]}`), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		b := Standard.AppendProbabilities(buf[:0], classes, p)
		b = Standard.AppendRow(b, table, row)
		_ = Standard.AppendTime(b, at)
		if _, why := Value(text, 0, 8); why != None {
			t.Error(why)
		}
		into = AppendUnescaped(into[:0], text[11:14])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
