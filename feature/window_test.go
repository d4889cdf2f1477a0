package feature

import (
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

func windowOf(t testing.TB, edit func(c *WindowConfig)) tidemill.Feature {
	t.Helper()
	c := NewWindowConfig()
	c.Of, c.Over = "payments", time.Hour
	edit(c)
	return built(t, c)
}

func TestWindowLaws(t *testing.T) {
	all := func(c *WindowConfig) {
		c.Count, c.Sum, c.Mean, c.Min, c.Max, c.Distinct, c.Last, c.Since = "rows", "amount", "amount", "price", "price", "note", "count", "rows"
	}
	for name, edit := range map[string]func(c *WindowConfig){
		"sliding": func(c *WindowConfig) { all(c); c.By = []string{"card"} },
		"short":   func(c *WindowConfig) { all(c); c.By = []string{"card", "flag"}; c.Over, c.Late = 3*time.Minute, 0 },
		"tumbling": func(c *WindowConfig) {
			all(c)
			c.By = []string{"card"}
			c.Over, c.Every = 10*time.Minute, 10*time.Minute
		},
		"no key":   func(c *WindowConfig) { all(c); c.Over = 20 * time.Minute },
		"own time": func(c *WindowConfig) { all(c); c.By = []string{"card"}; c.At = "paid_at"; c.Over = 100 * time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			tidemilltest.FeatureWith(t, tidemilltest.FeatureCase{
				New:   func() tidemill.Feature { return windowOf(t, edit) },
				Folds: true, Defined: name == "no key",
			})
		})
	}
}

func FuzzWindowState(f *testing.F) {
	made := func() tidemill.State {
		c := NewWindowConfig()
		c.Count, c.Mean, c.Distinct, c.Of, c.By, c.Over = "rows", "amount", "note", "payments", []string{"card"}, time.Hour
		w, err := newWindow(*c)
		if err != nil {
			panic(err)
		}
		return w
	}
	w := made().(*window)
	cs := tidemilltest.FeatureChanges(40)
	if err := w.Bind(cs[0].Table, tidemill.Folds); err != nil {
		f.Fatal(err)
	}
	for i := range cs {
		w.Update(&cs[i], cs[i].Tx.Commit.UnixMicro())
	}
	tidemilltest.FuzzState(f, made, tidemilltest.StateBytes(f, w))
}

// TestWindowIsTheQuery runs a stream of inserts, updates, deletes and late rows, and asks SQLite the same over all
// values that have not been taken out.
func TestWindowIsTheQuery(t *testing.T) {
	for name, c := range map[string]struct {
		over, every, late, spread, grid time.Duration
	}{
		"sliding":        {over: time.Hour, late: time.Hour, spread: 10 * time.Minute},
		"always in time": {over: 20 * time.Minute},
		"tumbling":       {over: 30 * time.Minute, every: 30 * time.Minute, late: 30 * time.Minute, spread: 5 * time.Minute},
		"hopping":        {over: time.Hour, every: 7 * time.Minute, late: time.Hour, spread: 5 * time.Minute},
		"on the bounds":  {over: 10 * time.Minute, late: 10 * time.Minute, spread: 10 * time.Minute, grid: time.Minute},
		"off the steps":  {over: 4 * time.Minute, every: 3 * time.Minute, late: 4 * time.Minute, spread: 4 * time.Minute, grid: time.Minute},
		"on the steps":   {over: 9 * time.Minute, every: 3 * time.Minute, late: 9 * time.Minute, spread: 5 * time.Minute, grid: time.Minute},
	} {
		t.Run(name, func(t *testing.T) { windowIsTheQuery(t, c.over, c.every, c.late, c.spread, c.grid) })
	}
}

