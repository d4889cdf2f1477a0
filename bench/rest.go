package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill/examples/flights"
)

// restRow asks the flights models over REST, at rest and while the flow learns at full speed from SQLite: a feeder
// keeps the change log ahead of it. The load is a process of its own. -rows is the seconds of each part, 8 by
// default.
func restRow(ctx context.Context, b *bench) error {
	seconds := 8
	if b.size > 0 {
		seconds = b.size
	}
	for range max(b.n, 1) {
		if err := b.inFolder(func(dir string) error { return b.rest(ctx, dir, seconds) }); err != nil {
			return err
		}
	}
	return nil
}

// restLoad is one part of the row: what is asked, and the bar that it is held to.
type restLoad struct {
	name string
	task string // "" is net/http with an empty handler; "-" asks nothing
	rows int
	rate int     // requests a second; 0: each of the connections asks again at once
	p99  float64 // bar: at most so many ms
	most float64 // bar: at least so many rows a second
}

const (
	restRate        = 5000 // single predictions a second
	restRows        = 100  // rows of a large request
	restConnections = 16   // that ask again at once
	rateConnections = 256  // that wait for their turn: as many answers as may be late before requests are
)

// atRest are the parts while the flow has nothing to learn; whileLearning those while it learns at full speed.
func atRest() []restLoad {
	return []restLoad{
		{name: "empty handler", rows: 1},
		{name: "empty handler, 100 rows", rows: restRows},
		{name: "empty handler, 5,000/s", rows: 1, rate: restRate},
		{name: "late", task: "late", rows: 1},
		{name: "late, 100 rows", task: "late", rows: restRows, most: 400000},
		{name: "late, 5,000/s", task: "late", rows: 1, rate: restRate},
	}
}

func whileLearning() []restLoad {
	return []restLoad{
		{name: "nobody asks", task: "-"},
		{name: "late, 5,000/s", task: "late", rows: 1, rate: restRate, p99: 10},
		{name: "late_now (windows), 5,000/s", task: "late_now", rows: 1, rate: restRate},
		{name: "late, 100 rows", task: "late", rows: restRows, most: 100000},
	}
}

