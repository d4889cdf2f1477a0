package tidemilltest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// FeatureCase says how FeatureWith treats a feature.
type FeatureCase struct {
	New     func() tidemill.Feature
	Changes []tidemill.Change // what it sees, all of tables that have a key; nil: FeatureChanges
	Folds   bool              // it remembers: Update must change what Append gives, or its bytes
	Defined bool              // a row of NULLs may have numbers too (counts, indicators)
}

// FeatureTable is the table of FeatureChanges: a key, and a column of each kind.
func FeatureTable() *tidemill.Table {
	return tidemill.NewTable("public", "payments", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt},
		{Name: "flag", Kind: tidemill.KindBool, Nullable: true},
		{Name: "count", Kind: tidemill.KindInt, Nullable: true},
		{Name: "amount", Kind: tidemill.KindFloat, Nullable: true},
		{Name: "price", Kind: tidemill.KindDecimal, Nullable: true},
		{Name: "card", Kind: tidemill.KindText, Nullable: true},
		{Name: "note", Kind: tidemill.KindText, Nullable: true},
		{Name: "picture", Kind: tidemill.KindBytes, Nullable: true},
		{Name: "paid_at", Kind: tidemill.KindTime, Nullable: true},
	}, []int{0})
}

// FeatureChanges is n changes of FeatureTable, the same ones at every call: most are inserts, some update or delete
// rows that came before, one value in eight is NULL, and each commits some seconds after the one
// before. Pictures have 4 bytes.
func FeatureChanges(n int) []tidemill.Change {
	t := FeatureTable()
	r := rand.New(rand.NewPCG(51, 52))
	at := time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)
	cards := []string{"4000", "4001", "4002", "5100"}
	words := []string{"late", "gift", "rent", "Späti", "coffee", "", "refund"}
	row := func(id int64) []tidemill.Value {
		v := []tidemill.Value{
			tidemill.Int(id),
			tidemill.Bool(r.IntN(2) == 0),
			tidemill.Int(int64(r.IntN(100) - 20)),
			tidemill.Float(float64(r.IntN(10000)) / 4),
			tidemill.Decimal(fmt.Sprintf("%d.%02d", r.IntN(500), r.IntN(100))),
			tidemill.Text(cards[r.IntN(len(cards))]),
			tidemill.Text(words[r.IntN(len(words))] + " " + words[r.IntN(len(words))]),
			tidemill.Blob([]byte{byte(r.IntN(256)), 0, 255, byte(r.IntN(256))}),
			tidemill.TimeOf(at.Add(-time.Duration(r.IntN(1e6)) * time.Second)),
		}
		for i := 1; i < len(v); i++ {
			if r.IntN(8) == 0 {
				v[i] = tidemill.Null()
			}
		}
		return v
	}
	var cs []tidemill.Change
	var open [][]tidemill.Value
	for i := range n {
		at = at.Add(time.Duration(r.IntN(60)) * time.Second)
		c := tidemill.Change{Op: tidemill.Insert, Table: t,
			Tx: &tidemill.Tx{Order: uint64(i + 1), ID: fmt.Sprint(i), Commit: at}}
		switch k := r.IntN(6); {
		case k == 0 && len(open) > 0:
			j := r.IntN(len(open))
			c.Op, c.Before = tidemill.Update, open[j]
			c.After = row(open[j][0].Int())
			open[j] = c.After
		case k == 1 && len(open) > 0:
			j := r.IntN(len(open))
			c.Op, c.Before = tidemill.Delete, open[j]
			open = slices.Delete(open, j, j+1)
		default:
			c.After = row(int64(i))
			open = append(open, c.After)
		}
		cs = append(cs, c)
	}
	return cs
}

// Feature checks the laws of tidemill.Feature over FeatureChanges. Append adds as many dense columns as Columns says,
// to what is there; it is a pure read, also beside others; a row of NULLs is NaN; Update keeps nothing of the change's
// memory; the state survives a restart before any change, bit for bit; the order of a table's columns does not matter;
// tables that it does not read are no error; broken states are.
func Feature(t *testing.T, made func() tidemill.Feature) {
	t.Helper()
	FeatureWith(t, FeatureCase{New: made})
}

