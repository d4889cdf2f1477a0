package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/expr"
)

// server is what the paths share.
type server struct {
	mill       Mill
	cfg        Config
	token      [sha256.Size]byte // of the bearer token; compared instead of the token, so that its length does not show
	slots      chan struct{}     // predictions in work
	memory     atomic.Int64      // bytes of large bodies in memory
	heavy      atomic.Int64      // bytes that large bodies may become as rows
	bodies     sync.Pool         // of *[]byte: small bodies' and answers' buffers
	rowBuffers sync.Pool         // of *rowBuffer
	view       atomic.Pointer[view]
	look       sync.Mutex // held while a view is made
	hub        *hub
	tally      *tally
	local      atomic.Bool // reached over this machine's own address only: the Host header must say so
}

// Handler serves a flow. Mount it at the root of a host: its paths are absolute.
func Handler(mill Mill, cfg Config) http.Handler { return newServer(mill, cfg) }

func newServer(mill Mill, cfg Config) *server {
	cfg = cfg.filled()
	s := &server{mill: mill, cfg: cfg, slots: make(chan struct{}, cfg.InFlight)}
	s.bodies.New = func() any { return new(make([]byte, 0, 4096)) }
	s.rowBuffers.New = func() any { return &rowBuffer{} }
	s.token = sha256.Sum256([]byte(cfg.Token))
	s.tally = newTally(s)
	s.hub = newHub(s)
	return s
}

// route is where a request goes.
type route struct {
	name   string // in the metrics
	method string // GET stands for HEAD too
	open   bool   // shows no data: no token needed
	serve  func(w http.ResponseWriter, r *http.Request) error
}

// find is the route of a path; a path under a task carries the rest in r.PathValue.
func (s *server) find(r *http.Request) (route, bool) {
	path := r.URL.Path
	switch path {
	case "/healthz":
		return route{"health", "GET", true, s.healthz}, true
	case "/readyz":
		return route{"health", "GET", true, s.readyz}, true
	case "/status":
		return route{"status", "GET", false, s.status}, true
	case "/events":
		return route{"events", "GET", false, s.events}, true
	case "/metrics":
		return route{"metrics", "GET", false, s.tally.serve}, true
	}
	if task, ok := strings.CutPrefix(path, "/predict/"); ok && task != "" {
		r.SetPathValue("task", task)
		return route{"predict", "POST", false, s.predict}, true
	}
	if path == "/v2" || strings.HasPrefix(path, "/v2/") {
		return s.findV2(r, strings.Trim(path[3:], "/"))
	}
	if rest, ok := strings.CutPrefix(path, "/v1/models"); ok && (rest == "" || rest[0] == '/') {
		return s.findV1(r, strings.Trim(rest, "/"))
	}
	return s.findPage(path)
}

// ServeHTTP is the way of every request: who may ask, where it goes, what went wrong.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	found, ok := s.find(r)
	if !ok {
		found = route{name: "other", method: r.Method, serve: func(http.ResponseWriter, *http.Request) error {
			return fault(http.StatusNotFound,
				"nothing is served at %s; the dashboard is at /, a prediction at POST /predict/TASK", clip(r.URL.Path))
		}}
	}
	done := s.tally.begin(found.name)
	sw := &watched{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler && sw.code == 0 {
				answerError(sw, fault(http.StatusInternalServerError, "a fault in the server; its log says more"))
			}
			done(http.StatusInternalServerError)
			panic(p) // net/http logs it and closes the connection
		}
		done(sw.code)
	}()
	err := s.admit(sw, r, found)
	if err == nil {
		err = found.serve(sw, r)
	}
	if err != nil && sw.code == 0 {
		answerError(sw, err)
	}
}

// admit refuses requests that may not be asked: from another site, for another host, without the token, by the wrong
// method.
func (s *server) admit(w http.ResponseWriter, r *http.Request, found route) error {
	if s.local.Load() && s.cfg.Token == "" && !loopback(r.Host) {
		// A page of another site can make its own name point here; this machine's port would then be open to it.
		return fault(http.StatusMisdirectedRequest,
			"this server listens on this machine only; ask for localhost, not for %s", clip(r.Host))
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return fault(http.StatusForbidden, "pages of other sites may not ask")
	}
	if !found.open && s.cfg.Token != "" {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if subtle.ConstantTimeCompare(sum[:], s.token[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="tidemill"`)
			return fault(http.StatusUnauthorized,
				`send the header "Authorization: Bearer TOKEN" with the token of the flow's serve: section`)
		}
	}
	if r.Method != found.method && !(r.Method == "HEAD" && found.method == "GET") {
		w.Header().Set("Allow", found.method)
		return fault(http.StatusMethodNotAllowed, "%s wants %s, not %s", clip(r.URL.Path), found.method, clip(r.Method))
	}
	return nil
}

// watched remembers the status code.
type watched struct {
	http.ResponseWriter
	code int
}

func (w *watched) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// view is a Status with an index, kept for up to a second: predictions look up their task in it.
type view struct {
	*engine.Status
	at    time.Time
	tasks map[string]*engine.TaskStatus
}

// viewAge is how old a view may be.
const viewAge = time.Second

// seen is a view no older than viewAge. One caller makes a new one; the others go on with the old one meanwhile.
func (s *server) seen() *view {
	v := s.view.Load()
	if v != nil && time.Since(v.at) < viewAge {
		return v
	}
	if v == nil {
		s.look.Lock()
	} else if !s.look.TryLock() {
		return v
	}
	defer s.look.Unlock()
	if now := s.view.Load(); now != v {
		return now
	}
	return s.renew()
}

// renew makes a view now.
func (s *server) renew() *view {
	st := s.mill.Status()
	v := &view{Status: st, at: time.Now(), tasks: make(map[string]*engine.TaskStatus, len(st.Tasks))}
	for i := range st.Tasks {
		v.tasks[st.Tasks[i].Name] = &st.Tasks[i]
	}
	s.view.Store(v)
	return v
}

// task is the task of that name.
func (s *server) task(name string) (*engine.TaskStatus, error) {
	v := s.seen()
	if t := v.tasks[name]; t != nil {
		return t, nil
	}
	return nil, unknownTask(v, name)
}

func unknownTask(v *view, name string) error {
	names := make([]string, len(v.Tasks))
	for i := range v.Tasks {
		names[i] = v.Tasks[i].Name
	}
	if n := expr.Nearest(name, names); n != "" {
		return fault(http.StatusNotFound, "no task is called %q; did you mean %q?", clip(name), n)
	}
	if len(names) > 10 {
		names = append(names[:10], "…")
	}
	return fault(http.StatusNotFound, "no task is called %q; there is %s", clip(name), strings.Join(names, ", "))
}

// isRow reports the row's own fault in err, if it is one.
func isRow(err error) (*tidemill.RowError, bool) {
	var r *tidemill.RowError
	ok := errors.As(err, &r)
	return r, ok
}
