package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/tidemill/tidemill"
)

// oldest is the oldest server that the source reads.
const oldest = 130000

// answerMax bounds the messages that are read as a whole: answers to our own questions. Rows come through wire.
const answerMax = 16 << 20

// parseURL reads a connection string; its error never holds the password.
func parseURL(url string) (*pgconn.Config, error) {
	if url == "" {
		return nil, errors.New("postgres: url is missing; write " + fullURL)
	}
	if _, rest, ok := strings.Cut(url, "://"); ok {
		// A parser takes what is between two @ for the host, and errors then name it.
		if place, _, _ := strings.Cut(rest, "?"); strings.Count(place, "@") > 1 {
			return nil, errors.New("postgres: url: it has more than one @; write %40 " +
				"for one in a user's name or a password: " + fullURL)
		}
	}
	cfg, err := pgconn.ParseConfig(url)
	if err != nil {
		// pgconn hides the password where it finds one; a string that it cannot read at all is not repeated.
		var pe *pgconn.ParseConfigError
		text := "it cannot be read"
		if errors.As(err, &pe) {
			if inner := pe.Unwrap(); inner != nil && !strings.Contains(inner.Error(), "://") {
				text = inner.Error()
			}
		}
		return nil, fmt.Errorf("postgres: url: %s; write %s", text, fullURL)
	}
	cfg.MaxProtocolMessageBodyLen = answerMax
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 30 * time.Second
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "tidemill"
	}
	return cfg, nil
}

// session is a connection whose messages can be read in place.
type session struct {
	*pgconn.PgConn
	wire   *wire
	socket *socket
}

// connect opens a session with the settings under which types print the same text everywhere; replication makes it a
// walsender, which also takes SQL.
func connect(ctx context.Context, url string, replication bool) (*session, error) {
	cfg, err := parseURL(url)
	if err != nil {
		return nil, tidemill.Fatal(err)
	}
	for name, value := range map[string]string{
		"client_encoding": "UTF8", "datestyle": "ISO", "intervalstyle": "postgres", "timezone": "UTC",
		"extra_float_digits": "3", "bytea_output": "hex", "search_path": "pg_catalog", "row_security": "off",
		"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0",
		"synchronize_seqscans": "off",
	} {
		cfg.RuntimeParams[name] = value
	}
	delete(cfg.RuntimeParams, "replication")
	if replication {
		cfg.RuntimeParams["replication"] = "database"
	}
	s := &session{}
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		s.socket = &socket{Conn: conn, queue: newQueue(conn)}
		return s.socket, nil
	}
	cfg.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		s.wire = &wire{r: r}
		return pgproto3.NewFrontend(s.wire, w)
	}
	s.PgConn, err = pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		if replication && code(err) == "42501" {
			return nil, tidemill.Fatalf("%w; the role needs the right to replicate: ALTER ROLE … REPLICATION",
				connectError(ctx, err))
		}
		return nil, connectError(ctx, err)
	}
	return s, nil
}

// connectError says why there is no connection.
func connectError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = fmt.Errorf("postgres: %w", err)
	if pe := (*pgconn.PgError)(nil); errors.As(err, &pe) {
		switch pe.Code {
		case "28P01", "28000", "3D000", "42501", "42704", "22023": // password, role or pg_hba.conf, database, privilege
			return tidemill.Fatal(err)
		case "08P01":
			return tidemill.Fatalf("%w; connect to the server itself, not to a pooler", err)
		}
	}
	return err
}

// shut closes a session without waiting long. Where there is none, or it is closed, it does nothing.
func (s *session) shut() {
	if s == nil || s.PgConn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s.Close(ctx)
}

// ask runs one statement by the simple protocol, which a walsender takes too, and returns
// its rows as text; nil is NULL.
func (s *session) ask(ctx context.Context, sql string) ([][][]byte, error) {
	return ask(ctx, s.PgConn, sql)
}

func ask(ctx context.Context, conn *pgconn.PgConn, sql string) ([][][]byte, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if len(results) == 0 {
		return nil, nil
	}
	return results[len(results)-1].Rows, nil
}

// code is the SQLSTATE of an error of the server, or "".
func code(err error) string {
	if pe := (*pgconn.PgError)(nil); errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

// lost says that a connection broke; waiting mends it.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("postgres: the server closed the connection")
	}
	var ne net.Error
	if errors.As(err, &ne) {
		return fmt.Errorf("postgres: the connection broke: %w", err)
	}
	return err
}

// serverError reads an ErrorResponse that came on a taken-over connection.
func serverError(body []byte) error {
	var m pgproto3.ErrorResponse
	if err := m.Decode(body); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return fmt.Errorf("postgres: %w", pgconn.ErrorResponseToPgError(&m))
}
