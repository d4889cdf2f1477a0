package serve

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tidemill/tidemill"
)

// httpError is an error with its status code.
type httpError struct {
	code int
	text string
}

func (e *httpError) Error() string { return e.text }

func fault(code int, format string, a ...any) error {
	return &httpError{code, fmt.Sprintf(format, a...)}
}

// bad is the asker's mistake.
func bad(err error) error {
	var h *httpError
	if err == nil || errors.As(err, &h) {
		return err
	}
	return &httpError{http.StatusBadRequest, err.Error()}
}

// tooMany refuses a request of too many rows.
func (s *server) tooMany() error {
	return fault(http.StatusRequestEntityTooLarge,
		"more than %d rows in one request, which is max_rows: ask in several", s.cfg.MaxRows)
}

// answerError writes {"error": text}, the shape that both standard protocols have for errors.
func answerError(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	var h *httpError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &h):
		code = h.code
	case errors.As(err, &large):
		code = http.StatusRequestEntityTooLarge
	case errors.Is(err, tidemill.ErrNotReady):
		code = http.StatusServiceUnavailable
	case errors.Is(err, tidemill.ErrUnknownTask):
		code = http.StatusNotFound
	default:
		if _, ok := isRow(err); ok {
			code = http.StatusBadRequest
		}
	}
	switch code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		w.Header().Set("Connection", "close")
	}
	b := appendString([]byte(`{"error":`), err.Error())
	answer(w, code, append(b, "}\n"...))
}

// answer writes a JSON body.
func answer(w http.ResponseWriter, code int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if code != http.StatusOK {
		w.WriteHeader(code)
	}
	w.Write(body)
}