// windowIsTheQuery is one case; with a grid every time is a multiple of it, so that values lie on the windows' bounds.
func windowIsTheQuery(t *testing.T, over, every, late, spread, grid time.Duration) {
	onGrid := func(at int64) int64 { return at - at%max(grid.Microseconds(), 1) }
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, q := range []string{
		"create table rows (id integer primary key, card text, t integer)",
		"create table amounts (id integer primary key, card text, t integer, v real)",
		"create table notes (id integer primary key, card text, t integer, v text)",
		"create index a on rows (card, t)", "create index b on amounts (card, t)", "create index c on notes (card, t)",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	exec := func(q string, args ...any) {
		t.Helper()
		if _, err := db.Exec(q, args...); err != nil {
			t.Fatal(q, err)
		}
	}

	table := tidemill.NewTable("", "payments", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt}, {Name: "card", Kind: tidemill.KindText},
		{Name: "amount", Kind: tidemill.KindFloat}, {Name: "note", Kind: tidemill.KindText}}, []int{0})
	asks := tidemill.NewTable("", "orders", []tidemill.Column{{Name: "holder", Kind: tidemill.KindText}}, nil)
	f := windowOf(t, func(c *WindowConfig) {
		c.Count, c.Sum, c.Mean, c.Min, c.Max, c.Distinct, c.Last, c.Since = "rows", "amount", "amount", "amount", "amount", "note", "amount", "rows"
		c.By, c.Match, c.Over, c.Every, c.Late = []string{"card"}, []string{"holder"}, over, every, late
	})
	if err := f.Bind(table, tidemill.Folds); err != nil {
		t.Fatal(err)
	}
	if err := f.Bind(asks, tidemill.Asks); err != nil {
		t.Fatal(err)
	}

	r := rand.New(rand.NewPCG(61, 62))
	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	cards := []string{"a", "b", "c", "d", "e"}
	rows := map[int64][]tidemill.Value{}
	var ids []int64
	amount := func() tidemill.Value {
		switch r.IntN(5) {
		case 0:
			return tidemill.Null()
		case 1: // sums that plain addition gets wrong
			return tidemill.Float([]float64{1e16, -1e16, 1, .1, 1e-9}[r.IntN(5)])
		}
		return tidemill.Float(float64(r.IntN(1000)) / 4)
	}
	note := func() tidemill.Value {
		if r.IntN(6) == 0 {
			return tidemill.Null()
		}
		return tidemill.Text([]string{"x", "y", "z"}[r.IntN(3)])
	}
	same := func(a, b tidemill.Value) bool { return a.Equal(b) }
	asked := 0
	for i := range 2500 {
		now += int64(r.IntN(int(40 * time.Second / time.Microsecond)))
		at := now
		if spread > 0 && r.IntN(4) == 0 {
			at -= int64(r.IntN(int(spread / time.Microsecond)))
		}
		at = onGrid(at)
		id := int64(i)
		switch k := r.IntN(10); {
		case k < 6 || len(ids) == 0: // insert
			row := []tidemill.Value{tidemill.Int(id), tidemill.Text(cards[r.IntN(len(cards))]), amount(), note()}
			f.Update(&tidemill.Change{Op: tidemill.Insert, Table: table, After: row}, at)
			rows[id] = row
			ids = append(ids, id)
			exec("insert into rows values (?,?,?)", id, row[1].Str(), at)
			if !row[2].IsNull() {
				exec("insert into amounts values (?,?,?,?)", id, row[1].Str(), at, row[2].Float())
			}
			if !row[3].IsNull() {
				exec("insert into notes values (?,?,?,?)", id, row[1].Str(), at, row[3].Str())
			}
		case k < 9: // update
			id = ids[max(0, len(ids)-1-r.IntN(60))]
			before := rows[id]
			row := append([]tidemill.Value(nil), before...)
			if r.IntN(8) == 0 {
				row[1] = tidemill.Text(cards[r.IntN(len(cards))])
			}
			if r.IntN(2) == 0 {
				row[2] = amount()
			}
			if r.IntN(2) == 0 {
				row[3] = note()
			}
			f.Update(&tidemill.Change{Op: tidemill.Update, Table: table, Before: before, After: row}, at)
			rows[id] = row
			moved := !same(before[1], row[1])
			if moved {
				exec("insert or replace into rows values (?,?,?)", id, row[1].Str(), at)
			}
			for col, name := range map[int]string{2: "amounts", 3: "notes"} {
				if same(before[col], row[col]) && !moved {
					continue
				}
				exec("delete from "+name+" where id = ?", id)
				if !row[col].IsNull() {
					var v any = row[col].Str()
					if col == 2 {
						v = row[col].Float()
					}
					exec("insert into "+name+" values (?,?,?,?)", id, row[1].Str(), at, v)
				}
			}
		default: // delete
			k := max(0, len(ids)-1-r.IntN(60))
			id = ids[k]
			ids = append(ids[:k], ids[k+1:]...)
			f.Update(&tidemill.Change{Op: tidemill.Delete, Table: table, Before: rows[id][:1]}, at)
			delete(rows, id)
			for _, name := range []string{"rows", "amounts", "notes"} {
				exec("delete from "+name+" where id = ?", id)
			}
		}
		if i%3 > 0 {
			continue
		}
		ask := now + int64(r.IntN(int(5*time.Minute/time.Microsecond)))
		if late > 0 && r.IntN(3) == 0 { // a late asker
			ask = now - int64(r.IntN(int(min(late, spread+1)/time.Microsecond)))
		}
		ask = onGrid(ask)
		end := ask
		if every > 0 {
			end = ask / every.Microseconds() * every.Microseconds()
		}
		card := cards[r.IntN(len(cards))]
		if i%50 == 0 {
			card = "nobody"
		}
		var got tidemill.Vector
		if err := f.Append(&got, &tidemill.Change{Op: tidemill.Insert, Table: asks, After: []tidemill.Value{tidemill.Text(card)}}, ask); err != nil {
			t.Fatal(err)
		}
		in := fmt.Sprintf("where card = '%s' and t > %d and t <= %d", card, end-over.Microseconds(), end)
		var want [8]sql.NullFloat64
		var last sql.NullInt64
		if err := db.QueryRow("select count(*), max(t) from rows "+in).Scan(&want[0], &last); err != nil {
			t.Fatal(err)
		}
		if last.Valid {
			want[7] = sql.NullFloat64{Float64: float64(ask-last.Int64) / 1e6, Valid: true}
		}
		if err := db.QueryRow("select min(v), max(v) from amounts "+in).Scan(&want[3], &want[4]); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow("select count(distinct v) from notes " + in).Scan(&want[5]); err != nil {
			t.Fatal(err)
		}
		plain, err := db.Query("select v, t from amounts " + in + " order by t")
		if err != nil {
			t.Fatal(err)
		}
		var vs []float64
		lastTimes, newest := 0, int64(math.MinInt64)
		for plain.Next() {
			var v float64
			var at int64
			if err := plain.Scan(&v, &at); err != nil {
				t.Fatal(err)
			}
			vs = append(vs, v)
			if at == newest {
				lastTimes++
			} else {
				newest, lastTimes = at, 1
			}
		}
		if err := plain.Close(); err != nil {
			t.Fatal(err)
		}
		if len(vs) > 0 {
			sum := bigSum(vs)
			want[1] = sql.NullFloat64{Float64: sum, Valid: true}
			want[2] = sql.NullFloat64{Float64: sum / float64(len(vs)), Valid: true}
			want[6] = sql.NullFloat64{Float64: vs[len(vs)-1], Valid: true}
		}
		asked++
		for k := range want {
			w := math.NaN()
			if want[k].Valid {
				w = want[k].Float64
			}
			if k == 6 && lastTimes > 1 { // two at the same microsecond: either
				continue
			}
			if g := got.Dense[k]; g != w && !(g != g && w != w) {
				t.Fatalf("step %d, asked at %d (clock %+d µs): %s is %v, the query says %v", i, ask, ask-now, f.(*window).out[k].Name, g, w)
			}
		}
		if i%300 == 0 { // a restart
			next := windowOf(t, func(c *WindowConfig) { *c = f.(*window).config })
			for _, b := range []error{next.Bind(table, tidemill.Folds), next.Bind(asks, tidemill.Asks), next.UnmarshalBinary(tidemilltest.StateBytes(t, f))} {
				if b != nil {
					t.Fatal(b)
				}
			}
			f = next
		}
	}
	if n := f.(*window).missed(); n > 0 {
		t.Errorf("%d values came too late in %d asks", n, asked)
	}
}

