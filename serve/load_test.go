package serve_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/serve"
)

// departures is a source of flights that are inserted, and updated with their delay 1,000 flights later. It is at
// rest after most of them; 0 is without end.
type departures struct {
	table *tidemill.Table
	most  uint64
}

func newDepartures(most uint64) *departures {
	return &departures{most: most, table: tidemill.NewTable("", "flights", []tidemill.Column{
		{Name: "id", Kind: tidemill.KindInt}, {Name: "carrier", Kind: tidemill.KindText},
		{Name: "origin", Kind: tidemill.KindText}, {Name: "dest", Kind: tidemill.KindText},
		{Name: "distance", Kind: tidemill.KindInt}, {Name: "month", Kind: tidemill.KindInt},
		{Name: "hour", Kind: tidemill.KindInt}, {Name: "arr_delay", Kind: tidemill.KindInt, Nullable: true},
	}, []int{0})}
}

func (d *departures) row(i uint64, landed bool) []tidemill.Value {
	h := tidemill.Hash(fmt.Sprint(i))
	delay := tidemill.Null()
	if landed {
		delay = tidemill.Int(int64(h>>32%60) - 25 + int64(h%12))
	}
	return []tidemill.Value{tidemill.Int(int64(i)),
		tidemill.Text([]string{"UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "FL", "AS"}[h%12]),
		tidemill.Text([]string{"EWR", "JFK", "LGA"}[h>>8%3]), tidemill.Text(fmt.Sprintf("D%02d", h>>12%90)),
		tidemill.Int(int64(100 + h>>20%2500)), tidemill.Int(int64(1 + h>>40%12)), tidemill.Int(int64(h >> 48 % 24)),
		delay}
}

func (d *departures) Describe() string { return "departures" }

func (d *departures) Release(context.Context, tidemill.Position) error { return nil }

func (d *departures) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		if after == "" && !yield(tidemill.Batch{Upto: "d:0", Live: true}, nil) {
			return
		}
		began := time.Unix(1700000000, 0)
		for n := uint64(0); ctx.Err() == nil; {
			b := tidemill.Batch{Live: true}
			for range 500 {
				n++
				tx := &tidemill.Tx{Order: n, Commit: began.Add(time.Duration(n) * time.Second)}
				b.Changes = append(b.Changes,
					tidemill.Change{Op: tidemill.Insert, Table: d.table, After: d.row(n, false), Tx: tx})
				if n > 1000 {
					b.Changes = append(b.Changes,
						tidemill.Change{Op: tidemill.Update, Table: d.table, After: d.row(n-1000, true), Tx: tx, N: 1})
				}
			}
			b.Upto = tidemill.Position(fmt.Sprintf("d:%d", n))
			if !yield(b, nil) {
				return
			}
			if n == d.most {
				<-ctx.Done()
			}
		}
	}
}

// learner starts a flow that learns most departures as fast as it can, and has learned 2,000; 0 is departures without
// end.
func learner(t testing.TB, most uint64) *engine.Mill {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	mill, err := engine.Start(ctx, tidemill.Flow{Name: "late-flights", Source: newDepartures(most),
		Tasks: []tidemill.Task{{
			Name: "late", Predict: tidemill.On{Op: tidemill.Insert, Table: "flights"},
			Learn: tidemill.On{Op: tidemill.Update, Table: "flights", Label: "arr_delay > 15"},
			Features: []tidemill.Feature{feature.Numeric("distance", "month", "hour"),
				feature.OneHot("carrier", "origin", "dest")},
			Model: model.Logistic(model.SGD(0.01)), Scores: []tidemill.Score{score.AUC(), score.Accuracy()},
		}}})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); mill.Wait() })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if st := mill.Status(); len(st.Tasks) > 0 && st.Tasks[0].Counts.Learned > 2000 {
			return mill
		}
		if time.Now().After(end) {
			t.Fatalf("the flow does not learn: %+v", mill.Status())
		}
	}
}

