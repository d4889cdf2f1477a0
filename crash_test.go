package tidemill_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// crashKills is how often the flow is killed in one run of the crash test.
const crashKills = 100

// The crash test runs two flows over one database: one is left alone, the other is a process that is killed with
// SIGKILL again and again. In the end both must have learned the same, to the bit, and written the same rows.
func TestMain(m *testing.M) {
	if os.Getenv("TIDEMILL_CRASH_FLOW") != "" {
		crashChild()
	}
	postgrestest.Main(m)
}

func crashFlow(kind, place, name, dir string) tidemill.Flow {
	tasks := func() []tidemill.Task {
		predict := tidemill.On{Op: tidemill.Insert, Table: "orders", At: "placed"}
		learn := tidemill.On{Op: tidemill.Update, Table: "orders", At: "landed", Label: "late"}
		return []tidemill.Task{
			{Name: "line", Predict: predict, Learn: learn, Wait: 40 * time.Minute, Frozen: 2 * time.Hour, Memory: 1,
				Features: []tidemill.Feature{feature.Numeric("x", "y"), feature.OneHot("shop")}, Model: model.Logistic(model.SGD(0.05)),
				Scores: []tidemill.Score{score.Accuracy(), score.LogLoss(), score.AUC()}},
			{Name: "net", Predict: predict, Learn: learn, Epochs: 2, Classes: []string{"0", "1"},
				Features: []tidemill.Feature{feature.Numeric("x", "y")},
				Model:    model.MLP(func(c *model.MLPConfig) { c.Hidden, c.Batch, c.StreamBatch, c.Dropout = []int{8}, 16, 5, 0.2 }),
				Scores:   []tidemill.Score{score.Accuracy()}},
			{Name: "busy", Predict: predict, Learn: learn, Snapshot: tidemill.SnapshotReplay, Classes: []string{"0", "1"},
				Features: []tidemill.Feature{feature.Count("orders", "shop", time.Hour), feature.Mean("late", "orders", "shop", time.Minute)},
				Model:    model.Logistic(model.FTRL(0.05)), Scores: []tidemill.Score{score.LogLoss()}},
		}
	}
	f := tidemill.Flow{Name: name, Tasks: tasks(), Store: store.Dir(dir), Every: 30 * time.Millisecond, Adopt: false}
	if kind == "sqlite" {
		c := sqlite.NewSourceConfig()
		c.Path, c.Tables, c.Log = place, []string{"orders"}, "log_"+name
		f.Source, _ = c.Build(name)
		f.Sinks = []tidemill.Sink{sqlite.Sink(place, "predictions_"+name)}
	} else {
		c := postgres.NewSourceConfig()
		c.URL, c.Tables, c.Slot, c.Publication = place, []string{"orders"}, "slot_"+name, "pub_"+name
		f.Source, _ = c.Build(name)
		f.Sinks = []tidemill.Sink{postgres.Sink(place, "predictions_"+name)}
	}
	return f
}