func TestWindowLife(t *testing.T) {
	table := tidemill.NewTable("", "flights", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt}, {Name: "carrier", Kind: tidemill.KindText}, {Name: "arr_delay", Kind: tidemill.KindInt}}, []int{0})
	row := func(id int64, carrier string, delay tidemill.Value) []tidemill.Value {
		return []tidemill.Value{tidemill.Int(id), tidemill.Text(carrier), delay}
	}
	null := tidemill.Null()
	hour := time.Hour.Microseconds()
	f := Merge([]tidemill.Feature{Count("flights", "carrier", 3*time.Hour), Mean("arr_delay", "flights", "carrier", 3*time.Hour)})
	if len(f) != 1 || len(f[0].(*window).out) != 2 {
		t.Fatalf("merged into %d features", len(f))
	}
	w := f[0].(*window)
	for _, role := range []tidemill.Role{tidemill.Folds, tidemill.Asks} {
		if err := w.Bind(table, role); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, at int64, count, mean float64) {
		t.Helper()
		var v tidemill.Vector
		if err := w.Append(&v, &tidemill.Change{Op: tidemill.Insert, Table: table, After: row(99, "UA", null)}, at); err != nil {
			t.Fatal(err)
		}
		if v.Dense[0] != count || v.Dense[1] != mean && !(v.Dense[1] != v.Dense[1] && mean != mean) {
			t.Errorf("%s: count %v and mean %v, not %v and %v", what, v.Dense[0], v.Dense[1], count, mean)
		}
	}
	change := func(op tidemill.Op, at int64, before, after []tidemill.Value) {
		w.Update(&tidemill.Change{Op: op, Table: table, Before: before, After: after}, at)
	}
	nan := math.NaN()
	want("nothing yet", 0, 0, nan)
	change(tidemill.Insert, 0, nil, row(1, "UA", null))
	want("a flight without a delay", 0, 1, nan)
	change(tidemill.Update, hour, nil, row(1, "UA", tidemill.Int(30)))
	want("landed: the delay enters at the landing", hour, 1, 30)
	want("before the landing it was not known", hour-1, 1, nan)
	want("three hours after the start the row has left, the delay has not", 3*hour, 0, 30)
	want("the edge is open", 4*hour, 0, nan)
	change(tidemill.Insert, hour, nil, row(2, "UA", null))
	change(tidemill.Update, 2*hour, row(2, "UA", null), row(2, "UA", tidemill.Int(10)))
	want("two", 2*hour, 2, 20)
	change(tidemill.Update, 2*hour, row(2, "UA", tidemill.Int(10)), row(2, "UA", tidemill.Int(10)))
	want("nothing changed", 2*hour, 2, 20)
	change(tidemill.Update, 2*hour+1, row(2, "UA", tidemill.Int(10)), row(2, "UA", tidemill.Int(50)))
	want("corrected", 2*hour+1, 2, 40)
	change(tidemill.Update, 2*hour+2, row(2, "UA", tidemill.Int(50)), row(2, "AA", tidemill.Int(50)))
	want("moved to another carrier", 2*hour+2, 1, 30)
	change(tidemill.Update, 2*hour+3, row(2, "AA", tidemill.Int(50)), row(7, "UA", tidemill.Int(50)))
	want("moved back under another id", 2*hour+3, 2, 40)
	change(tidemill.Delete, 2*hour+4, []tidemill.Value{tidemill.Int(7), {}, {}}, nil)
	want("deleted by its key", 2*hour+4, 1, 30)
	change(tidemill.Update, 3*hour, row(1, "UA", tidemill.Int(30)), row(1, "UA", null))
	want("set to NULL", 3*hour, 0, nan)
	change(tidemill.Insert, 3*hour, nil, row(3, "UA", tidemill.Int(5)))
	change(tidemill.Truncate, 3*hour, nil, nil)
	want("truncated", 3*hour, 0, nan)
	change(tidemill.Update, 9*hour, row(1, "UA", tidemill.Int(30)), row(1, "UA", tidemill.Int(30)))
	want("an old value is not new", 9*hour, 0, nan)
}

