package serve

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

// inUse is the memory that the process needs, after a collection.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// Ten thousand connections that say nothing, or stop in the middle of a header: 4,096 of them are kept, and whoever
// asks for a prediction meanwhile gets it.
func TestTenThousandConnections(t *testing.T) {
	if !Alone(t) {
		return
	}
	n := 10000
	if most := descriptors() - 6000; most < n {
		t.Logf("no more than %d connections: the limit of open files is low", most)
		n = most
	}
	ctx, cancel := context.WithCancel(context.Background())
	url, wait, err := Listen(ctx, fakeFlights(), Config{Listen: "localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); wait() }()
	before := inUse()
	steady := &http.Client{Timeout: 20 * time.Second} // a client that keeps its connection and asks again and again
	asked, failed := 0, 0
	open := make([]net.Conn, 0, n)
	for i := range n {
		c := dial(t, url)
		if i%3 == 0 {
			io.WriteString(c, "POST /predict/late HTTP/1.1\r\nHost: local")
		}
		open = append(open, c)
		if i%500 == 0 {
			well(t, url)
			r, err := steady.Post(url+"/predict/late", "application/json", strings.NewReader(`{"distance":1400}`))
			if asked++; err != nil {
				failed++ // its connection was the longest idle one, and closed as it asked
				continue
			}
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
	}
	well(t, url)
	if failed > asked/4 {
		t.Errorf("a client that keeps its connection: %d of %d questions failed", failed, asked)
	}
	if grown := inUse() - before; grown > 150<<20 {
		t.Errorf("memory has grown by %d bytes", grown)
	}
	var left atomic.Int64
	var wg sync.WaitGroup
	for _, c := range open {
		wg.Go(func() {
			c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); os.IsTimeout(err) {
				left.Add(1)
			}
		})
	}
	wg.Wait()
	if left.Load() > 4096 {
		t.Errorf("%d connections are open", left.Load())
	}
	well(t, url)
}

// As many watchers as may watch, none of whom reads: each is let go, holds up nobody, and frees its place.
func TestDeafWatchers(t *testing.T) {
	if !Alone(t) {
		return
	}
	big := strings.Repeat("x", 24<<20) // more than the sockets' buffers take
	f := &fake{now: func() *engine.Status {
		st := statustest.Flights(time.Now(), 5000)
		st.Error = big
		return st
	}, predict: delayed}
	s := newServer(f, Config{Watchers: 8})
	s.hub.stuck = 300 * time.Millisecond
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s}
	go srv.Serve(l)
	defer srv.Close()
	url := "http://" + l.Addr().String()
	watching := func() int {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		return len(s.hub.watchers)
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d are watching", what, watching())
			}
		}
	}
	before := inUse()
	for range 3 {
		for range 8 {
			c := dial(t, url)
			io.WriteString(c, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
		well(t, url)
		until("nobody has begun to watch", func() bool { return watching() > 0 })
		until("who does not read is still there", func() bool { return watching() == 0 })
	}
	if grown := inUse() - before; grown > 200<<20 {
		t.Errorf("memory has grown by %d bytes", grown)
	}
	well(t, url)
}

// Sixty-four dashboards at once and one too many; a crowd that comes and goes leaves nothing behind.
func TestManyWatchers(t *testing.T) {
	s := newServer(&fake{now: moving(1000, 5000, statustest.Flights), predict: delayed}, Config{})
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s}
	go srv.Serve(l)
	defer srv.Close()
	url := "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	refused := make(chan struct{})
	var seen sync.WaitGroup
	for range 64 {
		r, _ := http.NewRequestWithContext(ctx, "GET", url+"/events?task=late", nil)
		a, err := http.DefaultClient.Do(r)
		if err != nil || a.StatusCode != 200 {
			t.Fatalf("%v %v", a, err)
		}
		seen.Go(func() { // everybody gets a status
			defer a.Body.Close()
			var got strings.Builder
			for b := make([]byte, 4096); !strings.Contains(got.String(), "event: status"); {
				n, err := a.Body.Read(b)
				if got.Write(b[:n]); err != nil {
					t.Errorf("%v after %d bytes", err, got.Len())
					return
				}
			}
			<-refused
		})
	}
	if a, err := http.Get(url + "/events"); err != nil || a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the 65th: %v %v", a, err)
	}
	well(t, url)
	close(refused)
	seen.Wait()
	cancel()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s.hub.mu.Lock()
		n := len(s.hub.watchers)
		s.hub.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d are still watching", n)
		}
	}
}

// A hundred thousand rows in one request: refused by default, answered where the settings allow them, and nobody else
// waits for them.
func TestHundredThousandRows(t *testing.T) {
	if !Alone(t) {
		return
	}
	st := statustest.Flights(time.Now(), 5000)
	f := &fake{now: func() *engine.Status { return st }, predict: delayed}
	body := "[" + strings.Repeat(`{"distance":1400,"carrier":"UA"},`, 99999) + `{"distance":1}]`
	post := func(url string) (int, string) {
		r, err := http.Post(url+"/predict/late", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	url := hurriedBy(t, f, Config{}, 20*time.Second)
	if code, text := post(url); code != http.StatusRequestEntityTooLarge || !strings.Contains(text, "max_rows") {
		t.Errorf("%d %.200s", code, text)
	}
	url = hurriedBy(t, f, Config{MaxRows: 100000, MaxBody: 8 << 20}, 20*time.Second)
	before := inUse()
	over := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
				well(t, url)
			}
		}
	})
	code, text := post(url)
	close(over)
	others.Wait()
	if n := strings.Count(text, `"prediction":`); code != 200 || n != 100000 {
		t.Errorf("%d: %d predictions, %.200s", code, n, text)
	}
	text = ""
	if grown := inUse() - before; grown > 100<<20 {
		t.Errorf("memory has grown by %d bytes", grown)
	}
}

// What is being asked when the server is told to stop is answered; whoever comes then is not.
func TestGracefulStop(t *testing.T) {
	begun, go_on := make(chan struct{}), make(chan struct{})
	f := fakeFlights()
	rule := f.predict
	f.predict = func(ts *engine.TaskStatus, r tidemill.Row) (engine.Prediction, error) {
		begun <- struct{}{}
		<-go_on
		return rule(ts, r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	url, wait, err := Listen(ctx, f, Config{Listen: "localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		r, err := http.Post(url+"/predict/late", "application/json", strings.NewReader(`{"distance":1400}`))
		if err != nil {
			got <- err.Error()
			return
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		got <- fmt.Sprint(r.StatusCode, " ", string(b), err)
	}()
	<-begun
	cancel()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("it still takes connections")
		}
	}
	close(go_on)
	if s := <-got; !strings.HasPrefix(s, `200 {"prediction":`) {
		t.Errorf("the question under way: %s", s)
	}
	if err := wait(); err != nil {
		t.Error(err)
	}
}
