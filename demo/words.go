package demo

import (
	"errors"
	"strings"
)

// What the command line says of the databases that demos can use.
const (
	Long = `A demo makes a database with real data, starts a flow on it, lets rows come while it runs, and tells what
was learned. It lives in ./tidemill-demo/NAME with its flow.yaml, to edit and run; each time it begins afresh.
Without --once it says the dashboard's address first, lets digits and flowers come slowly enough to watch, and serves until Ctrl-C.
In PostgreSQL it replaces no table that a demo has not made.`
	Example = `  tidemill demo mnist
  tidemill demo iris --once --json
  tidemill demo mnist --source postgres://localhost/test`
	SourceUsage = "a postgres:// URL (default: a SQLite file in the demo's folder)"
)

// CheckSource refuses what is no source of a demo.
func CheckSource(url string) error {
	if url == "" || strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return nil
	}
	return errors.New("--source takes a postgres:// URL; without it the demo makes a SQLite file")
}