func crashChild() {
	f := crashFlow(os.Getenv("TIDEMILL_CRASH_KIND"), os.Getenv("TIDEMILL_CRASH_PLACE"), os.Getenv("TIDEMILL_CRASH_FLOW"), os.Getenv("TIDEMILL_CRASH_DIR"))
	f.Once = os.Getenv("TIDEMILL_CRASH_ONCE") != ""
	m, err := tidemill.Start(context.Background(), f)
	if err == nil {
		err = m.Wait()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// shopkeeper writes a random history: orders placed, landed, corrected, renumbered, deleted.
type shopkeeper struct {
	db         *sql.DB
	pg         bool
	r          *rand.Rand
	next       int
	snapshot   int               // the last id before the flows began
	atSnapshot map[string]string // the model's version then, by task
	open       []int
	done       []int
	now        time.Time
}

func (k *shopkeeper) q(s string) string {
	if !k.pg {
		return s
	}
	for i := 1; strings.Contains(s, "?"); i++ {
		s = strings.Replace(s, "?", fmt.Sprintf("$%d", i), 1)
	}
	return s
}

func (k *shopkeeper) setUp(t *testing.T, rows int) {
	real, stamp := "REAL", "TEXT"
	if k.pg {
		real, stamp = "DOUBLE PRECISION", "TIMESTAMPTZ"
	}
	if _, err := k.db.Exec(fmt.Sprintf("CREATE TABLE orders(id INTEGER PRIMARY KEY, x %s, y %s, shop TEXT, placed %s, landed %s, late INTEGER)", real, real, stamp, stamp)); err != nil {
		t.Fatal(err)
	}
	if k.pg {
		if _, err := k.db.Exec("ALTER TABLE orders REPLICA IDENTITY FULL"); err != nil { // for the window over late
			t.Fatal(err)
		}
	}
	for range rows / 20 {
		k.transaction(t, 20)
	}
}

func (k *shopkeeper) stamp() any {
	k.now = k.now.Add(time.Duration(k.r.IntN(20000)) * time.Millisecond)
	if k.pg {
		return k.now
	}
	return k.now.Format("2006-01-02T15:04:05.000Z")
}

func (k *shopkeeper) transaction(t *testing.T, n int) {
	t.Helper()
	tx, err := k.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	do := func(s string, args ...any) {
		if _, err := tx.Exec(k.q(s), args...); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		switch c := k.r.IntN(100); {
		case c < 48 || len(k.open) == 0:
			k.next++
			x, y := k.r.NormFloat64(), k.r.NormFloat64()
			do("INSERT INTO orders(id, x, y, shop, placed) VALUES (?,?,?,?,?)", k.next, x, y, fmt.Sprintf("shop%d", k.r.IntN(6)), k.stamp())
			k.open = append(k.open, k.next)
		case c < 92:
			i := k.r.IntN(len(k.open))
			id := k.open[i]
			k.open = append(k.open[:i], k.open[i+1:]...)
			do("UPDATE orders SET landed = ?, late = CASE WHEN x + 0.5*y > 0 THEN 1 ELSE 0 END WHERE id = ?", k.stamp(), id)
			k.done = append(k.done, id)
		case c < 95:
			i := k.r.IntN(len(k.open))
			id := k.open[i]
			k.open = append(k.open[:i], k.open[i+1:]...)
			do("DELETE FROM orders WHERE id = ?", id)
		case c < 97:
			i := k.r.IntN(len(k.open))
			k.next++
			do("UPDATE orders SET id = ? WHERE id = ?", k.next, k.open[i])
			k.open[i] = k.next
		case len(k.done) > 0:
			do("UPDATE orders SET landed = ?, late = 1 - late WHERE id = ?", k.stamp(), k.done[k.r.IntN(len(k.done))])
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestKillSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	crash(t, "sqlite", path, &shopkeeper{db: db})
}

func TestKillPostgres(t *testing.T) {
	url := postgrestest.Start(t).URL("postgres")
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	crash(t, "postgres", url, &shopkeeper{db: db, pg: true})
}

func crash(t *testing.T, kind, place string, k *shopkeeper) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k.r, k.now = rand.New(rand.NewPCG(seed, 1)), day
	k.setUp(t, 2000)
	k.snapshot = k.next
	calmDir, killedDir := t.TempDir(), t.TempDir()
	start := func(ctx context.Context, once bool) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), "TIDEMILL_CRASH_FLOW=killed", "TIDEMILL_CRASH_KIND="+kind, "TIDEMILL_CRASH_PLACE="+place, "TIDEMILL_CRASH_DIR="+killedDir)
		if once {
			cmd.Env = append(cmd.Env, "TIDEMILL_CRASH_ONCE=1")
		}
		var out bytes.Buffer
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, &out
	}
	kill := func(after time.Duration) {
		cmd, out := start(t.Context(), false)
		time.Sleep(after)
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("the flow ended on its own: %v\n%s", err, out)
		}
	}
	calm, err := tidemill.Start(t.Context(), crashFlow(kind, place, "calm", calmDir))
	if err != nil {
		t.Fatal(err)
	}
	for !calm.Status().Snapshot.Done {
		time.Sleep(10 * time.Millisecond)
		select {
		case <-calm.Done():
			t.Fatal(calm.Wait())
		default:
		}
	}
	k.atSnapshot = map[string]string{}
	for _, ts := range calm.Status().Tasks {
		k.atSnapshot[ts.Name] = ts.Version
	}
	// First while the snapshot is read and the epochs run, with a database at rest; then while it is written to.
	kills := 0
	for ; kills < crashKills/5; kills++ {
		kill(time.Duration(k.r.IntN(80)) * time.Millisecond)
	}
	for after := 500 * time.Millisecond; !snapshotDone(t, crashFlow(kind, place, "killed", killedDir)); after *= 2 { // a busy machine gets its time
		kill(after)
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				k.transaction(t, 1+k.r.IntN(12))
				time.Sleep(time.Millisecond)
			}
		}
	}()
	waits := rand.New(rand.NewPCG(seed, 2))
	for ; kills < crashKills; kills++ {
		kill(time.Duration(20+waits.IntN(150)) * time.Millisecond)
	}
	close(stop)
	<-done
	before := uint64(0)
	if r, err := tidemill.Open(t.Context(), crashFlow(kind, place, "killed", killedDir)); err != nil {
		t.Fatal(err)
	} else {
		before = r.Status().Tasks[0].Counts.Learned
	}
	cmd, out := start(t.Context(), true)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	if err := calm.Stop(); err != nil {
		t.Fatal(err)
	}
	last := crashFlow(kind, place, "calm", calmDir)
	drive(t, last)
	want, got := newest(t, store.Dir(calmDir)), newest(t, store.Dir(killedDir))
	if want.Position == "" || len(want.Sections) != len(got.Sections) {
		t.Fatalf("%d and %d sections", len(want.Sections), len(got.Sections))
	}
	for i, w := range want.Sections {
		g := got.Sections[i]
		if w.Name == "flow" || w.Name == "journal" || strings.HasSuffix(w.Name, "/questions") {
			continue // they name the run's segments
		}
		if w.Name != g.Name || !bytes.Equal(w.Data, g.Data) {
			t.Errorf("section %s differs from the undisturbed run's", w.Name)
		}
	}
	a, b := crashRows(t, k, "predictions_calm"), crashRows(t, k, "predictions_killed")
	if a != b || len(a) == 0 {
		t.Errorf("the prediction tables differ: %s", firstDifference(a, b))
	}
	t.Logf("killed %d times, %d rows learned by then; %d in the end, %d prediction rows", kills, before, calm.Status().Tasks[0].Counts.Learned, strings.Count(a, "\n"))
}

func snapshotDone(t *testing.T, f tidemill.Flow) bool {
	r, err := tidemill.Open(t.Context(), f)
	return err == nil && r.Status().Snapshot.Done
}

func crashRows(t *testing.T, k *shopkeeper, table string) string {
	t.Helper()
	rows, err := k.db.Query("SELECT task, id, prediction, score, model_version, position, coalesce(truth, '') FROM " + table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var task, id, p, v, pos, truth string
		var s float64
		if err := rows.Scan(&task, &id, &p, &s, &v, &pos, &truth); err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(id); !k.pg || err != nil || task == "busy" || n <= k.snapshot || v == k.atSnapshot[task] {
			pos = "" // SQLite: every flow has a log of its own; rows of the snapshot carry the snapshot's position, also those replayed
		}
		out = append(out, fmt.Sprintln(task, id, p, s, v, pos, truth))
	}
	sort.Strings(out)
	return strings.Join(out, "")
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d: undisturbed %q, killed %q (%d and %d lines)", i, as[i], bs[i], len(as), len(bs))
		}
	}
	return fmt.Sprintf("%d and %d lines", len(as), len(bs))
}
