package sqlite

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

func TestSourceLaws(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			tidemilltest.Source(t, tidemilltest.SourceHarness{Before: true, NoTransactions: true, New: func(t *testing.T) tidemilltest.SourceDatabase {
				path := filepath.Join(t.TempDir(), "a.db")
				u := userDB(t, path, mode, tidemilltest.SourceTableSQL)
				apply := func(t *testing.T, changes []tidemilltest.SourceChange, end string) {
					must(t, u, "BEGIN IMMEDIATE; "+strings.Join(tidemilltest.SourceSQL(changes), "; ")+"; "+end)
				}
				return tidemilltest.SourceDatabase{
					Apply:    func(t *testing.T, cs []tidemilltest.SourceChange) { apply(t, cs, "COMMIT") },
					Rollback: func(t *testing.T, cs []tidemilltest.SourceChange) { apply(t, cs, "ROLLBACK") },
					Source:   func(t *testing.T) tidemill.Source { return Source(path, "items") },
				}
			}})
		})
	}
}

func TestSinkLaws(t *testing.T) {
	tidemilltest.Sink(t, tidemilltest.SinkHarness{New: func(t *testing.T) tidemilltest.SinkTarget {
		path := filepath.Join(t.TempDir(), "p.db")
		return tidemilltest.SinkTarget{
			Open: func(t *testing.T) tidemill.Sink { return Sink(path, "predictions") },
			Rows: func(t *testing.T) map[string]tidemilltest.SinkRow { return readBack(t, path) },
		}
	}})
}

func readBack(t *testing.T, path string) map[string]tidemilltest.SinkRow {
	t.Helper()
	rows := map[string]tidemilltest.SinkRow{}
	d, err := open(path, readWriteCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if n, err := d.one("SELECT count(*) FROM sqlite_schema WHERE name='predictions'"); err != nil || n == 0 {
		return rows
	}
	at := func(s string) (when time.Time) {
		if s != "" {
			if when, err = time.Parse("2006-01-02T15:04:05.000000Z", s); err != nil {
				t.Fatal(err)
			}
		}
		return when
	}
	err = d.query("SELECT task, id, prediction, score, probabilities, model_version, asked_at, position, truth, answered_at FROM predictions", func(s *stmt) error {
		r := tidemilltest.SinkRow{Prediction: s.text(2), Score: math.NaN(), Version: s.text(5), Asked: at(s.text(6)), Position: s.text(7), Truth: s.text(8), Answered: at(s.text(9))}
		if s.kind(3) != sqliteNull {
			r.Score = s.float(3)
		}
		if p := s.text(4); p != "" {
			if err := json.Unmarshal([]byte(p), &r.Probabilities); err != nil {
				t.Fatal(err)
			}
		}
		rows[s.text(0)+"/"+s.text(1)] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
