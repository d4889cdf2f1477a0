package serve

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// prediction is a request as bytes, with headers beside Host and Content-Length.
func prediction(body string, headers ...string) string {
	return fmt.Sprintf("POST /predict/late HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", strings.Join(append(headers, ""), "\r\n"), len(body), body)
}

const aRow = `{"distance":1400}`

// answers reads n answers: status, headers and body of each.
func answers(t *testing.T, c net.Conn, n int) (out []string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewReader(c)
	for range n {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return append(out, "closed")
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if d := r.Header.Get("Date"); d != "" {
			if at, err := http.ParseTime(d); err != nil || time.Since(at).Abs() > 10*time.Second {
				t.Errorf("date %q", d)
			}
			r.Header.Set("Date", "now")
		}
		out = append(out, fmt.Sprint(r.Proto, " ", r.Status, " close ", r.Close, " ", r.ContentLength, r.Header, string(body)))
	}
	return out
}

// What a server with a lane says is what net/http says, whatever is sent and however it is cut.
func TestLaneSaysWhatNetHTTPSays(t *testing.T) {
	cfg := Config{Token: "s3cret", MaxBody: 1000, MaxRows: 3}
	limited := hurried(t, fakeFlights(), cfg)
	plain := httptest.NewServer(Handler(fakeFlights(), cfg))
	t.Cleanup(plain.Close) // after the connections' ends
	const token = "Authorization: Bearer s3cret"
	for name, sent := range map[string][]string{ // pieces of what one connection sends
		"one row":           {prediction(aRow, token)},
		"three requests":    {prediction(aRow, token), prediction(`{"distance":7,"carrier":"UA"}`, token, "Content-Type: application/json"), prediction(aRow, token)},
		"pipelined":         {prediction(aRow, token) + prediction(aRow, token)},
		"in two pieces":     {prediction(aRow, token)[:40], prediction(aRow, token)[40:]},
		"body behind":       {strings.TrimSuffix(prediction(aRow, token), aRow), aRow},
		"no token":          {prediction(aRow), prediction(aRow, "Authorization: Bearer wrong"), prediction(aRow, token)},
		"unknown column":    {prediction(`{"distanse":1}`, token), prediction(aRow, token)},
		"no JSON":           {prediction(`{"distance":`, token), prediction(``, token), prediction("[]", token)},
		"unknown task":      {strings.Replace(prediction(aRow, token), "late", "later", 1)},
		"too large":         {prediction(`{"distance":`+strings.Repeat(" ", 1100)+`1}`, token), prediction(aRow, token)},
		"too many rows":     {prediction(`[{},{},{},{}]`, token)},
		"wrong type":        {prediction(aRow, token, "Content-Type: text/html")},
		"another site":      {prediction(aRow, token, "Sec-Fetch-Site: cross-site", "sec-fetch-mode: cors")},
		"closes":            {prediction(aRow, token, "Connection: close")},
		"keeps":             {prediction(aRow, token, "connection: Keep-Alive")},
		"chunked":           {"POST /predict/late HTTP/1.1\r\nHost: x\r\n" + token + "\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n" + aRow + "\r\n0\r\n\r\n"},
		"two lengths":       {prediction(aRow, token, "Content-Length: 5")},
		"length and chunks": {prediction("0\r\n\r\n", token, "Transfer-Encoding: chunked")},
		"two hosts":         {prediction(aRow, token, "Host: other")},
		"no host":           {strings.Replace(prediction(aRow, token), "Host: localhost\r\n", "", 1)},
		"two tokens":        {prediction(aRow, token, "Authorization: Bearer other")},
		"folded header":     {prediction(aRow, token, "X: a\r\n b")},
		"space in a name":   {prediction(aRow, token, "X : a")},
		"bare line feeds":   {strings.ReplaceAll(prediction(aRow, token), "\r\n", "\n")},
		"HTTP/1.0":          {strings.Replace(prediction(aRow, token), "1.1", "1.0", 1)},
		"HTTP/1.2":          {strings.Replace(prediction(aRow, token), "1.1", "1.2", 1)},
		"escaped task":      {strings.Replace(prediction(aRow, token), "late", "l%61te", 1)},
		"query":             {strings.Replace(prediction(aRow, token), "late", "late?x=1", 1)},
		"dots":              {strings.Replace(prediction(aRow, token), "late", "..", 1)},
		"another method":    {strings.Replace(prediction(aRow, token), "POST", "PUT", 1)},
		"then the status":   {prediction(aRow, token), "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", prediction(aRow, token)},
		"rubbish":           {"\x16\x03\x01\x00\r\n\r\n"},
		"gzip":              {prediction(aRow, token, "Content-Encoding: gzip")},
	} {
		var said [2][]string
		for i, url := range []string{limited, plain.URL} {
			c := dial(t, url)
			n := strings.Count(strings.Join(sent, ""), " HTTP/1")
			if name == "in two pieces" || name == "body behind" {
				for _, s := range sent {
					io.WriteString(c, s)
					time.Sleep(10 * time.Millisecond)
				}
				said[i] = answers(t, c, 1)
				continue
			}
			for _, s := range sent {
				if _, err := io.WriteString(c, s); err != nil {
					break
				}
				one := answers(t, c, max(strings.Count(s, " HTTP/1"), 1))
				if said[i] = append(said[i], one...); one[0] == "closed" {
					break
				}
			}
			if len(said[i]) > max(n, 1) {
				t.Errorf("%s: %d answers to %d requests", name, len(said[i]), n)
			}
		}
		if a, b := strings.Join(said[0], "\n"), strings.Join(said[1], "\n"); a != b {
			t.Errorf("%s: with the lane\n%s\nby net/http\n%s", name, a, b)
		}
	}
}

