// Package statustest has Status values of flows that do not run, for tests of what shows them: pages, reports, metrics.
package statustest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/tidemill/tidemill/engine"
)

// Some is a figure that is there.
func Some(f float64) *float64 { return &f }

// Began is when the fakes began: a fixed moment for what is compared with golden text.
func Began() time.Time { return time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC) }

// flow is a Status that is streaming and well.
func flow(name string, now time.Time, rows uint64) *engine.Status {
	st := &engine.Status{
		Flow: name, State: "streaming", Source: "postgres localhost:5432/shop, tables flights",
		Sinks:   []string{"postgres localhost:5432/shop, table predictions"},
		Started: now.Add(-42 * time.Minute), Now: now, Term: 3, Position: "7412906733:1:0/2C5E1A80",
		Clock:     now.Add(-140 * time.Millisecond),
		LastEvent: now.Add(-120 * time.Millisecond), Connected: true, CaughtUp: true, LagSeconds: 0.014,
		Retained: new(uint64(48 << 20)),
		Changes:  map[string]uint64{"read": 60000, "insert": rows * 6 / 10, "update": rows * 4 / 10, "delete": rows / 500},
		Snapshot: engine.PhaseStatus{Rows: 60000, Seconds: 9.4, Done: true}, Stream: engine.PhaseStatus{Rows: rows,
			Seconds: 2510},
		OutputStatus: engine.OutputStatus{Outputs: rows * 6 / 10, Written: rows*6/10 - 12},
		Checkpoint: engine.CheckpointStatus{At: now.Add(-6400 * time.Millisecond), Position: "7412906733:1:0/2C5C0048",
			Bytes: 1843200,
			Pause: 3100 * time.Microsecond, Took: 21 * time.Millisecond},
		Events: []engine.EventStatus{
			{At: now.Add(-11 * time.Minute), Kind: "reconnect", Text: "connected again after 4 s"},
			{At: now.Add(-42 * time.Minute), Kind: "start", Text: "resumed from checkpoint 3-118"},
		},
	}
	for i := range 40 {
		st.Checkpoint.Recent = append(st.Checkpoint.Recent,
			now.Add(-6400*time.Millisecond-time.Duration(i)*10*time.Second-time.Duration(i*i%7)*130*time.Millisecond))
	}
	return st
}

// curve is a learning curve that rises from low to high.
func curve(points int, rows uint64, low, high, base, same float64, up bool, seed uint64) []engine.CurvePoint {
	r := rand.New(rand.NewPCG(seed, 7))
	var c []engine.CurvePoint
	sum := 0.0
	for i := range points {
		n := rows * uint64(i+1) / uint64(points)
		at := 1 - math.Exp(-4*float64(i+1)/float64(points))
		v := low + (high-low)*at
		roll := v + (r.Float64()-0.5)*0.05*math.Abs(high-low)*4*math.Exp(-2*float64(i)/float64(points))
		sum += v
		p := engine.CurvePoint{N: n, Phase: "stream", Value: Some(sum / float64(i+1)), Rolling: Some(roll),
			Baseline: Some(base + (r.Float64()-0.5)*0.006), NoChange: Some(same + (r.Float64()-0.5)*0.008)}
		if up && i > points/2 {
			p.Frozen = Some(low + (high-low)*0.82 - 0.03*float64(i-points/2)/float64(points))
		}
		if i == points*2/3 {
			p.Event = "drift"
		}
		c = append(c, p)
	}
	return c
}

