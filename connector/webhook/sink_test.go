package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	jsonformat "github.com/tidemill/tidemill/format/json"
	"github.com/tidemill/tidemill/tidemilltest"
)

// receiver is a server that keeps what it acknowledged.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request // every request
	bodies []string        // of every request
	kept   []string        // bodies that were acknowledged
	answer func(n int, w http.ResponseWriter, r *http.Request) bool
}

// listen starts a server; answer, if there is one, gets the request's number from 1 and returns true if it has answered.
func listen(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request) bool) *receiver {
	t.Helper()
	v := &receiver{answer: answer}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		v.mu.Lock()
		v.got = append(v.got, r)
		v.bodies = append(v.bodies, string(b))
		n := len(v.got)
		v.mu.Unlock()
		if v.answer != nil && v.answer(n, w, r) {
			return
		}
		v.mu.Lock()
		v.kept = append(v.kept, string(b))
		v.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(v.Close)
	return v
}

// quick is a sink with short waits, resumed.
func quick(t *testing.T, c *SinkConfig) *Poster {
	t.Helper()
	p := &Poster{c: *c, format: jsonformat.Keyed()}
	if err := p.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 3}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// push writes as the engine does, but without the waits: again as long as nobody need be told.
func push(t *testing.T, p *Poster, out []tidemill.Output) error {
	t.Helper()
	for try := 1; ; try++ {
		err := p.Write(t.Context(), out)
		var r *tidemill.RetryError
		if err == nil || !errors.As(err, &r) || !r.Quiet {
			return err
		}
		if tidemill.IsFatal(err) || r.Progress != (p.failed == 1) || try > 1000 {
			t.Fatalf("try %d: %+v", try, r)
		}
	}
}

func config(url string) *SinkConfig {
	c := NewSinkConfig()
	c.URL = url
	return c
}

func outputs(n int) []tidemill.Output {
	out := make([]tidemill.Output, n)
	for i := range out {
		out[i] = tidemill.Output{Kind: tidemill.Predicted, Seq: uint64(i + 1), Task: "late", ID: fmt.Sprint(i), Label: "true", Score: 0.75,
			Labels: []string{"z", "a"}, Prediction: []float64{0.25, 0.75}, Version: tidemill.Version{Start: 3, Learned: 7},
			Asked: time.Date(2024, 2, 29, 12, 0, 0, 123_456_000, time.UTC), Position: fmt.Sprintf("0/%d", i)}
	}
	return out
}

func TestLaws(t *testing.T) {
	for _, batch := range []int{1, 7} {
		tidemilltest.Sink(t, tidemilltest.SinkHarness{AtLeastOnce: true, New: func(t *testing.T) tidemilltest.SinkTarget {
			v := listen(t, nil)
			return tidemilltest.SinkTarget{
				Open: func(*testing.T) tidemill.Sink {
					c := config(v.URL)
					c.Batch = batch
					return &Poster{c: *c, format: jsonformat.Keyed()}
				},
				Rows: v.rows,
			}
		}})
	}
}

// rows folds what was acknowledged.
func (v *receiver) rows(t *testing.T) map[string]tidemilltest.SinkRow {
	v.mu.Lock()
	defer v.mu.Unlock()
	rows := map[string]tidemilltest.SinkRow{}
	type line struct {
		Kind, Task, ID, Prediction, Position, Truth string
		NewID                                       string `json:"new_id"`
		Score                                       *float64
		Probabilities                               map[string]float64
		Version                                     string    `json:"model_version"`
		Asked                                       time.Time `json:"asked_at"`
		Answered                                    time.Time `json:"answered_at"`
	}
	for _, body := range v.kept {
		var ls []line
		if !strings.HasPrefix(body, "[") {
			body = "[" + body + "]"
		}
		if err := json.Unmarshal([]byte(body), &ls); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		for _, l := range ls {
			key := l.Task + "/" + l.ID
			old, ok := rows[key]
			switch {
			case l.Kind == "prediction":
				r := tidemilltest.SinkRow{Prediction: l.Prediction, Score: math.NaN(), Probabilities: l.Probabilities, Version: l.Version, Asked: l.Asked, Position: l.Position, Truth: l.Truth, Answered: l.Answered}
				if l.Score != nil {
					r.Score = *l.Score
				}
				rows[key] = r
			case l.Kind == "truth" && ok:
				old.Truth, old.Answered = l.Truth, l.Answered
				rows[key] = old
			case l.Kind == "moved" && ok:
				delete(rows, key)
				rows[l.Task+"/"+l.NewID] = old
			}
		}
	}
	return rows
}