func TestWindowExpressions(t *testing.T) {
	c := NewWindowConfig()
	c.Count, c.Mean, c.Of, c.Over, c.Where = "rows", "arr_delay > 15", "flights", time.Hour, "status = 'landed'"
	f := built(t, c).(*window)
	table := tidemill.NewTable("", "flights", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt}, {Name: "arr_delay", Kind: tidemill.KindInt}, {Name: "status", Kind: tidemill.KindText}}, []int{0})
	for _, role := range []tidemill.Role{tidemill.Folds, tidemill.Asks} {
		if err := f.Bind(table, role); err != nil {
			t.Fatal(err)
		}
	}
	row := func(id, delay int64, status string) []tidemill.Value {
		return []tidemill.Value{tidemill.Int(id), tidemill.Int(delay), tidemill.Text(status)}
	}
	want := func(what string, count, mean float64) {
		t.Helper()
		var v tidemill.Vector
		if err := f.Append(&v, &tidemill.Change{Table: table, After: row(9, 0, "")}, 10); err != nil {
			t.Fatal(err)
		}
		if v.Dense[0] != count || v.Dense[1] != mean && !(v.Dense[1] != v.Dense[1] && mean != mean) {
			t.Errorf("%s: count %v and mean %v, not %v and %v", what, v.Dense[0], v.Dense[1], count, mean)
		}
	}
	f.Update(&tidemill.Change{Op: tidemill.Insert, Table: table, After: row(1, 60, "in the air")}, 1)
	want("not landed", 0, math.NaN())
	f.Update(&tidemill.Change{Op: tidemill.Update, Table: table, After: row(1, 60, "landed")}, 2)
	f.Update(&tidemill.Change{Op: tidemill.Insert, Table: table, After: row(2, 3, "landed")}, 2)
	want("two landed, one late", 2, .5)
	f.Update(&tidemill.Change{Op: tidemill.Update, Table: table, After: []tidemill.Value{tidemill.Int(2), tidemill.Int(70), {}}}, 3)
	want("a status that was not sent", 2, .5) // whether it still counts cannot be told: it stays as it was
	f.Update(&tidemill.Change{Op: tidemill.Update, Table: table, After: row(1, 60, "diverted")}, 4)
	want("diverted", 1, 0)
	if columns, before := f.Needs(table, tidemill.Folds); fmt.Sprint(columns) != "[arr_delay id status]" || !before {
		t.Errorf("needs %v, %v", columns, before)
	}
	d := *c
	d.Where = "status"
	if err := built(t, &d).Bind(table, tidemill.Folds); err == nil || !strings.Contains(err.Error(), "a condition is true or false, and status is text") {
		t.Errorf("error %v", err)
	}
	for want, edit := range map[string]func(c *WindowConfig){
		"where: ":           func(c *WindowConfig) { c.Where = "status = " },
		"mean: ":            func(c *WindowConfig) { c.Mean = "a +" },
		"rows are counted ": func(c *WindowConfig) { c.Mean = "rows" },
	} {
		d := *c
		edit(&d)
		if _, err := d.Build(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, not %q", err, want)
		}
	}
}

