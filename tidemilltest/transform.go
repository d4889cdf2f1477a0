package tidemilltest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// TransformTable is the table of TransformChanges. The examples of the kinds' pages are about it.
func TransformTable() *tidemill.Table {
	return tidemill.NewTable("public", "orders_2024", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt},
		{Name: "country", Kind: tidemill.KindText, Nullable: true},
		{Name: "price", Kind: tidemill.KindFloat, Nullable: true},
		{Name: "quantity", Kind: tidemill.KindInt, Nullable: true},
		{Name: "email", Kind: tidemill.KindText, Nullable: true},
		{Name: "notes", Kind: tidemill.KindText, Nullable: true},
		{Name: "ordered_at", Kind: tidemill.KindTime, Nullable: true},
	}, []int{0})
}

// TransformChanges is n changes of TransformTable, the same ones at every call: rows of a snapshot, inserts, updates,
// deletes that bring all of the row or its key alone, a truncate, and a logical message without a
// table. One value in eight is NULL.
func TransformChanges(n int) []tidemill.Change {
	t := TransformTable()
	r := rand.New(rand.NewPCG(61, 62))
	at := time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)
	row := func(id int) []tidemill.Value {
		v := []tidemill.Value{tidemill.Int(int64(id)), tidemill.Text([]string{"nl", "de", "fr"}[r.IntN(3)]),
			tidemill.Float(float64(r.IntN(1000)) / 4), tidemill.Int(int64(r.IntN(9))),
			tidemill.Text(fmt.Sprintf("p%d@example.org", r.IntN(50))), tidemill.Text("note"), tidemill.TimeOf(at)}
		for i := 1; i < len(v); i++ {
			if r.IntN(8) == 0 {
				v[i] = tidemill.Null()
			}
		}
		return v
	}
	var out []tidemill.Change
	for i := range n {
		c := tidemill.Change{Table: t, Tx: &tidemill.Tx{Order: uint64(i + 1), Commit: at.Add(time.Duration(i) * time.Second)},
			N: uint64(i % 3), At: uint64(i)}
		switch i % 8 {
		case 0, 1:
			c.Op, c.After = tidemill.Read, row(i)
		case 2, 3:
			c.Op, c.After = tidemill.Insert, row(i)
		case 4:
			c.Op, c.Before, c.After = tidemill.Update, row(i), row(i)
		case 5:
			c.Op, c.Before = tidemill.Delete, row(i)
		case 6:
			c.Op, c.Before = tidemill.Delete, append([]tidemill.Value{tidemill.Int(int64(i))},
				make([]tidemill.Value, len(t.Columns)-1)...)
		case 7:
			if c.Op = tidemill.Truncate; i%16 == 7 {
				c.Op, c.Table = tidemill.LogicalMessage, nil
			}
		}
		out = append(out, c)
	}
	return out
}

// Transform checks the laws of the Transform door: the same change gives the same changes whatever came before it,
// nothing that came in is changed, what leaves has the shape that was announced, and what is not of a row passes.
func Transform(t *testing.T, make func() tidemill.Transform) {
	t.Helper()
	tr, other := make(), make()
	if d := tr.Describe(); d == "" || d != other.Describe() {
		t.Errorf("it describes itself as %q and as %q", d, other.Describe())
	}
	table := TransformTable()
	shapes, err := tr.Shape(table)
	if err != nil {
		t.Fatalf("the shape of %s: %v", table, err)
	}
	for _, s := range shapes {
		for _, k := range s.Key {
			if k < 0 || k >= len(s.Columns) {
				t.Errorf("table %s: its key names column %d of %d", s, k, len(s.Columns))
			}
		}
	}
	changes, kept := TransformChanges(400), TransformChanges(400)
	first := tidemill.Change{N: 99}
	for i := range changes {
		out, err := tr.Apply([]tidemill.Change{first}, &changes[i])
		if err != nil {
			t.Fatalf("change %d, %s: %v", i, changes[i].Op, err)
		}
		if len(out) < 1 || out[0].N != 99 {
			t.Fatalf("change %d: what was made before it is gone", i)
		}
		if out = out[1:]; changes[i].Op&(tidemill.Truncate|tidemill.LogicalMessage) != 0 && len(out) == 0 {
			t.Errorf("change %d: a %s does not pass", i, changes[i].Op)
		}
		alone, err := make().Apply(nil, &kept[i])
		if err != nil || !slices.EqualFunc(out, alone, sameChange) {
			t.Errorf("change %d, %s: %+v, alone %+v, %v", i, changes[i].Op, out, alone, err)
		}
		for k := range out {
			leaves(t, shapes, &out[k])
		}
		if !sameChange(changes[i], TransformChanges(i + 1)[i]) {
			t.Fatalf("change %d was changed in place", i)
		}
	}
}

func sameChange(a, b tidemill.Change) bool {
	row := func(x, y []tidemill.Value) bool {
		return (x == nil) == (y == nil) && slices.EqualFunc(x, y, tidemill.Value.Equal)
	}
	if (a.Table == nil) != (b.Table == nil) || a.Table != nil && a.Table.Sum != b.Table.Sum {
		return false
	}
	return a.Op == b.Op && a.Tx.Order == b.Tx.Order && a.N == b.N && a.At == b.At &&
		row(a.Before, b.Before) && row(a.After, b.After)
}

// leaves checks a change that leaves against the shapes that were announced.
func leaves(t *testing.T, shapes []*tidemill.Table, c *tidemill.Change) {
	t.Helper()
	if c.Table == nil {
		return
	}
	if !slices.ContainsFunc(shapes, func(s *tidemill.Table) bool { return s.Sum == c.Table.Sum }) {
		t.Errorf("a %s of table %s leaves, which was not announced", c.Op, c.Table)
		return
	}
	for _, row := range [][]tidemill.Value{c.Before, c.After} {
		if row != nil && len(row) != len(c.Table.Columns) {
			t.Errorf("a %s of table %s leaves with %d values for %d columns", c.Op, c.Table, len(row), len(c.Table.Columns))
			return
		}
		for i, v := range row {
			if k := c.Table.Columns[i].Kind; v.Known() && !v.IsNull() && k != tidemill.KindUnknown && v.Kind() != k {
				t.Errorf("column %s of %s holds %s, and %s leaves", c.Table.Columns[i].Name, c.Table, k, v.Kind())
			}
		}
	}
}
