package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/serve"
)

type runOptions struct {
	once, fresh, adopt, reset, json, quiet bool
	listen                                 string
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use: "run flow.yaml", Short: "Run a flow until it is stopped", Args: args(1, 1),
		Long: `Runs the flow: from its newest checkpoint, or with a snapshot where there is none. SIGINT or
SIGTERM stops it: what has arrived is finished and saved. A second one ends it at once.

Exit code 1: the flow failed. 2: the flow file is wrong, or was changed in a part whose state
it would invalidate. 3: a database is down or refuses or has lost what comes next, or another
run has the state or wrote to a sink.`,
		Example: "  tidemill run flow.yaml\n  tidemill run flow.yaml --once --json\n" +
			"  tidemill run flow.yaml --fresh --listen localhost:8080",
		RunE: func(c *cobra.Command, args []string) error {
			return a.runFlow(c.Context(), args[0], o)
		},
	}
	c.Flags().BoolVar(&o.once, "once", false, "end when everything has been read that is there now")
	c.Flags().BoolVar(&o.fresh, "fresh", false, "set the old state aside and start with a new snapshot")
	c.Flags().BoolVar(&o.adopt, "adopt", false, "take sinks over whatever another state folder wrote to them")
	c.Flags().BoolVar(&o.reset, "reset", false,
		"remove from the sinks what they hold of the flow's tasks; with --fresh, or where no checkpoint is")
	c.Flags().BoolVar(&o.json, "json", false, "print one JSON object on the last line of standard output")
	c.Flags().BoolVar(&o.quiet, "quiet", false, "no progress, no summary, and of the log warnings only")
	c.Flags().StringVar(&o.listen, "listen", "", "serve on this address, whatever the flow file says")
	return c
}

func (a *app) runFlow(ctx context.Context, path string, o runOptions) error {
	f, err := a.readFlow(path)
	if err != nil {
		return err
	}
	flow := f.Flow
	flow.Once, flow.Fresh, flow.Adopt, flow.Reset, flow.Log = o.once, o.fresh, o.adopt, o.reset, a.logger()
	if o.quiet {
		flow.Log = a.logs(slog.LevelWarn)
	}
	flow.Idle = debug.FreeOSMemory
	served, err := servedBy(f, o.listen)
	if err != nil {
		return err
	}
	if err := a.reachable(ctx, flow); err != nil {
		return err
	}
	if served != nil && (o.fresh || o.reset) { // before the old state is set aside
		if err := served.Free(ctx); err != nil {
			return &failure{exitEnvironment, err}
		}
	}
	mill, err := engine.Start(ctx, flow)
	if err != nil {
		return a.diagnose(ctx, f, hint(path, a.placed(f, err)))
	}
	over, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	wait, err := a.serve(over, mill, served)
	if err != nil {
		return errors.Join(&failure{exitEnvironment, err}, mill.Stop())
	}
	p := a.newProgress(mill, o.quiet || o.json || a.log == "json")
	err = mill.Wait()
	p.stop()
	stopServing()
	err = errors.Join(err, wait())
	s := mill.Status()
	if !o.quiet {
		a.summary(s)
	}
	if o.json {
		if err := a.printJSON(resultOf(f, s)); err != nil {
			return err
		}
	}
	if err != nil {
		return a.diagnose(ctx, f, hint(path, a.placed(f, err)))
	}
	if !o.quiet {
		a.leftBehind(f, path)
	}
	return nil
}

// servedBy is how a run is served: as the flow file says, on another address where one is given; nil is not at all.
func servedBy(f *config.File, listen string) (*serve.Config, error) {
	served, _ := f.Serve.(*serve.Config)
	if listen == "" {
		return served, nil
	}
	if served == nil {
		served = serve.NewConfig()
	}
	served.Listen = listen
	if err := served.Check(); err != nil {
		return nil, usage("--listen: %v", err)
	}
	return served, nil
}