// FeatureWith is Feature with settings.
func FeatureWith(t *testing.T, c FeatureCase) {
	t.Helper()
	if c.Changes == nil {
		c.Changes = FeatureChanges(300)
	}
	f := featureTest{c}
	t.Run("columns", f.columns)
	t.Run("stream", f.stream)
	t.Run("other shape", f.otherShape)
	t.Run("view", f.view)
	t.Run("null and not sent", f.unknown)
	t.Run("truncate and odd changes", f.odd)
	t.Run("broken state", func(t *testing.T) {
		a := f.bound(t, c.Changes)
		for i := range c.Changes[:min(80, len(c.Changes))] {
			update(a, &c.Changes[i])
		}
		hostile(t, func() tidemill.State { return f.bound(t, c.Changes) }, StateBytes(t, a))
	})
}

type featureTest struct{ FeatureCase }

// bound is a new feature that knows the tables of the changes.
func (f *featureTest) bound(t testing.TB, cs []tidemill.Change) tidemill.Feature {
	t.Helper()
	a := f.New()
	seen := map[*tidemill.Table]bool{}
	for i := range cs {
		if table := cs[i].Table; !seen[table] {
			seen[table] = true
			for _, role := range []tidemill.Role{tidemill.Folds, tidemill.Asks} {
				if err := a.Bind(table, role); err != nil {
					t.Fatalf("Bind of table %s: %v", table, err)
				}
			}
		}
	}
	return a
}

func micros(c *tidemill.Change) int64 {
	if c.Tx == nil {
		return 0
	}
	return c.Tx.Commit.UnixMicro()
}

// update and ask do as the engine does where the clock is the commit time.
func update(a tidemill.Feature, c *tidemill.Change) { a.Update(c, micros(c)) }

func ask(a tidemill.Feature, dst *tidemill.Vector, c *tidemill.Change) error {
	return a.Append(dst, c, micros(c))
}

// width is how many dense columns a feature appends.
func width(a tidemill.Feature) int {
	dense, _ := a.Columns()
	return len(dense)
}

func (f *featureTest) columns(t *testing.T) {
	a := f.New()
	columns, terms := a.Columns()
	before := slices.Clone(columns)
	seen := map[string]bool{}
	for _, c := range before {
		if c.Name == "" || seen[c.Name] {
			t.Errorf("two columns are named %q", c.Name)
		}
		seen[c.Name] = true
		if c.OneHot && !c.Nominal {
			t.Errorf("column %s is one-hot and not nominal", c.Name)
		}
	}
	a = f.bound(t, f.Changes)
	for i := range f.Changes {
		update(a, &f.Changes[i])
	}
	if now, also := a.Columns(); !slices.Equal(before, now) || also != terms {
		t.Error("the columns changed in the feature's life")
	}
	if folds := len(a.Folds()) > 0; folds != f.Folds {
		t.Errorf("Folds names %q, and the case says %v", a.Folds(), f.Folds)
	}
	foreign := tidemill.NewTable("elsewhere", "unread", []tidemill.Column{{Name: "x", Kind: tidemill.KindBytes}}, nil)
	if err := a.Bind(foreign, tidemill.Folds); err != nil {
		t.Errorf("a table that the feature does not read is an error: %v", err)
	}
	saved := StateBytes(t, a)
	update(a, &tidemill.Change{Op: tidemill.Insert, Table: foreign,
		After: []tidemill.Value{tidemill.Blob([]byte("x"))}, Tx: f.Changes[0].Tx})
	if !bytes.Equal(saved, StateBytes(t, a)) {
		t.Error("a change of a table that the feature does not read changed its state")
	}
	if a.Describe() == "" {
		t.Error("the feature does not describe its settings: the engine could not tell that they were edited")
	}
}

// loan is c with memory of its own; spoil overwrites that memory as a receiver's next batch would.
func loan(c *tidemill.Change) (borrowed tidemill.Change, spoil func()) {
	borrowed = *c
	clones := func(row []tidemill.Value) []tidemill.Value {
		if row == nil {
			return nil
		}
		out := make([]tidemill.Value, len(row))
		for i, v := range row {
			out[i] = v.Clone()
		}
		return out
	}
	borrowed.Before, borrowed.After = clones(c.Before), clones(c.After)
	return borrowed, func() {
		for _, row := range [][]tidemill.Value{borrowed.Before, borrowed.After} {
			for i := range row {
				b := row[i].Bytes()
				for k := range b {
					b[k] = '#'
				}
				row[i] = tidemill.Int(-7)
			}
		}
	}
}