func TestRequest(t *testing.T) {
	v := listen(t, nil)
	c := config(v.URL + "/hook?key=secret")
	c.Token, c.Secret, c.Headers = "tok", "sign", []string{"X-Api-Key:  k: 1 "}
	p := quick(t, c)
	table := tidemill.NewTable("", "things", []tidemill.Column{{Name: "id"}, {Name: "na<me"}, {Name: "b"}, {Name: "f"}, {Name: "toast"}}, []int{0})
	out := append(outputs(1), tidemill.Output{Kind: tidemill.RowRejected, Seq: 2, Task: "late", ID: "no header's friend", Position: "2", Reason: "no <number>",
		Change: &tidemill.Change{Op: tidemill.Insert, Table: table, After: []tidemill.Value{tidemill.Int(7), tidemill.Null(), tidemill.Blob([]byte{255}), tidemill.Float(math.NaN()), {}}}})
	if err := p.Write(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"kind":"prediction","key":"late/0/0/0/prediction","task":"late","id":"0","prediction":"true","score":0.75,"probabilities":{"z":0.25,"a":0.75},"model_version":"3.7","asked_at":"2024-02-29T12:00:00.123456Z","position":"0/0"}`,
		`{"kind":"reject","key":"late/no header's friend/2/reject","task":"late","id":"no header's friend","table":"things","position":"2","reason":"no <number>","row":{"id":7,"na<me":null,"b":"/w==","f":null}}`,
	}
	if !slices.Equal(v.kept, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(v.kept, "\n"), strings.Join(want, "\n"))
	}
	r := v.got[0]
	mac := hmac.New(sha256.New, []byte("sign"))
	mac.Write([]byte(v.kept[0]))
	for name, value := range map[string]string{"Authorization": "Bearer tok", "X-Api-Key": "k: 1", "Content-Type": "application/json",
		"Idempotency-Key": "late/0/0/0/prediction", "Tidemill-Signature": "sha256=" + hex.EncodeToString(mac.Sum(nil))} {
		if r.Header.Get(name) != value {
			t.Errorf("%s is %q, not %q", name, r.Header.Get(name), value)
		}
	}
	if r.Method != "POST" || r.URL.String() != "/hook?key=secret" {
		t.Errorf("%s %s", r.Method, r.URL)
	}
	if k := v.got[1].Header.Get("Idempotency-Key"); k != hashed("late/no header's friend/2/reject") {
		t.Errorf("the key is %q", k)
	}
	if d := p.Describe(); strings.Contains(d, "secret") || strings.Contains(d, "hook?") || strings.Contains(d, "tok") || !strings.Contains(d, v.Listener.Addr().String()) {
		t.Errorf("Describe is %q", d)
	}
	if c2 := config(v.URL + "/other"); (&Poster{c: *c2, format: p.format}).Describe() == p.Describe() {
		t.Error("two URLs have one description")
	}
}

func TestBatchAndKinds(t *testing.T) {
	v := listen(t, nil)
	c := config(v.URL)
	c.Batch, c.Kinds = 4, []string{"prediction"}
	p := quick(t, c)
	out := outputs(10)
	out[3].Kind = tidemill.Truth
	if err := p.Write(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, b := range v.kept {
		var list []map[string]any
		if err := json.Unmarshal([]byte(b), &list); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(list))
		for _, x := range list {
			if x["key"] == "" {
				t.Error("an element without a key")
			}
		}
	}
	if !slices.Equal(sizes, []int{4, 4, 1}) {
		t.Errorf("arrays of %v", sizes)
	}
	if m, err := p.Flush(t.Context()); err != nil || m != (tidemill.Mark{Term: 3, Seq: 10}) {
		t.Errorf("the mark is %+v, %v", m, err)
	}
}

func TestTriesAgain(t *testing.T) {
	for _, status := range []int{408, 425, 429, 500, 502, 503, 504} {
		v := listen(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n%3 != 0 {
				w.WriteHeader(status)
			}
			return n%3 != 0
		})
		p := quick(t, config(v.URL))
		if err := push(t, p, outputs(3)); err != nil {
			t.Fatalf("%d: %v", status, err)
		}
		if len(v.got) != 9 || len(v.kept) != 3 {
			t.Errorf("%d: %d requests, %d kept", status, len(v.got), len(v.kept))
		}
		for i, r := range v.got {
			if want := outputs(3)[i/3].Key(); r.Header.Get("Idempotency-Key") != want || v.bodies[i] != v.bodies[i/3*3] {
				t.Errorf("%d: try %d has the key %q and body %s", status, i, r.Header.Get("Idempotency-Key"), v.bodies[i])
			}
		}
	}
}

func TestGivesTroubleToTheEngineAndGoesOn(t *testing.T) {
	var down sync.Map
	v := listen(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if _, ok := down.Load("down"); ok && r.Header.Get("Idempotency-Key") != outputs(1)[0].Key() {
			http.Error(w, "in <b>maintenance</b>", 503)
			return true
		}
		return false
	})
	p := quick(t, config(v.URL))
	down.Store("down", true)
	err := push(t, p, outputs(3))
	if err == nil || tidemill.IsFatal(err) || !strings.Contains(err.Error(), "503 Service Unavailable: in <b>maintenance</b>") || len(v.got) != 6 {
		t.Fatalf("%d requests, %v", len(v.got), err)
	}
	if m, _ := p.Flush(t.Context()); m.Seq != 1 {
		t.Errorf("the mark is %+v", m)
	}
	down.Delete("down")
	if err := p.Write(t.Context(), outputs(3)); err != nil {
		t.Fatal(err)
	}
	if len(v.kept) != 3 {
		t.Errorf("kept %d: the first was posted again, or one is missing", len(v.kept))
	}
}

func TestRefused(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 410, 413, 422, 301, 302, 304} {
		v := listen(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 2 {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
				if status >= 400 {
					_, _ = io.WriteString(w, "no such\n field: "+strings.Repeat("x", 500)+"\xff")
				}
			}
			return n == 2
		})
		p := quick(t, config(v.URL+"/tok3n"))
		err := p.Write(t.Context(), outputs(3))
		if err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), "tok3n") || len(v.got) != 2 {
			t.Errorf("%d: %d requests, %v", status, len(v.got), err)
		}
		if status >= 400 && (!strings.Contains(err.Error(), "no such field: xxx") || len(err.Error()) > 500) {
			t.Errorf("%d: %v", status, err)
		}
		v.got = nil
		c := config(v.URL)
		c.Refused = "skip"
		p = quick(t, c)
		if err := p.Write(t.Context(), outputs(3)); err != nil || p.Refused() != 1 || len(v.got) != 3 {
			t.Errorf("%d, skipped: %v, %d refused, %d requests", status, err, p.Refused(), len(v.got))
		}
	}
}

func TestRetryAfter(t *testing.T) {
	v := listen(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		}
		return n == 1
	})
	p := quick(t, config(v.URL))
	var asked *tidemill.RetryError
	if err := p.Write(t.Context(), outputs(1)); !errors.As(err, &asked) || tidemill.IsFatal(err) || asked.After != time.Second || !asked.Quiet {
		t.Fatalf("the engine is told %+v", err)
	}
	if err := p.Write(t.Context(), outputs(1)); err != nil || len(v.kept) != 1 {
		t.Fatalf("%v, %d kept", err, len(v.kept))
	}
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-7": 0, "99999999": longestAsked, "x": 0, "99999999999999999999": 0,
		at.Add(9 * time.Second).Format(http.TimeFormat): 9 * time.Second, at.Add(-time.Hour).Format(http.TimeFormat): 0, at.Add(24 * time.Hour).Format(http.TimeFormat): longestAsked} {
		h := http.Header{"Date": {at.Format(http.TimeFormat)}, "Retry-After": {value}}
		if got := retryAfter(h); got != want {
			t.Errorf("Retry-After %q is %v, not %v", value, got, want)
		}
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := listen(t, nil)
	v := listen(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/here", 307)
		case "/away":
			http.Redirect(w, r, elsewhere.URL+"/x", 308)
		case "/loop":
			http.Redirect(w, r, "/loop", 308)
		default:
			return false
		}
		return true
	})
	p := quick(t, config(v.URL+"/same"))
	if err := p.Write(t.Context(), outputs(1)); err != nil {
		t.Fatal(err)
	}
	if len(v.kept) != 1 || v.got[1].URL.Path != "/here" || v.got[1].Header.Get("Idempotency-Key") == "" || v.bodies[0] != v.bodies[1] {
		t.Errorf("within the host: %v", v.bodies)
	}
	for _, path := range []string{"/away", "/loop"} {
		if err := quick(t, config(v.URL+path)).Write(t.Context(), outputs(1)); err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "redirect") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if len(elsewhere.got) > 0 {
		t.Error("another host was asked")
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	release := make(chan struct{})
	v := listen(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	defer close(release)
	c := config(v.URL + "/tok3n")
	c.Timeout, c.Tries = 30*time.Millisecond, 2
	err := push(t, quick(t, c), outputs(1))
	if err == nil || tidemill.IsFatal(err) || strings.Contains(err.Error(), "tok3n") || !strings.Contains(err.Error(), "after 2 tries") {
		t.Errorf("a server that does not answer: %v", err)
	}
	c.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := quick(t, c).Write(ctx, outputs(1)); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("cancelled: %v after %v", err, time.Since(began))
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := quick(t, config("http://user:pass@"+address+"/tok3n"))
	err = push(t, p, outputs(1))
	if err == nil || tidemill.IsFatal(err) || strings.Contains(err.Error(), "tok3n") || strings.Contains(err.Error(), "pass") {
		t.Errorf("got %v", err)
	}
	if f := p.Check(t.Context()); len(f) != 1 || f[0].Level != "warning" {
		t.Errorf("Check gives %+v", f)
	}
	if f := quick(t, config(listen(t, nil).URL)).Check(t.Context()); len(f) != 1 || f[0].Level != "ok" {
		t.Errorf("Check gives %+v", f)
	}
}

// TestTornAnswer cuts the connection after the server has kept the output: it is posted again with the same key.
func TestTornAnswer(t *testing.T) {
	v := listen(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	if err := push(t, quick(t, config(v.URL)), outputs(2)); err != nil {
		t.Fatal(err)
	}
	if len(v.got) != 3 || v.got[0].Header.Get("Idempotency-Key") != v.got[1].Header.Get("Idempotency-Key") || v.bodies[0] != v.bodies[1] {
		t.Errorf("%d requests: %q", len(v.got), v.bodies)
	}
}

func TestSettings(t *testing.T) {
	for want, change := range map[string]func(*SinkConfig){
		"url is missing": func(c *SinkConfig) { c.URL = "" },
		"of the form":    func(c *SinkConfig) { c.URL = "ftp://h/tok3n" },
		"https://host":   func(c *SinkConfig) { c.URL = "http://%zz/tok3n" },
		"kinds":          func(c *SinkConfig) { c.Kinds = []string{"predictions"} },
		"batch":          func(c *SinkConfig) { c.Batch = 0 },
		"tries":          func(c *SinkConfig) { c.Tries = 0 },
		"timeout":        func(c *SinkConfig) { c.Timeout = 0 },
		"refused":        func(c *SinkConfig) { c.Refused = "drop" },
		"headers":        func(c *SinkConfig) { c.Headers = []string{"tok3n"} },
		"number 1":       func(c *SinkConfig) { c.Headers = []string{"a: tok3n\nb: c"} },
		"token holds":    func(c *SinkConfig) { c.Token = "tok3n\n" },
		"number 2":       func(c *SinkConfig) { c.Headers = []string{"a: b", "a b: tok3n"} },
	} {
		c := config("http://localhost/tok3n")
		change(c)
		if _, err := c.Build("f", jsonformat.Keyed()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "tok3n") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := config("https://localhost/x").Build("f", jsonformat.Keyed()); err != nil {
		t.Error(err)
	}
	if err := Sink("", jsonformat.Keyed()).Resume(t.Context(), tidemill.Resumption{Term: 1}); !tidemill.IsFatal(err) {
		t.Errorf("got %v", err)
	}
}

func ExampleSink() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Println(r.Header.Get("Idempotency-Key"), string(b))
	}))
	defer server.Close()
	ctx := context.Background()
	p := Sink(server.URL, jsonformat.Keyed())
	if err := p.Resume(ctx, tidemill.Resumption{Flow: "flights", Term: 1}); err != nil {
		panic(err)
	}
	err := p.Write(ctx, []tidemill.Output{{Kind: tidemill.Truth, Seq: 1, Task: "late", ID: "4711", Truth: "true", Position: "0/16B3748"}})
	fmt.Println(err, p.Close())
	// Output:
	// late/4711/0/16B3748/truth {"kind":"truth","key":"late/4711/0/16B3748/truth","task":"late","id":"4711","truth":"true","position":"0/16B3748"}
	// <nil> <nil>
}

// textual is a format that is no JSON: a message per word of the label, none for what has no label.
type textual struct{ header string }

func (f textual) Describe() string { return "textual" }
func (f textual) Encode(dst []tidemill.Message, o *tidemill.Output) ([]tidemill.Message, error) {
	if o.Label == "broken" {
		return dst, errors.New("no such label")
	}
	for _, word := range strings.Fields(o.Label) {
		var m *tidemill.Message
		dst, m = tidemill.NextMessage(dst)
		m.Value = append(m.Value, word...)
		m.Headers = []tidemill.Attr{{Name: "Content-Type", Value: "text/plain"}, {Name: f.header, Value: "v"}}
	}
	dst, m := tidemill.NextMessage(dst)
	m.Value = nil // a tombstone, which a webhook has no word for
	return dst, nil
}

// TestOtherFormat: whatever the format gives is posted, with its headers and a key of its own for each message.
func TestOtherFormat(t *testing.T) {
	v := listen(t, nil)
	p := Sink(v.URL, textual{"X-From"})
	if err := p.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	out := outputs(3)
	out[0].Label, out[1].Label, out[2].Label = "one two", "", "three"
	if err := p.Write(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.kept, []string{"one", "two", "three"}) {
		t.Errorf("posted %q", v.kept)
	}
	for i, key := range []string{out[0].Key(), out[0].Key() + "/1", out[2].Key()} {
		if h := v.got[i].Header; h.Get("Idempotency-Key") != key || h.Get("X-From") != "v" || h.Get("Content-Type") != "text/plain" {
			t.Errorf("request %d: %v", i, h)
		}
	}
	if d := p.Describe(); !strings.Contains(d, `format="textual"`) {
		t.Errorf("Describe is %q", d)
	}
	out[0].Label, out[0].Seq = "broken", 9
	if err := p.Write(t.Context(), out[:1]); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "no such label") {
		t.Errorf("a format's error: %v", err)
	}
	c := config(v.URL)
	c.Batch = 2
	p = &Poster{c: *c, format: textual{"X-From"}}
	if err := p.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), outputs(2)); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "batch") {
		t.Errorf("an array of what is no JSON: %v", err)
	}
	p = Sink(v.URL, textual{"a b"})
	if err := p.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), outputs(1)); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), `header "a b"`) {
		t.Errorf("a header that is none: %v", err)
	}
	if err := Sink(v.URL, nil).Resume(t.Context(), tidemill.Resumption{Term: 1}); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "format") {
		t.Errorf("no format: %v", err)
	}
}