func TestWindowMistakes(t *testing.T) {
	for want, edit := range map[string]func(c *WindowConfig){
		"name a figure":              func(c *WindowConfig) {},
		"name the table":             func(c *WindowConfig) { c.Count, c.Of = "rows", "" },
		"over is 0s":                 func(c *WindowConfig) { c.Count, c.Over = "rows", 0 },
		"late is -1s":                func(c *WindowConfig) { c.Count, c.Late = "rows", -time.Second },
		"match names 1 columns and":  func(c *WindowConfig) { c.Count, c.Match = "rows", []string{"x"} },
		`unix is "h"; say s or ms`:   func(c *WindowConfig) { c.Count, c.At, c.Unix = "rows", "t", "h" },
		"name the column with at":    func(c *WindowConfig) { c.Count, c.Unix = "rows", "s" },
		"every is 1ns; say a length": func(c *WindowConfig) { c.Count, c.Every = "rows", 1 },
	} {
		c := NewWindowConfig()
		c.Of, c.Over = "payments", time.Hour
		edit(c)
		if _, err := c.Build(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, not %q", err, want)
		}
	}
	noKey := tidemill.NewTable("", "payments", []tidemill.Column{{Name: "card", Kind: tidemill.KindText}}, nil)
	if err := Count("payments", "card", time.Hour).Bind(noKey, tidemill.Folds); err == nil || !strings.Contains(err.Error(), "no primary key") {
		t.Errorf("error %v", err)
	}
	if err := Count("payments", "crad", time.Hour).Bind(tidemilltest.FeatureTable(), tidemill.Folds); err == nil || !strings.Contains(err.Error(), `did you mean "card"?`) {
		t.Errorf("error %v", err)
	}
	if err := Count("payments", "card", 0).Bind(noKey, tidemill.Folds); err == nil || !strings.Contains(err.Error(), "over is 0s") {
		t.Errorf("error %v", err)
	}
}

