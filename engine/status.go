package engine

import (
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
)

// Status is a flow at one moment, for people, metrics and the dashboard. It shares nothing with the running flow.
type Status struct {
	Flow string `json:"flow"`
	// starting, snapshot, streaming, reconnecting, stopping, stopped, failed
	State    string            `json:"state"`
	Error    string            `json:"error,omitempty"` // the last one, while reconnecting or after a failure
	ErrorAt  time.Time         `json:"error_at,omitzero"`
	Source   string            `json:"source"` // Describe of the source, without secrets
	Sinks    []string          `json:"sinks"`
	Started  time.Time         `json:"started"` // wall clock
	Now      time.Time         `json:"now"`     // wall clock of this status
	Term     uint64            `json:"term"`
	Position tidemill.Position `json:"position"` // the last Upto that was applied
	Clock    time.Time         `json:"clock"`    // the flow's clock
	// wall clock of the last change: idle is told from stalled by Connected
	LastEvent time.Time `json:"last_event"`
	Connected bool      `json:"connected"` // the source has yielded since the last error
	// the source has nothing more at the moment: never while changes of seconds ago are applied or wait
	CaughtUp bool `json:"caught_up"`
	// wall clock less commit time of the last streamed change, when it was applied; less the time of reading where the
	// source tells no commit time; 0: none yet
	LagSeconds float64 `json:"lag_seconds"`
	// of the source's log, kept there for this flow; nil: not known
	Retained *uint64           `json:"retained_bytes,omitempty"`
	Changes  map[string]uint64 `json:"changes"` // applied since the process began, by operation
	Snapshot PhaseStatus       `json:"snapshot"`
	Stream   PhaseStatus       `json:"stream"`
	Rejected uint64            `json:"rejected"`
	Rejects  []RejectStatus    `json:"rejects"` // the newest, newest first
	OutputStatus
	Checkpoint CheckpointStatus `json:"checkpoint"`
	Tasks      []TaskStatus     `json:"tasks"`
	// what happened to the flow, newest first (start, reconnect, checkpoint failure, drift)
	Events []EventStatus `json:"events"`
}

// OutputStatus says how far the sinks are.
type OutputStatus struct {
	Outputs uint64 `json:"outputs"` // ordinal of the last output
	Written uint64 `json:"written"` // ordinal of the last output that every sink has
}

// PhaseStatus counts one phase.
type PhaseStatus struct {
	Rows    uint64  `json:"rows"`
	Total   uint64  `json:"total,omitempty"` // rows expected, about; 0: not known
	Seconds float64 `json:"seconds"`
	Done    bool    `json:"done"`
	Epoch   int     `json:"epoch,omitempty"`
	Epochs  int     `json:"epochs,omitempty"`
	// rows of the present pass over the snapshot that are done, from the second epoch on
	Pass      uint64 `json:"pass_rows,omitempty"`
	PassTotal uint64 `json:"pass_total,omitempty"` // of so many
}

// RejectStatus is one row that could not be used.
type RejectStatus struct {
	At       time.Time         `json:"at"`
	Task     string            `json:"task,omitempty"`
	Position string            `json:"position"`
	ID       string            `json:"id,omitempty"`
	Table    string            `json:"table,omitempty"`
	Reason   string            `json:"reason"`
	Row      map[string]string `json:"row,omitempty"`
}

// CheckpointStatus is the newest durable checkpoint.
type CheckpointStatus struct {
	ID       tidemill.CheckpointID `json:"id"`
	At       time.Time             `json:"at"` // wall clock; zero: none yet
	Position tidemill.Position     `json:"position"`
	Bytes    int                   `json:"bytes"`
	Pause    time.Duration         `json:"pause_ns"` // how long the flow stood still for it
	Took     time.Duration         `json:"took_ns"`
	Failures uint64                `json:"failures"`
	// the one that the flow resumed from: how long it took is not known
	Loaded bool        `json:"loaded,omitempty"`
	Recent []time.Time `json:"recent,omitempty"` // of the last ones, for the strip
}

// EventStatus is one thing that happened to the flow.
type EventStatus struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
}

// Counts are the lives of a task's rows, since the fresh start.
type Counts struct {
	Asked     uint64 `json:"asked"`
	Open      uint64 `json:"open"`
	Answered  uint64 `json:"answered"` // questions that got their first answer
	Corrected uint64 `json:"corrected"`
	Unasked   uint64 `json:"unasked"`  // answers without a question
	Replaced  uint64 `json:"replaced"` // questions replaced by a newer one of the same id
	Dropped   uint64 `json:"dropped"`  // questions whose row was deleted
	Expired   uint64 `json:"expired"`
	Late      uint64 `json:"late"` // rows earlier than the flow's clock
	Rejected  uint64 `json:"rejected"`
	Learned   uint64 `json:"learned"` // rows learned, snapshot and stream; epochs beyond the first are not counted
	Evaluated uint64 `json:"evaluated"`
	Deleted   uint64 `json:"deleted"` // learned rows that were deleted later
}

