package demo

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // Postgres through database/sql

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/examples/iris"
)

// heldOut is how many of the 150 flowers are predicted and never learned: 7 %.
const heldOut = 11

// garden is the iris demo's database.
type garden struct {
	db     *sql.DB
	kind   string
	nextID int
}

func (g *garden) mark(n int) string {
	if g.kind == "postgres" {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

func (g *garden) setUp(ctx context.Context) error {
	real := "REAL"
	if g.kind == "postgres" {
		real = "DOUBLE PRECISION"
	}
	for _, t := range []string{"iris", "iris_new"} {
		for _, q := range []string{"DROP TABLE IF EXISTS " + t, fmt.Sprintf(
			"CREATE TABLE %s(id INTEGER PRIMARY KEY, sepal_length %s, sepal_width %s, petal_length %s, petal_width %s, "+
				"iris_class INTEGER)", t, real, real, real, real)} {
			if _, err := g.db.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		if g.kind == "postgres" {
			if _, err := g.db.ExecContext(ctx, "COMMENT ON TABLE "+t+" IS '"+made+"'"); err != nil {
				return err
			}
		}
	}
	return nil
}

// insert adds flowers in one transaction and returns their ids. Those of iris_new come without their class.
func (g *garden) insert(ctx context.Context, table string, flowers []iris.Flower) ([]string, error) {
	tx, err := g.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	var ids []string
	q := fmt.Sprintf("INSERT INTO %s VALUES (%s,%s,%s,%s,%s,%s)",
		table, g.mark(1), g.mark(2), g.mark(3), g.mark(4), g.mark(5), g.mark(6))
	for _, f := range flowers {
		g.nextID++
		var class any
		if table == "iris" {
			class = f.Class
		}
		if _, err := tx.ExecContext(ctx, q, g.nextID, f.Measures[0], f.Measures[1], f.Measures[2],
			f.Measures[3], class); err != nil {
			return nil, err
		}
		ids = append(ids, strconv.Itoa(g.nextID))
	}
	return ids, tx.Commit()
}

// predictions reads back what the flow wrote.
func (g *garden) predictions(ctx context.Context, task string, ids []string) ([]int, error) {
	out := make([]int, len(ids))
	for i, id := range ids {
		var p string
		err := g.db.QueryRowContext(ctx, fmt.Sprintf("SELECT prediction FROM predictions WHERE task = %s AND id = %s",
			g.mark(1), g.mark(2)), task, id).Scan(&p)
		if err != nil {
			return nil, fmt.Errorf("prediction of %s for row %s: %w", task, id, err)
		}
		if out[i], err = strconv.Atoi(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// runIris lets one stream of flowers teach two k-means while another is predicted by them.
func runIris(ctx context.Context, o Options) error {
	s, err := newStage("iris", o)
	if err != nil {
		return err
	}
	defer s.close()
	flowers, err := iris.Flowers()
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(flowers), func(i, j int) { flowers[i], flowers[j] = flowers[j], flowers[i] })
	asked, taught := flowers[:heldOut], flowers[heldOut:]

	g, flow, err := s.openGarden(ctx)
	if err != nil {
		return err
	}
	defer g.db.Close()
	if err := g.setUp(ctx); err != nil {
		return fmt.Errorf("demo iris: %w", err)
	}
	if err := s.run(ctx, flow, nil); err != nil {
		return err
	}
	s.say("%d flowers teach, %d are held out and predicted as the centres move.", len(taught), len(asked))
	s.say("")
	s.say("%-16s %-24s %s", "flowers learned", "spark: right of 11", "flink: right of 11")
	began, done := time.Now(), 0
	for _, part := range []struct {
		name  string
		share float64
	}{{"after_1_percent", 0.01}, {"after_half", 0.5}, {"", 1}} {
		upto := max(int(part.share*float64(len(taught))), 1)
		ids, err := s.teachAndAsk(ctx, g, taught[:upto], done, asked)
		if err != nil {
			return err
		}
		done = upto
		if err := s.reportPart(ctx, g, part.name, taught[:done], asked, ids); err != nil {
			return err
		}
	}
	s.result.Scores["accuracy"] = s.result.Scores["spark"]
	s.result.Phases["snapshot"] = Phase{}
	s.result.Phases["stream"] = Phase{uint64(g.nextID), time.Since(began).Seconds()}
	s.sayCentres()
	return s.finish(ctx)
}

// openGarden opens the demo's database, and says which flow file goes with it.
func (s *stage) openGarden(ctx context.Context) (g *garden, flow string, err error) {
	g, flow = &garden{kind: s.kind}, iris.FlowSQLite
	if s.kind == "postgres" {
		flow = iris.FlowPostgres
		if err := s.clearPostgres(ctx, flow, "iris", "iris_new"); err != nil {
			return nil, "", err
		}
		g.db, err = sql.Open("pgx", s.o.Source)
	} else {
		g.db, err = openSQLite(s.path("iris.db"))
	}
	return g, flow, err
}

// teachAndAsk adds the flowers of taught from done on, then those that are asked about, and waits until both are
// through the flow. It returns the ids of the asked ones.
func (s *stage) teachAndAsk(ctx context.Context, g *garden, taught []iris.Flower, done int,
	asked []iris.Flower) ([]string, error) {
	if _, err := s.plant(ctx, g, "iris", taught[done:]); err != nil {
		return nil, err
	}
	ids, err := s.plant(ctx, g, "iris_new", asked)
	if err != nil {
		return nil, err
	}
	questions, learned := uint64(g.nextID-len(taught)), uint64(len(taught))
	return ids, s.until(ctx, func(st *engine.Status) bool {
		for _, t := range st.Tasks {
			if t.Counts.Asked < questions || t.Counts.Learned < learned {
				return false
			}
		}
		return st.Written >= st.Outputs
	})
}

// reportPart prints how many of the asked flowers each task has right by now, and puts the shares into the result.
func (s *stage) reportPart(ctx context.Context, g *garden, part string, taught,
	asked []iris.Flower, ids []string) error {
	line := fmt.Sprintf("%-16d", len(taught))
	for _, task := range []string{"spark", "flink"} {
		got, err := g.predictions(ctx, task, ids)
		if err != nil {
			return fmt.Errorf("demo iris: %w", err)
		}
		names, err := s.matchClusters(task, taught)
		if err != nil {
			return err
		}
		right := 0
		for i, c := range got {
			if names[c] == asked[i].Class {
				right++
			}
		}
		key := task
		if part != "" {
			key += "_" + part
		}
		s.result.Scores[key] = float64(right) / heldOut
		line += fmt.Sprintf(" %2d %-21s", right, strings.Repeat("●", right)+strings.Repeat("○", heldOut-right))
	}
	s.say("%s", strings.TrimRight(line, " "))
	return nil
}

// sayCentres prints where the centres of both tasks stand.
func (s *stage) sayCentres() {
	st := s.mill.Status()
	s.say("")
	for _, t := range st.Tasks {
		s.say("centres of %s (%s)", t.Name, strings.Join(iris.Columns[:], ", "))
		for _, c := range t.Centres {
			s.say("  %6.3f %6.3f %6.3f %6.3f", c[0], c[1], c[2], c[3])
		}
	}
}

// plant adds flowers and returns their ids: all at once, or ten a second while people may watch.
func (s *stage) plant(ctx context.Context, g *garden, table string, flowers []iris.Flower) ([]string, error) {
	per := len(flowers)
	if !s.o.Once {
		per = 1
	}
	next, stop := s.ticker(100 * time.Millisecond)
	defer stop()
	var ids []string
	for i := 0; i < len(flowers); i += per {
		if !next(ctx) {
			return nil, ctx.Err()
		}
		more, err := g.insert(ctx, table, flowers[i:i+per])
		if err != nil {
			return nil, fmt.Errorf("demo iris: %w", err)
		}
		ids = append(ids, more...)
	}
	return ids, nil
}

// matchClusters gives each centre the class that fits best: of all ways to pair them, the one with the most of the
// learned flowers right.
func (s *stage) matchClusters(task string, taught []iris.Flower) ([3]int, error) {
	rows := make([]tidemill.Row, len(taught))
	for i, f := range taught {
		rows[i] = tidemill.Row{}
		for k, name := range iris.Columns {
			rows[i][name] = f.Measures[k]
		}
	}
	ps, err := s.mill.PredictBatch(task, rows)
	if err != nil {
		return [3]int{}, err
	}
	var counts [3][3]int
	for i, p := range ps {
		c, err := strconv.Atoi(p.Label)
		if err != nil {
			return [3]int{}, err
		}
		counts[c][taught[i].Class]++
	}
	best, most := [3]int{0, 1, 2}, -1
	for _, p := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		if n := counts[0][p[0]] + counts[1][p[1]] + counts[2][p[2]]; n > most {
			best, most = p, n
		}
	}
	return best, nil
}
