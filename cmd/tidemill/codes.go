package main

import (
	"errors"
	"io/fs"
	"net"
	"slices"

	"github.com/tidemill/tidemill"
)

// codeOf sorts an error: what is outside of the program is the environment's, an edited flow is the flow file's.
func (a *app) codeOf(err error) int {
	var (
		wrong *tidemill.UsageError
		wire  net.Error
		dial  *net.OpError
	)
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case is(tidemill.ErrChanged), errors.As(err, &wrong):
		return exitValidation
	case slices.ContainsFunc([]error{tidemill.ErrLocked, tidemill.ErrGap, tidemill.ErrFenced, tidemill.ErrUnknownMark,
		fs.ErrPermission, fs.ErrNotExist}, is), errors.As(err, &dial), errors.As(err, &wire):
		return exitEnvironment
	}
	for _, s := range systemsOf(a.kinds) {
		if s.Outside(err) {
			return exitEnvironment
		}
	}
	return exitRuntime
}