// serve serves a flow until ctx ends; wait returns when it has ended.
func (a *app) serve(ctx context.Context, mill *engine.Mill, served *serve.Config) (wait func() error, err error) {
	if served == nil {
		return func() error { return nil }, nil
	}
	addr, wait, err := serve.Listen(ctx, mill, *served)
	if err != nil {
		return nil, err
	}
	a.say("serving on %s", addr)
	if served.Open() {
		a.say("warning: other machines can reach it and no token is set: give serve a token")
	}
	return wait, nil
}

// reachable is an error where nothing has been learned yet and the database does not answer: then there is nothing to
// predict with meanwhile, and what is wrong is more likely the address than the database. What else is wrong with it is
// told by the start.
func (a *app) reachable(ctx context.Context, flow tidemill.Flow) error {
	lister, ok := flow.Source.(tidemill.TableLister)
	if !ok {
		return nil
	}
	if flow.Store == nil {
		return nil
	}
	if kept, _, err := flow.Store.List(ctx); err == nil && len(kept) > 0 && !flow.Fresh {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if _, err := lister.Tables(ctx); err != nil && !tidemill.IsFatal(err) && a.codeOf(err) == exitEnvironment {
		return &failure{exitEnvironment, err}
	}
	return nil
}

// hint adds the command that helps.
func hint(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tidemill.ErrGap), errors.Is(err, tidemill.ErrChanged):
		if !strings.Contains(err.Error(), "--fresh") {
			return fmt.Errorf("%w\n  start anew from a snapshot (the old state is kept beside it): tidemill run --fresh %s",
				err, path)
		}
	case errors.Is(err, tidemill.ErrUnknownMark):
		if !strings.Contains(err.Error(), "--adopt") {
			return fmt.Errorf("%w\n  take the sink over, its rows stay until they are written again: tidemill run --adopt %s",
				err, path)
		}
	case errors.Is(err, tidemill.ErrLocked) && !strings.Contains(err.Error(), "stop that run"):
		return fmt.Errorf("%w\n  stop the other process, "+
			"or give this flow a state folder of its own: checkpoint: {dir: ...}", err)
	}
	return err
}

// diagnose looks at the databases after a failure that does not say whose it is: if something is wrong there, that is
// told with its mend, and the exit code is the environment's.
func (a *app) diagnose(ctx context.Context, f *config.File, err error) error {
	var wrong config.Errors
	if errors.As(err, &wrong) || a.codeOf(err) != exitRuntime {
		return err
	}
	found, _ := look(context.WithoutCancel(ctx), f)
	bad := slices.DeleteFunc(found, func(x tidemill.Finding) bool { return x.Level != "error" })
	if len(bad) == 0 {
		return err
	}
	a.printFindings(f, bad)
	return &failure{exitEnvironment, err}
}

// leftBehind says what stays at the database after a stop, and what removes it.
func (a *app) leftBehind(f *config.File, path string) {
	d, ok := f.Flow.Source.(tidemill.Dropper)
	if !ok {
		return
	}
	a.say("%s; to remove it: tidemill source drop %s", d.Left(), path)
}

// result is the last line that `run --json` prints, of one shape with the demos.
type result struct {
	Flow      string                `json:"flow"`
	Source    string                `json:"source"`
	State     string                `json:"state"`
	Error     string                `json:"error,omitempty"`
	Learned   uint64                `json:"learned"`
	Predicted uint64                `json:"predicted"`
	Scores    map[string]*float64   `json:"scores"`
	Phases    map[string]phase      `json:"phases"`
	Tasks     map[string]taskResult `json:"tasks"`
	Rejected  uint64                `json:"rejected"`
	Position  tidemill.Position     `json:"position"`
	PeakRSS   uint64                `json:"peak_rss_bytes"`
}

type phase struct {
	Rows    uint64  `json:"rows"`
	Seconds float64 `json:"seconds"`
}

