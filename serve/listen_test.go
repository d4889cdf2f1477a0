package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// prediction is a request as bytes, with headers beside Host and Content-Length.
func prediction(body string, headers ...string) string {
	return fmt.Sprintf("POST /predict/late HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s",
		strings.Join(append(headers, ""), "\r\n"), len(body), body)
}

const aRow = `{"distance":1400}`

// answers reads n answers: status and body of each, "last" where the server closes after it, "closed" where none comes.
func answers(t *testing.T, c net.Conn, n int) (out []string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
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
		last := ""
		if r.Close {
			last = "last "
		}
		out = append(out, fmt.Sprint(r.StatusCode, " ", last, string(body)))
	}
	return out
}

// What one connection asks, and what it is answered, request by request.
func TestConnection(t *testing.T) {
	url := hurried(t, fakeFlights(), Config{Token: "s3cret", MaxBody: 1000, MaxRows: 3})
	const token = "Authorization: Bearer s3cret"
	ok := prediction(aRow, token)
	for name, c := range map[string]struct {
		sent []string // what is sent before the next answers are read
		want string   // the answers' codes; ! is the connection's last, - is a connection closed without one
	}{
		"one row": {[]string{ok}, "200"},
		"three requests": {[]string{ok,
			prediction(`{"distance":7,"carrier":"UA"}`, token, "Content-Type: application/json"), ok}, "200 200 200"},
		"pipelined": {[]string{ok + ok}, "200 200"},
		"no token": {[]string{prediction(aRow), prediction(aRow, "Authorization: Bearer wrong"), ok},
			"401 401 200"},
		"unknown column": {[]string{prediction(`{"distanse":1}`, token), ok}, "400 200"},
		"no JSON": {[]string{prediction(`{"distance":`, token), prediction(``, token),
			prediction("[]", token)}, "400 400 200"},
		"unknown task":  {[]string{strings.Replace(ok, "late", "later", 1), ok}, "404 200"},
		"too large":     {[]string{prediction(`{"distance":`+strings.Repeat(" ", 1100)+`1}`, token), ok}, "413! -"},
		"too many rows": {[]string{prediction(`[{},{},{},{}]`, token), ok}, "413! -"},
		"wrong type":    {[]string{prediction(aRow, token, "Content-Type: text/html")}, "415"},
		"another site": {[]string{prediction(aRow, token, "Sec-Fetch-Site: cross-site", "sec-fetch-mode: cors")},
			"403"},
		"closes":            {[]string{prediction(aRow, token, "Connection: close"), ok}, "200! -"},
		"keeps":             {[]string{prediction(aRow, token, "connection: Keep-Alive"), ok}, "200 200"},
		"chunked":           {[]string{chunked(token, aRow), ok}, "200 200"},
		"two lengths":       {[]string{prediction(aRow, token, "Content-Length: 5")}, "400!"},
		"length and chunks": {[]string{prediction("0\r\n\r\n", token, "Transfer-Encoding: chunked")}, "400"},
		"two hosts":         {[]string{prediction(aRow, token, "Host: other")}, "400!"},
		"no host":           {[]string{strings.Replace(ok, "Host: localhost\r\n", "", 1)}, "400!"},
		"two tokens":        {[]string{prediction(aRow, token, "Authorization: Bearer other")}, "200"},
		"space in a name":   {[]string{prediction(aRow, token, "X : a")}, "400!"},
		"HTTP/1.0":          {[]string{strings.Replace(ok, "1.1", "1.0", 1)}, "200!"},
		"HTTP/2 as text":    {[]string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, "401!"},
		"escaped task":      {[]string{strings.Replace(ok, "late", "l%61te", 1)}, "200"},
		"query":             {[]string{strings.Replace(ok, "late", "late?x=1", 1)}, "200"},
		"dots":              {[]string{strings.Replace(ok, "late", "..", 1)}, "404"},
		"another method":    {[]string{strings.Replace(ok, "POST", "PUT", 1), ok}, "405 200"},
		"then the status":   {[]string{ok, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", ok}, "200 200 200"},
		"rubbish":           {[]string{"\x16\x03\x01\x00\r\n\r\n"}, "400!"},
		"no gzip":           {[]string{prediction(aRow, token, "Content-Encoding: gzip")}, "400"},
		"long header":       {[]string{prediction(aRow, token, "X: "+strings.Repeat("x", 2*headerSize))}, "431!"},
	} {
		conn := dial(t, url)
		var got []string
		for _, s := range c.sent {
			io.WriteString(conn, s)
			for _, a := range answers(t, conn, max(strings.Count(s, " HTTP/1"), 1)) {
				code, rest, _ := strings.Cut(a, " ")
				switch {
				case code == "closed":
					code = "-"
				case strings.HasPrefix(rest, "last "):
					code += "!"
				}
				if got = append(got, code); strings.HasPrefix(code, "200") && !strings.Contains(a, `"prediction":`) &&
					!strings.Contains(s, "healthz") && !strings.Contains(s, "[]") {
					t.Errorf("%s: %s", name, a)
				}
			}
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: %s, want %s", name, g, c.want)
		}
	}
}

// A request that comes in pieces, cut anywhere, is answered like one that comes whole.
func TestRequestInPieces(t *testing.T) {
	url := hurried(t, fakeFlights(), Config{})
	for _, whole := range []string{prediction(aRow), chunked("Accept: */*", aRow)} {
		for cut := 1; cut < len(whole); cut += 7 {
			c := dial(t, url)
			io.WriteString(c, whole[:cut])
			io.WriteString(c, whole[cut:])
			if a := answers(t, c, 1); !strings.HasPrefix(a[0], `200 {"prediction":`) {
				t.Fatalf("cut at %d: %s", cut, a)
			}
			c.Close()
		}
	}
}

// chunked is a prediction in one chunk.
func chunked(header, body string) string {
	const form = "POST /predict/late HTTP/1.1\r\nHost: localhost\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"%x\r\n%s\r\n0\r\n\r\n"
	return fmt.Sprintf(form, header, len(body), body)
}

// The end of the server is the end of idle connections, of those that have said nothing too; a request in work is
// answered, and told that it is the last.
func TestShutdown(t *testing.T) {
	m := &waiting{fake: fakeFlights(), begun: make(chan struct{}), goOn: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	lim := limits{header: 5 * time.Second, read: time.Minute, write: time.Minute, idle: time.Minute,
		end: 20 * time.Second}
	url, wait, err := listen(ctx, m, Config{Listen: "localhost:0"}, lim)
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
	if a := answers(t, busy, 2); !strings.Contains(a[0], "200 last") || a[1] != "closed" {
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
func TestTimeLimits(t *testing.T) {
	l := limits{header: time.Second, read: time.Minute, write: 300 * time.Millisecond, idle: 2 * time.Second,
		end: time.Second}
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
		if a := answers(t, used, 1); !strings.Contains(a[0], "200 ") {
			t.Fatal(a)
		}
		time.Sleep(l.idle / 5)
	}
	gone(t, used, 10*time.Second)
	if err := <-refused; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("whoever does not read is kept")
	}
}