// TestWindowSkips: what is no number, and a time that would close every window, is left out and counted, also over a
// restart.
func TestWindowSkips(t *testing.T) {
	c := NewWindowConfig()
	c.Count, c.Mean, c.Of, c.Over, c.At = "rows", "delay", "flights", time.Hour, "at"
	f := built(t, c).(*window)
	table := tidemill.NewTable("", "flights", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt}, {Name: "delay", Kind: tidemill.KindText}, {Name: "at", Kind: tidemill.KindText}}, []int{0})
	noon := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	bound := func(f *window) {
		for _, role := range []tidemill.Role{tidemill.Folds, tidemill.Asks} {
			if err := f.Bind(table, role); err != nil {
				t.Fatal(err)
			}
		}
	}
	tx := &tidemill.Tx{Commit: noon}
	insert := func(id int64, delay, at tidemill.Value) {
		f.Update(&tidemill.Change{Op: tidemill.Insert, Table: table, Tx: tx, After: []tidemill.Value{tidemill.Int(id), delay, at}}, 0)
	}
	bound(f)
	early := tidemill.Text("2024-03-01 11:30")
	for i, want := range []uint64{0, 0, 1, 2, 3, 3, 4, 4, 5, 5, 6} {
		switch i {
		case 1:
			insert(1, tidemill.Text("7"), early)
		case 2:
			insert(2, tidemill.Text("late"), early)
		case 3:
			insert(3, tidemill.Text("inf"), early)
		case 4:
			insert(4, tidemill.Text("9"), tidemill.Text("9999-12-31"))
		case 5:
			insert(5, tidemill.Null(), early)
		case 6:
			insert(6, tidemill.Text("9"), tidemill.Text("soon"))
		case 7:
			insert(7, tidemill.Text("9"), tidemill.Null())
		case 8:
			insert(8, tidemill.Text("9"), tidemill.Text("2024-03-02 12:00:01"))
		case 9:
			insert(9, tidemill.Text("9"), tidemill.Text("2024-03-01 11:45"))
		case 10: // of a source that tells no commit time
			tx = &tidemill.Tx{Read: noon}
			insert(10, tidemill.Text("9"), tidemill.Text("2024-03-02 12:00:01"))
		}
		if f.skipped() != want {
			t.Errorf("after row %d: %d skipped, not %d", i, f.skipped(), want)
		}
		b := tidemilltest.StateBytes(t, f)
		next := built(t, c).(*window)
		bound(next)
		if err := next.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if again := tidemilltest.StateBytes(t, next); string(again) != string(b) || next.skipped() != want {
			t.Errorf("after row %d: a restart has %d skipped, or other bytes", i, next.skipped())
		}
		f = next
	}
	var v tidemill.Vector
	if err := f.Append(&v, &tidemill.Change{Table: table, After: []tidemill.Value{tidemill.Int(99), tidemill.Null(), early}}, noon.UnixMicro()); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(v.Dense) != "[5 8]" {
		t.Errorf("count and mean are %v, not [5 8]", v.Dense)
	}
}

// TestWindowReclaims runs far more rows and keys through a window than are ever in it.
func TestWindowReclaims(t *testing.T) {
	f := windowOf(t, func(c *WindowConfig) {
		c.Count, c.Mean, c.Distinct, c.By, c.Over, c.Late = "rows", "amount", "note", []string{"card"}, time.Minute, 0
	}).(*window)
	table := tidemill.NewTable("", "payments", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt}, {Name: "card", Kind: tidemill.KindText},
		{Name: "amount", Kind: tidemill.KindFloat}, {Name: "note", Kind: tidemill.KindText}}, []int{0})
	if err := f.Bind(table, tidemill.Folds); err != nil {
		t.Fatal(err)
	}
	feed := func(from, n int, step int64) {
		for i := from; i < from+n; i++ {
			f.Update(&tidemill.Change{Op: tidemill.Insert, Table: table, After: []tidemill.Value{
				tidemill.Int(int64(i)), tidemill.Text(fmt.Sprint("c", i/3)), tidemill.Float(1), tidemill.Text("n")}}, int64(i)*step)
		}
	}
	feed(0, 100_000, 1) // a burst: all of it is in the window
	if n := f.streams[0].live; n != 100_000 {
		t.Fatalf("%d entries are live", n)
	}
	feed(100_000, 50_000, 1e6) // one each second: 60 in the window
	for _, s := range f.streams {
		if s.live != 60 || s.slab.n > 2048 || len(s.keys) > 2048 || s.order.len() > 2048 || s.keyed.n > 30 || len(s.values) > 30 {
			t.Errorf("stream of %q: %d live in %d entries, %d keys, %d places in time", s.column, s.live, s.slab.n, len(s.keys), s.order.len())
		}
	}
	if n := len(tidemilltest.StateBytes(t, f)); n > 60*3*32+100 {
		t.Errorf("the state has %d bytes", n)
	}
	for i := range 100_000 { // one row corrected ever again
		f.Update(&tidemill.Change{Op: tidemill.Update, Table: table, After: []tidemill.Value{
			tidemill.Int(149_999), tidemill.Text("c"), tidemill.Float(float64(i)), tidemill.Text("n")}}, 150_000e6)
	}
	if s := f.streams[1]; s.order.len() > 2048 || s.slab.n > 4096 {
		t.Errorf("corrections hold %d places in time and %d entries", s.order.len(), s.slab.n)
	}
}

