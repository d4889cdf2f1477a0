package jsontext

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func seeds(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":"x"}`, `"\u00e4\ud83d\ude00\ud800\udc00\ud800"`, `[{"}":"\"]"}]`, `{}`, ` [ ] `, `tru`, `truex`, `-0.5E+9`, `01`,
		`1.`, `-`, `.5`, `1e`, `+1`, `NaN`, "\"\xff\"", `{"a":1}{`, ` { "a" : { } } `, `"\/\b\f\n\r\t\\\""`, `"\x"`, `"\u12`, `"\u12g4"`, `"\`, `"a`,
		"\"\x01\"", `[1,]`, `{,}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `[1 2]`, `[[[[]]]]`, `{"a":1,}`, `[}`, `null`, `false`, ``, `"\ud800\u0041"`} {
		f.Add(s)
	}
}

// FuzzValue holds Value against encoding/json.
func FuzzValue(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		i := Space(s, 0)
		end, why := Value(s, i, 9000)
		if end < i || end > len(s) {
			t.Fatalf("%q: the place is %d", s, end)
		}
		again, whyBytes := Value([]byte(s), i, 9000)
		if again != end || whyBytes != why {
			t.Fatalf("%q: %d, %d as a string, %d, %d as bytes", s, end, why, again, whyBytes)
		}
		valid := why == None && Space(s, end) == len(s)
		if valid != json.Valid([]byte(s)) {
			t.Fatalf("%q: %d, fault %d; encoding/json says %t", s, end, why, !valid)
		}
		if why == None && !json.Valid([]byte(s[i:end])) {
			t.Fatalf("%q: taken is %q", s, s[i:end])
		}
	})
}

// FuzzQuoted holds strings against encoding/json: what they hold, from strings and from bytes.
func FuzzQuoted(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		s = `"` + s
		end, escaped, why := Quoted(s, 0)
		if end < 0 || end > len(s) {
			t.Fatalf("%q: the place is %d", s, end)
		}
		if why != None {
			for k := range len(s) {
				if s[k] == '"' && k > 0 && json.Valid([]byte(s[:k+1])) {
					t.Fatalf("%q: fault %d, and %q is a string", s, why, s[:k+1])
				}
			}
			return
		}
		var want string
		if err := json.Unmarshal([]byte(s[:end]), &want); err != nil {
			t.Fatalf("%q: %v", s[:end], err)
		}
		inner := s[1 : end-1]
		if escaped != strings.Contains(inner, `\`) {
			t.Fatalf("%q: escaped is %t", s, escaped)
		}
		got := string(AppendUnescaped(nil, inner))
		if bytes := string(AppendUnescaped(nil, []byte(inner))); bytes != got {
			t.Fatalf("%q: %q as a string, %q as bytes", s, got, bytes)
		}
		if utf8.ValidString(inner) && got != want {
			t.Fatalf("%q holds %q, by encoding/json %q", s, got, want)
		}
	})
}

func TestFaults(t *testing.T) {
	for s, want := range map[string]struct {
		at  int
		why Fault
	}{
		``: {0, NoValue}, `x`: {0, NoValue}, `nul`: {0, NoValue}, `-x`: {0, NoNumber}, `01`: {0, NoNumber}, `"abc`: {4, Unclosed}, `"a` + "\n" + `"`: {2, Control},
		`"\x"`: {1, Escape}, `"\u00`: {1, Unclosed}, `[1`: {2, NoComma}, `[1 2]`: {3, NoComma}, `{1`: {1, NoName}, `{"a" 1`: {5, NoColon}, `{"a":`: {5, NoValue},
		`[[[[1]]]]`: {3, TooDeep}, `[[[1]]]`: {7, None}, `{"a":1]`: {6, NoComma}, `["\`: {2, Unclosed},
	} {
		if at, why := Value(s, 0, 3); at != want.at || why != want.why {
			t.Errorf("%s: fault %d at %d, not %d at %d", s, why, at, want.why, want.at)
		}
	}
	for s, want := range map[string]bool{"1": true, "-12": true, "1.5": false, "1e3": false} {
		if end, whole, ok := Number(s, 0); end != len(s) || whole != want || !ok {
			t.Errorf("%s: %d, %t, %t", s, end, whole, ok)
		}
	}
}