const flightRow = `{"carrier":"UA","origin":"EWR","dest":"D17","distance":1400,"month":3,"hour":17}`

// A real flow answers over REST while it learns.
func TestRealFlow(t *testing.T) {
	mill := learner(t, 0)
	ctx, cancel := context.WithCancel(context.Background())
	url, wait, err := serve.Listen(ctx, mill, serve.Config{Listen: "localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, body string, want int) string {
		t.Helper()
		r, err := http.Post(url+path, "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		if r.StatusCode != want {
			t.Fatalf("%s %s: %d %s", path, body, r.StatusCode, b)
		}
		return string(b)
	}
	for _, c := range []struct {
		path, body string
		code       int
		parts      []string
	}{
		{"/predict/late", flightRow, 200,
			[]string{`{"prediction":"`, `"probabilities":{"`, `"missing":[]`, `"model_version":"1.`,
				`"trained_through":"d:`}},
		{"/predict/late", "[" + flightRow + `,{"distance":200}]`, 200,
			[]string{`},{`, `"missing":["month","hour","carrier","origin","dest"]`}},
		{"/predict/late", `{"carier":"UA"}`, 400, []string{`carier`, `did you mean \"carrier\"`}},
		{"/predict/late", `[{"carrier":"UA"},{"distance":"far"}]`, 400, []string{`row 1: `, `distance`}},
		{"/predict/lat", `{}`, 404, []string{`did you mean \"late\"`}},
		{"/v2/models/late/infer", `{"inputs":[{"name":"distance","shape":[2],"datatype":"INT64","data":[100,2000]},{"name":"carrier","shape":[2],"datatype":"BYTES","data":["UA","B6"]}]}`, 200, []string{`"shape":[2,2]`}},
		{"/v1/models/late:predict", `{"instances":[` + flightRow + `]}`, 200,
			[]string{`{"predictions":[{"prediction":"`}},
	} {
		got := ask(c.path, c.body, c.code)
		for _, p := range c.parts {
			if !bytes.Contains([]byte(got), []byte(p)) {
				t.Errorf("%s %s: %s has no %s", c.path, c.body, got, p)
			}
		}
	}
	cancel()
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// Predictions over REST while the flow learns at full speed in the same process.
func BenchmarkPredictWhileLearning(b *testing.B) {
	mill := learner(b, 0)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	url, _, err := serve.Listen(ctx, mill, serve.Config{Listen: "localhost:0"})
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var mu sync.Mutex
	var took []time.Duration
	learned := mill.Status().Tasks[0].Counts.Learned
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			from := time.Now()
			r, err := client.Post(url+"/predict/late", "application/json", bytes.NewReader([]byte(flightRow)))
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
			mine = append(mine, time.Since(from))
		}
		mu.Lock()
		took = append(took, mine...)
		mu.Unlock()
	})
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "predictions/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(mill.Status().Tasks[0].Counts.Learned-learned)/b.Elapsed().Seconds(), "learned/s")
}

// nowhere is a response writer that keeps nothing.
type nowhere struct{ h http.Header }

func (n nowhere) Header() http.Header         { return n.h }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// One prediction without the network while the flow learns: what this package and the engine cost.
func BenchmarkHandler(b *testing.B) { benchmarkHandler(b, learner(b, 0), flightRow) }

// Predictions without the network from a flow at rest: a single one, and requests of 100 rows.
func BenchmarkHandlerAtRest(b *testing.B) {
	mill := learner(b, 5000)
	b.Run("one", func(b *testing.B) { benchmarkHandler(b, mill, flightRow) })
	b.Run("hundred", func(b *testing.B) {
		benchmarkHandler(b, mill, "["+strings.Repeat(flightRow+",", 99)+flightRow+"]")
		b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}

func benchmarkHandler(b *testing.B, mill *engine.Mill, text string) {
	h := serve.Handler(mill, serve.Config{})
	r, err := http.NewRequest("POST", "/predict/late", nil)
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.NewReader(nil)
	r.Body = io.NopCloser(body)
	w := nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		body.Reset([]byte(text))
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}
