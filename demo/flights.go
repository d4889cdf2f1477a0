package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/examples/flights"
)

// eventsPerTx is how many changes the demo's world commits at once.
const eventsPerTx = 500

// runFlights lets a year of flights go by: each is inserted at its scheduled departure and asked about at once, and
// updated at its landing, which answers.
func runFlights(ctx context.Context, o Options) error {
	s, err := newStage("flights", o)
	if err != nil {
		return err
	}
	defer s.close()
	all, err := firstFlights(o.Rows)
	if err != nil {
		return err
	}
	db, err := s.openTimetable(ctx)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.create(ctx); err != nil {
		return fmt.Errorf("demo flights: %w", err)
	}
	flow := flights.FlowSQLite
	if s.kind == "postgres" {
		flow = flights.FlowPostgres
	}
	if err := s.run(ctx, flow, nil); err != nil {
		return err
	}
	s.result.Phases["snapshot"] = Phase{}
	if err := s.streamFlights(ctx, db, all); err != nil {
		return err
	}
	s.reportFlights(s.mill.Status())
	return s.finish(ctx)
}

// firstFlights are the year's first n flights; all of them where n is 0. The file is not in the order of time.
func firstFlights(n int) ([]flights.Flight, error) {
	all, err := flights.All()
	if err != nil || n <= 0 || n >= len(all) {
		return all, err
	}
	slices.SortStableFunc(all, func(a, b flights.Flight) int { return a.Scheduled - b.Scheduled })
	all = all[:n]
	slices.SortFunc(all, func(a, b flights.Flight) int { return a.ID - b.ID })
	return all, nil
}

// streamFlights writes the departures and landings, and waits until all are asked about and answered.
func (s *stage) streamFlights(ctx context.Context, db timetable, all []flights.Flight) error {
	events := flights.Events(all)
	total, landings := uint64(len(events)), uint64(0)
	for i := range all {
		if all[i].Landed {
			landings++
		}
	}
	began := time.Now()
	s.pace = 500 * time.Millisecond
	wrote, err := s.stream(ctx, func() error {
		for i := 0; i < len(events); i += eventsPerTx {
			if err := db.write(ctx, all, events[i:min(i+eventsPerTx, len(events))]); err != nil {
				return err
			}
		}
		return nil
	}, func(st *engine.Status) bool {
		t := &st.Tasks[0]
		note := ""
		if !st.Clock.IsZero() {
			note = st.Clock.Format("2 Jan 2006")
		}
		if a := accuracyOf(st, "stream"); a != "" {
			note += "  " + a
		}
		s.bar.show("changes (stream)", st.Stream.Rows, total, note)
		return t.Counts.Asked >= uint64(len(all)) && t.Counts.Answered >= landings && st.Written >= st.Outputs
	})
	if err != nil {
		return err
	}
	s.result.Phases["write"] = Phase{total, wrote.Seconds()}
	s.result.Phases["stream"] = Phase{total, time.Since(began).Seconds()}
	s.result.Phases["all"] = Phase{total, time.Since(s.began).Seconds()}
	return nil
}

func (s *stage) openTimetable(ctx context.Context) (timetable, error) {
	if s.kind == "sqlite" {
		db, err := openSQLite(s.path("flights.db"))
		if err != nil {
			return nil, err
		}
		return &sqliteTimetable{db: db}, nil
	}
	if err := s.clearPostgres(ctx, flights.FlowPostgres, "flights"); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, s.o.Source)
	if err != nil {
		return nil, fmt.Errorf("demo flights: %w", err)
	}
	return &postgresTimetable{conn}, nil
}

// flightScores are the figures that are reported, and whether more is better.
var flightScores = []struct{ name, title string }{
	{"accuracy", "accuracy"}, {"auc", "AUC"}, {"logloss", "log loss"}, {"precision", "precision"}, {"recall", "recall"},
}

// reportFlights prints the year: both tasks beside the baselines, the counts, the delay of the answers.
func (s *stage) reportFlights(st *engine.Status) {
	first := &st.Tasks[0]
	c := first.Counts
	s.scores(first, "")
	s.result.Counts = &c
	s.result.Baselines = map[string]float64{}
	s.result.LabelDelay, s.result.Coverage = first.LabelDelay, first.Coverage
	s.result.Tasks = map[string]TaskResult{}
	for i := range st.Tasks {
		s.result.Tasks[st.Tasks[i].Name] = taskResult(&st.Tasks[i])
	}
	s.say("")
	s.say("%d flights asked about at their scheduled departure, %d answered at their landing (coverage %.4f), %d never "+
		"landed and were", c.Asked, c.Answered, first.Coverage, c.Expired+c.Open)
	if first.LabelDelay != nil {
		s.say("forgotten after two days; half of the answers came later than %s.",
			time.Duration(*first.LabelDelay*float64(time.Second)).Round(time.Minute))
	}
	s.say("")
	head := fmt.Sprintf("%-34s", "over every answered question")
	for _, f := range flightScores {
		head += fmt.Sprintf(" %9s", f.title)
	}
	s.say("%s", head)
	row := func(name string, value func(score string) *float64) {
		line := fmt.Sprintf("%-34s", name)
		for _, f := range flightScores {
			if v := value(f.name); v != nil {
				line += fmt.Sprintf(" %9.5f", *v)
			} else {
				line += fmt.Sprintf(" %9s", "-")
			}
		}
		s.say("%s", strings.TrimRight(line, " "))
	}
	for i := range st.Tasks {
		t := &st.Tasks[i]
		row("task "+t.Name, func(name string) *float64 { return scoreOf(t, name).Value })
		row("  the same, frozen after 30 days", func(name string) *float64 { return scoreOf(t, name).Baselines["frozen"] })
	}
	for _, b := range [][2]string{{"majority", "majority (never late)"}, {"no_change", "no change (as the last landed)"}} {
		row(b[1], func(name string) *float64 {
			v := scoreOf(first, name).Baselines[b[0]]
			if v != nil {
				s.result.Baselines[b[0]+"_"+name] = *v
			}
			return v
		})
	}
	for i := range st.Tasks {
		for _, f := range flightScores {
			if v := scoreOf(&st.Tasks[i], f.name).Baselines["frozen"]; v != nil && i == 0 {
				s.result.Baselines["frozen_"+f.name] = *v
			}
		}
	}
}

// scoreOf is a task's score over the stream; an empty one if there is none.
func scoreOf(t *engine.TaskStatus, name string) engine.ScoreStatus {
	for _, sc := range t.Scores {
		if sc.Name == name && sc.Phase == "stream" {
			return sc
		}
	}
	return engine.ScoreStatus{}
}
