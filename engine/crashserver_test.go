package engine_test

import (
	"database/sql"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// TestKillPostgresServer crashes the server under a running flow, again and again. Its log goes to disk only when a
// commit asks for it, so each crash takes the sink's newest writes; a flow whose sink lies on another server is the
// undisturbed one.
func TestKillPostgresServer(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Fsync(), postgrestest.Conf("wal_writer_delay", "10s"), postgrestest.Conf("wal_writer_flush_after", "0"),
		postgrestest.Conf("autovacuum", "off"))
	url, calmURL := s.URL("postgres"), postgrestest.Start(t).CreateDB(t)
	open := func(url string) *sql.DB {
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	seed := historySeed(t)
	k := &shopkeeper{db: open(url), pg: true, r: rand.New(rand.NewPCG(seed, 3)), now: day, atSnapshot: map[string]string{}}
	k.setUp(t, 600)
	k.snapshot = k.next
	flow := func(name, sink, dir string) tidemill.Flow {
		f := crashFlow("postgres", url, name, dir)
		f.Every = 300 * time.Millisecond
		f.Sinks = []tidemill.Sink{postgres.Sink(sink, "predictions_"+name)}
		return f
	}
	calmDir, shakenDir := t.TempDir(), t.TempDir()
	flows := []tidemill.Flow{flow("calm", calmURL, calmDir), flow("shaken", url, shakenDir)}
	var mills []*engine.Mill
	for _, f := range flows {
		m, err := engine.Start(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		mills = append(mills, m)
		until(t, func() bool {
			select {
			case <-m.Done():
				t.Fatal(m.Wait())
			default:
			}
			return m.Status().Snapshot.Done
		})
		for _, ts := range m.Status().Tasks {
			k.atSnapshot[ts.Name] = ts.Version
		}
	}
	lost := 0
	for range 8 {
		for range 10 + k.r.IntN(10) {
			k.transaction(t, 1+k.r.IntN(6))
		}
		mark := func() (text string) {
			if err := k.db.QueryRow("SELECT seq::text FROM tidemill_marks WHERE sink LIKE '%shaken'").Scan(&text); err != nil {
				t.Fatal(err)
			}
			return text
		}
		// The sink's commits wait for no disk, the history's do: what is predicted of an order that came alone is on none when the crash
		// takes it.
		for range 2 {
			k.ask(t, 1)
			until(t, func() (is bool) {
				if err := k.db.QueryRow("SELECT EXISTS (SELECT FROM predictions_shaken WHERE id = $1::int::text)", k.next).Scan(&is); err != nil {
					t.Fatal(err)
				}
				return is
			})
		}
		before := mark()
		s.Kill(t)
		s.Start(t)
		k.db = open(url)
		if mark() != before {
			lost++
		}
	}
	if lost == 0 {
		t.Error("no crash took writes that were visible")
	}
	k.ask(t, 200)
	for i, m := range mills {
		if err := m.Stop(); err != nil {
			t.Fatal(err)
		}
		drive(t, flow([]string{"calm", "shaken"}[i], []string{calmURL, url}[i], []string{calmDir, shakenDir}[i]))
	}
	sameHistory(t, flow("calm", calmURL, calmDir), flow("shaken", url, shakenDir))
	shaken := crashRows(t, k, "predictions_shaken")
	k.db = open(calmURL)
	calm := crashRows(t, k, "predictions_calm")
	if calm != shaken || len(calm) == 0 {
		t.Errorf("the prediction tables differ: %s", firstDifference(calm, shaken))
	}
	t.Logf("%d prediction rows; %d of 8 crashes took writes that were visible", strings.Count(calm, "\n"), lost)
}
