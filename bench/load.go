package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load asks one path of a server over connections that it keeps. It writes and reads plain HTTP/1.1 itself, so that
// it takes little of the processors that it shares with the server.
type load struct {
	address  string // host:port
	path     string
	rows     int           // of one request; 1 is a single row, not a list
	conns    int           // connections
	rate     int           // requests a second, whatever is answered; 0: each connection asks again at once
	duration time.Duration // how long
}

// loadChild is a load as a process of its own.
func loadChild(ctx context.Context, a args) (figures, error) {
	l := &load{address: a["address"], path: a["path"], rows: a.int("rows"), conns: a.int("conns"), rate: a.int("rate"),
		duration: time.Duration(a.int("seconds")) * time.Second}
	return l.run(ctx)
}

// asked is what became of the requests of one connection.
type asked struct {
	took   []float64 // ms, from when a request was due to its answer's last byte
	late   []float64 // ms, from when a request was due to its sending
	served []float64 // ms, from its sending to its answer's last byte
	failed int       // answered by another code than 200
	err    error
}

// run asks until the time is over, and says how often, and how long answers took. At a fixed rate a request's time
// begins when it is due, not when a connection is free for it: a server that stands still is charged with all that it
// holds up.
func (l *load) run(ctx context.Context) (figures, error) {
	requests := l.requests(1000)
	due := make(chan time.Time, l.conns)
	began := time.Now()
	end := began.Add(l.duration)
	ctx, stop := context.WithDeadline(ctx, end.Add(10*time.Second))
	defer stop()
	results := make([]asked, l.conns)
	var wg sync.WaitGroup
	for i := range results {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { c.Close() })
		wg.Go(func() {
			next := func() (time.Time, bool) { now := time.Now(); return now, now.Before(end) }
			if l.rate > 0 {
				next = func() (time.Time, bool) { at, ok := <-due; return at, ok }
			}
			results[i].err = results[i].ask(c, requests[i*len(requests)/l.conns:], next)
		})
	}
	l.pace(ctx, began, end, due)
	wg.Wait()
	return l.figures(results, time.Since(began))
}

// pace sends a moment for each request that is due.
func (l *load) pace(ctx context.Context, began, end time.Time, due chan<- time.Time) {
	defer close(due)
	if l.rate == 0 {
		return
	}
	gap := time.Second / time.Duration(l.rate)
	for at := began; at.Before(end); at = at.Add(gap) {
		time.Sleep(time.Until(at)) // may wake up late: then all that is due goes out at once
		select {
		case due <- at:
		case <-ctx.Done():
			return
		}
	}
}

// ask sends the requests in turn over one connection, each when next says, and reads the answers.
func (r *asked) ask(c net.Conn, requests [][]byte, next func() (time.Time, bool)) error {
	defer c.Close()
	in := bufio.NewReaderSize(c, 64<<10)
	for i := 0; ; i++ {
		at, ok := next()
		if !ok {
			return nil
		}
		sent := time.Now()
		r.late = append(r.late, since(at))
		if _, err := c.Write(requests[i%len(requests)]); err != nil {
			return err
		}
		code, err := readAnswer(in)
		if err != nil {
			return err
		}
		r.took, r.served = append(r.took, since(at)), append(r.served, since(sent))
		if code != http.StatusOK {
			r.failed++
		}
	}
}

func since(at time.Time) float64 { return float64(time.Since(at)) / float64(time.Millisecond) }

// readAnswer reads one answer to its end, and its code.
func readAnswer(in *bufio.Reader) (code int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, fmt.Errorf("no answer of HTTP: %q", line)
	}
	if code, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(v)); err != nil {
				return 0, err
			}
		}
		chunked = chunked || string(line) == "Transfer-Encoding: chunked"
	}
	for chunked {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return 0, err
		}
		if _, err := in.Discard(int(n) + len("\r\n")); err != nil {
			return 0, err
		}
		chunked = n > 0
	}
	_, err = in.Discard(length)
	return code, err
}

// requests are n requests, each of other flights.
func (l *load) requests(n int) [][]byte {
	carriers := []string{"UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX"}
	dests := []string{"ORD", "ATL", "LAX", "BOS", "MCO", "CLT", "SFO", "FLL", "MIA", "DCA"}
	row := func(n int) string {
		const form = `{"month":%d,"day":%d,"hour":%d,"minute":%d,"distance":%d,` +
			`"carrier":"%s","origin":"JFK","dest":"%s"}`
		return fmt.Sprintf(form, n%12+1, n%28+1, n%18+5, n%60, 200+n*37%2400, carriers[n%10], dests[n*7%10])
	}
	var out [][]byte
	for i := range n {
		body := row(i)
		if l.rows > 1 {
			rows := make([]string, l.rows)
			for k := range rows {
				rows[k] = row(i*l.rows + k)
			}
			body = "[" + strings.Join(rows, ",") + "]"
		}
		out = append(out, fmt.Appendf(nil,
			"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			l.path, l.address, len(body), body))
	}
	return out
}

func (l *load) figures(results []asked, took time.Duration) (figures, error) {
	var all, late, served []float64
	failed := 0
	for i := range results {
		if err := results[i].err; err != nil {
			return nil, err
		}
		all, late = append(all, results[i].took...), append(late, results[i].late...)
		served, failed = append(served, results[i].served...), failed+results[i].failed
	}
	if len(all) == 0 {
		return nil, errors.New("nothing was answered")
	}
	f := figures{"per_s": float64(len(all)) / took.Seconds(), "rows_per_s": float64(len(all)*l.rows) / took.Seconds(),
		"failed":     float64(failed),
		"load_cores": cpu() / took.Seconds()}
	f["p50_ms"], f["p90_ms"], f["p99_ms"] = quantile(all, 0.5), quantile(all, 0.9), quantile(all, 0.99)
	f["p999_ms"], f["max_ms"] = quantile(all, 0.999), quantile(all, 1)
	if l.rate > 0 {
		f["sent_late_p99_ms"], f["from_sent_p99_ms"] = quantile(late, 0.99), quantile(served, 0.99)
	}
	return f, nil
}

// emptyChild is net/http with a handler that reads the request and answers nothing: the least that a request costs.
// It says its address, and ends with its input.
func emptyChild(ctx context.Context, _ args) (figures, error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	fmt.Printf("serving on http://%s\n", l.Addr())
	empty := func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }
	srv := &http.Server{Handler: http.HandlerFunc(empty)}
	defer srv.Close()
	go srv.Serve(l)
	ended := make(chan struct{})
	go func() { io.Copy(io.Discard, os.Stdin); close(ended) }()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return figures{"cpu_s": cpu()}, nil
}
