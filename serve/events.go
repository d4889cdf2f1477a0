package serve

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/tidemill/tidemill/engine"
)

const (
	beat  = time.Second            // a status at least this often while somebody watches
	blink = 200 * time.Millisecond // how soon a change shows after a quiet second
	// a watcher that takes nothing for this long is let go, unless the hub says otherwise
	stuck = 10 * time.Second
	past  = 300 // beats that are remembered for those who come
)

// hub looks at the flow for everybody who watches. It runs while somebody does, or as long as Listen's server does, so
// that the first look at the dashboard shows the last minutes too.
type hub struct {
	s        *server
	stuck    time.Duration
	start    string // names this process in event ids
	mu       sync.Mutex
	watchers map[*watcher]bool
	running  bool
	history  []sample
	seq      uint64
	last     *engine.Status
	held     int // callers of hold
}

// watcher is one open /events. Its channel holds the newest frame that it has not taken: one that is slow skips frames
// and holds up nobody.
type watcher struct {
	task  string
	frame chan []byte
}

// sample is one beat of the history.
type sample struct {
	at    int64 // Unix milliseconds
	rows  uint64
	lag   float64
	asked uint64
}

func newHub(s *server) *hub {
	return &hub{s: s, stuck: stuck, start: strconv.FormatInt(time.Now().UnixMilli(), 36), watchers: map[*watcher]bool{}}
}

// hold keeps the hub looking until ctx ends.
func (h *hub) hold(ctx context.Context) {
	h.mu.Lock()
	h.held++
	h.wake()
	h.mu.Unlock()
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		h.held--
		h.mu.Unlock()
	})
}

// wake starts the loop if it does not run; the lock is held.
func (h *hub) wake() {
	if !h.running {
		h.running = true
		go h.run()
	}
}

func (h *hub) run() {
	tick := time.NewTicker(blink)
	defer tick.Stop()
	var sent time.Time
	quiet := true
	for now := time.Now(); ; now = <-tick.C {
		h.mu.Lock()
		watched := len(h.watchers) > 0
		if !watched && h.held == 0 {
			h.running, h.last = false, nil
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
		due := now.Sub(sent) >= beat-blink/2
		if !due && !(quiet && watched) {
			continue
		}
		v := h.s.renew()
		h.mu.Lock()
		news := h.last == nil || moved(h.last, v.Status)
		if due || news {
			// After a quiet second the first change shows at once; a busy flow shows once a second.
			quiet, sent = !news, now
			h.last = v.Status
			h.remember(v.Status)
			h.send(v.Status)
		}
		h.mu.Unlock()
	}
}

// moved is true if something happened between two looks.
func moved(a, b *engine.Status) bool {
	return a.State != b.State || a.Position != b.Position || a.Outputs != b.Outputs || a.Written != b.Written ||
		a.Rejected != b.Rejected || a.Connected != b.Connected || a.Checkpoint.ID != b.Checkpoint.ID ||
		len(a.Events) != len(b.Events) || rowsOf(a) != rowsOf(b)
}

// rowsOf is how many changes were applied since the process began.
func rowsOf(st *engine.Status) (n uint64) {
	for _, c := range st.Changes {
		n += c
	}
	return n
}

// remember adds a beat to the history; the lock is held.
func (h *hub) remember(st *engine.Status) {
	if len(h.history) == past {
		h.history = append(h.history[:0], h.history[1:]...)
	}
	var asked uint64
	for i := range st.Tasks {
		asked += st.Tasks[i].Counts.Asked
	}
	h.history = append(h.history, sample{st.Now.UnixMilli(), rowsOf(st), st.LagSeconds, asked})
}

// send gives everybody a frame; it is made once per task that somebody looks at. The lock is held.
func (h *hub) send(st *engine.Status) {
	h.seq++
	frames := map[string][]byte{}
	for w := range h.watchers {
		f, ok := frames[w.task]
		if !ok {
			f = h.frame(st, w.task)
			frames[w.task] = f
		}
		select {
		case <-w.frame: // the one it did not take in time
		default:
		}
		w.frame <- f
	}
}

// frame is one event. With a task named, the others come without their curves, pictures and tables.
func (h *hub) frame(st *engine.Status, task string) []byte {
	if task != "" {
		st = trim(st, task)
	}
	b := append([]byte("event: status\nid: "), h.start...)
	b = strconv.AppendUint(append(b, '-'), h.seq, 10)
	b = append(b, "\ndata: "...)
	b = appendJSON(b, reflect.ValueOf(st).Elem()) // has no line breaks
	return append(b, "\n\n"...)
}

// trim keeps of the other tasks what a list shows.
func trim(st *engine.Status, task string) *engine.Status {
	c := *st
	c.Tasks = make([]engine.TaskStatus, len(st.Tasks))
	for i, t := range st.Tasks {
		if t.Name != task && !(task == "-" && i == 0) {
			t = engine.TaskStatus{Name: t.Name, Kind: t.Kind, Model: t.Model, Version: t.Version, Table: t.Table,
				Counts:   t.Counts,
				Coverage: t.Coverage, LabelDelay: t.LabelDelay, Scores: t.Scores, Warnings: t.Warnings}
		}
		c.Tasks[i] = t
	}
	return &c
}

// events is GET /events. ?task=<name> leaves out the details of other tasks, ?task=- those of all but the first. The
// event "history" comes first unless the watcher was here before: its Last-Event-ID is of this process.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	h := s.hub
	me := &watcher{task: r.URL.Query().Get("task"), frame: make(chan []byte, 1)}
	h.mu.Lock()
	if len(h.watchers) >= s.cfg.Watchers {
		h.mu.Unlock()
		return fault(http.StatusTooManyRequests, "%d dashboards are watching already", s.cfg.Watchers)
	}
	h.watchers[me] = true
	h.wake()
	first := h.past(r.Header.Get("Last-Event-ID"))
	if h.last != nil {
		first = append(first, h.frame(h.last, me.task)...)
	}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.watchers, me)
		h.mu.Unlock()
	}()
	if pin, ok := r.Context().Value(pinned{}).(func()); ok {
		pin()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	put := func(b []byte) error {
		if err := out.SetWriteDeadline(time.Now().Add(h.stuck)); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		return out.Flush()
	}
	if err := put(append([]byte("retry: 1000\n\n"), first...)); err != nil {
		return nil // the watcher went away, or does not read
	}
	for {
		select {
		case <-r.Context().Done():
			return nil
		case f := <-me.frame:
			if put(f) != nil {
				return nil
			}
		}
	}
}

// past is the event with the history, for a watcher who has seen last; the lock is held.
func (h *hub) past(last string) []byte {
	if len(h.history) == 0 || bytes.HasPrefix([]byte(last), []byte(h.start+"-")) {
		return nil
	}
	b := []byte("event: history\ndata: [")
	for i, x := range h.history {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), x.at, 10)
		b = strconv.AppendUint(append(b, ','), x.rows, 10)
		b = appendNumber(append(b, ','), x.lag)
		b = append(strconv.AppendUint(append(b, ','), x.asked, 10), ']')
	}
	return append(b, "]\n\n"...)
}
