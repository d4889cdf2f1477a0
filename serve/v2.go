package serve

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/tidemill/tidemill/engine"
)

// Open Inference Protocol v2, the REST half: github.com/kserve/open-inference-protocol, with the extensions of Triton
// that extensions names. A model is a task; its inputs are the columns.
const extensions = `["binary_tensor_data","model_repository"]`

// findV2 is the route of a path below /v2.
func (s *server) findV2(r *http.Request, rest string) (route, bool) {
	part := strings.Split(rest, "/")
	switch {
	case rest == "":
		return route{"v2", "GET", false, s.v2Server}, true
	case rest == "health/live":
		return route{"health", "GET", true, s.healthz}, true
	case rest == "health/ready":
		return route{"health", "GET", true, s.readyz}, true
	case rest == "repository/index":
		return route{"v2", "POST", false, s.v2Index}, true
	case part[0] != "models" || len(part) < 2:
		return route{}, false
	}
	r.SetPathValue("task", part[1])
	part = part[2:]
	if len(part) >= 2 && part[0] == "versions" {
		r.SetPathValue("version", part[1])
		part = part[2:]
	}
	switch strings.Join(part, "/") {
	case "":
		return route{"v2", "GET", false, s.v2Model}, true
	case "ready":
		return route{"v2", "GET", false, s.v2Ready}, true
	case "infer":
		return route{"infer", "POST", false, s.v2Infer}, true
	}
	return route{}, false
}

// version is the program's version as the build knows it.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}

func (s *server) v2Server(w http.ResponseWriter, _ *http.Request) error {
	b := appendString([]byte(`{"name":"tidemill","version":`), version())
	answer(w, http.StatusOK, append(b, `,"extensions":`+extensions+"}\n"...))
	return nil
}

// versioned is the task of a path and refuses a version that is not served. A version is start.learned; the start alone
// names it too, so that a client can keep to one fresh start while the model learns on.
func (s *server) versioned(r *http.Request) (*engine.TaskStatus, error) {
	t, err := s.task(r.PathValue("task"))
	if err != nil {
		return nil, err
	}
	if label := r.PathValue("label"); label != "" { // TensorFlow Serving's; here versions have none
		return nil, fault(http.StatusBadRequest,
			"Unrecognized servable version label: %s; model %q has no labels, ask without or for version %s",
			clip(label), t.Name, start(t.Version))
	}
	want := r.PathValue("version")
	if want == "" || serves(t.Version, want) {
		return t, nil
	}
	v := s.renew()
	if t = v.tasks[t.Name]; t == nil {
		return nil, unknownTask(v, r.PathValue("task"))
	}
	if !serves(t.Version, want) {
		return nil, fault(http.StatusNotFound, "model %q has no version %q; it is at %s, which %s names too", t.Name,
			clip(want), t.Version, start(t.Version))
	}
	return t, nil
}

func serves(have, want string) bool { return want == have || want == start(have) }

// start is the part of a version that learning does not change.
func start(version string) string {
	s, _, _ := strings.Cut(version, ".")
	return s
}

func (s *server) v2Index(w http.ResponseWriter, _ *http.Request) error {
	v := s.seen()
	state, reason := "READY", unready(v.Status)
	if reason != "" {
		state = "UNAVAILABLE"
	}
	b := []byte{'['}
	for i := range v.Tasks {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), v.Tasks[i].Name)
		b = appendString(append(b, `,"version":`...), start(v.Tasks[i].Version))
		b = appendString(append(b, `,"state":"`+state+`","reason":`...), reason)
		b = append(b, '}')
	}
	answer(w, http.StatusOK, append(b, "]\n"...))
	return nil
}

func (s *server) v2Ready(w http.ResponseWriter, r *http.Request) error {
	t, err := s.versioned(r)
	if err != nil {
		return err
	}
	code, ready := http.StatusOK, unready(s.seen().Status) == ""
	if !ready {
		code = http.StatusServiceUnavailable
	}
	b := appendString([]byte(`{"name":`), t.Name)
	answer(w, code, fmt.Appendf(b, ",\"ready\":%t}\n", ready))
	return nil
}

func (s *server) v2Model(w http.ResponseWriter, r *http.Request) error {
	t, err := s.versioned(r)
	if err != nil {
		return err
	}
	b := appendString([]byte(`{"name":`), t.Name)
	b = appendString(append(b, `,"versions":[`...), start(t.Version))
	b = append(b, `],"platform":"tidemill","inputs":[`...)
	for i, c := range t.Columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), c.Name)
		if pic := pictureOf(t); pic != nil && c.Name == pic.Column {
			b = fmt.Appendf(b, `,"datatype":"UINT8","shape":[-1,%d,%d]}`, pic.Height, pic.Width)
			continue
		}
		b = append(b, `,"datatype":"`+datatype(c.Kind)+`","shape":[-1]}`...)
	}
	b = append(b, `],"outputs":[`...)
	for i, o := range outputs(t) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":"`+o.name+`","datatype":"`+o.datatype+`","shape":[-1`...)
		if o.wide {
			b = append(b, ",-1"...)
		}
		b = append(b, "]}"...)
	}
	answer(w, http.StatusOK, append(b, "]}\n"...))
	return nil
}

// datatype is the protocol's type for a column's kind. Decimals and times go as text, which keeps them exact.
func datatype(kind string) string {
	switch kind {
	case "bool":
		return "BOOL"
	case "int":
		return "INT64"
	case "float":
		return "FP64"
	}
	return "BYTES"
}

// output is one tensor that a task answers with.
type output struct {
	name, datatype string
	wide           bool // [rows, classes or centres] instead of [rows]
}

// outputs are the tensors of a kind of task, in the order in which they are sent.
func outputs(t *engine.TaskStatus) []output {
	switch t.Kind {
	case "regress":
		return []output{{"prediction", "FP64", false}}
	case "anomaly":
		return []output{{"score", "FP64", false}}
	case "cluster":
		return []output{{"prediction", "BYTES", false}, {"distances", "FP64", true}}
	}
	return []output{{"prediction", "BYTES", false}, {"probabilities", "FP64", true}}
}

// wideOf is a prediction's row of a wide tensor: its probabilities in the order of names, or its values.
func wideOf(p *engine.Prediction, names []string) []float64 {
	if p.Probabilities == nil {
		return p.Values
	}
	f := make([]float64, len(names))
	for i, c := range names {
		f[i] = p.Probabilities[c]
	}
	return f
}