// TaskStatus is one task.
type TaskStatus struct {
	Name       string         `json:"name"`
	Kind       string         `json:"kind"` // classify, regress, cluster, anomaly
	Model      string         `json:"model"`
	Version    string         `json:"model_version"`
	Table      string         `json:"table"`   // the table that is asked about
	Columns    []ColumnStatus `json:"columns"` // of that table: what the Try-it form asks for
	Picture    *PictureStatus `json:"picture,omitempty"`
	Classes    []string       `json:"classes,omitempty"`
	Counts     Counts         `json:"counts"`
	Coverage   float64        `json:"coverage"`            // answered / asked
	LabelDelay *float64       `json:"label_delay_seconds"` // median, on the flow's clock
	Scores     []ScoreStatus  `json:"scores"`
	// of the stream, else of what was evaluated, else of the snapshot: [truth][predicted]
	Confusion [][]uint64     `json:"confusion,omitempty"`
	Curve     []CurvePoint   `json:"curve"`             // the learning curve of the first score
	Latest    []LatestStatus `json:"latest"`            // predictions, newest first
	Weights   []WeightStatus `json:"weights,omitempty"` // the largest
	Centres   [][]float64    `json:"centres,omitempty"`
	Warnings  []string       `json:"warnings,omitempty"` // a leak, an unusable column
}

// ColumnStatus is one column that a task reads.
type ColumnStatus struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Native string   `json:"native,omitempty"`
	Sample []string `json:"sample,omitempty"` // values seen, for the form's suggestions
}

// PictureStatus says which column is an image, and what it holds.
type PictureStatus struct {
	Column   string `json:"column"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Holds    string `json:"holds"`              // pixels (grey bytes), file (PNG or JPEG) or path
	Inverted bool   `json:"inverted,omitempty"` // the feature swaps black and white of what is in the file
}

// PictureOf says what a feature reads as an image; nil if it reads none.
func PictureOf(f tidemill.Feature) *PictureStatus {
	p, ok := f.(tidemill.Pictured)
	if !ok {
		return nil
	}
	x := p.Picture()
	return &PictureStatus{Column: x.Column, Width: x.Width, Height: x.Height, Holds: x.Holds, Inverted: x.Inverted}
}

// ScoreStatus is one score in one phase, beside its baselines. A figure that is not defined yet is nil.
type ScoreStatus struct {
	Name string `json:"name"`
	// snapshot, evaluate (rows of the snapshot that taught nothing) or stream
	Phase     string                `json:"phase"`
	N         uint64                `json:"n"`
	Value     *float64              `json:"value"`
	Rolling   *float64              `json:"rolling"`          // over the last 1,000 answers
	Fading    *float64              `json:"fading,omitempty"` // each answer weighs 0.999 of the next
	Baselines map[string]*float64   `json:"baselines"`        // majority or mean, no_change, frozen
	Details   []tidemill.NamedValue `json:"details,omitempty"`
}

// CurvePoint is one point of the learning curve.
type CurvePoint struct {
	N        uint64   `json:"n"` // answers so far
	Phase    string   `json:"phase"`
	Value    *float64 `json:"value"` // since the phase began
	Rolling  *float64 `json:"rolling"`
	Baseline *float64 `json:"baseline"` // majority or mean
	NoChange *float64 `json:"no_change"`
	Frozen   *float64 `json:"frozen,omitempty"`
	Event    string   `json:"event,omitempty"` // a mark: start, drift, schema change
}

// LatestStatus is one recent prediction.
type LatestStatus struct {
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	Score   *float64  `json:"score"`
	Truth   string    `json:"truth,omitempty"`
	Version string    `json:"model_version"`
	Asked   time.Time `json:"asked"`
	Picture []byte    `json:"picture,omitempty"` // grey bytes, PictureStatus's size
}

// WeightStatus is one weight.
type WeightStatus struct {
	Name  string  `json:"name"`
	Class string  `json:"class,omitempty"`
	Value float64 `json:"value"`
}

// Prediction is what Mill.Predict answers.
type Prediction struct {
	Label         string             `json:"prediction"`
	Score         *float64           `json:"score"` // its probability, the value, the distance, the anomaly score
	Probabilities map[string]float64 `json:"probabilities,omitempty"`
	Values        []float64          `json:"values,omitempty"` // distances per centre, …; not of classifiers
	Missing       []string           `json:"missing"`          // columns that the row did not have: read as NULL
	Version       string             `json:"model_version"`
	Through       tidemill.Position  `json:"trained_through"`
	ThroughTime   time.Time          `json:"trained_through_time,omitzero"`
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 0, 64) + " %" }