// TestWindowForgetsRoughSums lets values through that no two numbers can add up with the others.
func TestWindowForgetsRoughSums(t *testing.T) {
	s := newStream(1000, 0, 0, wants{sum: true})
	value := func(i int) float64 {
		if i == 500 {
			return 1e300
		}
		return float64(i%10) / 10
	}
	rough := 0
	for i := range 10_000 {
		s.enter(1, uint64(i), math.Float64bits(value(i)), int64(i))
		if s.sums[s.findKey(1)].rough {
			rough++
		}
		if i%97 > 0 {
			continue
		}
		var vs []float64
		for k := max(0, i-999); k <= i; k++ {
			vs = append(vs, value(k))
		}
		if got, want := s.figure(aggSum, 1, int64(i)), bigSum(vs); got != want {
			t.Fatalf("at %d the sum is %v, not %v", i, got, want)
		}
	}
	if rough < 900 || rough > 1200 {
		t.Errorf("the sum was rough for %d of 10000 values; 1e300 was in the window for 1000", rough)
	}
}

func millionKeys(t testing.TB) (*window, *tidemill.Table) {
	f := windowOf(t, func(c *WindowConfig) {
		c.Mean, c.By, c.Over = "amount", []string{"card"}, 24*time.Hour
	}).(*window)
	table := tidemill.NewTable("", "payments", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt}, {Name: "card", Kind: tidemill.KindInt}, {Name: "amount", Kind: tidemill.KindFloat}}, []int{0})
	for _, role := range []tidemill.Role{tidemill.Folds, tidemill.Asks} {
		if err := f.Bind(table, role); err != nil {
			t.Fatal(err)
		}
	}
	row := make([]tidemill.Value, 3)
	c := tidemill.Change{Op: tidemill.Insert, Table: table, After: row}
	for i := range int64(1_000_000) {
		row[0], row[1], row[2] = tidemill.Int(i), tidemill.Int(i*7919), tidemill.Float(float64(i))
		f.Update(&c, i)
	}
	return f, table
}

func BenchmarkWindowMillionKeysAppendBinary(b *testing.B) {
	f, _ := millionKeys(b)
	for b.Loop() {
		if _, err := f.AppendBinary(nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWindowMillionKeysUnmarshal(b *testing.B) {
	f, _ := millionKeys(b)
	s, err := f.AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := f.UnmarshalBinary(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWindowUpdate(b *testing.B) {
	f, table := millionKeys(b)
	row := make([]tidemill.Value, 3)
	c := tidemill.Change{Op: tidemill.Insert, Table: table, After: row}
	i := int64(1_000_000)
	for b.Loop() {
		row[0], row[1], row[2] = tidemill.Int(i), tidemill.Int(i*7919), tidemill.Float(float64(i))
		f.Update(&c, 24*3600e6+i) // one comes, one goes
		i++
	}
}

func BenchmarkWindowAppend(b *testing.B) {
	f, table := millionKeys(b)
	c := tidemill.Change{Op: tidemill.Insert, Table: table, After: []tidemill.Value{tidemill.Int(1), tidemill.Int(500_000 * 7919), tidemill.Null()}}
	var v tidemill.Vector
	for b.Loop() {
		v.Reset()
		if err := f.Append(&v, &c, 1_000_000); err != nil {
			b.Fatal(err)
		}
	}
}
