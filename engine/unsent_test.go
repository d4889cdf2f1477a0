package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// wide is SQL for a text that Postgres keeps out of line, so that an UPDATE which leaves it alone does not send it.
const wide = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)"

// TestUnchangedLargeValues holds that a large value which an UPDATE leaves out (TOAST) is never taken for NULL, as a
// label, a condition or a feature: without the whole old row it is rejected with what mends it, with it all is there.
func TestUnchangedLargeValues(t *testing.T) {
	s := postgrestest.Start(t)
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full %v", full), func(t *testing.T) {
			url := s.CreateDB(t)
			s.Exec(t, url, "CREATE TABLE orders (id int PRIMARY KEY, x int, note text, verdict text)")
			if full {
				s.Exec(t, url, "ALTER TABLE orders REPLICA IDENTITY FULL")
			}
			mem, sink, rejects := store.Memory(), &told{name: "told"}, &told{name: "rejected"}
			flow := func() tidemill.Flow {
				on := func(op tidemill.Op, label, where string) tidemill.On {
					return tidemill.On{Op: op, Table: "orders", Label: label, Where: where}
				}
				task := func(name string, learn tidemill.On, f tidemill.Feature) tidemill.Task {
					return tidemill.Task{Name: name, Predict: on(tidemill.Insert, "", ""), Learn: learn, Features: []tidemill.Feature{f}, Model: model.Majority()}
				}
				asks := task("asks", on(tidemill.Update, "case when x = 9 then 1 end", ""), feature.Text("note"))
				asks.Predict.Op = tidemill.Update
				return tidemill.Flow{Name: "shop", Source: postgres.Source(url, "orders"), Sinks: []tidemill.Sink{sink}, Rejects: rejects, Store: mem, Once: true,
					Tasks: []tidemill.Task{
						task("label", on(tidemill.Update, "case when verdict <> 'none' then 'told' end", ""), feature.Numeric("x")),
						task("where", on(tidemill.Update, "x", "verdict <> 'none'"), feature.Numeric("id")),
						asks,
					}}
			}
			run := func() *engine.Status {
				m, err := engine.Start(t.Context(), flow())
				if err == nil {
					err = m.Wait()
				}
				if err != nil {
					t.Fatal(err)
				}
				return m.Status()
			}
			run()
			s.Exec(t, url, "INSERT INTO orders VALUES (1, 1, "+wide+", "+wide+")")
			s.Exec(t, url, "UPDATE orders SET x = 2") // note and verdict are not sent, unless the old row is
			st := run()
			lines := toldLines(sink, rejects)
			for i, name := range []string{"label", "where", "asks"} {
				c := st.Tasks[i].Counts
				if full {
					if c.Rejected != 0 || name != "asks" && c.Answered != 1 || name == "asks" && c.Asked != 1 {
						t.Errorf("%s, the old row is sent: %+v\n%s", name, c, lines)
					}
					continue
				}
				if c.Rejected != 1 || c.Answered != 0 {
					t.Errorf("%s, the value was not sent: %+v\n%s", name, c, lines)
				}
			}
			if n := strings.Count(lines, "REPLICA IDENTITY FULL"); !full && n != 3 {
				t.Errorf("%d of 3 rejects say the mend:\n%s", n, lines)
			}
		})
	}
}

// TestWindowsNeedTheOldRow holds that a window over a column which is updated is refused where Postgres does not send the old
// row: before anything is learned, with the statement that mends it.
func TestWindowsNeedTheOldRow(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE flights (id int PRIMARY KEY, origin text, delay int); INSERT INTO flights VALUES (1, 'JFK', NULL)")
	mem := store.Memory()
	run := func(fresh bool) error {
		m, err := engine.Start(t.Context(), tidemill.Flow{Name: "late", Source: postgres.Source(url, "flights"), Store: mem, Once: true, Fresh: fresh,
			Tasks: []tidemill.Task{{Name: "late", Predict: tidemill.On{Op: tidemill.Insert, Table: "flights"},
				Learn: tidemill.On{Op: tidemill.Update, Table: "flights", Label: "delay > 15"}, Snapshot: tidemill.SnapshotSkip,
				Features: []tidemill.Feature{feature.Mean("delay", "flights", "origin", 3600e9)}, Model: model.Majority()}}})
		if err != nil {
			return err
		}
		return m.Wait()
	}
	err := run(false)
	if err == nil {
		s.Exec(t, url, "INSERT INTO flights VALUES (2, 'JFK', NULL)")
		err = run(false)
	}
	if err == nil || !strings.Contains(err.Error(), "run ALTER TABLE public.flights REPLICA IDENTITY FULL") {
		t.Fatalf("without the old row: %v", err)
	}
	s.Exec(t, url, "ALTER TABLE flights REPLICA IDENTITY FULL")
	if err := run(true); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, url, "INSERT INTO flights VALUES (3, 'JFK', NULL); UPDATE flights SET delay = 30")
	if err := run(false); err != nil {
		t.Fatal(err)
	}
}