// A plain request is served in the lane; the first one that is not leaves it.
func TestLaneServesPlainRequests(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(fakeFlights(), Config{})
	q := newLane(s, l, newCrowd(10), limits{header: time.Second, read: time.Second, write: time.Second, idle: time.Second, end: time.Second})
	go q.run()
	defer q.wait(t.Context())
	defer q.Close()
	c := dial(t, "http://"+l.Addr().String())
	for range 3 {
		io.WriteString(c, prediction(aRow, "User-Agent: test", "Accept: */*"))
		if a := answers(t, c, 1); !strings.Contains(a[0], "200 OK") {
			t.Fatal(a)
		}
	}
	const other = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	io.WriteString(c, other)
	left, err := q.Accept()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "more")
	b := make([]byte, len(other)+4)
	if _, err := io.ReadFull(left, b); err != nil || string(b) != other+"more" {
		t.Errorf("net/http reads %q, %v", b, err)
	}
	left.Close()
}

// The end of the server is the end of idle connections; a request in work is answered, and told that it is the last.
func TestLaneEnds(t *testing.T) {
	m := &waiting{fake: fakeFlights(), begun: make(chan struct{}), goOn: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	url, wait, err := listen(ctx, m, Config{Listen: "localhost:0"}, limits{header: 5 * time.Second, read: time.Minute, write: time.Minute, idle: time.Minute, end: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	idle, busy := dial(t, url), dial(t, url)
	io.WriteString(busy, prediction(aRow))
	<-m.begun
	cancel()
	gone(t, idle, 5*time.Second)
	if _, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		t.Error("it still listens")
	}
	close(m.goOn)
	if a := answers(t, busy, 2); !strings.Contains(a[0], "200 OK close true") || a[1] != "closed" {
		t.Error(a)
	}
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// waiting is a fake whose first prediction waits.
type waiting struct {
	*fake
	begun, goOn chan struct{}
}

func (w *waiting) Predict(task string, r tidemill.Row) (engine.Prediction, error) {
	close(w.begun)
	<-w.goOn
	return w.fake.Predict(task, r)
}

// Whoever is silent, between requests too, is sent away in time; whoever does not read is as well.
func TestLaneTimes(t *testing.T) {
	l := limits{header: time.Second, read: time.Minute, write: 300 * time.Millisecond, idle: 2 * time.Second, end: time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	url, wait, err := listen(ctx, fakeFlights(), Config{Listen: "localhost:0"}, l)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); wait() }()
	silent, deaf := dial(t, url), dial(t, url)
	deaf.SetWriteDeadline(time.Now().Add(20 * time.Second))
	refused := make(chan error)
	go func() {
		for {
			if _, err := io.WriteString(deaf, prediction(aRow)); err != nil {
				refused <- err
				return
			}
		}
	}()
	gone(t, silent, 10*time.Second)
	used := dial(t, url)
	for range 6 { // longer than header together, and than idle
		io.WriteString(used, prediction(aRow))
		if a := answers(t, used, 1); !strings.Contains(a[0], "200 OK") {
			t.Fatal(a)
		}
		time.Sleep(l.idle / 5)
	}
	gone(t, used, 10*time.Second)
	if err := <-refused; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("whoever does not read is kept")
	}
}

// FuzzPlain: what the lane takes, net/http reads in the same way, to the last byte.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{prediction(aRow), prediction(aRow, "Content-Type: application/json", "Authorization: Bearer x", "Accept: */*", "X-Y:  z "),
		prediction(aRow, "Connection: keep-alive", "Sec-Fetch-Site: none"), prediction(""), prediction(aRow, "Transfer-Encoding: chunked"),
		prediction(aRow, "Content-Length: 17"), prediction(aRow) + "x", strings.Replace(prediction(aRow), "localhost", "[::1]:80", 1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x := &exchange{}
		x.request.Header, x.request.URL = http.Header{}, &url.URL{}
		if !x.plain(b) {
			return
		}
		in := bufio.NewReader(bytes.NewReader(b))
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", b, err)
		}
		want, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		got, _ := io.ReadAll(&x.body)
		if !bytes.Equal(got, want) || r.ContentLength != x.request.ContentLength || r.Host != x.request.Host || r.URL.Path != x.request.URL.Path ||
			r.URL.RawQuery != "" || r.Method != "POST" || r.Close || r.Proto != "HTTP/1.1" || r.RequestURI != x.request.RequestURI {
			t.Fatalf("%q: %+v with %q, net/http reads %+v with %q", b, &x.request, got, r, want)
		}
		for _, name := range []string{"Content-Type", "Authorization", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Content-Encoding"} { // what the server looks at
			if !slices.Equal(r.Header.Values(name), x.request.Header.Values(name)) {
				t.Fatalf("%q: %s is %q, by net/http %q", b, name, x.request.Header.Values(name), r.Header.Values(name))
			}
		}
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Fatalf("%q: net/http leaves some of it", b)
		}
	})
}

// The lane keeps of a request the headers that the server looks at, and no others: whoever looks at a further one must tell it.
func TestLaneKeepsWhatIsLookedAt(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	looked := regexp.MustCompile(`r\.Header\.(?:Get|Values)\("([^"]+)"\)`)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") || file == "v2infer.go" || file == "events.go" { // paths that the lane does not serve
			continue
		}
		for _, m := range looked.FindAllSubmatch(text, -1) {
			found++
			if h := headerOf(m[1]); h != framingHeader && string(h) != string(m[1]) {
				t.Errorf("%s looks at %s, which the lane drops", file, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("%d headers found", found)
	}
}