type taskResult struct {
	engine.Counts
	Version    string   `json:"model_version"`
	Coverage   float64  `json:"coverage"`            // answered / asked
	LabelDelay *float64 `json:"label_delay_seconds"` // median, on the flow's clock
	// of the stream; before it has answers of what was evaluated, else of the snapshot
	Scores      map[string]*float64            `json:"scores"`
	Baselines   map[string]map[string]*float64 `json:"baselines"`    // of the same answers, by score and baseline
	PhaseScores map[string]phaseScore          `json:"phase_scores"` // by phase: snapshot, evaluate, stream
	Warnings    []string                       `json:"warnings,omitempty"`
}

type phaseScore struct {
	N      uint64              `json:"n"` // answers
	Scores map[string]*float64 `json:"scores"`
}

func taskResultOf(t *engine.TaskStatus) taskResult {
	one := taskResult{Counts: t.Counts, Version: t.Version, Coverage: t.Coverage, LabelDelay: t.LabelDelay,
		Scores:    map[string]*float64{},
		Baselines: map[string]map[string]*float64{}, PhaseScores: map[string]phaseScore{}, Warnings: t.Warnings}
	// the last that has answers is shown
	for _, p := range []tidemill.Phase{tidemill.Snapshot, tidemill.Evaluated, tidemill.Stream} {
		for _, x := range t.Scores {
			if x.Phase != p.String() || x.N == 0 || again(x, t.Scores) {
				continue
			}
			in, ok := one.PhaseScores[x.Phase]
			if !ok {
				in = phaseScore{N: x.N, Scores: map[string]*float64{}}
				one.PhaseScores[x.Phase] = in
			}
			in.Scores[x.Name], one.Scores[x.Name], one.Baselines[x.Name] = x.Value, x.Value, x.Baselines
		}
	}
	return one
}

func resultOf(f *config.File, s *engine.Status) result {
	r := result{Flow: s.Flow, Source: strings.TrimPrefix(sourceKind(f), "source "), State: s.State, Error: s.Error,
		Scores: map[string]*float64{},
		Phases: map[string]phase{"snapshot": {s.Snapshot.Rows, s.Snapshot.Seconds},
			"stream": {s.Stream.Rows, s.Stream.Seconds}},
		Tasks: map[string]taskResult{}, Rejected: s.Rejected, Position: s.Position, PeakRSS: peakRSS()}
	for i, t := range s.Tasks {
		one := taskResultOf(&t)
		if i == 0 {
			r.Scores = one.Scores
		}
		r.Learned += t.Counts.Learned
		r.Predicted += t.Counts.Asked
		r.Tasks[t.Name] = one
	}
	return r
}

func positionText(p tidemill.Position) string {
	if p == "" {
		return "the beginning"
	}
	return string(p)
}

// again is true for the confusion beside the accuracy: as a number it is the same.
func again(x engine.ScoreStatus, scores []engine.ScoreStatus) bool {
	return x.Name == "confusion" && slices.ContainsFunc(scores,
		func(s engine.ScoreStatus) bool { return s.Name == "accuracy" && s.Phase == x.Phase })
}

func scoresText(scores []engine.ScoreStatus) string {
	var b strings.Builder
	for _, x := range scores {
		if x.Value == nil || x.N == 0 || again(x, scores) {
			continue
		}
		fmt.Fprintf(&b, ", %s %s %s", x.Phase, x.Name, number(*x.Value))
	}
	return b.String()
}

// number prints a figure with four digits that say something, and a large one without an exponent.
func number(v float64) string {
	switch size := math.Abs(v); {
	case size < 9999.5 || !(size < 1e15):
		return fmt.Sprintf("%.4g", v)
	case v < 0:
		return "-" + count(uint64(size+0.5))
	default:
		return count(uint64(size + 0.5))
	}
}

// count prints 60000 as 60,000.
func count(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
