package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/tidemill/tidemill/examples/flights"
)

// restRow asks the flights models over REST some 10,000 times a second while the flow learns at full speed from SQLite: a
// feeder keeps the change log ahead of it. wrk asks, in a process of its own. -rows is the seconds of each part, 8 by
// default: questions to a flow at rest; learning alone; with questions to the model of the schedule; to the one with windows.
func restRow(ctx context.Context, b *bench) error {
	seconds := 8
	if b.size > 0 {
		seconds = b.size
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is missing: apt-get install wrk")
	}
	for range max(b.n, 1) {
		if err := b.inFolder(func(dir string) error { return b.rest(ctx, dir, seconds) }); err != nil {
			return err
		}
	}
	return nil
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
	// At rest first: what the machine, the network and wrk take by themselves.
	if err := feed.ahead(ctx, 12000); err != nil {
		return err
	}
	if err := b.whileServed(ctx, dir, func(url string, pid int) error {
		if err := pause(ctx, time.Second); err != nil { // what was ahead is learned
			return err
		}
		return restPart(ctx, dir, url, "late", "late, the flow at rest", seconds, pid, feed)
	}); err != nil {
		return err
	}
	backlog := feed.written.Load() + feedAhead
	if 3*seconds <= feedWhole { // then all of it is there before, and nobody writes while it is measured
		backlog = uint64(3*seconds+5) * feedPerSecond
	}
	if err := feed.ahead(ctx, backlog); err != nil {
		return err
	}
	return b.whileServed(ctx, dir, func(url string, pid int) error {
		over, stop := context.WithCancel(ctx)
		fed := make(chan error, 1)
		go func() {
			if 3*seconds <= feedWhole {
				fed <- nil
				return
			}
			fed <- feed.keep(over, url)
		}()
		defer func() { stop(); <-fed }()
		for _, part := range []struct{ task, name string }{{"", "nobody asks"}, {"late", "late"}, {"late_now", "late_now"}} {
			if err := restPart(ctx, dir, url, part.task, part.name, seconds, pid, feed); err != nil {
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

// restPart measures for some seconds, while one task is asked; the empty task is none.
func restPart(ctx context.Context, dir, url, task, name string, seconds, pid int, feed *feeder) error {
	cpuFrom, feedFrom := processCPU(pid), cpu()
	from, err := look(ctx, url)
	if err != nil {
		return err
	}
	began := time.Now()
	f, said := figures{}, ""
	if task == "" {
		if err := pause(ctx, time.Duration(seconds)*time.Second); err != nil {
			return err
		}
	} else if said, err = ask(ctx, dir, url, task, seconds, pid, f); err != nil {
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
	f["feeder_cores"] = (cpu() - feedFrom) / took
	f["rss_mb"] = memory(pid, "VmRSS:")
	f["peak_mb"] = memory(pid, "VmHWM:")
	rest := f["learned_per_s"] < 1000
	line, _ := json.Marshal(f)
	fmt.Printf("# %s\n%s\n%s# %s\n", name, line, said, machine())
	if rest != strings.HasSuffix(name, "at rest") {
		return fmt.Errorf("%.0f rows a second were learned beside: that is not what was to be measured", f["learned_per_s"])
	}
	return nil
}

// ask lets wrk ask, and puts its figures into f.
func ask(ctx context.Context, dir, url, task string, seconds, pid int, f figures) (string, error) {
	script := filepath.Join(dir, "ask.lua")
	if err := os.WriteFile(script, []byte(fmt.Sprintf(askLua, task)), 0o644); err != nil {
		return "", err
	}
	began := time.Now()
	wrk := exec.CommandContext(ctx, "wrk", "-t1", "-c"+itoa(restConnections), "-d"+itoa(seconds)+"s", "--latency", "-s", script, url)
	var said bytes.Buffer
	wrk.Stdout, wrk.Stderr = &said, &said
	if err := wrk.Start(); err != nil {
		return "", err
	}
	done := make(chan error, 1)
	go func() { done <- wrk.Wait() }()
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for asking := true; asking; {
		select {
		case err := <-done:
			if err != nil {
				return "", fmt.Errorf("wrk: %w\n%s", err, said.String())
			}
			asking = false
		case <-tick.C:
			fmt.Printf("%4.0f s  RSS %.1f MB  load %s\n", time.Since(began).Seconds(), memory(pid, "VmRSS:"), loadAverage())
		}
	}
	f["wrk_cores"] = (wrk.ProcessState.UserTime() + wrk.ProcessState.SystemTime()).Seconds() / time.Since(began).Seconds()
	wrkFigures(said.String(), f)
	return said.String(), nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// restConnections with askLua's pauses make some 10,000 questions a second.
const restConnections = 56

// askLua asks for one flight after another; each connection pauses between an answer and its next question, 4 ms in the mean,
// at random (exponentially), as people do who know nothing of each other. With pauses of one length all connections fall
// into step, and what is measured is how long a burst of them takes.
const askLua = `
local carriers = {"UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX"}
local dests = {"ORD", "ATL", "LAX", "BOS", "MCO", "CLT", "SFO", "FLL", "MIA", "DCA"}
local n = 0
request = function()
  n = n + 1
  return wrk.format("POST", "/predict/%s", {["Content-Type"] = "application/json"}, string.format(
    '{"month":%%d,"day":%%d,"hour":%%d,"minute":%%d,"distance":%%d,"carrier":"%%s","origin":"JFK","dest":"%%s"}',
    n %% 12 + 1, n %% 28 + 1, n %% 18 + 5, n %% 60, 200 + n * 37 %% 2400, carriers[n %% 10 + 1], dests[n * 7 %% 10 + 1]))
end
delay = function() return math.floor(0.5 - 4 * math.log(1 - math.random())) end
`

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

// wrkFigures reads what wrk prints into f.
func wrkFigures(text string, f figures) {
	if m := regexp.MustCompile(`Requests/sec:\s+([\d.]+)`).FindStringSubmatch(text); m != nil {
		f["per_s"], _ = strconv.ParseFloat(m[1], 64)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s+(50|75|90|99)%\s+([\d.]+)(us|ms|s)`).FindAllStringSubmatch(text, -1) {
		v, _ := strconv.ParseFloat(m[2], 64)
		f["p"+m[1]+"_ms"] = v * map[string]float64{"us": 1e-3, "ms": 1, "s": 1e3}[m[3]]
	}
	if m := regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`).FindStringSubmatch(text); m != nil {
		f["failed"], _ = strconv.ParseFloat(m[1], 64)
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

const (
	feedAhead     = 200000 // how many changes the feeder keeps ahead of the flow
	feedWhole     = 30     // up to so many seconds, it writes all changes before
	feedPerSecond = 125000 // more than the flow takes
)

// feeder writes the year of flights, and then again, a year later each time.
type feeder struct {
	db      *sql.DB
	all     []flights.Flight
	events  []flights.Event
	at      int
	year    int
	written atomic.Uint64
	insert  *sql.Stmt
	land    *sql.Stmt
}

func newFeeder(ctx context.Context, path string) (*feeder, error) {
	f := &feeder{}
	var err error
	if f.all, err = flights.All(); err != nil {
		return nil, err
	}
	f.events = flights.Events(f.all)
	f.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=busy_timeout(20000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	f.db.SetMaxOpenConns(1)
	if _, err := f.db.ExecContext(ctx, `CREATE TABLE flights(id INTEGER PRIMARY KEY, scheduled_at TEXT NOT NULL, month INTEGER, day INTEGER, hour INTEGER,
		minute INTEGER, carrier TEXT, flight INTEGER, tailnum TEXT, origin TEXT, dest TEXT, distance INTEGER, dep_delay INTEGER, air_time INTEGER,
		arr_delay INTEGER, landed_at TEXT)`); err != nil {
		return nil, err
	}
	if f.insert, err = f.db.PrepareContext(ctx, `INSERT INTO flights(id, scheduled_at, month, day, hour, minute, carrier, flight, tailnum, origin, dest, distance)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`); err != nil {
		return nil, err
	}
	f.land, err = f.db.PrepareContext(ctx, "UPDATE flights SET dep_delay = ?, air_time = ?, arr_delay = ?, landed_at = ? WHERE id = ?")
	return f, err
}

// write commits the next n changes.
func (f *feeder) write(ctx context.Context, n int) error {
	const minutes, layout = 365 * 24 * 60, "2006-01-02 15:04:05"
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, land := tx.StmtContext(ctx, f.insert), tx.StmtContext(ctx, f.land)
	for range n {
		if f.at == len(f.events) {
			f.at, f.year = 0, f.year+1
		}
		e := f.events[f.at]
		f.at++
		x := &f.all[e.Flight]
		id := x.ID + f.year*len(f.all)
		if e.Landing {
			_, err = land.ExecContext(ctx, x.DepDelay, x.Flying, x.ArrDelay, flights.Time(x.LandedAt+f.year*minutes).Format(layout), id)
		} else {
			_, err = insert.ExecContext(ctx, id, flights.Time(x.Scheduled+f.year*minutes).Format(layout), x.Month, x.Day, x.Hour, x.Minute, x.Carrier, x.Number,
				x.Tail, x.Origin, x.Dest, x.Distance)
		}
		if err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	f.written.Add(uint64(n))
	return nil
}

// ahead writes until n changes are there.
func (f *feeder) ahead(ctx context.Context, n uint64) error {
	for f.written.Load() < n {
		if err := f.write(ctx, 2000); err != nil {
			return err
		}
	}
	return nil
}

// keep stays ahead of the flow until ctx ends.
func (f *feeder) keep(ctx context.Context, url string) error {
	for ctx.Err() == nil {
		m, err := look(ctx, url)
		if err != nil {
			return err
		}
		if err := f.ahead(ctx, m.changes+feedAhead); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
	return nil
}
