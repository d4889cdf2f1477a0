package sqlite

import (
	"fmt"
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
	d := dialect()
	tidemilltest.SQLSink(t, tidemilltest.SQLHarness{Type: d.Type, New: func(t *testing.T) tidemilltest.SQLDatabase {
		path := filepath.Join(t.TempDir(), "p.db")
		query := func(t *testing.T, sql string) (rows [][]any) {
			t.Helper()
			d, err := open(path, readWriteCreate)
			if err != nil {
				t.Fatal(err)
			}
			defer d.close()
			err = d.query(sql, func(s *stmt) error {
				row := make([]any, s.columns())
				for i := range row {
					if s.kind(i) != sqliteNull {
						row[i] = s.text(i)
					}
				}
				rows = append(rows, row)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		return tidemilltest.SQLDatabase{
			Open:  func(t *testing.T, table string) tidemill.Sink { return Sink(path, table) },
			Exec:  func(t *testing.T, sql string) { query(t, sql) },
			Query: query,
			Tables: func(t *testing.T) (names []string) {
				for _, r := range query(t, "SELECT name FROM sqlite_schema WHERE type='table'") {
					names = append(names, fmt.Sprint(r...))
				}
				return names
			},
			Time: func(text string) (time.Time, error) { return time.Parse("2006-01-02T15:04:05.000000Z", text) },
		}
	}})
}
