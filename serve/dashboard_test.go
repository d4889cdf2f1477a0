package serve

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest/chromiumtest"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

// moving makes a Status that goes on with the wall clock, n rows a second.
func moving(rows uint64, perSecond float64,
	make func(now time.Time, rows uint64) *engine.Status) func() *engine.Status {
	from := time.Now()
	return func() *engine.Status {
		now := time.Now()
		return make(now, rows+uint64(now.Sub(from).Seconds()*perSecond))
	}
}

// running serves a flow for as long as the test runs.
func running(t *testing.T, m Mill, cfg Config) (url string, stop func()) {
	t.Helper()
	cfg.Listen = "localhost:0"
	ctx, cancel := context.WithCancel(context.Background())
	url, wait, err := Listen(ctx, m, cfg)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	stop = func() {
		cancel()
		if err := wait(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return url, stop
}

// The page in every state, at two widths and in two colours: it shows the state, has no error on its console and fits.
func TestDashboardStates(t *testing.T) {
	b := chromiumtest.New(t)
	for _, c := range dashboardStates(t) {
		f := &fake{now: moving(141200, c.speed, c.now), predict: delayed}
		if c.name == "digits" {
			f.predict = seeing(mnist(t))
		}
		url, stop := running(t, f, Config{})
		p := b.Open(url, 1440, 1000, "light")
		p.Wait(fmt.Sprintf(`document.querySelector("#pill").innerText === %q`, c.word))
		if c.name == "digits" {
			p.Eval(`document.querySelector(".pictures li:nth-child(6) button").click()`)
			p.Wait(`document.querySelector(".said .label")?.innerText !== "?"`)
		}
		if c.name == "resumed" { // no prediction is at hand: the page says so truly, and leaves no hole
			p.Wait(`/since this start; [\d,.M\u00a0]+ were before it/.test(document.querySelector("#latest").innerText)`)
			if y := p.Eval(`document.querySelector(".latest").offsetTop - document.querySelector(".confusion").offsetTop`); y.(float64) <= 0 {
				t.Errorf("the empty card stands %v px below the confusion", y)
			}
		}
		if c.name == "flights" {
			p.Wait(`document.querySelector(".said .label")?.innerText !== undefined`)
			p.Eval(`document.querySelector("#rejects summary").click()`)
		}
		for _, size := range [][2]int{{1440, 1000}, {768, 1024}, {375, 812}} {
			for _, scheme := range []string{"light", "dark"} {
				p.Look(size[0], size[1], scheme)
				p.Eval(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`)
				p.Fits()
				if cut := p.Eval(`[...document.querySelectorAll("#chart svg > text")].filter((e) => { const a = e.getBoundingClientRect(), b = document.querySelector("#chart").getBoundingClientRect(); return a.left < b.left - 2 || a.right > b.right + 2; }).length`); cut != 0.0 {
					t.Errorf("%s at %d px: %v texts of the curve are cut off", c.name, size[0], cut)
				}
				if over := p.Eval(`Math.max(0, ...[...document.querySelectorAll("#latest .scroll")].map((e) => e.scrollWidth - e.clientWidth))`); over != 0.0 && (c.name == "flights" || c.name == "idle") {
					t.Errorf("%d px: %v px of the latest predictions are out of sight", size[0], over)
				}
				p.Shot(fmt.Sprintf("%s-%d-%s", c.name, size[0], scheme))
			}
		}
		p.Clean()
		p.Call("", "Target.closeTarget", map[string]any{"targetId": p.Target})
		stop()
	}
}

// A digit drawn with the mouse is predicted as it is drawn.
func TestDashboardDraws(t *testing.T) {
	now := func(now time.Time, rows uint64) *engine.Status { return statustest.Digits(mnist(t), now, rows) }
	f := &fake{now: moving(81204, 900, now), predict: seeing(mnist(t))}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1200, 900, "light")
	p.Wait(`Boolean(document.querySelector("canvas.pad"))`)
	p.Eval(`document.querySelector("canvas.pad").scrollIntoView()`)
	r := p.Eval(`(() => { const r = document.querySelector("canvas.pad").getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()`).([]any)
	x := func(u float64) float64 { return r[0].(float64) + u*r[2].(float64) }
	y := func(v float64) float64 { return r[1].(float64) + v*r[3].(float64) }
	p.Mouse("mousePressed", x(0.5), y(0.15))
	for i := range 20 {
		p.Mouse("mouseMoved", x(0.5), y(0.15+0.035*float64(i)))
	}
	p.Mouse("mouseReleased", x(0.5), y(0.85))
	p.Wait(`document.querySelector(".said .label")?.innerText === "1"`)
	if got := p.Text(".answer .probs .top > b"); !strings.Contains(got, "%") {
		t.Errorf("the bar of the answer: %q", got)
	}
	p.Shot("drawn")
	p.Eval(`[...document.querySelectorAll(".padbuttons button")].find((b) => b.innerText === "Clear").click()`)
	p.Wait(`document.querySelector(".answer").innerText.includes("Draw something")`)
	p.Clean()
}

// The form predicts as one types, and says what the server says.
func TestDashboardTypes(t *testing.T) {
	f := &fake{now: moving(141200, 1204, statustest.Flights), predict: delayed}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1200, 900, "light")
	p.Wait(`document.querySelector(".said .label")?.innerText === "false"`)
	set := func(name, value string) {
		p.Eval(fmt.Sprintf(`(() => { const f = [...document.querySelectorAll(".fields label")].find((l) => l.innerText.startsWith(%q)).querySelector("input, select"); f.value = %q; f.dispatchEvent(new Event("input", {bubbles: true})); })()`, name, value))
	}
	set("distance", "200")
	p.Wait(`document.querySelector(".said .label")?.innerText === "true"`)
	set("distance", "")
	p.Wait(`document.querySelector(".answer").innerText.includes("read as NULL: distance")`)
	p.Clean()
}

// What rows contain is text: nothing of it runs or becomes an element.
func TestDashboardEscapes(t *testing.T) {
	evil := `"><img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`
	f := &fake{now: moving(141200, 100, func(now time.Time, rows uint64) *engine.Status {
		st := statustest.Flights(now, rows)
		st.Flow, st.Source, st.Error = evil, evil, evil
		st.Events = append(st.Events, engine.EventStatus{At: now, Kind: evil, Text: evil})
		x := &st.Tasks[0]
		x.Name, x.Model, x.Version, x.Table = evil, evil, evil, evil
		x.Classes = []string{evil, "true"}
		x.Warnings = []string{evil}
		x.Columns[0].Name, x.Columns[0].Native, x.Columns[0].Sample = evil, evil, []string{evil}
		x.Weights[0].Name, x.Weights[0].Class = evil, evil
		for i := range x.Latest {
			x.Latest[i].ID, x.Latest[i].Label, x.Latest[i].Truth = evil, evil, evil
		}
		x.Scores[0].Name, x.Scores[0].Baselines[evil] = evil, statustest.Some(0.5)
		x.Curve[10].Event = evil
		return st
	}), predict: func(ts *engine.TaskStatus, r tidemill.Row) (engine.Prediction, error) {
		return engine.Prediction{Label: evil, Score: statustest.Some(1), Probabilities: map[string]float64{evil: 1},
			Missing: []string{evil}}, nil
	}}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1200, 900, "dark")
	p.Wait(`document.querySelector("#task").innerText.includes("onerror")`)
	p.Wait(`document.querySelector(".said .label")?.innerText.includes("onerror")`)
	p.Eval(`document.querySelectorAll("details").forEach((d) => { d.open = true; })`)
	time.Sleep(1500 * time.Millisecond)
	if n := p.Eval(`document.querySelectorAll("img, body script, iframe, object").length`); n != 0.0 {
		t.Errorf("%v elements came out of row data", n)
	}
	if title := p.Eval(`document.title`).(string); title == "pwned" {
		t.Error("row data ran")
	}
	p.Fits()
	p.Clean()
}

// A character that turns text round stays within its own text and is seen; long texts keep their columns.
func TestDashboardTurnedText(t *testing.T) {
	f := &fake{now: moving(141200, 100, func(now time.Time, rows uint64) *engine.Status {
		st := statustest.Flights(now, rows)
		st.Rejects[0].Reason = "row \u202Ezyx, column n"
		x := &st.Tasks[0]
		for i := range x.Latest {
			x.Latest[i].ID, x.Latest[i].Label, x.Latest[i].Truth = "مرحبا-1", "\u202Eevil", strings.Repeat("x", 400)
		}
		return st
	}), predict: delayed}
	url, _ := running(t, f, Config{})
	b := chromiumtest.New(t)
	p := b.Open(url, 1300, 900, "light")
	p.Wait(`document.querySelectorAll("#latest tbody tr").length > 5`)
	if got := p.Text("#rejects summary span"); got != "row \uFFFDzyx, column n" {
		t.Errorf("the reject reads %q", got)
	}
	if n := p.Eval(`[...document.body.querySelectorAll("*")].filter((e) => /[\u202a-\u202e]/.test(e.textContent + (e.title || ""))).length`); n != 0.0 {
		t.Errorf("%v elements have text that turns what follows", n)
	}
	if over := p.Eval(`(() => { const s = document.querySelector("#latest .scroll"); return s.scrollWidth - s.clientWidth; })()`).(float64); over > 0 {
		t.Errorf("long truths push the last column out by %v px", over)
	}
	p.Fits()
	p.Clean()
}

// The checkpoint card tells of the one that the flow resumed from, and the strip's thick tick is the newest, whatever
// their order.
func TestDashboardResumed(t *testing.T) {
	f := &fake{now: moving(141200, 0, func(now time.Time, rows uint64) *engine.Status {
		st := statustest.Flights(now, rows)
		at := now.Add(-42 * time.Second)
		st.Checkpoint = engine.CheckpointStatus{At: at, Bytes: 113000, Loaded: true,
			Recent: []time.Time{at.Add(-20 * time.Second), at}}
		st.LastEvent = now.Add(-time.Minute)
		return st
	}), predict: delayed}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1300, 900, "light")
	p.Wait(`document.querySelector("#checkpoint").innerText.startsWith("42")`)
	if got := p.Text("#checkpoint-sub"); got != "113\u00a0kB, resumed from it" {
		t.Errorf("it says %q", got)
	}
	if p.Eval(`+document.querySelector("#strip .newest").getAttribute("x1") > +document.querySelector("#strip .tickmark:not(.newest)").getAttribute("x1")`) != true {
		t.Error("the newest checkpoint is left of an older one")
	}
	if got := p.Text("#lag"); got != "none" { // all that there is has been applied
		t.Errorf("an idle flow lags %q", got)
	}
	p.Clean()
}

// The headline compares what is since the start with baselines that are since the start; the curve ends at this
// moment's score.
func TestDashboardComparesLikeWithLike(t *testing.T) {
	f := &fake{now: moving(141200, 0, func(now time.Time, rows uint64) *engine.Status {
		st := statustest.Flights(now, rows)
		x := &st.Tasks[0]
		last := x.Curve[len(x.Curve)-1].N
		x.Scores = []engine.ScoreStatus{{Name: "accuracy", Phase: "stream", N: last + 77,
			Value: statustest.Some(0.78), Rolling: statustest.Some(0.736),
			Baselines: map[string]*float64{"majority": statustest.Some(0.763), "no_change": nil}}}
		x.Warnings = nil
		return st
	}), predict: delayed}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1300, 900, "light")
	p.Wait(`document.querySelector("#score").innerText.startsWith("73.6")`)
	if got := strings.ReplaceAll(p.Text("#score-sub"), "\u202f",
		" "); got != "over the last 1,000 answers · since the start 78.0 %, better than majority (76.3 %)" {
		t.Errorf("the verdict is %q", got)
	}
	if got := p.Text(`[data-line="rolling"] b`); !strings.HasPrefix(got, "73.6") {
		t.Errorf("the curve ends at %q", got)
	}
	if n := p.Eval(`document.querySelectorAll(".scores .worse").length`); n != 0.0 {
		t.Error("the table calls it worse than a baseline")
	}
	p.Clean()
}

// Without the token the page shows no data; with it, it does, and forgets it with the tab.
func TestDashboardLogin(t *testing.T) {
	f := &fake{now: moving(141200, 100, statustest.Flights), predict: delayed}
	url, _ := running(t, f, Config{Token: "spring-tide"})
	p := chromiumtest.New(t).Open(url, 900, 700, "light")
	enter := func(token string) {
		p.Eval(fmt.Sprintf(`document.querySelector("#token").value = %q; document.querySelector("#login").requestSubmit()`, token))
	}
	p.Wait(`!document.querySelector("#login").hidden`)
	if strings.Contains(p.Eval(`document.documentElement.outerHTML`).(string), "late-flights") {
		t.Error("the page shows the flow's name without the token")
	}
	p.Shot("login")
	enter("neap-tide")
	p.Wait(`document.querySelector("#refused").innerText.includes("refused")`)
	enter("spring-tide")
	p.Wait(`document.querySelector("#flow").innerText === "late-flights"`)
	p.Wait(`document.querySelector(".said .label")?.innerText === "false"`)
	if where := p.Eval(`location.href + JSON.stringify(localStorage) + document.cookie`).(string); strings.Contains(
		where, "spring-tide") {
		t.Errorf("the token is in %s", where)
	}
	p.Call(p.Session, "Page.reload", nil)
	p.Wait(`document.querySelector("#flow")?.innerText === "late-flights"`)
	p.Clean("401")
}

// When the server goes the page keeps its figures and says so; when it is back it goes on.
func TestDashboardReconnects(t *testing.T) {
	f := &fake{now: moving(141200, 100, statustest.Flights), predict: delayed}
	ctx, cancel := context.WithCancel(context.Background())
	url, wait, err := Listen(ctx, f, Config{Listen: "localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	p := chromiumtest.New(t).Open(url, 1200, 900, "light")
	p.Wait(`document.querySelector("#live").innerText === "live"`)
	cancel()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	p.Wait(`document.querySelector("#banner").innerText.includes("No connection to the server")`)
	if got := p.Text("#flow"); got != "late-flights" {
		t.Errorf("the figures are gone: %q", got)
	}
	p.Shot("lost")
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	if _, _, err := Listen(ctx, f, Config{Listen: strings.TrimPrefix(url, "http://")}); err != nil {
		t.Fatal(err)
	}
	p.Wait(`document.querySelector("#live").innerText === "live" && document.querySelector("#banner").hidden`)
	p.Clean("ERR_CONNECTION", "ERR_INCOMPLETE", "net::")
}

// A task that learns without answers shows clusters, distances and centres, and waits for no truth.
func TestDashboardClusters(t *testing.T) {
	f := &fake{now: moving(141200, 100, func(now time.Time, rows uint64) *engine.Status {
		st := statustest.Flights(now, rows)
		st.Source = `sqlite path="iris.db" tables=[iris iris_new] log=tidemill_log_iris before=full`
		x := &st.Tasks[0]
		x.Kind, x.Classes, x.Scores, x.Curve, x.Confusion, x.Weights, x.Warnings = "cluster", nil, nil, nil, nil, nil,
			nil
		x.Columns = x.Columns[3:5]
		x.Centres = [][]float64{{5.918, 2.903}, {5.23, 3.605}}
		v := 0.61803
		x.Scores = []engine.ScoreStatus{{Name: "silhouette", Phase: "stream", N: 1200, Value: &v, Rolling: &v,
			Baselines: map[string]*float64{}}}
		x.Curve = []engine.CurvePoint{{N: 600, Phase: "stream", Value: &v, Rolling: &v},
			{N: 1200, Phase: "stream", Value: &v, Rolling: &v}}
		for i := range x.Latest {
			x.Latest[i].Label, x.Latest[i].Truth = "1", ""
		}
		return st
	}), predict: delayed}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1300, 900, "light")
	p.Wait(`document.querySelectorAll(".centres tbody tr").length === 2`)
	if got := p.Text("#latest") + p.Text("#questions"); strings.Contains(p.Text("#latest"), "open") ||
		strings.Contains(got, "% answered") || !strings.Contains(got, "distance") {
		t.Errorf("it waits for answers: %.300s", got)
	}
	if got := p.Text("#score") + " " + p.Text("#score-sub"); got != "0.618 over the last 1,000 rows" {
		t.Errorf("the score reads %q", got)
	}
	p.Eval(`document.querySelector("#chart").dispatchEvent(new KeyboardEvent("keydown", {key: "End"}))`)
	p.Wait(`document.querySelector("#chart").parentElement.innerText.includes("1,200 rows")`)
	if got := p.Text("#legend"); strings.Contains(got, "no change") || !strings.Contains(got, "since the start") {
		t.Errorf("the legend reads %q", got)
	}
	if got := p.Text("#scores"); !strings.Contains(got, "silhouette") || !strings.Contains(got, "rows") ||
		strings.Contains(got, "answers") {
		t.Errorf("the scores read %q", got)
	}
	if got := p.Text("#source"); got != "sqlite iris.db · iris, iris_new" {
		t.Errorf("the source reads %q", got)
	}
	p.Fits()
	p.Clean()
}

// The page never says that a flow is caught up beside a lag of seconds: not while it is behind, and not right after.
func TestDashboardLag(t *testing.T) {
	caught, quiet, lag := false, 100*time.Millisecond, 12.0
	f := &fake{now: func() *engine.Status {
		st := statustest.Flights(time.Now(), 141200)
		st.CaughtUp, st.LagSeconds, st.LastEvent = caught, lag, st.Now.Add(-quiet)
		return st
	}, predict: delayed}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1200, 900, "light")
	says := func(pill, lag, clock string) {
		t.Helper()
		p.Wait(fmt.Sprintf(`["#pill %s", "#lag %s", "#clock %s"].every((x) => (x.split(" ")[0] + " " + document.querySelector(x.split(" ")[0]).innerText.replace(/\s/g, " ")).startsWith(x))`, pill, lag, clock))
	}
	be := func(c bool, q time.Duration, l float64) {
		f.mu.Lock()
		caught, quiet, lag = c, q, l
		f.mu.Unlock()
	}
	says("Catching up", "12 s", "catching up")
	be(true, 1500*time.Millisecond, 12)
	says("Streaming", "none", "last change 1")
	if got := strings.Join(strings.Fields(p.Text("#clock")), " "); !strings.HasSuffix(got, "applied in 12 s") {
		t.Errorf("beside no lag it says %q", got)
	}
	be(true, 100*time.Millisecond, 0.012)
	says("Streaming", "12 ms", "caught up")
	be(true, 10*time.Second, 0)
	p.Wait(`/^last change 1\d\s*s ago$/.test(document.querySelector("#clock").innerText)`)
	p.Clean()
}

// Choosing another task shows it, and the others come without details.
func TestDashboardTasks(t *testing.T) {
	f := &fake{now: moving(141200, 100, statustest.Fleet), predict: delayed}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1300, 900, "light")
	p.Wait(`document.querySelectorAll("#list li").length === 50`)
	p.Eval(`location.hash = "#task=price-03"`)
	p.Wait(`document.querySelector("#task").innerText === "price-03" && document.querySelector("#kind").innerText === "regress"`)
	p.Wait(`Boolean(document.querySelector(".scatter circle"))`)
	p.Wait(`document.querySelector("[aria-current]").innerText.startsWith("price-03")`)
	p.Eval(`document.querySelector("#filter").value = "fraud"; document.querySelector("#filter").dispatchEvent(new Event("input"))`)
	p.Wait(`document.querySelectorAll("#list li").length === 10`)
	p.Clean()
}
