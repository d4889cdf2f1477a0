package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

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
			{Name: "line", Predict: predict, Learn: learn, Wait: 40 * time.Minute, Frozen: 2 * time.Hour, Memory: 4 << 10,
				Features: []tidemill.Feature{feature.Numeric("x", "y"), feature.OneHot("shop")}, Model: model.Logistic(model.SGD(0.05)),
				Scores: []tidemill.Score{score.Accuracy(), score.LogLoss(), score.AUC()}},
			{Name: "net", Predict: predict, Learn: learn, Epochs: 6, Classes: []string{"0", "1"},
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

// tellingStore says on standard output when a checkpoint is begun and when it is saved, and when questions go to disk.
type tellingStore struct {
	*store.Folder
	holds  bool         // a kill is aimed at a save: none returns once the stream was told
	stream *atomic.Bool // the stream was told
}

func (s tellingStore) Save(ctx context.Context, c *tidemill.Checkpoint) error {
	holds := s.holds && s.stream.Load()
	fmt.Println("saving")
	err := s.Folder.Save(ctx, c)
	if holds {
		select {} // the kill comes
	}
	if err == nil {
		fmt.Println("saved")
	}
	return err
}

func (s tellingStore) Create(ctx context.Context, name string) (tidemill.SegmentWriter, error) {
	if strings.HasPrefix(name, "questions-") {
		fmt.Println("spilling")
	}
	return s.Folder.Create(ctx, name)
}

// crashChild is the flow that is killed. It says on standard output what it is at, a line to a word: the parent chooses by
// them when to kill it.
func crashChild() {
	dir := os.Getenv("TIDEMILL_CRASH_DIR")
	f := crashFlow(os.Getenv("TIDEMILL_CRASH_KIND"), os.Getenv("TIDEMILL_CRASH_PLACE"), os.Getenv("TIDEMILL_CRASH_FLOW"), dir)
	var stream atomic.Bool
	f.Store = tellingStore{store.Dir(dir), os.Getenv("TIDEMILL_CRASH_AIM") == "saving", &stream}
	f.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	f.Once = os.Getenv("TIDEMILL_CRASH_ONCE") != ""
	fmt.Println("start")
	m, err := engine.Start(context.Background(), f)
	if err == nil {
		go tellPhase(m, &stream)
		err = m.Wait()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// tellPhase says which part of its life the flow is in, when it gets there.
func tellPhase(m *engine.Mill, stream *atomic.Bool) {
	for was := ""; ; time.Sleep(2 * time.Millisecond) {
		s := m.Status()
		is := "stream"
		switch {
		case s.Snapshot.Done && s.Changes["insert"]+s.Changes["update"]+s.Changes["delete"] == 0:
			is = "resumed"
		case s.Snapshot.Done:
		case s.Snapshot.PassTotal > 0 && s.Snapshot.Epoch > 1:
			is = "epochs"
		case s.Snapshot.PassTotal > 0:
			is = "replay"
		case s.Snapshot.Rows > 0 && s.Checkpoint.Position == "":
			is = "snapshot"
		default:
			continue
		}
		if is != was {
			was = is
			fmt.Println(is)
		}
		if is == "stream" {
			stream.Store(true)
			return // a look costs the flow time
		}
	}
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
	real, stamp, deferrable := "REAL", "TEXT", ""
	if k.pg {
		real, stamp, deferrable = "DOUBLE PRECISION", "TIMESTAMPTZ", " DEFERRABLE"
	}
	if _, err := k.db.Exec(fmt.Sprintf("CREATE TABLE orders(id INTEGER PRIMARY KEY%s, x %s, y %s, shop TEXT, placed %s, landed %s, late INTEGER)", deferrable, real, real, stamp, stamp)); err != nil {
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

// swapped notes that an open row and one that is done have changed ids.
func (k *shopkeeper) swapped(open, done int) {
	for i, id := range k.open {
		if id == open {
			k.open[i] = done
		}
	}
	for i, id := range k.done {
		if id == done {
			k.done[i] = open
		}
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
		case c < 96 && len(k.open) > 1: // two rows change places
			i, j := k.r.IntN(len(k.open)), k.r.IntN(len(k.open))
			a, b := k.open[i], k.open[j]
			if len(k.done) > 0 && i == j {
				b = k.done[k.r.IntN(len(k.done))]
				k.swapped(a, b)
			}
			if k.pg { // its key is looked at when the statement is over
				do("UPDATE orders SET id = CASE id WHEN ?::int THEN ?::int ELSE ?::int END WHERE id IN (?::int, ?::int)", a, b, a, a, b)
				break
			}
			do("UPDATE orders SET id = -1 WHERE id = ?", a)
			do("UPDATE orders SET id = ? WHERE id = ?", a, b)
			do("UPDATE orders SET id = ? WHERE id = -1", b)
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

// ask places orders that nobody answers: more of them than the memory for open questions holds, whatever the history left.
func (k *shopkeeper) ask(t *testing.T, n int) {
	t.Helper()
	tx, err := k.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		k.next++
		k.now = k.now.Add(time.Second)
		stamp := any(k.now)
		if !k.pg {
			stamp = k.now.Format("2006-01-02T15:04:05.000Z")
		}
		if _, err := tx.Exec(k.q("INSERT INTO orders(id, x, y, shop, placed) VALUES (?,?,?,?,?)"), k.next, k.r.NormFloat64(), k.r.NormFloat64(), "shop1", stamp); err != nil {
			t.Fatal(err)
		}
		k.open = append(k.open, k.next)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// part is what is written around one kill in the stream, a function to a transaction. Where the kill is aimed at questions on disk, there
// is one of more questions than the memory holds, in the half that waits for the stream.
func (k *shopkeeper) part(t *testing.T, target string) []func() {
	const transactions = 40
	var out []func()
	for n := range transactions {
		if target == "spilling" && n == transactions/2+1 {
			out = append(out, func() { k.ask(t, 200) })
		}
		out = append(out, func() { k.transaction(t, 1+k.r.IntN(8)) })
	}
	return out
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
	url := postgrestest.Start(t).CreateDB(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	crash(t, "postgres", url, &shopkeeper{db: db, pg: true})
}

// life is one run of the child, up to its end.
type life struct {
	cmd     *exec.Cmd
	errs    bytes.Buffer
	words   chan string
	at      string // the phase that it told last
	saving  bool   // a checkpoint was begun and not saved
	spilled bool   // a segment of questions was begun
	saved   bool   // a checkpoint was, since the stream began
}

// phases are in the order in which a life goes through them.
var phases = []string{"start", "snapshot", "epochs", "replay", "resumed", "stream"}

func (l *life) hear(word string) {
	switch word {
	case "saving":
		l.saving = true
	case "saved":
		l.saving, l.saved = false, l.saved || l.at == "stream"
	case "spilling":
		l.spilled = true
	default:
		l.at = word
	}
}

// reached reports whether the life is where a kill is to find it, or beyond.
func (l *life) reached(target string) bool {
	switch target {
	case "saving":
		return l.at == "stream" && l.saving
	case "saved":
		return l.saved
	case "spilling":
		return l.at == "stream" && l.spilled
	}
	return slices.Index(phases, l.at) >= slices.Index(phases, target)
}

func startLife(t *testing.T, env ...string) *life {
	t.Helper()
	l := &life{cmd: exec.Command(os.Args[0]), words: make(chan string, 64)}
	l.cmd.Env = append(os.Environ(), env...)
	l.cmd.Stderr = &l.errs
	out, err := l.cmd.StdoutPipe()
	if err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(l.words)
		for s := bufio.NewScanner(out); s.Scan(); {
			l.words <- s.Text()
		}
	}()
	return l
}

// kill lets the life get to the target, and ends it a while later. Meanwhile a part of the history is written, and after the kill what
// is left of the part: the history is the same whenever the kill comes.
func (l *life) kill(t *testing.T, target string, after time.Duration, part []func()) {
	t.Helper()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	var over <-chan time.Time
	kept := len(part) / 2 // for the stream: what comes after it was told begins another checkpoint
	for killed := false; !killed; {
		select {
		case w, ok := <-l.words:
			if !ok {
				t.Fatalf("the flow ended on its own: %v\n%s", l.cmd.Wait(), &l.errs)
			}
			l.hear(w)
		case <-tick.C:
			if len(part) > kept || len(part) > 0 && l.at == "stream" {
				part[0]()
				part = part[1:]
			}
		case <-over:
			killed = true
		case <-late.C:
			l.cmd.Process.Kill()
			for range l.words {
			}
			t.Fatalf("it does not get to %s: it is at %q: %v\n%s", target, l.at, l.cmd.Wait(), &l.errs)
		}
		if over == nil && l.reached(target) {
			over = time.After(after)
		}
	}
	l.cmd.Process.Kill()
	for w := range l.words {
		l.hear(w)
	}
	if err := l.cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the flow ended on its own: %v\n%s", err, &l.errs)
	}
	for _, write := range part {
		write()
	}
}

// historySeed is the seed of a history: -seed, or by the clock where that is 0.
func historySeed(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", seed)
	return seed
}

var seedFlag = flag.Uint64("seed", 1, "of the histories under which flows are killed; 0: another one each time")

// crashStep is some kills of a plan.
type crashStep struct {
	target string
	kills  int
	within time.Duration
}

// name is under which its kills are counted where they find what they aim at.
func (p *crashStep) name() string {
	switch p.target {
	case "saved":
		return "got on"
	case "spilling":
		return "spilled"
	}
	return p.target
}

// crashLeast is how many kills must find the flow at each place, of one pass over the plan.
var crashLeast = map[string]int{"snapshot": 2, "epochs": 2, "replay": 1, "stream": 13, "saving": 3, "spilled": 3, "got on": 3}

// crashPasses is how often a flow goes through the plan: in a soak two flows are killed a thousand times.
func crashPasses() int {
	if os.Getenv("TIDEMILL_SOAK") != "" {
		return 20
	}
	return 1
}

// crashPlan is the kills of one pass: where, how many at least, and how long after getting there at most.
var crashPlan = []crashStep{
	{"start", 1, 60 * time.Millisecond}, {"snapshot", 4, 25 * time.Millisecond}, {"epochs", 3, 25 * time.Millisecond}, {"replay", 3, 10 * time.Millisecond},
	{"start", 1, 100 * time.Millisecond}, {"stream", 3, 150 * time.Millisecond}, {"saved", 2, 100 * time.Millisecond}, {"saving", 2, 2 * time.Millisecond},
	{"spilling", 2, 2 * time.Millisecond}, {"stream", 1, 300 * time.Millisecond}, {"saved", 2, 100 * time.Millisecond}, {"saving", 1, 2 * time.Millisecond},
	{"spilling", 1, 2 * time.Millisecond},
}

// atRest is how many steps of the plan find the database at rest.
const atRest = 4

func crash(t *testing.T, kind, place string, k *shopkeeper) {
	seed := historySeed(t)
	k.r, k.now = rand.New(rand.NewPCG(seed, 1)), day
	k.setUp(t, 12000)
	k.snapshot = k.next
	calmDir, killedDir := t.TempDir(), t.TempDir()
	env := []string{"TIDEMILL_CRASH_FLOW=killed", "TIDEMILL_CRASH_KIND=" + kind, "TIDEMILL_CRASH_PLACE=" + place, "TIDEMILL_CRASH_DIR=" + killedDir}
	calm, err := engine.Start(t.Context(), crashFlow(kind, place, "calm", calmDir))
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
	began := time.Now()
	waits := rand.New(rand.NewPCG(seed, 2))
	found, kills, passes := map[string]int{}, 0, crashPasses()
	for at := range passes*(len(crashPlan)-atRest) + atRest {
		i := at // the steps at rest come once: their phases do not come again
		if at >= atRest {
			i = atRest + (at-atRest)%(len(crashPlan)-atRest)
		}
		p := crashPlan[i]
		within, planned := p.within, p.kills
		if i < atRest {
			planned *= passes
		}
		least := passes * crashLeast[p.name()]
		// A machine that is fast, slow or busy finds a phase of the snapshot past: then the flow is killed more often. Nothing is written
		// there, and in the stream every kill finds what it aims at: the history is that of the seed.
		for n := 0; n < planned || i < atRest && found[p.name()] < least && n < 5*planned+20; n++ {
			l := startLife(t, append(env, "TIDEMILL_CRASH_AIM="+p.target)...)
			var part []func()
			if i >= atRest {
				part = k.part(t, p.target)
			}
			l.kill(t, p.target, time.Duration(waits.Int64N(int64(within))), part)
			kills++
			found[l.at]++
			if l.saving {
				found["saving"]++
			}
			if l.at == "stream" && l.spilled {
				found["spilled"]++
			}
			if l.saved {
				found["got on"]++
			}
			if i := slices.Index(phases, p.target); i >= 0 && i < len(phases)-1 && slices.Index(phases, l.at) > i {
				within /= 2
			}
		}
	}
	k.ask(t, 200)
	last := startLife(t, append(env, "TIDEMILL_CRASH_ONCE=1")...)
	for w := range last.words {
		last.hear(w)
	}
	if err := last.cmd.Wait(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, &last.errs)
	}
	if err := calm.Stop(); err != nil {
		t.Fatal(err)
	}
	drive(t, crashFlow(kind, place, "calm", calmDir))
	sameHistory(t, crashFlow(kind, place, "calm", calmDir), crashFlow(kind, place, "killed", killedDir))
	a, b := crashRows(t, k, "predictions_calm"), crashRows(t, k, "predictions_killed")
	if a != b || len(a) == 0 {
		t.Errorf("the prediction tables differ: %s", firstDifference(a, b))
	}
	t.Logf("killed %d times in %v, and found at %v; %d learned in the end, %d prediction rows", kills, time.Since(began).Round(time.Millisecond), found,
		calm.Status().Tasks[0].Counts.Learned, strings.Count(a, "\n"))
	for phase, least := range crashLeast {
		if least *= passes; found[phase] < least {
			t.Errorf("%d kills found it at %q, want %d at least", found[phase], phase, least)
		}
	}
}

// sameHistory compares the newest checkpoints of two flows over one source, every byte of every task, with the segments
// of their open questions, and the ordinal of the last output. What names the run itself is left out: the sections of the
// flow (names of sinks) and of the journal (names of files).
func sameHistory(t *testing.T, calm, killed tidemill.Flow) {
	t.Helper()
	want, got := newest(t, calm.Store), newest(t, killed.Store)
	if want.Position == "" || len(want.Sections) != len(got.Sections) || want.Clock != got.Clock {
		t.Fatalf("at %q: %d sections, clock %d; %d sections, clock %d", want.Position, len(want.Sections), want.Clock, len(got.Sections), got.Clock)
	}
	for i, w := range want.Sections {
		g := got.Sections[i]
		if w.Name == "flow" || w.Name == "journal" {
			continue
		}
		if strings.HasSuffix(w.Name, "/questions") { // what lies in segments is named by the term of the run that wrote it
			w.Data, g.Data = segmentTerm.ReplaceAll(w.Data, []byte("$1")), segmentTerm.ReplaceAll(g.Data, []byte("$1"))
		}
		if w.Name != g.Name || w.Fingerprint != g.Fingerprint || !bytes.Equal(w.Data, g.Data) {
			t.Errorf("section %s differs from the undisturbed run's", w.Name)
		}
	}
	wants, gots := questionSegments(t, calm.Store, want), questionSegments(t, killed.Store, got)
	if len(wants) == 0 {
		t.Error("no question lies in a segment")
	}
	if !maps.Equal(wants, gots) {
		t.Errorf("the segments of open questions differ: %d and %d", len(wants), len(gots))
	}
	w, err := engine.Open(t.Context(), calm)
	if err != nil {
		t.Fatal(err)
	}
	g, err := engine.Open(t.Context(), killed)
	if err != nil {
		t.Fatal(err)
	}
	if w, g := w.Status().Outputs, g.Status().Outputs; w != g {
		t.Errorf("%d outputs, the undisturbed run had %d", g, w)
	}
}

// questionSegments are the bytes of the segments of open questions to which a checkpoint refers, by task and number.
func questionSegments(t *testing.T, s tidemill.Store, c *tidemill.Checkpoint) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range c.Segments {
		if !strings.HasPrefix(name, "questions-") {
			continue
		}
		r, err := s.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		size, err := r.Size()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, size)
		if n, err := r.ReadAt(b, 0); n < len(b) {
			t.Fatal(err)
		}
		r.Close()
		out[name[:strings.LastIndexByte(name, '-')]] = string(b)
	}
	return out
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