// Digits is MNIST's flow after rows answers.
func Digits(m *Pictures, now time.Time, rows uint64) *engine.Status {
	st := flow("mnist", now, rows)
	st.Source, st.Sinks = "sqlite digits.db, table digits", []string{"sqlite digits.db, table predictions"}
	st.Position = "sqlite:3fa1:81204"
	task := engine.TaskStatus{
		Name: "digit", Kind: "classify", Model: "mlp hidden=[128] optimizer=adam rate=0.001", Version: fmt.Sprintf("3.%d",
			60000+rows*4/10), Table: "digits",
		Columns: []engine.ColumnStatus{{Name: "pixels", Kind: "bytes",
			Native: "BLOB"}}, Picture: &engine.PictureStatus{Column: "pixels", Width: 28, Height: 28},
		Counts: engine.Counts{Asked: rows * 6 / 10, Open: rows / 50, Answered: rows*6/10 - rows/50 - 9, Corrected: 31,
			Unasked: 2, Expired: 9, Late: 4, Learned: 60000 + rows*4/10},
		Coverage: 0.966, LabelDelay: Some(2.4),
	}
	for c := range 10 {
		task.Classes = append(task.Classes, fmt.Sprint(c))
	}
	task.Curve = append(append([]engine.CurvePoint{}, snapshotCurve()...),
		curve(220, rows*6/10, 0.81, 0.973, 0.112, 0.1, true, 3)...)
	last := task.Curve[len(task.Curve)-1]
	task.Scores = []engine.ScoreStatus{
		{Name: "accuracy", Phase: "snapshot", N: 60000, Value: Some(0.9512), Rolling: Some(0.961),
			Baselines: map[string]*float64{"majority": Some(0.112), "no_change": Some(0.1)}},
		{Name: "accuracy", Phase: "stream", N: task.Counts.Answered, Value: last.Value, Rolling: last.Rolling,
			Fading: last.Rolling, Baselines: map[string]*float64{"majority": last.Baseline, "no_change": last.NoChange,
				"frozen": last.Frozen}},
		{Name: "logloss", Phase: "stream", N: task.Counts.Answered, Value: Some(0.142), Rolling: Some(0.109),
			Baselines: map[string]*float64{"majority": Some(2.301), "no_change": Some(31)}},
	}
	r := rand.New(rand.NewPCG(5, rows/40))
	task.Confusion = make([][]uint64, 10)
	for i := range task.Confusion {
		task.Confusion[i] = make([]uint64, 10)
		for j := range task.Confusion[i] {
			if i == j {
				task.Confusion[i][j] = rows / 18
			} else if (i*7+j*3)%4 == 0 {
				task.Confusion[i][j] = uint64(r.IntN(int(rows/700) + 2))
			}
		}
	}
	task.Confusion[4][9] += rows / 400
	task.Confusion[7][2] += rows / 600
	for i := range 24 {
		k := int(rows/7+uint64(i)) % len(m.Images)
		p := m.Predict(m.Images[k])
		l := engine.LatestStatus{ID: fmt.Sprint(9000 - i), Label: p.Label, Score: p.Score, Version: task.Version,
			Asked: now.Add(-time.Duration(i) * 900 * time.Millisecond), Picture: m.Images[k]}
		if i > 2 {
			l.Truth = fmt.Sprint(m.Labels[k])
		}
		task.Latest = append(task.Latest, l)
	}
	st.Tasks = []engine.TaskStatus{task}
	return st
}

func snapshotCurve() []engine.CurvePoint {
	c := curve(60, 60000, 0.35, 0.951, 0.112, 0.1, false, 1)
	for i := range c {
		c[i].Phase, c[i].Event = "snapshot", ""
	}
	return c
}

// Flights is the late-flights flow after rows changes.
func Flights(now time.Time, rows uint64) *engine.Status {
	st := flow("late-flights", now, rows)
	task := flightTask("late", now, rows, 11)
	st.Tasks = []engine.TaskStatus{task}
	st.Rejected = 3
	st.Rejects = []engine.RejectStatus{
		{At: now.Add(-80 * time.Second), Task: "late", Position: "7412906733:1:0/2C5E0010", ID: "335912", Table: "flights",
			Reason: "flights row 335912, column distance: infinite input", Row: map[string]string{"id": "335912",
				"carrier": "UA", "distance": "Infinity", "origin": "EWR", "dest": "HNL"}},
		{At: now.Add(-9 * time.Minute), Task: "late", Position: "7412906733:1:0/2B110F20", ID: "298440", Table: "flights",
			Reason: "flights row 298440, column scheduled_at: more than a day beyond its commit time",
			Row:    map[string]string{"id": "298440", "scheduled_at": "2099-01-01T00:00:00Z"}},
		{At: now.Add(-31 * time.Minute), Position: "7412906733:1:0/29007788", Table: "flights",
			Reason: "flights row: 64 bytes where a number belongs",
			Row: map[string]string{"note": "<img src=x onerror=\"document.title='pwned'\">",
				"<b>name</b>": "</script><script>document.title='pwned'</script>"}},
	}
	return st
}

