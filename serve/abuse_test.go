package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

// hurried is listen with time limits that a test can wait for.
func hurried(t *testing.T, m Mill, cfg Config) (url string) {
	t.Helper()
	return hurriedBy(t, m, cfg, 1500*time.Millisecond)
}

// hurriedBy is hurried with a time limit for bodies and answers of its own.
func hurriedBy(t *testing.T, m Mill, cfg Config, body time.Duration) (url string) {
	t.Helper()
	cfg.Listen = "localhost:0"
	ctx, cancel := context.WithCancel(context.Background())
	url, wait, err := listen(ctx, m, cfg,
		limits{header: time.Second, read: body, write: body + 400*time.Millisecond, idle: 20 * time.Second,
			end: time.Second})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); wait() })
	return url
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// well asks for one prediction and wants it soon.
func well(t *testing.T, url string) { // from any goroutine
	t.Helper()
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Post(url+"/predict/late", "application/json", strings.NewReader(`{"distance":1400}`))
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); r.StatusCode != 200 {
		t.Errorf("%d: %s", r.StatusCode, b)
	}
}

// gone waits for the server to close a connection.
func gone(t *testing.T, c net.Conn, within time.Duration) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(within))
	if _, err := io.Copy(io.Discard, c); os.IsTimeout(err) {
		t.Errorf("the connection is open after %v", within)
	}
}

func TestSlowClients(t *testing.T) {
	url := hurried(t, fakeFlights(), Config{InFlight: 1})
	for _, begin := range []string{
		"", "GET /healthz HTTP/1.1\r\nHost: local", // a header that never ends
		"POST /predict/late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
	} {
		for range 5 {
			c := dial(t, url)
			io.WriteString(c, begin)
			if strings.HasPrefix(begin, "POST") {
				well(t, url) // a body that dribbles in holds none of the places for predictions
			}
			defer gone(t, c, 20*time.Second)
		}
	}
	well(t, url)
}

func TestHugeBody(t *testing.T) {
	url := hurried(t, fakeFlights(), Config{MaxBody: 100000})
	for _, head := range []string{"Content-Length: 1000000000000", "Transfer-Encoding: chunked"} {
		c := dial(t, url)
		fmt.Fprintf(c, "POST /predict/late HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", head)
		chunk := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"
		sent := 0
		for sent < 100<<20 {
			n, err := io.WriteString(c, chunk)
			if sent += n; err != nil {
				break
			}
		}
		if sent >= 100<<20 {
			t.Errorf("%s: the server took %d bytes", head, sent)
		}
	}
	c := dial(t, url)
	io.WriteString(c, "POST /predict/late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n")
	if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil ||
		r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%v %v", r, err)
	}
	c = dial(t, url)
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil ||
		r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v %v", r, err)
	}
	well(t, url)
}

