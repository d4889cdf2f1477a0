package transform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

func must(t *testing.T, tr tidemill.Transform, err error) tidemill.Transform {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func change(op tidemill.Op, before, after []tidemill.Value) *tidemill.Change {
	return &tidemill.Change{Op: op, Table: tidemilltest.TransformTable(), Before: before, After: after}
}

func row(id int64, country, email string) []tidemill.Value {
	return []tidemill.Value{tidemill.Int(id), tidemill.Text(country), tidemill.Float(2.5), tidemill.Int(4), tidemill.Text(email), tidemill.Text("n"), tidemill.Timestamp(0)}
}

// show is what leaves: the table and the rows.
func show(out []tidemill.Change, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var s []string
	for _, c := range out {
		var names []string
		for _, x := range c.Table.Columns {
			names = append(names, x.Name)
		}
		s = append(s, fmt.Sprintf("%s %s %v %v", c.Op, c.Table, strings.Join(names, ","), fmt.Sprint(c.Before, c.After)))
	}
	return strings.Join(s, "; ")
}

const all = "id,country,price,quantity,email,notes,ordered_at"

// keyOnly is a deleted row of which the key came alone.
func keyOnly() []tidemill.Value {
	return append([]tidemill.Value{tidemill.Int(1)}, make([]tidemill.Value, 6)...)
}

func TestFilter(t *testing.T) {
	f, err := (&FilterConfig{Keep: "country = 'nl'"}).Build("")
	f = must(t, f, err)
	for _, x := range []struct {
		c    *tidemill.Change
		want bool
	}{
		{change(tidemill.Insert, nil, row(1, "nl", "e")), true}, {change(tidemill.Insert, nil, row(1, "de", "e")), false},
		{change(tidemill.Update, row(1, "nl", "e"), row(1, "de", "e")), false}, {change(tidemill.Update, row(1, "de", "e"), row(1, "nl", "e")), true},
		{change(tidemill.Delete, row(1, "de", "e"), nil), false}, {change(tidemill.Delete, keyOnly(), nil), true}, {change(tidemill.Truncate, nil, nil), true},
	} {
		if out, err := f.Apply(nil, x.c); err != nil || (len(out) == 1) != x.want {
			t.Errorf("%s %v %v: %d, %v", x.c.Op, x.c.Before, x.c.After, len(out), err)
		}
	}
	if _, err := f.Apply(nil, change(tidemill.Update, nil, keyOnly())); err == nil || tidemill.IsFatal(err) {
		t.Errorf("an unknown country: %v", err)
	}
	if _, err := f.Shape(tidemill.NewTable("", "x", []tidemill.Column{{Name: "city"}}, nil)); err == nil || !strings.Contains(err.Error(), "country") {
		t.Errorf("a table without the column: %v", err)
	}
	f, err = (&FilterConfig{Keep: "country = 'nl'", Table: "others", When: "price > 1"}).Build("")
	f = must(t, f, err)
	if out, err := f.Apply(nil, change(tidemill.Insert, nil, row(1, "de", "e"))); err != nil || len(out) != 1 {
		t.Errorf("another table: %d, %v", len(out), err)
	}
	f, err = (&FilterConfig{Keep: "country = 'nl'", When: "price > 3"}).Build("")
	f = must(t, f, err)
	if out, err := f.Apply(nil, change(tidemill.Insert, nil, row(1, "de", "e"))); err != nil || len(out) != 1 {
		t.Errorf("when: %d, %v", len(out), err)
	}
}

func TestDerive(t *testing.T) {
	f, err := (&DeriveConfig{Column: "total", As: "price * quantity", When: "country = 'nl'"}).Build("")
	f = must(t, f, err)
	for country, want := range map[string]string{"nl": "10", "de": "NULL"} {
		got := show(f.Apply(nil, change(tidemill.Update, keyOnly(), row(1, country, "e"))))
		if !strings.Contains(got, all+",total [1 ? ? ? ? ? ? ?] [1 "+country+" 2.5 4 e n 1970-01-01T00:00:00Z "+want+"]") {
			t.Errorf("%s: %s", country, got)
		}
	}
	f, err = (&DeriveConfig{Column: "email", As: "lower(email)"}).Build("")
	f = must(t, f, err)
	if got := show(f.Apply(nil, change(tidemill.Insert, nil, row(1, "nl", "A@B")))); !strings.Contains(got, all+" [] [1 nl 2.5 4 a@b n ") {
		t.Error(got)
	}
	f, err = (&DeriveConfig{Column: "id", As: "quantity"}).Build("")
	f = must(t, f, err)
	if _, err := f.Shape(tidemilltest.TransformTable()); err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("the key is replaced: %v", err)
	}
	if _, err := f.Apply(nil, change(tidemill.Insert, nil, row(1, "nl", "e"))); !tidemill.IsFatal(err) {
		t.Errorf("settings that are wrong for a table do not end the flow: %v", err)
	}
}

