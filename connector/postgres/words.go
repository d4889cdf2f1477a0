package postgres

import (
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemill/tidemill"
)

// fullURL is how a connection string is written.
const fullURL = "postgres://user:password@host:5432/database"

// Words says what people read of PostgreSQL.
func (*SourceConfig) Words() tidemill.Words {
	const short = "postgres://user@host/database"
	return tidemill.Words{
		Schemes: []string{"postgres", "postgresql"},
		Usage:   "postgres://...", Example: "postgres://localhost/shop", One: short, Many: short, Full: fullURL,
	}
}

// Outside reports whether an error is the server's: connection, authorization, privileges, resources, shutdown, files;
// and what is not set up.
func (*SourceConfig) Outside(err error) bool {
	var (
		connect *pgconn.ConnectError
		server  *pgconn.PgError
	)
	if errors.As(err, &connect) {
		return true
	}
	if errors.As(err, &server) {
		for _, class := range []string{"08", "28", "3D", "42501", "53", "55", "57", "58"} {
			if strings.HasPrefix(server.Code, class) {
				return true
			}
		}
	}
	return false
}

// Left says what stays at the server after a stop.
func (*Capture) Left() string {
	return "the replication slot stays, and the server keeps WAL for it until the flow runs again"
}

// MendKey is the statement that gives a table a primary key.
func (*Capture) MendKey(t *tidemill.Table) string {
	column := "id"
	for t.Col(column) >= 0 {
		column = "tidemill_" + column
	}
	return "ALTER TABLE " + quoting.Name(t.Schema, t.Name) + " ADD COLUMN " + quoting.Name(column) +
		" bigserial PRIMARY KEY"
}

// MendBefore is the statement that puts rows as they were into the log.
func (*Capture) MendBefore(t *tidemill.Table) (statement, setting string) {
	return "ALTER TABLE " + t.String() + " REPLICA IDENTITY FULL", ""
}

// hidePassword stars what stands between "name:" and "@" of a URL, and what its options hold as passwords.
func hidePassword(s string) string {
	s = passwordOption.ReplaceAllString(s, "${1}***")
	i := strings.Index(s, "://")
	if i < 0 {
		return s
	}
	place, _, _ := strings.Cut(s[i:], "?")
	at := strings.LastIndexByte(place, '@')
	colon := strings.IndexByte(s[i+3:], ':')
	if at < 0 || colon < 0 || colon+3 > at {
		return s
	}
	return s[:i+3+colon+1] + "***" + s[i+at:]
}

var passwordOption = regexp.MustCompile(`(?i)([?&](?:ssl)?password=)[^&\s"` + "`" + `]*`)

var (
	_ tidemill.System = (*SourceConfig)(nil)
	_ tidemill.Mender = (*Capture)(nil)
)
