package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/serve"
)

// Options are what all demos share.
type Options struct {
	Dir      string // where the demo lives; default tidemill-demo/<name>
	Source   string // "" for a SQLite file in Dir, or a postgres:// URL
	Once     bool   // end when all is done, instead of serving until the context ends
	JSON     bool   // the result as one JSON object on the last line of Out
	Rows     int    // rows to stream; 0: all
	Kinds    config.Kinds
	Out, Err io.Writer     // results; progress
	Colour   bool          // what people read may have colours
	Terminal bool          // Err is a terminal: progress is redrawn in place
	PeakRSS  func() uint64 // the most memory that the process has held, in bytes; nil: not reported
}

// Result is what every demo prints with JSON.
type Result struct {
	Demo      string             `json:"demo"`
	Source    string             `json:"source"` // sqlite or postgres
	Learned   uint64             `json:"learned"`
	Predicted uint64             `json:"predicted"`
	Scores    map[string]float64 `json:"scores"`
	Phases    map[string]Phase   `json:"phases"`
	PeakRSS   uint64             `json:"peak_rss_bytes"`
	Counts    *engine.Counts     `json:"counts,omitempty"`
	Baselines map[string]float64 `json:"baselines,omitempty"`

	Coverage   float64               `json:"coverage,omitempty"`            // answered / asked
	LabelDelay *float64              `json:"label_delay_seconds,omitempty"` // median, on the flow's clock
	Tasks      map[string]TaskResult `json:"tasks,omitempty"`
}

// TaskResult is one task of a demo with several.
type TaskResult struct {
	Counts     engine.Counts                 `json:"counts"`
	Scores     map[string]float64            `json:"scores"`
	Baselines  map[string]map[string]float64 `json:"baselines"` // by baseline and score
	Coverage   float64                       `json:"coverage"`
	LabelDelay *float64                      `json:"label_delay_seconds,omitempty"`
}

// taskResult is a task's figures over the stream.
func taskResult(t *engine.TaskStatus) TaskResult {
	r := TaskResult{Counts: t.Counts, Scores: map[string]float64{}, Baselines: map[string]map[string]float64{},
		Coverage: t.Coverage, LabelDelay: t.LabelDelay}
	for _, sc := range t.Scores {
		if sc.Phase != "stream" {
			continue
		}
		if sc.Value != nil {
			r.Scores[sc.Name] = *sc.Value
		}
		for name, v := range sc.Baselines {
			if v == nil {
				continue
			}
			if r.Baselines[name] == nil {
				r.Baselines[name] = map[string]float64{}
			}
			r.Baselines[name][sc.Name] = *v
		}
	}
	return r
}

// Phase is one part of a demo.
type Phase struct {
	Rows    uint64  `json:"rows"`
	Seconds float64 `json:"seconds"`
}

// Names are the demos there are.
func Names() []string { return []string{"mnist", "iris", "flights"} }

