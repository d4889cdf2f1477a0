package main

import (
	"errors"
	"io/fs"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemill/tidemill"
)

// codeOf sorts an error: what is outside of the program is the environment's, an edited flow is the flow file's.
func codeOf(err error) int {
	var (
		wire    net.Error
		dial    *net.OpError
		connect *pgconn.ConnectError
		server  *pgconn.PgError
	)
	switch {
	case errors.Is(err, tidemill.ErrChanged):
		return exitValidation
	case errors.Is(err, tidemill.ErrLocked), errors.Is(err, tidemill.ErrGap), errors.Is(err, tidemill.ErrFenced), errors.Is(err, tidemill.ErrUnknownMark), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist),
		errors.As(err, &dial), errors.As(err, &wire), errors.As(err, &connect):
		return exitEnvironment
	case errors.As(err, &server):
		// Connection, authorization, privileges, resources, shutdown, files; and what is not set up.
		for _, class := range []string{"08", "28", "3D", "42501", "53", "55", "57", "58"} {
			if strings.HasPrefix(server.Code, class) {
				return exitEnvironment
			}
		}
	}
	return exitRuntime
}
