package tidemilltest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// SQLHarness says how to reach a sink that writes the table of predictions of a SQL system.
type SQLHarness struct {
	// New makes a database of its own, empty.
	New func(t *testing.T) SQLDatabase
	// Type is a column's definition in CREATE TABLE, without its name: "text NOT NULL" for task.
	Type func(column string) string
}

// SQLDatabase is one database that sinks write to.
type SQLDatabase struct {
	// Open gives another sink on a table, as another process would have it.
	Open func(t *testing.T, table string) tidemill.Sink
	// Exec runs statements.
	Exec func(t *testing.T, sql string)
	// Query gives the rows of a statement: texts, or nil for NULL.
	Query func(t *testing.T, sql string) [][]any
	// Tables names the tables that are there.
	Tables func(t *testing.T) []string
	// Time reads a time as Query gives it.
	Time func(text string) (time.Time, error)
}

const sqlColumns = "task, id, prediction, score, probabilities, model_version, asked_at, position, truth, answered_at"

// SQLSink holds a sink of a SQL system to the laws of sinks, and to those of the table of predictions: its columns
// and its marks.
func SQLSink(t *testing.T, h SQLHarness) {
	Sink(t, SinkHarness{New: func(t *testing.T) SinkTarget { return h.New(t).target("predictions") }})
	for _, law := range []struct {
		name string
		test func(*testing.T, SQLHarness)
	}{
		{"a table made by hand", sqlMadeByHand},
		{"marks are of a flow and a table", sqlMarks},
		{"a look makes nothing", sqlLook},
		{"reset removes the flow's tasks only", sqlReset},
		{"how writes are cut is not visible", sqlCuts},
		{"recall", sqlRecall},
	} {
		t.Run(law.name, func(t *testing.T) { law.test(t, h) })
	}
}

// target is the database as one table.
func (d SQLDatabase) target(table string) SinkTarget {
	return SinkTarget{
		Open: func(t *testing.T) tidemill.Sink { return d.Open(t, table) },
		Rows: func(t *testing.T) map[string]SinkRow { return d.rows(t, table) },
	}
}

func (d SQLDatabase) rows(t *testing.T, table string) map[string]SinkRow {
	t.Helper()
	rows := map[string]SinkRow{}
	if !slices.Contains(d.Tables(t), table) {
		return rows
	}
	text := func(v any) string {
		s, _ := v.(string)
		return s
	}
	when := func(v any) (at time.Time) {
		if s := text(v); s != "" {
			var err error
			if at, err = d.Time(s); err != nil {
				t.Fatal(err)
			}
		}
		return at
	}
	for _, v := range d.Query(t, "SELECT "+sqlColumns+" FROM "+table) {
		r := SinkRow{Prediction: text(v[2]), Score: math.NaN(), Version: text(v[5]), Asked: when(v[6]),
			Position: text(v[7]), Truth: text(v[8]), Answered: when(v[9])}
		if x, err := strconv.ParseFloat(text(v[3]), 64); err == nil {
			r.Score = x
		}
		if p := text(v[4]); p != "" {
			if err := json.Unmarshal([]byte(p), &r.Probabilities); err != nil {
				t.Fatal(err)
			}
		}
		rows[text(v[0])+"/"+text(v[1])] = r
	}
	return rows
}

// create makes the table by hand, its columns in the order that order gives.
func (d SQLDatabase) create(t *testing.T, h SQLHarness, table string, order func([]string) []string) {
	t.Helper()
	defs := order(strings.Split(sqlColumns, ", "))
	for i, c := range defs {
		defs[i] = c + " " + h.Type(c)
	}
	d.Exec(t, "CREATE TABLE "+table+" ("+strings.Join(defs, ", ")+", PRIMARY KEY (task, id))")
}

// resumed is a sink on the table that goes on; it is closed when the test ends.
func (d SQLDatabase) resumed(t *testing.T, table string, r tidemill.Resumption) tidemill.Sink {
	t.Helper()
	k := d.Open(t, table)
	t.Cleanup(func() { _ = k.Close() })
	if err := engine.ResumeSink(t.Context(), k, r); err != nil {
		t.Fatalf("Resume of table %s, %+v: %v", table, r, err)
	}
	return k
}

