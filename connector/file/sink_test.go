package file

import (
	"bufio"
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/format/json"
)

// TestMain becomes a writer where the environment asks for one: a process that a test can kill.
func TestMain(m *testing.M) {
	if path := os.Getenv("TIDEMILL_TEST_SINK"); path != "" {
		ctx := context.Background()
		w := Sink(path, json.Plain())
		err := w.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1})
		for seq := uint64(1); err == nil; seq += 100 {
			if err = w.Write(ctx, outputs(seq, 100)); err == nil && seq%1000 == 1 {
				var mark tidemill.Mark
				mark, err = w.Flush(ctx)
				fmt.Println(mark.Term, mark.Seq, mark.Place)
			}
		}
		fmt.Println("error", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func outputs(seq uint64, n int) []tidemill.Output {
	out := make([]tidemill.Output, n)
	for i := range out {
		s := seq + uint64(i)
		out[i] = tidemill.Output{Kind: tidemill.Predicted, Seq: s, Task: "late", ID: fmt.Sprint(s), Label: "true", Score: 0.5, Position: fmt.Sprint(s)}
	}
	return out
}

var (
	things = tidemill.NewTable("public", "things", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "na\"me", Kind: tidemill.KindText},
		{Name: "b", Kind: tidemill.KindBytes}, {Name: "d", Kind: tidemill.KindDecimal}, {Name: "at", Kind: tidemill.KindTime}, {Name: "f", Kind: tidemill.KindFloat},
		{Name: "ok", Kind: tidemill.KindBool}, {Name: "toast", Kind: tidemill.KindText}}, []int{0})
	noon = time.Date(2024, 2, 29, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
)

// every is an output of each kind.
func every() []tidemill.Output {
	c := &tidemill.Change{Op: tidemill.Update, Table: things,
		Before: []tidemill.Value{tidemill.Int(7), {}, {}, {}, {}, {}, {}, {}},
		After: []tidemill.Value{tidemill.Int(7), tidemill.Text("x\n\"\x01\\ü\xff"), tidemill.Blob([]byte{0, 255}), tidemill.Decimal("1.50"), tidemill.TimeOf(noon),
			tidemill.Float(math.Inf(1)), tidemill.Bool(true), {}}}
	return []tidemill.Output{
		{Kind: tidemill.Predicted, Seq: 1, Task: "late", ID: "7", Label: "yes", Score: 0.75, Labels: []string{"no", "yes"}, Prediction: []float64{0.25, 0.75},
			Version: tidemill.Version{Start: 3, Learned: 60000}, Asked: noon, Position: "0/16B3748", Change: c},
		{Kind: tidemill.Predicted, Seq: 2, Task: "near", ID: "8", Label: "1", Score: 0.5, Prediction: []float64{1.5, 0.5}, Model: tidemill.Cluster, Position: "2"},
		{Kind: tidemill.Predicted, Seq: 3, Task: "delay", ID: "9", Score: math.NaN(), Prediction: []float64{math.NaN()}, Model: tidemill.Regress, Position: "3"},
		{Kind: tidemill.Truth, Seq: 4, Task: "late", ID: "7", Truth: "no", Answered: noon, Position: "4"},
		{Kind: tidemill.Truth, Seq: 5, Task: "late", ID: "7", Truth: "yes", Answered: noon, Position: "5", Corrected: true},
		{Kind: tidemill.Retracted, Seq: 6, Task: "late", ID: "7", NewID: "8", Position: "6"},
		{Kind: tidemill.RowPassed, Seq: 7, Change: c, Position: "7"},
		{Kind: tidemill.RowRejected, Seq: 8, Task: "late", ID: "7", Change: c, Position: "8", Reason: "no number"},
		{Kind: tidemill.EventRaised, Seq: 9, Task: "late", Position: "9", Reason: "drift"},
	}
}

func TestLines(t *testing.T) {
	row := `{"id":7,"na\"me":"x\n\"\u0001\\ü` + "\ufffd" + `","b":"AP8=","d":"1.50","at":"2024-02-29T11:00:00.123456Z","f":null,"ok":true}`
	wanted := []string{
		`{"kind":"prediction","task":"late","id":"7","prediction":"yes","score":0.75,"probabilities":{"no":0.25,"yes":0.75},"model_version":"3.60000","asked_at":"2024-02-29T11:00:00.123456Z","position":"0/16B3748"}`,
		`{"kind":"prediction","task":"near","id":"8","prediction":"1","score":0.5,"values":[1.5,0.5],"model_version":"0.0","asked_at":null,"position":"2"}`,
		`{"kind":"prediction","task":"delay","id":"9","prediction":"","score":null,"model_version":"0.0","asked_at":null,"position":"3"}`,
		`{"kind":"truth","task":"late","id":"7","truth":"no","answered_at":"2024-02-29T11:00:00.123456Z","position":"4"}`,
		`{"kind":"truth","task":"late","id":"7","truth":"yes","corrected":true,"answered_at":"2024-02-29T11:00:00.123456Z","position":"5"}`,
		`{"kind":"moved","task":"late","id":"7","new_id":"8","position":"6"}`,
		`{"kind":"row","table":"public.things","op":"update","position":"7","before":{"id":7},"row":` + row + `}`,
		`{"kind":"reject","task":"late","id":"7","table":"public.things","position":"8","reason":"no number","row":` + row + `}`,
		`{"kind":"event","task":"late","position":"9","reason":"drift"}`,
	}
	for i, o := range every() {
		got := string(lineOf(nil, &o))
		if got != wanted[i]+"\n" {
			t.Errorf("got\n%swant\n%s", got, wanted[i])
		}
		if !stdjson.Valid([]byte(got)) {
			t.Errorf("no JSON: %s", got)
		}
	}
}

