package sqltable

import "testing"

func TestQuoting(t *testing.T) {
	for _, c := range []struct {
		got, want string
	}{
		{Standard.Name("flights"), `"flights"`},
		{Standard.Name("odd schema", `a"b`), `"odd schema"."a""b"`},
		{Standard.Text(`it's`), `'it''s'`},
		{Standard.Text(`a\b`), `'a\b'`},
		{Escapes.Text(`it's`), `'it''s'`},
		{Escapes.Text(`a\'b`), `E'a\\''b'`},
		{Escapes.Name(`a\b`), `"a\b"`},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}