// Run runs the named demo.
func Run(ctx context.Context, name string, o Options) error {
	if o.Dir == "" {
		o.Dir = filepath.Join("tidemill-demo", name)
	}
	if o.Source != "" && !strings.HasPrefix(o.Source, "postgres://") && !strings.HasPrefix(o.Source, "postgresql://") {
		return fmt.Errorf("demo %s: the source is a postgres:// URL, or absent for SQLite", name)
	}
	switch name {
	case "mnist":
		return runMNIST(ctx, o)
	case "iris":
		return runIris(ctx, o)
	case "flights":
		return runFlights(ctx, o)
	}
	if near := expr.Nearest(name, Names()); near != "" {
		return fmt.Errorf("there is no demo %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("there is no demo %q; there are %s", name, strings.Join(Names(), ", "))
}

// stage is a demo at work.
type stage struct {
	o      Options
	name   string
	kind   string // sqlite or postgres
	file   *config.File
	mill   *engine.Mill
	served func() error
	addr   string
	bar    *bar
	result Result
	began  time.Time
	cancel context.CancelFunc
	pace   time.Duration // between two looks at the flow
}

func newStage(name string, o Options) (*stage, error) {
	s := &stage{o: o, name: name, kind: "sqlite", bar: newBar(o.Err, o.Terminal), began: time.Now(),
		pace: 50 * time.Millisecond}
	if o.Source != "" {
		s.kind = "postgres"
	}
	s.result = Result{Demo: name, Source: s.kind, Scores: map[string]float64{}, Phases: map[string]Phase{}}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("demo %s: %w", name, err)
	}
	// A demo begins afresh; only what a demo makes is removed.
	old, err := filepath.Glob(filepath.Join(o.Dir, name+".db*"))
	if err != nil {
		return nil, err
	}
	for _, f := range append(old, filepath.Join(o.Dir, "state")) {
		if err := os.RemoveAll(f); err != nil {
			return nil, fmt.Errorf("demo %s: remove what an earlier run left: %w", name, err)
		}
	}
	return s, nil
}

// path is a file of the demo.
func (s *stage) path(name string) string { return filepath.Join(s.o.Dir, name) }

// write puts the flow file into the demo's folder, its paths made to work from here, and reads it.
func (s *stage) write(text string) error {
	text = strings.ReplaceAll(text, s.name+".db", filepath.ToSlash(s.path(s.name+".db")))
	text = strings.ReplaceAll(text, "dir: state", "dir: "+filepath.ToSlash(s.path("state")))
	text = strings.ReplaceAll(text, "localhost:8080", freeAddress())
	flow := s.path("flow.yaml")
	if err := os.WriteFile(flow, []byte(text), 0o644); err != nil {
		return fmt.Errorf("demo %s: %w", s.name, err)
	}
	var err error
	s.file, err = config.Parse(flow, []byte(text), s.o.Kinds, func(k string) (string, bool) {
		if k == "DATABASE_URL" && s.o.Source != "" {
			return s.o.Source, true
		}
		return os.LookupEnv(k)
	})
	return err
}

// freeAddress is localhost:8080, or a free port when that is taken.
func freeAddress() string {
	for _, a := range []string{"localhost:8080", "localhost:0"} {
		if l, err := net.Listen("tcp", a); err == nil {
			_, port, _ := net.SplitHostPort(l.Addr().String())
			l.Close()
			return "localhost:" + port
		}
	}
	return "localhost:8080"
}

// start starts the flow and its server.
func (s *stage) start(ctx context.Context) error {
	ctx, s.cancel = context.WithCancel(ctx)
	var err error
	cfg, _ := s.file.Serve.(*serve.Config)
	s.file.Flow.Idle = debug.FreeOSMemory
	s.file.Flow.Reset = true // the state of an earlier run is gone, so are its predictions
	if s.mill, err = engine.Start(ctx, s.file.Flow); err != nil {
		return fmt.Errorf("demo %s: %w", s.name, err)
	}
	if cfg == nil {
		return nil
	}
	if s.addr, s.served, err = serve.Listen(ctx, s.mill, *cfg); err != nil {
		s.cancel()
		return errors.Join(fmt.Errorf("demo %s: %w", s.name, err), s.mill.Wait())
	}
	if !s.o.Once {
		s.bar.end()
		s.say("Dashboard: %s   (Ctrl-C ends)", s.addr)
	}
	return nil
}

// run writes the flow file, starts the flow and waits until its snapshot is done; look, which may be nil, sees each
// status meanwhile.
func (s *stage) run(ctx context.Context, flow string, look func(*engine.Status)) error {
	if err := s.write(flow); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.until(ctx, func(st *engine.Status) bool {
		if look != nil {
			look(st)
		}
		return st.Snapshot.Done
	})
}

// stream lets the writer write into the database while the flow runs, until done says that the flow has caught up. It
// returns how long the writer wrote. A writer that fails ends the flow.
func (s *stage) stream(ctx context.Context, write func() error,
	done func(*engine.Status) bool) (wrote time.Duration, err error) {
	began := time.Now()
	failed := make(chan error, 1)
	finished := make(chan time.Duration, 1)
	go func() {
		if err := write(); err != nil {
			failed <- err
			s.cancel()
			return
		}
		finished <- time.Since(began)
	}()
	err = s.until(ctx, done)
	select {
	case e := <-failed: // which is why the flow ended
		return 0, fmt.Errorf("demo %s: %w", s.name, e)
	default:
	}
	if err != nil {
		return 0, err
	}
	select { // the writer may see the end of its last transaction after the flow does
	case e := <-failed:
		return 0, fmt.Errorf("demo %s: %w", s.name, e)
	case wrote = <-finished:
		return wrote, nil
	}
}

// ticker paces what the world does while people may watch: every so often something is let through. With Once all is
// let through at once. It returns false when the context has ended.
func (s *stage) ticker(every time.Duration) (next func(context.Context) bool, stop func()) {
	if s.o.Once {
		return func(ctx context.Context) bool { return ctx.Err() == nil }, func() {}
	}
	t := time.NewTicker(every)
	return func(ctx context.Context) bool {
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		}
	}, t.Stop
}