// lineOf is the output as a line of its own.
func lineOf(b []byte, o *tidemill.Output) []byte {
	l := lineWriter{format: json.Plain()}
	b, _, err := l.append(b, []tidemill.Output{*o}, 0)
	if err != nil {
		panic(err)
	}
	return b
}

func resumed(t *testing.T, path string, term uint64, after tidemill.Mark) *Writer {
	t.Helper()
	w := Sink(path, json.Plain())
	must(t, w.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: term, After: after}))
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// TestKilledWriter kills a process in the middle of its writes, and goes on from each mark that it has reported.
func TestKilledWriter(t *testing.T) {
	for round := range 3 {
		path := filepath.Join(t.TempDir(), "out.jsonl")
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TIDEMILL_TEST_SINK="+path)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		reported := ""
		for n := 0; lines.Scan(); n++ {
			reported = lines.Text() // the last one counts: also of those that it said before it died
			if n == 1+round {
				time.Sleep(time.Duration(round) * 3 * time.Millisecond)
				must(t, cmd.Process.Kill())
			}
		}
		_ = cmd.Wait()
		var mark tidemill.Mark
		if _, err := fmt.Sscan(reported, &mark.Term, &mark.Seq, &mark.Place); err != nil {
			t.Fatalf("%q: %v", reported, err)
		}
		w := resumed(t, path, 2, mark)
		must(t, w.Write(t.Context(), outputs(mark.Seq+1, 5)))
		b, err := os.ReadFile(path)
		must(t, err)
		var want []byte
		for _, o := range outputs(1, int(mark.Seq)+5) {
			want = lineOf(want, &o)
		}
		if !bytes.Equal(b, want) {
			t.Fatalf("round %d: the file has %d bytes and is not the %d of a run that was never killed", round, len(b), len(want))
		}
	}
}

func TestRefusals(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "out.jsonl")
	w := resumed(t, path, 1, tidemill.Mark{})
	must(t, w.Write(ctx, every()))
	mark, err := w.Flush(ctx)
	must(t, err)
	must(t, w.Close())
	good, err := os.ReadFile(path)
	must(t, err)
	refuse := func(what string, r tidemill.Resumption, is error, says string) {
		t.Helper()
		k := Sink(path, json.Plain())
		defer k.Close()
		if err := k.Resume(ctx, r); err == nil || is != nil && !errors.Is(err, is) || !strings.Contains(err.Error(), says) || !tidemill.IsFatal(err) {
			t.Errorf("%s: Resume gives %v, which does not say %q", what, err, says)
		}
	}
	r := tidemill.Resumption{Flow: "f", Term: 2, After: mark}
	other := r
	other.Flow = "g"
	refuse("another flow's file", other, nil, `belongs to the flow "f"`)
	must(t, os.WriteFile(path, good[:len(good)-1], 0o600))
	refuse("a shorter file", r, tidemill.ErrUnknownMark, "was cut, rotated or removed")
	must(t, os.WriteFile(path, bytes.Replace(good, []byte("drift"), []byte("DRIFT"), 1), 0o600))
	refuse("an edited file", r, tidemill.ErrUnknownMark, "replaced or edited")
	must(t, os.Remove(path))
	refuse("a missing file", r, tidemill.ErrUnknownMark, "it has 0 bytes")
	must(t, os.WriteFile(path, append(bytes.Clone(good), "more\nha"...), 0o600))
	must(t, os.WriteFile(path+".tidemill", []byte("no JSON"), 0o600))
	refuse("a damaged sidecar", r, nil, "is damaged")
	must(t, os.Remove(path+".tidemill"))
	w = resumed(t, path, 2, mark) // the bytes are the mark's, the sidecar is made anew
	must(t, w.Close())
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, good) {
		t.Errorf("not cut at the mark: %q, %v", b, err)
	}
	refuse("a new state folder", tidemill.Resumption{Flow: "f", Term: 9}, nil, "")
	if err := Sink(filepath.Join(path, "x"), json.Plain()).Resume(ctx, r); err == nil {
		t.Error("a folder that is a file: no error")
	}
}

func TestAForeignFileIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	must(t, os.WriteFile(path, []byte("one\ntwo"), 0o600))
	k := Sink(path, json.Plain())
	defer k.Close()
	if err := k.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}); !errors.Is(err, tidemill.ErrUnknownMark) {
		t.Fatalf("got %v", err)
	}
	must(t, k.Close())
	w := Sink(path, json.Plain())
	must(t, w.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1, Adopt: true}))
	must(t, w.Write(t.Context(), every()[8:]))
	must(t, w.Close())
	resumed(t, path, 2, tidemill.Mark{Term: 1}) // killed before its first checkpoint
	if b, err := os.ReadFile(path); err != nil || string(b) != "one\ntwo\n" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestSomebodyElseWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	w := resumed(t, path, 1, tidemill.Mark{})
	must(t, w.Write(t.Context(), outputs(1, 3)))
	must(t, os.Truncate(path, 10))
	if err := w.Write(t.Context(), outputs(4, 3)); err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("got %v", err)
	}
	path = filepath.Join(t.TempDir(), "out.jsonl")
	w = resumed(t, path, 1, tidemill.Mark{})
	must(t, w.Write(t.Context(), outputs(1, 3)))
	must(t, os.Rename(path, path+".1"))
	if _, err := w.Flush(t.Context()); err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "rotated") {
		t.Errorf("got %v", err)
	}
}

// halting fails after some bytes, as a full pipe does.
type halting struct {
	bytes.Buffer
	left int
}

func (h *halting) Write(b []byte) (int, error) {
	n := min(h.left, len(b))
	h.left -= n
	h.Buffer.Write(b[:n])
	if n < len(b) {
		return n, errors.New("full")
	}
	return n, nil
}

func TestStdout(t *testing.T) {
	var want []byte
	for _, o := range every() {
		want = lineOf(want, &o)
	}
	for left := 0; left < len(want); left += 37 {
		h := &halting{left: left}
		p := Stdout(json.Plain())
		p.to = h
		if err := p.Write(t.Context(), every()); err == nil {
			t.Fatal("Write before Resume gives no error")
		}
		must(t, p.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 4}))
		if err := p.Write(t.Context(), every()); err == nil {
			t.Fatal("no error")
		}
		h.left = 1 << 20
		must(t, p.Write(t.Context(), every()))
		must(t, p.Write(t.Context(), every()))
		if h.String() != string(want) {
			t.Fatalf("after %d bytes: %q", left, h.String())
		}
		if m, err := p.Flush(t.Context()); err != nil || m != (tidemill.Mark{Term: 4, Seq: 9}) {
			t.Errorf("the mark is %+v, %v", m, err)
		}
		must(t, p.Close())
	}
}

func ExampleSink() {
	dir, err := os.MkdirTemp("", "tidemill")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, path := context.Background(), filepath.Join(dir, "out.jsonl")
	w := Sink(path, json.Plain())
	if err := w.Resume(ctx, tidemill.Resumption{Flow: "flights", Term: 1}); err != nil {
		panic(err)
	}
	err = w.Write(ctx, []tidemill.Output{{Kind: tidemill.Predicted, Seq: 1, Task: "late", ID: "4711", Label: "true", Score: 0.75,
		Version: tidemill.Version{Start: 1, Learned: 60000}, Asked: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), Position: "0/16B3748"}})
	if err != nil {
		panic(err)
	}
	mark, err := w.Flush(ctx)
	b, _ := os.ReadFile(path)
	fmt.Print(mark.Seq, err, w.Close(), "\n", string(b))
	// Output:
	// 1 <nil> <nil>
	// {"kind":"prediction","task":"late","id":"4711","prediction":"true","score":0.75,"model_version":"1.60000","asked_at":"2024-02-29T12:00:00Z","position":"0/16B3748"}
}

// TestFileOfAnotherLength: a file that is not as long as the sink left it is written by another, or was cut: the sink stops before
// it writes into it.
func TestFileOfAnotherLength(t *testing.T) {
	for name, edit := range map[string]func(f *os.File, size int64) error{
		"longer":  func(f *os.File, size int64) error { _, err := f.WriteAt([]byte("{}\n"), size); return err },
		"shorter": func(f *os.File, size int64) error { return f.Truncate(size - 3) },
	} {
		path := filepath.Join(t.TempDir(), "out.jsonl")
		w := resumed(t, path, 1, tidemill.Mark{})
		must(t, w.Write(t.Context(), outputs(1, 3)))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		must(t, edit(f, w.size))
		must(t, f.Close())
		left, err := os.ReadFile(path)
		must(t, err)
		if err := w.Write(t.Context(), outputs(4, 1)); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "somebody else writes to it") {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, left) {
			t.Errorf("%s: it wrote all the same, %v", name, err)
		}
	}
}
