package demo

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/examples/mnist"
	"github.com/tidemill/tidemill/terminal"
)

// While people may watch, digits come at 500 a second: the 10,000 take long enough to open the dashboard.
const (
	watchedDigits = 25
	watchedEvery  = 50 * time.Millisecond
)

// runMNIST learns 60,000 handwritten digits that are in a table, then recognises the 10,000 that are inserted.
func runMNIST(ctx context.Context, o Options) error {
	s, err := newStage("mnist", o)
	if err != nil {
		return err
	}
	defer s.close()
	train, err := mnist.Train()
	if err != nil {
		return err
	}
	test, err := mnist.Test()
	if err != nil {
		return err
	}
	streamed := test.N
	if o.Rows > 0 {
		streamed = min(o.Rows, test.N)
	}
	db, err := s.openDigits(ctx)
	if err != nil {
		return err
	}
	defer db.close()
	if err := s.learnDigits(ctx, db, train); err != nil {
		return err
	}
	if err := s.recogniseDigits(ctx, db, test, streamed); err != nil {
		return err
	}
	s.result.Phases["all"] = Phase{uint64(train.N + streamed), time.Since(s.began).Seconds()}

	t := &s.mill.Status().Tasks[0]
	s.scores(t, "")
	if err := s.showDigit(test); err != nil {
		return err
	}
	s.say("")
	s.say("Learned %d rows, recognised %d rows as they were inserted: accuracy %.4f (the commonest digit alone: %.4f)",
		t.Counts.Learned, t.Counts.Evaluated, s.result.Scores["accuracy"], baselineOf(t, "accuracy", "majority"))
	s.say("")
	s.confusion(t)
	return s.finish(ctx)
}

// learnDigits loads the training set into its table and lets the flow learn it as its snapshot.
func (s *stage) learnDigits(ctx context.Context, db digits, train *mnist.Set) error {
	total, began := uint64(train.N), time.Now()
	if err := db.load(ctx, train, train.N, func(n int) {
		s.bar.show("insert the training set",
			uint64(n), total, "")
	}); err != nil {
		return fmt.Errorf("demo mnist: load the training set: %w", err)
	}
	s.bar.end()
	s.result.Phases["load"] = Phase{total, time.Since(began).Seconds()}

	flow := mnist.FlowSQLite
	if s.kind == "postgres" {
		flow = mnist.FlowPostgres
	}
	err := s.run(ctx, flow, func(st *engine.Status) {
		s.bar.show("learn (snapshot)", st.Snapshot.Rows, total, accuracyOf(st, "snapshot"))
	})
	if err != nil {
		return err
	}
	snapshot := s.mill.Status().Snapshot
	s.result.Phases["snapshot"] = Phase{snapshot.Rows, snapshot.Seconds}
	return nil
}

// recogniseDigits inserts the first n test rows while the flow runs, and waits until all are recognised.
func (s *stage) recogniseDigits(ctx context.Context, db digits, test *mnist.Set, n int) error {
	began := time.Now()
	_, err := s.stream(ctx, func() error {
		per := 100
		if !s.o.Once {
			per = watchedDigits
		}
		next, stop := s.ticker(watchedEvery)
		defer stop()
		for i := 0; i < n && next(ctx); i += per {
			if err := db.insert(ctx, test, i, min(i+per, n)); err != nil {
				return fmt.Errorf("insert test rows: %w", err)
			}
		}
		return nil
	}, func(st *engine.Status) bool {
		evaluated := st.Tasks[0].Counts.Evaluated
		s.bar.show("recognise (stream)", evaluated, uint64(n), accuracyOf(st, "stream"))
		return evaluated >= uint64(n) && st.Written >= st.Outputs
	})
	if err != nil {
		return err
	}
	s.result.Phases["stream"] = Phase{uint64(n), time.Since(began).Seconds()}
	return nil
}

