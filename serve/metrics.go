package serve

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidemill/tidemill/engine"
)

// tally counts what this package does, and serves it beside what the flow's Status says. Counters of a Status that
// begin with the fresh start survive a restart; the others begin with the process.
type tally struct {
	requests *prometheus.CounterVec
	seconds  map[string]prometheus.Observer
	flight   prometheus.Gauge
	rows     *prometheus.CounterVec
	handler  http.Handler
	seen     func() *engine.Status
}

// routes are the values of the label route.
var routes = [...]string{"predict", "infer", "tf_predict", "v1", "v2", "health", "status", "events", "metrics",
	"page", "other"}

func newTally(s *server) *tally {
	t := &tally{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemill_http_requests_total",
			Help: "Requests answered, by route and status code."}, []string{"route", "code"}),
		flight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemill_http_in_flight_requests",
			Help: "Requests that are being answered."}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemill_served_predictions_total",
			Help: "Rows predicted over HTTP, by task."}, []string{"flow", "task"}),
		seconds: map[string]prometheus.Observer{},
		seen:    func() *engine.Status { return s.seen().Status },
	}
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "tidemill_http_request_duration_seconds",
		Help:    "Time from a request's header to the end of its answer, by route.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
	}, []string{"route"})
	for _, r := range routes {
		if r != "events" { // lasts as long as somebody watches
			t.seconds[r] = h.WithLabelValues(r)
		}
	}
	for _, r := range []string{"predict", "infer", "tf_predict"} {
		for _, code := range []string{"200", "400", "429", "500"} {
			t.requests.WithLabelValues(r, code)
		}
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(t.requests, h, t.flight, t.rows, &flowMetrics{s}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemill_watchers", Help: "Dashboards that watch."},
			func() float64 {
				s.hub.mu.Lock()
				defer s.hub.mu.Unlock()
				return float64(len(s.hub.watchers))
			}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemill_build_info",
			Help:        "Always 1; the program's version.",
			ConstLabels: prometheus.Labels{"version": version(), "goversion": runtime.Version()}},
			func() float64 { return 1 }))
	t.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
	return t
}

// begin notes a request; the function that it returns notes its end.
func (t *tally) begin(route string) func(code int) {
	from := time.Now()
	t.flight.Inc()
	return func(code int) {
		t.flight.Dec()
		if code == 0 {
			code = http.StatusOK
		}
		t.requests.WithLabelValues(route, strconv.Itoa(code)).Inc()
		if o := t.seconds[route]; o != nil {
			o.Observe(time.Since(from).Seconds())
		}
	}
}

func (t *tally) predicted(task string, rows int) {
	t.rows.WithLabelValues(t.seen().Flow, task).Add(float64(rows))
}

// serve is GET /metrics. A task that nobody has asked stands there with zero.
func (t *tally) serve(w http.ResponseWriter, r *http.Request) error {
	st := t.seen()
	for i := range st.Tasks {
		t.rows.WithLabelValues(st.Flow, st.Tasks[i].Name)
	}
	t.handler.ServeHTTP(w, r)
	return nil
}
