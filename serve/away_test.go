package serve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/serve"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// While the database is away the last model goes on answering, and the server stays ready; once it is back the flow
// goes on.
func TestDatabaseAway(t *testing.T) {
	db := postgrestest.Start(t, postgrestest.Own())
	at := db.URL("postgres")
	db.Exec(t, at, `CREATE TABLE flights(id int PRIMARY KEY, distance int, late boolean);
		INSERT INTO flights SELECT i, i % 97, i % 97 > 50 FROM generate_series(1, 2000) i`)
	mill := awayFlow(t, at)
	ctx, cancel := context.WithCancel(context.Background())
	url, wait, err := serve.Listen(ctx, mill, serve.Config{Listen: "localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); wait() }()
	get := func(path, body string) (int, string) { t.Helper(); return askOf(t, url+path, body) }
	version := func() string { t.Helper(); return versionOf(t, url) }
	until := func(what string, ok func(*engine.Status) bool) { t.Helper(); untilStatus(t, mill, what, ok) }
	learned := func(n uint64) func(*engine.Status) bool {
		return func(st *engine.Status) bool { return st.Snapshot.Done && st.Tasks[0].Counts.Learned == n }
	}
	until("the snapshot", learned(2000))
	if v := version(); v != "1.2000" {
		t.Fatalf("version %s", v)
	}
	// what health says may be a second old
	until("it is not ready", func(*engine.Status) bool { code, _ := get("/readyz", ""); return code == 200 })
	until("what the slot holds is not told",
		func(st *engine.Status) bool { return st.Retained != nil && *st.Retained < 1<<30 })
	if _, text := get("/metrics", ""); !strings.Contains(text, `tidemill_source_retained_bytes{flow="away"} `) {
		t.Error("/metrics does not say what the slot holds")
	}
	db.Stop(t)
	until("nobody has noticed that the database is away",
		func(st *engine.Status) bool { return st.State == "reconnecting" && !st.Connected })
	for range 50 {
		if v := version(); v != "1.2000" {
			t.Fatalf("version %s", v)
		}
	}
	for _, path := range []string{"/readyz", "/healthz", "/v2/health/ready", "/v2/models/late/ready",
		"/v1/models/late"} {
		if code, text := get(path, ""); code != 200 {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	time.Sleep(1100 * time.Millisecond) // nor is it taken back once health has seen that the database is away
	if code, text := get("/readyz", ""); code != 200 {
		t.Errorf("ready: %d %s", code, text)
	}
	if code, text := get("/metrics", ""); code != 200 ||
		!strings.Contains(text, `tidemill_source_connected{flow="away"} 0`) {
		t.Errorf("metrics: %d", code)
	}
	if code, text := get("/v2/models/late/infer",
		`{"inputs":[{"name":"distance","shape":[1],"datatype":"INT64","data":[70]}]}`); code != 200 {
		t.Errorf("v2: %d %s", code, text)
	}
	db.Start(t)
	db.Exec(t, at, "INSERT INTO flights SELECT i, i % 97, i % 97 > 50 FROM generate_series(2001, 2500) i")
	until("the flow goes on", learned(2500))
	if v := version(); v != "1.2500" {
		t.Errorf("version %s", v)
	}
	if err := mill.Stop(); err != nil {
		t.Error(err)
	}
	if v := version(); v != "1.2500" { // also of a flow that has ended
		t.Error(fmt.Sprint("after the end: ", v))
	}
}

// awayFlow is a flow that learns flights from the database at that address.
func awayFlow(t *testing.T, at string) *engine.Mill {
	t.Helper()
	mill, err := engine.Start(t.Context(),
		tidemill.Flow{Name: "away", Source: postgres.Source(at, "flights"), Store: store.Dir(t.TempDir()),
			Every: 200 * time.Millisecond,
			Tasks: []tidemill.Task{{Name: "late",
				Learn:    tidemill.On{Op: tidemill.Insert, Table: "flights", Label: "late"},
				Features: []tidemill.Feature{feature.Numeric("distance")}, Model: model.Logistic(model.SGD(0.01)),
				Scores: []tidemill.Score{score.Accuracy()}}}})
	if err != nil {
		t.Fatal(err)
	}
	return mill
}

// askOf is the answer of a URL: of GET, or of POST where there is a body.
func askOf(t *testing.T, url, body string) (int, string) {
	t.Helper()
	method := "GET"
	if body != "" {
		method = "POST"
	}
	q, _ := http.NewRequest(method, url, strings.NewReader(body))
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, _ := io.ReadAll(a.Body)
	return a.StatusCode, string(b)
}

// versionOf asks for a prediction, and gives the version of the model that made it.
func versionOf(t *testing.T, url string) string {
	t.Helper()
	code, text := askOf(t, url+"/predict/late", `{"distance":70}`)
	var p struct {
		Prediction string
		Version    string `json:"model_version"`
	}
	if err := json.Unmarshal([]byte(text), &p); code != 200 || err != nil || p.Prediction == "" {
		t.Fatalf("%d %s", code, text)
	}
	return p.Version
}

// untilStatus waits until a flow's status is as it should be; what says what else is wrong.
func untilStatus(t *testing.T, mill *engine.Mill, what string, ok func(*engine.Status) bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !ok(mill.Status()); time.Sleep(10 * time.Millisecond) {
		if st := mill.Status(); time.Now().After(end) || st.State == "failed" {
			t.Fatalf("%s: %s, %s, %+v", what, st.State, st.Error, st.Events)
		}
	}
}
