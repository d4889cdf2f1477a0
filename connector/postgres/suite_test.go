package postgres_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// TestSource holds the source to the laws of sources: with REPLICA IDENTITY FULL, where the old row comes, and without.
func TestSource(t *testing.T) {
	for _, identity := range []string{"DEFAULT", "FULL"} {
		t.Run(identity, func(t *testing.T) {
			tidemilltest.Source(t, tidemilltest.SourceHarness{Before: identity == "FULL", New: func(t *testing.T) tidemilltest.SourceDatabase {
				s := postgrestest.Start(t)
				url := s.CreateDB(t)
				s.Exec(t, url, tidemilltest.SourceTableSQL+"; ALTER TABLE items REPLICA IDENTITY "+identity)
				do := func(end string) func(t *testing.T, changes []tidemilltest.SourceChange) {
					return func(t *testing.T, changes []tidemilltest.SourceChange) {
						s.Exec(t, url, "BEGIN; "+strings.Join(tidemilltest.SourceSQL(changes), "; ")+"; "+end)
					}
				}
				return tidemilltest.SourceDatabase{
					Apply:    do("COMMIT"),
					Rollback: do("ROLLBACK"),
					Source:   func(t *testing.T) tidemill.Source { return postgres.Source(url, "items") },
				}
			}})
		})
	}
}

// TestSink holds the sink to the laws of sinks.
func TestSink(t *testing.T) {
	tidemilltest.Sink(t, tidemilltest.SinkHarness{New: func(t *testing.T) tidemilltest.SinkTarget {
		s := postgrestest.Start(t)
		url := s.CreateDB(t)
		return tidemilltest.SinkTarget{
			Open: func(t *testing.T) tidemill.Sink { return postgres.Sink(url, "predictions") },
			Rows: func(t *testing.T) map[string]tidemilltest.SinkRow { return readBack(t, s, url) },
		}
	}})
}

func readBack(t *testing.T, s *postgrestest.Server, url string) map[string]tidemilltest.SinkRow {
	t.Helper()
	rows := map[string]tidemilltest.SinkRow{}
	if s.Query(t, url, "SELECT to_regclass('predictions')")[0][0] == "NULL" {
		return rows
	}
	when := func(text string) time.Time {
		us, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}
		}
		return time.UnixMicro(us).UTC()
	}
	null := func(text string) string {
		if text == "NULL" {
			return ""
		}
		return text
	}
	for _, r := range s.Query(t, url, `SELECT task, id, prediction, score, probabilities, model_version, (extract(epoch FROM asked_at) * 1000000)::int8, position, truth,
		(extract(epoch FROM answered_at) * 1000000)::int8 FROM predictions`) {
		row := tidemilltest.SinkRow{Prediction: null(r[2]), Score: math.NaN(), Version: null(r[5]), Asked: when(r[6]), Position: null(r[7]), Truth: null(r[8]), Answered: when(r[9])}
		if x, err := strconv.ParseFloat(r[3], 64); err == nil {
			row.Score = x
		}
		if r[4] != "NULL" {
			if err := json.Unmarshal([]byte(r[4]), &row.Probabilities); err != nil {
				t.Fatal(err)
			}
		}
		rows[r[0]+"/"+r[1]] = row
	}
	return rows
}
