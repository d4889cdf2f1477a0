package json

import (
	"bytes"
	stdjson "encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

func formats() map[string]func() tidemill.Format {
	return map[string]func() tidemill.Format{
		"plain": func() tidemill.Format { return Plain() },
		"keyed": func() tidemill.Format { return Keyed() },
	}
}

func TestLaws(t *testing.T) {
	for name, open := range formats() {
		t.Run(name, func(t *testing.T) { tidemilltest.Format(t, open) })
	}
}

// TestGolden holds the bytes to those that the sinks' own golden files have.
func TestGolden(t *testing.T) {
	file, err := os.ReadFile("../../connector/file/testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	posted, err := os.ReadFile("../../connector/webhook/testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(posted), "\n")
	outs := tidemilltest.Outputs()
	var plain []byte
	for i := range outs {
		m, err := Plain().Encode(nil, &outs[i])
		if err != nil || len(m) != 1 {
			t.Fatal(m, err)
		}
		plain = append(append(plain, m[0].Value...), '\n')
		if m, err = Keyed().Encode(nil, &outs[i]); err != nil || string(m[0].Value) != lines[2*i+1] {
			t.Errorf("keyed: got\n%s\nwant\n%s, %v", m[0].Value, lines[2*i+1], err)
		}
	}
	if !bytes.Equal(plain, file) {
		t.Errorf("plain: got\n%s\nwant\n%s", plain, file)
	}
}

// said is what a stranger reads: the object by encoding/json.
type said struct {
	Kind, Key, Task, ID, Prediction, Position, Truth, Reason, Table, Op string
	NewID                                                               string `json:"new_id"`
	Score                                                               *float64
	Probabilities                                                       map[string]*float64
	Values                                                              []*float64
	Version                                                             string    `json:"model_version"`
	Asked                                                               time.Time `json:"asked_at"`
	Answered                                                            time.Time `json:"answered_at"`
	Corrected                                                           bool
	Before, Row                                                         map[string]any
}

// FuzzOutput reads what is written back by encoding/json.
func FuzzOutput(f *testing.F) {
	f.Add(uint8(0), "late", "4711", "yes\n", "no\"", 0.75, int64(1e18), "0/16B3748")
	f.Add(uint8(1), "\xff", "<&>", "\u2028", "", -1e-9, int64(0), "")
	f.Add(uint8(3), "t", "c", "\x00", "r", 1e300, int64(-1), "p")
	f.Fuzz(func(t *testing.T, kind uint8, task, id, label, text string, x float64, nanos int64, position string) {
		at := time.Unix(0, nanos).UTC().Truncate(time.Microsecond)
		table := tidemill.NewTable("", "t", []tidemill.Column{{Name: "a"}, {Name: "b"}}, nil)
		o := tidemill.Output{Kind: tidemill.OutputKind(kind % 6), Task: task, ID: id, Label: label, Score: x, Labels: []string{"x", "y"},
			Prediction: []float64{x, 1 - x}, Asked: at, Position: position, Reason: text, NewID: text,
			Change: &tidemill.Change{Op: tidemill.Insert, Table: table, After: []tidemill.Value{tidemill.Text(text), tidemill.Float(x)}}}
		if o.Kind == tidemill.Truth {
			o.Truth, o.Answered = label, at
		}
		valid := func(s string) string { return string([]rune(s)) }
		for name, open := range formats() {
			m, err := open().Encode(nil, &o)
			if err != nil || len(m) != 1 {
				t.Fatal(m, err)
			}
			var s said
			if err := stdjson.Unmarshal(m[0].Value, &s); err != nil {
				t.Fatalf("%s: %s: %v", name, m[0].Value, err)
			}
			if s.Kind != o.Kind.String() || s.Position != valid(position) || (name == "keyed") != (s.Key != "") {
				t.Fatalf("%s: %s", name, m[0].Value)
			}
			switch o.Kind {
			case tidemill.Predicted:
				if s.Task != valid(task) || s.ID != valid(id) || s.Prediction != valid(label) || !s.Asked.Equal(at) || len(s.Probabilities) != 2 {
					t.Fatalf("%s: %s", name, m[0].Value)
				}
				if s.Score != nil && *s.Score != x || (s.Score == nil) != (x-x != 0) {
					t.Fatalf("%s: the score of %v: %s", name, x, m[0].Value)
				}
			case tidemill.Truth:
				if s.Truth != valid(label) || !s.Answered.Equal(at) {
					t.Fatalf("%s: %s", name, m[0].Value)
				}
			case tidemill.RowPassed, tidemill.RowRejected:
				if s.Table != "t" || s.Row["a"] != valid(text) || x-x == 0 && s.Row["b"] != x {
					t.Fatalf("%s: %s", name, m[0].Value)
				}
			}
		}
	})
}

func TestMessage(t *testing.T) {
	o := tidemill.Output{Kind: tidemill.Truth, Task: "late", ID: "7", Truth: "x", Position: "1"}
	for name, open := range formats() {
		m, err := open().Encode(nil, &o)
		if err != nil || string(m[0].Key) != "late/7" || m[0].Topic != "" ||
			!slices.Equal(m[0].Headers, []tidemill.Attr{{Name: "Content-Type", Value: "application/json"}}) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
		if m, _ = open().Encode(m[:0], &tidemill.Output{Kind: tidemill.RowPassed}); len(m[0].Key) != 0 {
			t.Errorf("%s: the key of a row of no task is %q", name, m[0].Key)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	outs := tidemilltest.Outputs()
	f, dst := Plain(), []tidemill.Message(nil)
	for _, i := range []int{0, 2, 5, 8} {
		if n := testing.AllocsPerRun(100, func() { dst, _ = f.Encode(dst[:0], &outs[i]) }); n != 0 {
			t.Errorf("%v allocations for output %d", n, i)
		}
	}
}

func TestConfig(t *testing.T) {
	for layout, want := range map[string]string{"plain": "json", "keyed": "json layout=keyed"} {
		f, err := (&Config{Layout: layout}).Build("f")
		if err != nil || f.(tidemill.Describer).Describe() != want {
			t.Errorf("%s: %v, %v", layout, f, err)
		}
	}
	if _, err := (&Config{Layout: "wide"}).Build("f"); err == nil || !strings.Contains(err.Error(), "layout") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkEncode(b *testing.B) {
	o := tidemill.Output{Kind: tidemill.Predicted, Task: "late", ID: "4711", Label: "true", Score: 0.75, Labels: []string{"false", "true"},
		Prediction: []float64{0.25, 0.75}, Position: "0/16B3748"}
	b.ReportAllocs()
	f, dst := Plain(), []tidemill.Message(nil)
	var buf []byte
	for b.Loop() {
		dst, _ = f.Encode(dst[:0], &o)
		buf = append(append(buf[:0], dst[0].Value...), '\n')
	}
}