func (b *bench) rest(ctx context.Context, dir string, seconds int) error {
	flow := strings.Replace(flights.FlowSQLite, "{path: flights.db, table: predictions}", "{path: predictions.db}", 1)
	flow = strings.Replace(flow, "localhost:8080", "localhost:0", 1)
	if err := os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(flow), 0o644); err != nil {
		return err
	}
	feed, err := newFeeder(ctx, filepath.Join(dir, "flights.db"))
	if err != nil {
		return err
	}
	defer feed.db.Close()
	binary := filepath.Join(b.cache, "bin", "tidemill")
	first := exec.CommandContext(ctx, binary, "run", "flow.yaml", "--once", "--quiet")
	first.Dir = dir
	if out, err := first.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	// At rest first: what the machine, the network and the load take by themselves.
	if err := feed.ahead(ctx, 12000); err != nil {
		return err
	}
	if err := b.whileServed(ctx, dir, func(url string, pid int) error {
		if err := pause(ctx, time.Second); err != nil { // what was ahead is learned
			return err
		}
		for _, part := range atRest() {
			if err := restPart(ctx, url, part, false, seconds, pid); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	learning := len(whileLearning()) * seconds
	backlog := feed.written.Load() + feedAhead
	if learning <= feedWhole { // then all of it is there before, and nobody writes while it is measured
		backlog = uint64(learning+5) * feedPerSecond
	}
	if err := feed.ahead(ctx, backlog); err != nil {
		return err
	}
	return b.whileServed(ctx, dir, func(url string, pid int) error {
		over, stop := context.WithCancel(ctx)
		fed := make(chan error, 1)
		go func() {
			if learning <= feedWhole {
				fed <- nil
				return
			}
			fed <- feed.keep(over, url)
		}()
		defer func() { stop(); <-fed }()
		for _, part := range whileLearning() {
			if err := restPart(ctx, url, part, true, seconds, pid); err != nil {
				return err
			}
		}
		return nil
	})
}

// whileServed runs the flow in a process of its own, and f once its model has learned something.
func (b *bench) whileServed(ctx context.Context, dir string, f func(url string, pid int) error) error {
	cmd := exec.CommandContext(ctx, filepath.Join(b.cache, "bin", "tidemill"), "run", "flow.yaml", "--log", "json")
	cmd.Dir = dir
	var log address
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}()
	for learned := uint64(0); learned < 5000; {
		if url := log.url(); url != "" {
			at, err := look(ctx, url)
			if err != nil {
				return err
			}
			learned = at.learned
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return f(log.url(), cmd.Process.Pid)
}

// restPart measures for some seconds what one load takes, and what the flow learns beside it.
func restPart(ctx context.Context, url string, part restLoad, learning bool, seconds, pid int) error {
	cpuFrom := processCPU(pid)
	from, err := look(ctx, url)
	if err != nil {
		return err
	}
	began := time.Now()
	f := figures{}
	switch part.task {
	case "-":
		err = pause(ctx, time.Duration(seconds)*time.Second)
	case "":
		f, err = askEmpty(ctx, part, seconds)
	default:
		f, err = ask(ctx, url, "/predict/"+part.task, part, seconds)
	}
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	to, err := look(ctx, url)
	if err != nil {
		return err
	}
	f["changes_per_s"] = float64(to.changes-from.changes) / took
	f["learned_per_s"] = float64(to.learned-from.learned) / took
	f["server_cores"] = (processCPU(pid) - cpuFrom) / took
	f["rss_mb"] = memory(pid, "VmRSS:")
	f["peak_mb"] = memory(pid, "VmHWM:")
	where := "at rest"
	if learning {
		where = "while it learns"
	}
	line, _ := json.Marshal(f)
	fmt.Printf("# %s, %s\n%s\n", part.name, where, line)
	if part.p99 > 0 {
		fmt.Printf("# bar: p99 at most %g ms: %s\n", part.p99,
			verdict(f["p99_ms"] <= part.p99 && f["per_s"] > 0.99*float64(part.rate)))
	}
	if part.most > 0 {
		fmt.Printf("# bar: at least %.0f rows a second: %s\n", part.most, verdict(f["rows_per_s"] >= part.most))
	}
	fmt.Printf("# %s\n", machine())
	switch {
	case f["failed"] > 0:
		return fmt.Errorf("%s: %.0f requests failed", part.name, f["failed"])
	case learning != (f["learned_per_s"] > 1000):
		return fmt.Errorf("%.0f rows a second were learned beside: that is not what was to be measured",
			f["learned_per_s"])
	}
	return nil
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// ask runs a load against a server.
func ask(ctx context.Context, url, path string, part restLoad, seconds int) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	conns := restConnections
	if part.rate > 0 {
		conns = rateConnections
	}
	cmd := exec.CommandContext(ctx, self, "-child", "load", "address="+strings.TrimPrefix(url, "http://"),
		"path="+path, "rows="+itoa(part.rows),
		"conns="+itoa(conns), "rate="+itoa(part.rate), "seconds="+itoa(seconds))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	f := figures{}
	return f, json.Unmarshal(out, &f)
}

// askEmpty runs a load against net/http with an empty handler, a process of its own.
func askEmpty(ctx context.Context, part restLoad, seconds int) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", "empty")
	var log address
	cmd.Stdout = &log
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { in.Close(); cmd.Wait() }()
	for log.url() == "" {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return ask(ctx, log.url(), "/", part, seconds)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// address finds the server's URL in its log.
type address struct{ at atomic.Pointer[string] }

func (a *address) Write(b []byte) (int, error) {
	if m := regexp.MustCompile(`serving on (http://[^"\s]+)`).FindSubmatch(b); m != nil {
		s := string(m[1])
		a.at.Store(&s)
	}
	return len(b), nil
}

func (a *address) url() string {
	if s := a.at.Load(); s != nil {
		return *s
	}
	return ""
}

// moment is how far the flow is.
type moment struct{ changes, learned uint64 }

func look(ctx context.Context, url string) (m moment, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/status", nil)
	if err != nil {
		return m, err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return m, err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return m, err
	}
	var s struct {
		Stream struct{ Rows uint64 }
		Tasks  []struct{ Counts struct{ Learned uint64 } }
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return m, err
	}
	m.changes = s.Stream.Rows
	if len(s.Tasks) > 0 {
		m.learned = s.Tasks[0].Counts.Learned
	}
	return m, nil
}