// Idle connections beyond the bound push the longest idle out, and never the one who asks.
func TestIdleConnections(t *testing.T) {
	if !Alone(t) {
		return
	}
	url := hurried(t, fakeFlights(), Config{MaxConns: 200})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var open []net.Conn
	for i := range 2000 {
		c := dial(t, url)
		if i%2 == 0 {
			io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
		open = append(open, c)
	}
	well(t, url)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse); grown > 40<<20 {
		t.Errorf("memory has grown by %d bytes", grown)
	}
	left := 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range open {
		wg.Go(func() {
			c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := io.Copy(io.Discard, c); os.IsTimeout(err) {
				mu.Lock()
				left++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if left > 200 {
		t.Errorf("%d connections are open", left)
	}
}

// As many connections as may be open, each with a body that does not come or an answer that is not read: whoever asks
// is answered, and who watches goes on watching.
func TestSlowConnectionsGiveWay(t *testing.T) {
	f := fakeFlights()
	url := hurriedBy(t, f, Config{MaxConns: 40}, 20*time.Second)
	r, err := http.Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	many := "[" + strings.Repeat("{},", 9999) + "{}]"
	for i := range 60 {
		c := dial(t, url)
		if i%2 == 0 {
			io.WriteString(c, "POST /predict/late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
		} else {
			c.(*net.TCPConn).SetReadBuffer(1024)
			go io.WriteString(c, prediction(many)+prediction(many)+prediction(many)+prediction(many))
		}
	}
	time.Sleep(1500 * time.Millisecond)
	for range 10 {
		well(t, url)
	}
	seen := make(chan error, 1)
	go func() {
		in := bufio.NewReaderSize(r.Body, 1<<20)
		for n := 0; n < 3; {
			line, err := in.ReadString('\n')
			if err != nil {
				seen <- err
				return
			}
			if strings.HasPrefix(line, "event: status") {
				n++
			}
		}
		seen <- nil
	}()
	select {
	case err := <-seen:
		if err != nil {
			t.Errorf("who watches: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("who watches sees nothing")
	}
}

// The limit of open files bounds the connections too: what the flow itself opens has room.
func TestOpenFiles(t *testing.T) {
	if n := openFiles(); n < 16 {
		t.Errorf("%d", n)
	}
	for _, c := range [][3]int{{4096, 1024, 768}, {4096, 20000, 4096}, {4096, 1 << 30, 4096}, {10, 1024, 10},
		{10, 0, 1}} {
		if n := connsFor(c[0], c[1]); n != c[2] {
			t.Errorf("max_conns %d and %d files: %d connections, want %d", c[0], c[1], n, c[2])
		}
	}
}

// Who does not read is let go and holds up nobody; one watcher too many is refused.
func TestWatchers(t *testing.T) {
	f := &fake{now: moving(1000, 5000, statustest.Flights), predict: delayed}
	s := newServer(f, Config{Watchers: 2})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s}
	go srv.Serve(l)
	defer srv.Close()
	url := "http://" + l.Addr().String()
	deaf := dial(t, url) // asks and never reads
	io.WriteString(deaf, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	deaf.(*net.TCPConn).SetReadBuffer(1024)
	r, _ := http.NewRequestWithContext(ctx, "GET", url+"/events?task=late", nil)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	in := bufio.NewReaderSize(a.Body, 1<<20)
	seen, last := 0, ""
	for seen < 3 {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			last = strings.TrimSpace(id)
		}
		if data, ok := strings.CutPrefix(line, "data: {"); ok {
			var st engine.Status
			if err := json.Unmarshal([]byte("{"+data), &st); err != nil || st.Flow != "late-flights" ||
				len(st.Tasks[0].Curve) == 0 {
				t.Fatalf("%v: %.200s", err, data)
			}
			seen++
		}
	}
	if b, err := http.Get(url + "/events"); err != nil || b.StatusCode != 429 {
		t.Errorf("%v %v", b, err)
	}
	cancel()
	// Who comes back gets no history again; who is new does.
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s.hub.mu.Lock()
		n := len(s.hub.watchers)
		past, new := s.hub.past(last), s.hub.past("")
		s.hub.mu.Unlock()
		if n < 2 {
			if past != nil || !bytes.HasPrefix(new, []byte("event: history\ndata: [[")) {
				t.Errorf("%q %q", past, new)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("a watcher who went is still there")
		}
	}
}

// A page of another site that points its own name at this machine gets nothing.
func TestRebinding(t *testing.T) {
	url := hurried(t, fakeFlights(), Config{})
	for host, want := range map[string]int{"evil.example": 421, "localhost:1": 200, "127.0.0.1": 200, "[::1]:80": 200,
		"127.0.0.1.evil.example": 421} {
		r, _ := http.NewRequest("GET", url+"/status", nil)
		r.Host = host
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, a.StatusCode, want)
		}
	}
}

func TestListenErrors(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := Listen(context.Background(), fakeFlights(), Config{Listen: l.Addr().String()}); err == nil ||
		!strings.Contains(err.Error(), "is another process there?") {
		t.Error(err)
	}
	if _, _, err := Listen(context.Background(), fakeFlights(),
		Config{Listen: "localhost:0", Cert: "none.pem", Key: "none.pem"}); err == nil ||
		!strings.Contains(err.Error(), "none.pem") {
		t.Error(err)
	}
}