// until polls the flow until done says so; the flow's end before that is an error.
func (s *stage) until(ctx context.Context, done func(*engine.Status) bool) error {
	tick := time.NewTicker(s.pace)
	defer tick.Stop()
	for {
		st := s.mill.Status()
		if done(st) {
			s.bar.end()
			return nil
		}
		select {
		case <-tick.C:
		case <-s.mill.Done():
			s.bar.end()
			if err := s.mill.Wait(); err != nil {
				return err
			}
			return errors.New("the flow ended early")
		case <-ctx.Done():
			s.bar.end()
			return ctx.Err()
		}
	}
}

// finish reports the result, keeps serving unless once, and ends the flow.
func (s *stage) finish(ctx context.Context) error {
	st := s.mill.Status()
	var predicted uint64
	for _, t := range st.Tasks {
		predicted = max(predicted, t.Counts.Asked)
		s.result.Learned = max(s.result.Learned, t.Counts.Learned)
	}
	s.result.Predicted = predicted
	if s.o.PeakRSS != nil {
		s.result.PeakRSS = s.o.PeakRSS()
	}
	s.say("")
	if s.kind == "postgres" {
		s.say("The flow is %s: edit it, and run it with the URL of --source as DATABASE_URL:  tidemill run %s",
			s.path("flow.yaml"), s.path("flow.yaml"))
		s.say("Its replication slot stays, and the server keeps WAL for it; to remove it, with the same DATABASE_URL:  "+
			"tidemill source drop %s", s.path("flow.yaml"))
	} else {
		s.say("The flow is %s: edit it, and run it with  tidemill run %s", s.path("flow.yaml"), s.path("flow.yaml"))
	}
	if !s.o.Once {
		if s.addr != "" {
			s.say("Still serving: %s   (Ctrl-C ends)", s.addr)
		}
		select {
		case <-ctx.Done():
		case <-s.mill.Done():
		}
	}
	s.cancel()
	err := s.mill.Wait()
	if s.served != nil {
		err = errors.Join(err, s.served())
	}
	if err != nil {
		return err
	}
	if s.o.JSON {
		b, err := json.Marshal(s.result)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.o.Out, "%s\n", b)
	}
	return nil
}

// close ends the flow when the demo ends early: what has arrived is saved, and nothing is left running.
func (s *stage) close() {
	if s.mill == nil {
		return
	}
	s.cancel()
	s.mill.Wait() // what failed has been reported, or is why the demo ends
	if s.served != nil {
		s.served()
	}
}

// say prints a line for people: on Out, or on Err when Out carries JSON.
func (s *stage) say(format string, a ...any) {
	w := s.o.Out
	if s.o.JSON {
		w = s.o.Err
	}
	fmt.Fprintf(w, format+"\n", a...)
}

// scores puts a task's stream scores into the result.
func (s *stage) scores(t *engine.TaskStatus, prefix string) {
	for _, sc := range t.Scores {
		if sc.Phase == "stream" && sc.Value != nil && sc.Name != "confusion" {
			s.result.Scores[prefix+sc.Name] = *sc.Value
		}
	}
}