// stream folds the changes into two features, one of which is restarted often, and given memory that is overwritten
// afterwards.
func (f *featureTest) stream(t *testing.T) {
	plain, restarted := f.bound(t, f.Changes), f.bound(t, f.Changes)
	empty := StateBytes(t, plain)
	learned := false
	for i := range f.Changes {
		c := &f.Changes[i]
		if i%43 == 0 {
			saved := StateBytes(t, restarted)
			restarted = f.bound(t, f.Changes)
			restore(t, restarted, saved)
		}
		if c.After != nil {
			appendsAlike(t, i, c, plain, restarted)
		}
		update(plain, c)
		borrowed, spoil := loan(c)
		update(restarted, &borrowed)
		spoil()
		learned = learned || f.Folds && !bytes.Equal(empty, StateBytes(t, plain))
	}
	if !bytes.Equal(StateBytes(t, plain), StateBytes(t, restarted)) {
		t.Error("restarts or reused memory are visible in the state")
	}
	if f.Folds && !learned {
		t.Error("no change was ever folded in")
	}
	if !f.Folds && !bytes.Equal(empty, StateBytes(t, plain)) {
		t.Error("Update changed the state; say Folds in the case if it should")
	}
	concurrently(t, func() {
		var v tidemill.Vector
		for i := range f.Changes {
			if f.Changes[i].After != nil {
				v.Reset()
				if ask(plain, &v, &f.Changes[i]) != nil {
					return
				}
			}
		}
	})
}

// appendsAlike checks what Append adds for change i: as many finite columns as Columns says, behind what is there,
// without a change of the state, and the same by a feature that was restarted.
func appendsAlike(t *testing.T, i int, c *tidemill.Change, plain, restarted tidemill.Feature) {
	t.Helper()
	want := tidemill.Vector{}
	err := ask(plain, &want, c)
	got := tidemill.Vector{Dense: []float64{1, 2}, Terms: []tidemill.Term{{Hash: 1, Value: 1}}}
	var saved []byte
	if i%7 == 0 {
		saved = StateBytes(t, restarted)
	}
	again := ask(restarted, &got, c)
	if saved != nil && !bytes.Equal(saved, StateBytes(t, restarted)) {
		t.Fatalf("change %d: Append changed the state", i)
	}
	if (err == nil) != (again == nil) {
		t.Fatalf("change %d: %v without restarts, %v with", i, err, again)
	}
	if err != nil {
		t.Fatalf("change %d: %v", i, err)
	}
	if width := width(plain); len(want.Dense) != width {
		t.Fatalf("change %d: %d dense columns, not %d", i, len(want.Dense), width)
	}
	if _, terms := plain.Columns(); len(want.Terms) > 0 && !terms {
		t.Fatalf("change %d: it appends sparse terms, and Columns does not say so", i)
	}
	if len(got.Dense) < 2 || got.Dense[0] != 1 || got.Dense[1] != 2 || len(got.Terms) < 1 || got.Terms[0].Hash != 1 {
		t.Fatalf("change %d: Append overwrote what was there", i)
	}
	rest := tidemill.Vector{Dense: got.Dense[2:], Terms: got.Terms[1:]}
	if !sameVector(&want, &rest) {
		t.Fatalf("change %d: %v without restarts, %v with", i, want, rest)
	}
	for _, v := range want.Dense {
		if math.IsInf(v, 0) {
			t.Fatalf("change %d: infinite", i)
		}
	}
}

// reversed is the change over a table whose columns stand in reverse order.
func reversed(c *tidemill.Change, table *tidemill.Table) tidemill.Change {
	turn := func(row []tidemill.Value) []tidemill.Value {
		row = slices.Clone(row)
		slices.Reverse(row)
		return row
	}
	d := *c
	d.Table, d.Before, d.After = table, turn(c.Before), turn(c.After)
	return d
}

func reversedTable(t *tidemill.Table) *tidemill.Table {
	columns, key := slices.Clone(t.Columns), slices.Clone(t.Key)
	slices.Reverse(columns)
	for i := range key {
		key[i] = len(columns) - 1 - key[i]
	}
	return tidemill.NewTable(t.Schema, t.Name, columns, key)
}

