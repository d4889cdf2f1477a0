package postgres_test

import (
	"fmt"
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

// TestSink holds the sink to the laws of sinks and of tables.
func TestSink(t *testing.T) {
	tidemilltest.SQLSink(t, tidemilltest.SQLHarness{Type: postgres.Type, New: func(t *testing.T) tidemilltest.SQLDatabase {
		s := postgrestest.Start(t)
		url := s.CreateDB(t)
		query := func(t *testing.T, sql string) (rows [][]any) {
			for _, r := range s.Query(t, url, "SET timezone = 'UTC'; "+sql) {
				row := make([]any, len(r))
				for i, v := range r {
					if v != "NULL" {
						row[i] = v
					}
				}
				rows = append(rows, row)
			}
			return rows
		}
		return tidemilltest.SQLDatabase{
			Open:  func(t *testing.T, table string) tidemill.Sink { return postgres.Sink(url, table) },
			Exec:  func(t *testing.T, sql string) { s.Exec(t, url, sql) },
			Query: query,
			Tables: func(t *testing.T) (names []string) {
				for _, r := range query(t, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") {
					names = append(names, fmt.Sprint(r...))
				}
				return names
			},
			Time: func(text string) (time.Time, error) { return time.Parse("2006-01-02 15:04:05.999999-07", text) },
		}
	}})
}