func put(t *testing.T, k tidemill.Sink, out ...tidemill.Output) {
	t.Helper()
	if err := k.Write(t.Context(), out); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

func sameRows(t *testing.T, got, want map[string]SinkRow) {
	t.Helper()
	for k, w := range want {
		if !got[k].equal(w) {
			t.Errorf("row %q is\n%+v, not\n%+v", k, got[k], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rows, not %d", len(got), len(want))
	}
}

// sqlMadeByHand: what a column holds does not hang on where it stands, nor on others beside it, whatever is done to
// a row.
func sqlMadeByHand(t *testing.T, h SQLHarness) {
	for name, order := range map[string]func([]string) []string{
		"backwards": func(c []string) []string { slices.Reverse(c); return c },
		"prediction and truth change places": func(c []string) []string {
			c[2], c[8] = c[8], c[2]
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := h.New(t)
			d.create(t, h, "predictions", order)
			d.Exec(t, "ALTER TABLE predictions ADD COLUMN note "+h.Type("prediction"))
			k := d.resumed(t, "predictions", tidemill.Resumption{Flow: "f", Term: 1})
			a, b, c, there := predicted(1, "a"), predicted(2, "b"), predicted(3, "c"), predicted(4, "there")
			ta := truthOf(5, "a", "false")
			put(t, k, a, b, c, there)
			put(t, k, ta)
			move := func(seq uint64, from, to string) tidemill.Output {
				return tidemill.Output{Kind: tidemill.Retracted, Seq: seq, Task: "late", ID: from, NewID: to}
			}
			put(t, k, move(6, "a", "far"), move(7, "b", "there")) // to a key that is new, and to one that has a row
			want := map[string]SinkRow{key("far"): row(a), key("there"): row(b), key("c"): row(c)}
			far := want[key("far")]
			far.Truth, far.Answered = ta.Truth, ta.Answered
			want[key("far")] = far
			seq := uint64(7)
			var many []tidemill.Output // enough for a system's way of many rows
			for i := range 500 {
				seq++
				o := predicted(seq, fmt.Sprint("many", i))
				many = append(many, o)
				want[key(o.ID)] = row(o)
			}
			put(t, k, many...)
			sameRows(t, d.rows(t, "predictions"), want)
		})
	}
}

// marks are the marks in the database, as flow, term and seq.
func (d SQLDatabase) marks(t *testing.T) string {
	t.Helper()
	var lines []string
	for _, r := range d.Query(t, "SELECT flow, term, seq FROM tidemill_marks") {
		lines = append(lines, fmt.Sprintln(r...))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func sqlMarks(t *testing.T, h SQLHarness) {
	d := h.New(t)
	one := d.resumed(t, "predictions", tidemill.Resumption{Flow: "one", Term: 5})
	put(t, one, predicted(1, "a"), predicted(2, "b"))
	if got := d.marks(t); got != "one 5 2\n" {
		t.Errorf("after output 2 of term 5 the marks are %q", got)
	}
	d.resumed(t, "predictions", tidemill.Resumption{Flow: "two", Term: 1})
	other := d.resumed(t, "others", tidemill.Resumption{Flow: "one", Term: 1})
	put(t, other, predicted(1, "c"))
	put(t, one, predicted(3, "d"))
	for _, c := range []struct {
		table, flow string
		want        tidemill.Mark
	}{{"predictions", "one", tidemill.Mark{Term: 5, Seq: 3}}, {"predictions", "two", tidemill.Mark{Term: 1}},
		{"others", "one", tidemill.Mark{Term: 1, Seq: 1}},
		{"others", "two", tidemill.Mark{}}} {
		k := d.Open(t, c.table)
		if m, err := k.Mark(t.Context(), c.flow); err != nil || m != c.want {
			t.Errorf("the mark of flow %s in %s is %+v, %v; want %+v", c.flow, c.table, m, err, c.want)
		}
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	}
	sameRows(t, d.rows(t, "others"), map[string]SinkRow{key("c"): row(predicted(1, "c"))})
}

func sqlLook(t *testing.T, h SQLHarness) {
	d := h.New(t)
	k := d.Open(t, "predictions")
	defer k.Close()
	if m, err := k.Mark(t.Context(), "f"); err != nil || m != (tidemill.Mark{}) {
		t.Errorf("the mark of an empty database is %+v, %v", m, err)
	}
	lost := tidemill.Resumption{Flow: "f", Term: 2, After: tidemill.Mark{Term: 1, Seq: 9}}
	if err := engine.ResumeSink(t.Context(), k, lost); err == nil {
		t.Error("a database that has lost its rows is gone on with")
	}
	if tables := d.Tables(t); len(tables) != 0 {
		t.Errorf("the look made %q", tables)
	}
}

func sqlReset(t *testing.T, h SQLHarness) {
	d := h.New(t)
	k := d.resumed(t, "predictions", tidemill.Resumption{Flow: "one", Term: 1})
	a, b := predicted(1, "a"), predicted(2, "b")
	b.Task = "other"
	put(t, k, a, b)
	d.resumed(t, "predictions", tidemill.Resumption{Flow: "one", Term: 2, Adopt: true, Reset: true,
		Tasks: []string{"late"}})
	sameRows(t, d.rows(t, "predictions"), map[string]SinkRow{"other/b": row(b)})
}

// sqlRecall: what has its truth is read back beside a writer, the newest answer first.
func sqlRecall(t *testing.T, h SQLHarness) {
	d := h.New(t)
	k := d.resumed(t, "predictions", tidemill.Resumption{Flow: "f", Term: 1})
	a, b, c, odd := predicted(1, "a"), predicted(2, "b"), predicted(3, "c"), predicted(4, "d")
	odd.Task = "other"
	ta, tb, todd := truthOf(6, "a", "false"), truthOf(5, "b", "true"), truthOf(7, "d", "true")
	todd.Task = "other"
	timeless := predicted(8, "e") // its row brought a truth without a time
	timeless.Truth = "true"
	put(t, k, a, b, c, odd, ta, tb, todd, timeless)
	reader, ok := d.Open(t, "predictions").(tidemill.Recaller)
	if !ok {
		t.Fatal("the sink recalls nothing")
	}
	got, err := reader.Recall(t.Context(), "late", 10)
	if err != nil || len(got) != 3 || got[0].ID != "a" || got[1].ID != "b" || got[2].ID != "e" {
		t.Fatalf("recalled %+v, %v", got, err)
	}
	r := got[0]
	if r.Label != a.Label || r.Truth != ta.Truth || r.Score != a.Score || !reflect.DeepEqual(r.Probabilities,
		row(a).Probabilities) ||
		!r.Asked.Equal(a.Asked) || !r.Answered.Equal(ta.Answered) || !got[2].Answered.IsZero() {
		t.Errorf("recalled %+v", got)
	}
	if got, err := reader.Recall(t.Context(), "late", 1); err != nil || len(got) != 1 || got[0].ID != "a" {
		t.Errorf("the newest: %+v, %v", got, err)
	}
}

// sqlCuts: the rows after a history do not hang on how it was cut into writes, whatever way the system writes many.
func sqlCuts(t *testing.T, h SQLHarness) {
	d := h.New(t)
	r := rand.New(rand.NewPCG(7, 8))
	single := d.resumed(t, "single", tidemill.Resumption{Flow: "f", Term: 1})
	cut := d.resumed(t, "cut", tidemill.Resumption{Flow: "f", Term: 1})
	seq := uint64(0)
	for range 12 {
		out := make([]tidemill.Output, 1+r.IntN(150))
		for i := range out {
			seq++
			out[i] = sqlRandom(r, seq)
		}
		for i := range out {
			put(t, single, out[i])
		}
		put(t, cut, out...)
		if got, want := d.rows(t, "cut"), d.rows(t, "single"); !reflect.DeepEqual(noNaN(got), noNaN(want)) {
			t.Fatalf("after output %d the rows are\n%+v, one by one they are\n%+v", seq, got, want)
		}
	}
}

// sqlRandom is an output about one of a few rows, so that all orders of them come.
func sqlRandom(r *rand.Rand, seq uint64) tidemill.Output {
	o := predicted(seq, fmt.Sprint(r.IntN(8)))
	if r.IntN(2) == 0 {
		o.Task = "other"
	}
	switch k := r.IntN(20); {
	case k < 9:
		t := truthOf(seq, o.ID, fmt.Sprint("t", seq))
		t.Task = o.Task
		if k == 0 {
			t.Truth = ""
		}
		return t
	case k == 9:
		return tidemill.Output{Kind: tidemill.Retracted, Seq: seq, Task: o.Task, ID: o.ID, NewID: fmt.Sprint(r.IntN(8))}
	case k == 10:
		return tidemill.Output{Kind: tidemill.EventRaised, Seq: seq, Task: o.Task, ID: o.ID}
	case k == 11:
		o.Truth, o.Answered = fmt.Sprint("t", seq), o.Asked
	}
	return o
}

// noNaN makes rows comparable.
func noNaN(rows map[string]SinkRow) map[string]SinkRow {
	for k, r := range rows {
		if math.IsNaN(r.Score) {
			r.Score = -1
			rows[k] = r
		}
	}
	return rows
}
