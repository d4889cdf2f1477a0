package serve_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill/serve"
)

var long = flag.Bool("long", false, "watch the server's memory for ten minutes, not eight seconds")

// While a flow learns at full speed and is asked by the well-behaved and the other kind, the memory that the process
// needs stays what it is. What a task remembers is bounded, but takes a while to reach its bounds (a million answered
// ids, a million distinct scores): a short run allows for that.
func TestMemoryFlat(t *testing.T) {
	if !serve.Alone(t) {
		return
	}
	warm, total, every, grows := 3*time.Second, 8*time.Second, 500*time.Millisecond, int64(96<<20)
	if *long {
		warm, total, every, grows = 3*time.Minute, 10*time.Minute, 5*time.Second, 32<<20
	}
	mill := learner(t, 0)
	ctx, cancel := context.WithCancel(context.Background())
	url, wait, err := serve.Listen(ctx, mill, serve.Config{Listen: "localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	clients := pester(t, url, client, total)
	learned := mill.Status().Tasks[0].Counts.Learned
	first, last, story := watchMemory(warm, total, every)
	clients.Wait()
	t.Logf("learned %d rows\n%s", mill.Status().Tasks[0].Counts.Learned-learned, story)
	if last-first > grows {
		t.Errorf("memory has grown from %d to %d bytes", first, last)
	}
	cancel()
	if err := wait(); err != nil {
		t.Error(err)
	}
	client.CloseIdleConnections()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > 60; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left", runtime.NumGoroutine())
		}
	}
}

// pester asks a server in every way, well and badly, until the time is over; all have gone when the group is done.
func pester(t *testing.T, url string, client *http.Client, total time.Duration) (clients *sync.WaitGroup) {
	over := make(chan struct{})
	time.AfterFunc(total, func() { close(over) })
	clients = &sync.WaitGroup{}
	again := func(n int, f func() error) {
		for range n {
			clients.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
					}
					if err := f(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	ask := func(body string, want int) error {
		r, err := client.Post(url+"/predict/late", "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		if r.StatusCode != want {
			return fmt.Errorf("%d where %d belongs", r.StatusCode, want)
		}
		return nil
	}
	many := "[" + strings.Repeat(flightRow+",", 4999) + flightRow + "]"
	n := 0
	again(4, func() error { return ask(flightRow, 200) })
	again(1, func() error { time.Sleep(20 * time.Millisecond); return ask(many, 200) })
	again(1, func() error { time.Sleep(time.Millisecond); n++; return ask(fmt.Sprintf(`{"column%d":1}`, n), 400) })
	again(1, func() error { return ask(strings.Repeat("[", 100000), 400) })
	again(1, func() error { // who says half a sentence and goes
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = io.WriteString(c, "POST /predict/late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
		time.Sleep(time.Millisecond)
		return err
	})
	again(1, func() error { // who looks for a moment
		q, _ := http.NewRequest("GET", url+"/events", nil)
		r, err := client.Do(q)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		_, err = io.ReadAtLeast(r.Body, make([]byte, 64), 64)
		return err
	})
	return clients
}

// watchMemory looks at the process's memory again and again: first is what it needs once it is warm.
func watchMemory(warm, total, every time.Duration) (first, last int64, story string) {
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	began := time.Now()
	var text bytes.Buffer
	for tick := time.NewTicker(every); ; <-tick.C {
		last = inUse()
		fmt.Fprintf(&text, "%5.0f s  %4d MB  %d goroutines\n", time.Since(began).Seconds(), last>>20,
			runtime.NumGoroutine())
		if first == 0 || time.Since(began) < warm { // on a busy machine the first look may take that long
			first = last
		}
		if time.Since(began) >= total {
			return first, last, text.String()
		}
	}
}