func (s *stage) openDigits(ctx context.Context) (digits, error) {
	if s.kind == "sqlite" {
		db, err := openSQLite(s.path("mnist.db"))
		if err != nil {
			return nil, err
		}
		return &sqliteDigits{db}, nil
	}
	if err := s.clearPostgres(ctx, mnist.FlowPostgres, "mnist_train", "mnist_test"); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, s.o.Source)
	if err != nil {
		return nil, fmt.Errorf("demo mnist: %w", err)
	}
	return &postgresDigits{conn}, nil
}

// made is the comment on the tables that a demo makes in PostgreSQL: no others are ever dropped.
const made = "made by tidemill demo"

// clearPostgres removes the slot and the publication of an earlier run of the demo. What it wrote into predictions goes
// when the flow starts. It refuses a database that has tables of the demo's names which no demo made.
func (s *stage) clearPostgres(ctx context.Context, flow string, tables ...string) error {
	if err := s.write(flow); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.o.Source)
	if err != nil {
		return fmt.Errorf("demo %s: %w", s.name, err)
	}
	defer conn.Close(ctx)
	for _, t := range tables {
		var name, comment *string
		if err := conn.QueryRow(ctx, "SELECT to_regclass($1)::text, obj_description(to_regclass($1), 'pg_class')",
			t).Scan(&name, &comment); err != nil {
			return fmt.Errorf("demo %s: %w", s.name, err)
		}
		if name != nil && (comment == nil || *comment != made) {
			return fmt.Errorf("demo %s: the database has a table %s that no demo made, and the demo would replace it; name "+
				"another database, or drop the table", s.name, t)
		}
	}
	if d, ok := s.file.Flow.Source.(tidemill.Dropper); ok {
		if _, err := d.Drop(ctx); err != nil {
			return fmt.Errorf("demo %s: remove what an earlier run left: %w", s.name, err)
		}
	}
	return nil
}

func accuracyOf(st *engine.Status, phase string) string {
	if len(st.Tasks) == 0 {
		return ""
	}
	for _, sc := range st.Tasks[0].Scores {
		if sc.Name == "accuracy" && sc.Phase == phase && sc.Value != nil {
			return fmt.Sprintf("accuracy %.4f", *sc.Value)
		}
	}
	return ""
}

func baselineOf(t *engine.TaskStatus, score, baseline string) float64 {
	for _, sc := range t.Scores {
		if sc.Name == score && sc.Phase == "stream" && sc.Baselines[baseline] != nil {
			return *sc.Baselines[baseline]
		}
	}
	return 0
}

// showDigit draws one inserted digit beside what the model thinks of it.
func (s *stage) showDigit(test *mnist.Set) error {
	const row = 0
	p, err := s.mill.Predict("digit", tidemill.Row{"pixels": test.Image(row)})
	if err != nil {
		return err
	}
	notes := append([]string{"", fmt.Sprintf("mnist_test row %d, labelled %d", row+1, test.Labels[row]),
		fmt.Sprintf("recognised as %s by model %s", p.Label, p.Version), ""}, Probabilities(p.Probabilities)...)
	for _, line := range terminal.Beside(terminal.Picture(test.Image(row), mnist.Width, mnist.Height,
		s.o.Colour), mnist.Width, notes) {
		s.say("  %s", line)
	}
	return nil
}

// Probabilities is a class to a line with a bar, in the order of the labels.
func Probabilities(p map[string]float64) []string {
	labels := make([]string, 0, len(p))
	for l := range p {
		labels = append(labels, l)
	}
	sort.Strings(labels)
	var out []string
	for _, l := range labels {
		out = append(out, fmt.Sprintf("%s %6.3f %s", l, p[l], terminal.Bar(p[l], 20)))
	}
	return out
}

// confusion prints the table of truth against prediction.
func (s *stage) confusion(t *engine.TaskStatus) {
	s.say("Confusion matrix (rows: the truth, columns: recognised as)")
	line := "      "
	for _, c := range t.Classes {
		line += fmt.Sprintf("%6s", c)
	}
	s.say("%s", line)
	for i, row := range t.Confusion {
		if i >= len(t.Classes) {
			break
		}
		line := fmt.Sprintf("%6s", t.Classes[i])
		for _, n := range row {
			line += fmt.Sprintf("%6d", n)
		}
		s.say("%s", line)
	}
}