// otherShape alters the tables half way, and uses other pointers for equal tables.
func (f *featureTest) otherShape(t *testing.T) {
	plain := f.bound(t, f.Changes)
	var turned []tidemill.Change
	tables := map[*tidemill.Table]*tidemill.Table{}
	for i := range f.Changes {
		c := &f.Changes[i]
		if tables[c.Table] == nil {
			tables[c.Table] = reversedTable(c.Table)
		}
		turned = append(turned, reversed(c, tables[c.Table]))
	}
	altered := f.bound(t, f.Changes)
	for i := range f.Changes {
		c, d := &f.Changes[i], &f.Changes[i]
		if i == len(f.Changes)/2 {
			for _, table := range tables {
				for _, role := range []tidemill.Role{tidemill.Folds, tidemill.Asks} {
					if err := altered.Bind(table, role); err != nil {
						t.Fatalf("Bind of the altered table: %v", err)
					}
				}
			}
		}
		if i >= len(f.Changes)/2 {
			d = &turned[i]
			if i%2 == 0 { // an equal table under another pointer
				twin := *d
				same := *d.Table
				twin.Table = &same
				d = &twin
			}
		}
		if c.After != nil {
			var a, b tidemill.Vector
			if err := errors.Join(ask(plain, &a, c), ask(altered, &b, d)); err != nil {
				t.Fatalf("change %d: %v", i, err)
			}
			if !sameVector(&a, &b) {
				t.Fatalf("change %d: %v, and %v with the columns in another order", i, a, b)
			}
		}
		update(plain, c)
		update(altered, d)
	}
	if !bytes.Equal(StateBytes(t, plain), StateBytes(t, altered)) {
		t.Error("the order of the columns is visible in the state")
	}
}

func (f *featureTest) unknown(t *testing.T) {
	a := f.bound(t, f.Changes)
	for i := range f.Changes {
		update(a, &f.Changes[i])
	}
	for i := range f.Changes {
		c := f.Changes[i]
		if c.After == nil {
			continue
		}
		nulls := make([]tidemill.Value, len(c.After))
		for k := range nulls {
			nulls[k] = tidemill.Null()
		}
		c.After = nulls
		var v tidemill.Vector
		if err := ask(a, &v, &c); err != nil {
			t.Fatalf("a row of NULLs is rejected: %v", err)
		}
		if len(v.Dense) != width(a) {
			t.Fatalf("a row of NULLs gives %d columns", len(v.Dense))
		}
		for _, x := range v.Dense {
			if x == x && !f.Defined {
				t.Fatalf("a row of NULLs gives %v, not NaN", v.Dense)
			}
		}
		c.After = make([]tidemill.Value, len(nulls)) // nothing was sent
		var row *tidemill.RowError
		if err := ask(a, &v, &c); err != nil && (!errors.As(err, &row) || row.Column == "" || row.Table == "") {
			t.Fatalf("a value that was not sent: %v names no column", err)
		}
		return
	}
}

// odd gives the changes that a source can give at its worst.
func (f *featureTest) odd(t *testing.T) {
	a := f.bound(t, f.Changes)
	c := f.Changes[0]
	n := len(c.Table.Columns)
	for i := range f.Changes[:min(50, len(f.Changes))] {
		update(a, &f.Changes[i])
	}
	nulls := make([]tidemill.Value, n)
	for i := range nulls {
		nulls[i] = tidemill.Null()
	}
	for _, d := range []tidemill.Change{
		{Op: tidemill.Update, After: c.Row()},
		{Op: tidemill.Update, Before: make([]tidemill.Value, n), After: make([]tidemill.Value, n)},
		{Op: tidemill.Update, Before: nulls, After: nulls},
		{Op: tidemill.Insert, After: nulls},
		{Op: tidemill.Insert, After: make([]tidemill.Value, n)},
		{Op: tidemill.Delete, Before: make([]tidemill.Value, n)},
		{Op: tidemill.Delete, Before: nulls},
		{Op: tidemill.Delete},
		{Op: tidemill.Truncate},
		{Op: tidemill.LogicalMessage},
		{Op: tidemill.Control},
	} {
		d.Table, d.Tx = c.Table, c.Tx
		update(a, &d)
		StateBytes(t, a)
	}
	restore(t, f.bound(t, f.Changes), StateBytes(t, a))
	for i := range f.Changes[:min(50, len(f.Changes))] {
		update(a, &f.Changes[i])
	}
}