func TestDrop(t *testing.T) {
	f, err := (&DropConfig{Columns: []string{"country", "notes"}}).Build("")
	f = must(t, f, err)
	if got := show(f.Apply(nil, change(tidemill.Delete, keyOnly(), nil))); got != "delete public.orders_2024 id,price,quantity,email,ordered_at [1 ? ? ? ?] []" {
		t.Error(got)
	}
	f, err = (&DropConfig{Columns: []string{"notes"}, When: "country = 'nl'"}).Build("")
	f = must(t, f, err)
	if got := show(f.Apply(nil, change(tidemill.Update, row(1, "de", "e"), row(1, "nl", "e")))); !strings.Contains(got, "[1 de 2.5 4 e n ") || !strings.Contains(got, "[1 nl 2.5 4 e NULL ") {
		t.Error(got)
	}
	for want, names := range map[string][]string{"the nearest is \"notes\"": {"nots"}, "of the key": {"id"}} {
		f, err = (&DropConfig{Columns: names}).Build("")
		f = must(t, f, err)
		if _, err := f.Shape(tidemilltest.TransformTable()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", names, err)
		}
	}
}

func TestRename(t *testing.T) {
	f, err := (&RenameConfig{Table: "orders_2024", To: "sales.orders", When: "country = 'nl'"}).Build("")
	f = must(t, f, err)
	for country, want := range map[string]string{"nl": "insert sales.orders " + all, "de": "insert public.orders_2024 " + all} {
		if got := show(f.Apply(nil, change(tidemill.Insert, nil, row(1, country, "e")))); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", country, got)
		}
	}
	if s, err := f.Shape(tidemilltest.TransformTable()); err != nil || len(s) != 2 {
		t.Errorf("%v, %v", s, err)
	}
	f, err = (&RenameConfig{Column: "email", To: "mail"}).Build("")
	f = must(t, f, err)
	if got := show(f.Apply(nil, change(tidemill.Insert, nil, row(1, "nl", "e")))); !strings.HasPrefix(got, "insert public.orders_2024 id,country,price,quantity,mail,notes") {
		t.Error(got)
	}
	for _, c := range []*RenameConfig{{To: "x"}, {Table: "x"}, {Column: "a", To: "b", When: "c = 1"}} {
		if _, err := c.Build(""); err == nil {
			t.Errorf("%+v is built", c)
		}
	}
}

func TestMask(t *testing.T) {
	hash := func(secret string) tidemill.Transform {
		f, err := (&MaskConfig{Columns: []string{"id", "email"}, How: "hash", Secret: secret}).Build("")
		return must(t, f, err)
	}
	f := hash("0123456789abcdef")
	a, b := show(f.Apply(nil, change(tidemill.Insert, nil, row(1, "nl", "a@b")))), show(f.Apply(nil, change(tidemill.Insert, nil, row(1, "nl", "a@c"))))
	if strings.Contains(a, "a@b") || a == b || a != show(f.Apply(nil, change(tidemill.Insert, nil, row(1, "nl", "a@b")))) {
		t.Errorf("%s\n%s", a, b)
	}
	other := hash("0123456789abcdeF")
	if strings.Contains(f.Describe(), "0123") || f.Describe() == other.Describe() || a == show(other.Apply(nil, change(tidemill.Insert, nil, row(1, "nl", "a@b")))) {
		t.Errorf("%s, %s", f.Describe(), other.Describe())
	}
	m, err := (&MaskConfig{Columns: []string{"email"}, How: "empty", When: "country = 'nl'"}).Build("")
	m = must(t, m, err)
	// Each of the two rows is masked by itself, and so is one of which the country did not come.
	for want, c := range map[string]*tidemill.Change{
		"[1 nl 2.5 4 NULL n 1970-01-01T00:00:00Z] [1 de 2.5 4 new n ": change(tidemill.Update, row(1, "nl", "old"), row(1, "de", "new")),
		"[1 de 2.5 4 old n 1970-01-01T00:00:00Z] [1 nl 2.5 4 NULL n ": change(tidemill.Update, row(1, "de", "old"), row(1, "nl", "new")),
		"[] [1 ? ? ? NULL ? ?]": change(tidemill.Update, nil, append(append(keyOnly()[:4:4], tidemill.Text("x")), tidemill.Value{}, tidemill.Value{})),
	} {
		if got := show(m.Apply(nil, c)); !strings.Contains(got, want) {
			t.Errorf("%s, not %s", got, want)
		}
	}
	for want, c := range map[string]*MaskConfig{"at least 16": {Columns: []string{"email"}, How: "hash", Secret: "short"}, "only how: hash": {Columns: []string{"email"}, How: "stars", Secret: "0123456789abcdef"},
		"columns is missing": {How: "stars"}, "say empty, stars or hash": {Columns: []string{"email"}, How: "x"}, "twice": {Columns: []string{"a", "a"}, How: "stars"}} {
		if _, err := c.Build(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