func flightTask(name string, now time.Time, rows, seed uint64) engine.TaskStatus {
	task := engine.TaskStatus{
		Name: name, Kind: "classify", Model: "logistic optimizer=sgd rate=0.01", Version: fmt.Sprintf("1.%d",
			rows*4/10), Table: "flights",
		Columns: []engine.ColumnStatus{
			{Name: "carrier", Kind: "text", Native: "text", Sample: []string{"UA", "B6", "EV", "DL", "AA"}}, {Name: "origin",
				Kind: "text", Native: "text", Sample: []string{"EWR", "JFK", "LGA"}},
			{Name: "dest", Kind: "text", Native: "text", Sample: []string{"HNL", "ORD", "ATL", "LAX"}}, {Name: "distance",
				Kind: "int", Native: "integer", Sample: []string{"1400", "719"}},
			{Name: "month", Kind: "int", Native: "integer", Sample: []string{"3"}}, {Name: "scheduled_at", Kind: "time",
				Native: "timestamptz", Sample: []string{"2013-03-14T17:30:00Z"}},
			{Name: "charter", Kind: "bool", Native: "boolean", Sample: []string{"false"}},
		},
		Classes: []string{"false", "true"},
		Counts: engine.Counts{Asked: rows * 6 / 10, Open: 1184, Answered: rows * 4 / 10, Corrected: 12, Unasked: 480,
			Replaced: 3, Dropped: 7, Expired: 211, Late: 19, Rejected: 3, Learned: rows * 4 / 10},
		Coverage: 0.871, LabelDelay: Some(5*3600 + 900),
		Curve:     curve(260, rows*4/10, 0.51, 0.742, 0.5, 0.548, true, seed),
		Confusion: [][]uint64{{rows * 27 / 100, rows * 4 / 100}, {rows * 5 / 100, rows * 4 / 100}},
	}
	last := task.Curve[len(task.Curve)-1]
	task.Scores = []engine.ScoreStatus{
		{Name: "auc", Phase: "stream", N: task.Counts.Answered, Value: last.Value, Rolling: last.Rolling,
			Baselines: map[string]*float64{"majority": last.Baseline, "no_change": last.NoChange, "frozen": last.Frozen}},
		{Name: "accuracy", Phase: "stream", N: task.Counts.Answered, Value: Some(0.781), Rolling: Some(0.794),
			Baselines: map[string]*float64{"majority": Some(0.762), "no_change": Some(0.68)}},
		{Name: "logloss", Phase: "stream", N: task.Counts.Answered, Value: Some(0.4712), Rolling: nil,
			Baselines: map[string]*float64{"majority": Some(0.549), "no_change": nil}},
	}
	r := rand.New(rand.NewPCG(seed, rows/100))
	for i := range 20 {
		f := r.Float64()
		l := engine.LatestStatus{ID: fmt.Sprint(336776 - i), Label: fmt.Sprint(f > 0.5), Score: Some(math.Max(f, 1-f)),
			Version: task.Version, Asked: now.Add(-time.Duration(i*i) * 400 * time.Millisecond)}
		if i%3 == 2 {
			l.Truth = fmt.Sprint(r.Float64() > 0.6)
		}
		task.Latest = append(task.Latest, l)
	}
	for i, n := range []string{"dep_delay", "carrier=EV", "mean(arr_delay) by carrier 3h", "hour", "dest=HNL",
		"carrier=HA", "origin=EWR", "distance", "count by origin 1h", "month=12", "carrier=DL", "dest=ORD"} {
		w := 1.4 * math.Exp(-float64(i)/4)
		if i%3 == 1 {
			w = -w
		}
		task.Weights = append(task.Weights, engine.WeightStatus{Name: n, Value: w})
	}
	task.Warnings = []string{"dep_delay is filled in later: a leak"}
	return task
}

// Fleet is a flow of fifty tasks of every kind.
func Fleet(now time.Time, rows uint64) *engine.Status {
	st := flow("everything", now, rows)
	for i := range 50 {
		t := flightTask(fmt.Sprintf("%s-%02d", []string{"late", "churn", "fraud", "price", "load"}[i%5], i), now, rows,
			uint64(i))
		if i%2 == 0 {
			t.Warnings = nil
		}
		switch i % 5 {
		case 3:
			t.Kind, t.Model, t.Confusion, t.Classes = "regress", "tree depth=12", nil, nil
			t.Curve = curve(200, rows, 41, 18.5, 39, 30, false, uint64(i))
			last := t.Curve[len(t.Curve)-1]
			t.Scores = []engine.ScoreStatus{{Name: "mae", Phase: "stream", N: rows, Value: last.Value, Rolling: last.Rolling,
				Baselines: map[string]*float64{"mean": last.Baseline, "no_change": last.NoChange}}}
			for j := range t.Latest {
				t.Latest[j].Label, t.Latest[j].Score = "", Some(100+float64(j*7%41))
				if j > 3 {
					t.Latest[j].Truth = fmt.Sprintf("%.1f", 96+float64(j*11%50))
				}
			}
		case 4:
			t.Kind, t.Model, t.Confusion, t.Classes, t.Scores, t.Curve = "anomaly", "halfspace trees=25", nil, nil, nil, nil
			for j := range t.Latest {
				t.Latest[j].Label, t.Latest[j].Truth, t.Latest[j].Score = "", "", Some(math.Mod(float64(j)*0.37, 1))
			}
		}
		st.Tasks = append(st.Tasks, t)
	}
	return st
}
