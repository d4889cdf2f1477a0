package serve

import (
	"testing"
	"time"

	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

// dashboardState is a flow as the dashboard is to show it.
type dashboardState struct {
	name, word string // word is what the page calls it
	now        func(now time.Time, rows uint64) *engine.Status
	speed      float64 // rows a second
}

// dashboardStates are a flow's states, and what a dashboard may meet beside them.
func dashboardStates(t *testing.T) []dashboardState {
	return []dashboardState{
		{"digits", "Streaming", func(now time.Time,
			rows uint64) *engine.Status {
			return statustest.Digits(mnist(t), now, rows)
		}, 900},
		{"flights", "Streaming", statustest.Flights, 1204},
		{"empty", "Idle", func(now time.Time, _ uint64) *engine.Status {
			return &engine.Status{Flow: "late-flights", State: "streaming",
				Source: "sqlite flights.db, table flights", Started: now, Now: now, Connected: true, CaughtUp: true,
				Changes: map[string]uint64{}, Snapshot: engine.PhaseStatus{Done: true},
				Tasks: []engine.TaskStatus{{Name: "late", Kind: "classify", Model: "logistic"}}}
		}, 0},
		{"starting", "Starting", func(now time.Time, _ uint64) *engine.Status {
			return &engine.Status{Flow: "late-flights", State: "starting", Source: "postgres localhost:5432/shop",
				Started: now, Now: now, Tasks: []engine.TaskStatus{{Name: "late", Kind: "classify", Model: "logistic"}}}
		}, 0},
		{"snapshot", "Snapshot", func(now time.Time, rows uint64) *engine.Status {
			return turn(statustest.Digits(mnist(t), now, 60000), func(st *engine.Status) {
				st.State, st.CaughtUp, st.Stream, st.Outputs, st.Written = "snapshot", false, engine.PhaseStatus{}, 0, 0
				st.Snapshot = engine.PhaseStatus{Rows: rows % 60000, Seconds: float64(rows%60000) / 6380, Epoch: 3,
					Epochs: 5}
				x := &st.Tasks[0]
				x.Curve, x.Latest, x.Confusion, x.Scores = x.Curve[:40], nil, nil, x.Scores[:1]
				x.Counts = engine.Counts{Learned: rows % 60000}
				x.LabelDelay, x.Coverage = nil, 0
			})
		}, 6380},
		{"idle", "Idle", func(now time.Time, _ uint64) *engine.Status {
			return turn(statustest.Flights(now, 141200), func(st *engine.Status) {
				st.LastEvent = now.Add(-4 * time.Minute)
				// on a clock of long ago: a date and a time, the widest that there is
				for i := range st.Tasks[0].Latest {
					st.Tasks[0].Latest[i].Asked = time.Date(2013, 3, 10, 14, 25, 0, 0, time.UTC)
				}
			})
		}, 0},
		{"resumed", "Idle", func(now time.Time, _ uint64) *engine.Status {
			return turn(statustest.Digits(mnist(t), now, 70000), func(st *engine.Status) {
				st.LastEvent, st.Tasks[0].Latest, st.Changes = time.Time{}, nil, map[string]uint64{}
				st.Checkpoint.Loaded, st.Checkpoint.Recent = true, nil
			})
		}, 0},
		{"stalled", "Stalled", func(now time.Time, _ uint64) *engine.Status {
			return turn(statustest.Flights(now, 141200), func(st *engine.Status) {
				st.LastEvent, st.CaughtUp, st.Written = now.Add(-94*time.Second), false, st.Outputs-51200
			})
		}, 0},
		{"away", "Database away", func(now time.Time, _ uint64) *engine.Status {
			return turn(statustest.Flights(now, 141200), func(st *engine.Status) {
				st.State, st.Connected, st.Error, st.ErrorAt = "reconnecting", false,
					"postgres: connect to localhost:5432: connection refused", now.Add(-80*time.Second)
				st.LastEvent = now.Add(-82 * time.Second)
				st.Checkpoint.Failures = 2
			})
		}, 0},
		{"failed", "Failed", func(now time.Time, _ uint64) *engine.Status {
			return turn(statustest.Flights(now, 141200), func(st *engine.Status) {
				st.State, st.Connected, st.Error, st.ErrorAt = "failed", false,
					`postgres: slot "late_flights" is gone; run with --fresh to take a new snapshot`,
					now.Add(-5*time.Second)
			})
		}, 0},
		{"stopped", "Stopped", func(now time.Time, _ uint64) *engine.Status {
			return turn(statustest.Flights(now, 141200),
				func(st *engine.Status) { st.State, st.Connected = "stopped", false })
		}, 0},
		{"fifty", "Streaming", statustest.Fleet, 4100},
	}
}

// turn changes a status.
func turn(st *engine.Status, f func(st *engine.Status)) *engine.Status { f(st); return st }
