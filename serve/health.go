package serve

import (
	"net/http"
	"reflect"

	"github.com/tidemill/tidemill/engine"
)

// healthz says that the process answers. It asks nothing of the flow: a restart mends no database.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	answer(w, http.StatusOK, []byte("{\"live\":true}\n"))
	return nil
}

// readyz says whether predictions can be made, and if not, why not.
func (s *server) readyz(w http.ResponseWriter, _ *http.Request) error {
	if why := unready(s.seen().Status); why != "" {
		w.Header().Set("Retry-After", "1")
		b := appendString([]byte(`{"ready":false,"reason":`), why)
		answer(w, http.StatusServiceUnavailable, append(b, "}\n"...))
		return nil
	}
	answer(w, http.StatusOK, []byte("{\"ready\":true}\n"))
	return nil
}

// unready is why a flow cannot predict, or "". A flow whose database is away predicts with what it learned last.
func unready(st *engine.Status) string {
	switch st.State {
	case "streaming":
		return ""
	case "stopped", "failed":
		return "the flow is " + st.State
	}
	if st.Snapshot.Done {
		return ""
	}
	if st.State == "reconnecting" && len(st.Tasks) > 0 {
		// Before the end of its first snapshot a flow that lost its database has learned a part only.
		return "the database went away before the snapshot was whole"
	}
	return "the flow is " + st.State
}

// status is GET /status.
func (s *server) status(w http.ResponseWriter, _ *http.Request) error {
	b := appendJSON(nil, reflect.ValueOf(s.mill.Status()).Elem())
	answer(w, http.StatusOK, append(b, '\n'))
	return nil
}
