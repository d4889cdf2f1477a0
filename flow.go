package tidemill

import (
	"log/slog"
	"time"
)

// Flow is the wiring: one source, its tasks, its sinks. Start runs it.
type Flow struct {
	Name        string
	Source      Source
	Transforms  []Transform
	Tasks       []Task
	Sinks       []Sink
	Rejects     Sink          // where rows go that cannot be used; nil: such a row stops the flow
	Store       Store         // nil: nothing is kept (no checkpoints)
	Every       time.Duration // between checkpoints; default 10 s
	StopTimeout time.Duration // how long a stop waits for a sink that is behind; default 15 s
	Seed        uint64        // of the shuffles; default 1
	Once        bool          // end when caught up
	Fresh       bool          // set the old state aside and start with a new snapshot
	Adopt       bool          // take sinks over whatever mark they hold
	// and remove what they hold of the flow's tasks first: only where the flow starts from nothing
	Reset bool
	// called once nothing has come for some seconds after much work, in a goroutine of its own: a program that holds
	// nothing else gives memory back then (debug.FreeOSMemory); nil: nothing
	Idle func()
	Log  *slog.Logger // nil: silent
}

// On says which changes a task looks at, and where the answer is.
type On struct {
	Op    Op     // Insert, Update, Delete, or several: Insert|Update
	Table string // "flights" or "public.flights"
	At    string // the column of the event's own time; "" is the commit time
	ID    string // an expression for the id that joins answer and question; "" is the primary key
	Label string // an expression: the answer, NULL as long as it is not known; "" where the model needs none
	Where string // an expression: only such rows
	Unix  string // how a number in At counts: "s" or "ms"; "" for times and ISO text
	Also  []On   // further ones
}

// SnapshotMode says what a task does with the rows that are there when the flow begins.
type SnapshotMode uint8

// The modes: rows with a label are learned; rows are asked and answered in the order of the flow's clock; none.
const (
	SnapshotLearn SnapshotMode = iota
	SnapshotReplay
	SnapshotSkip
)

// String is the mode as a flow names it.
func (m SnapshotMode) String() string {
	switch m {
	case SnapshotReplay:
		return "replay"
	case SnapshotSkip:
		return "skip"
	}
	return "learn"
}

// Task is one question asked of the stream.
type Task struct {
	Name      string
	Predict   On            // rows to ask about
	Learn     On            // rows that carry the truth
	Evaluate  On            // rows that carry a truth which scores and never teaches
	Wait      time.Duration // forget open questions after this, on the flow's clock; 0: never
	Then      string        // answer with this label when Wait is over; "": forget
	KeepFirst bool          // a second ask of an open id is not a new question
	Snapshot  SnapshotMode
	Epochs    int // passes over the snapshot; default 1
	Features  []Feature
	Encoders  []Encoder // nil: what the model asks for
	Model     Model
	Scores    []Score
	Classes   []string      // fixes the classes and their order; nil: as answers bring them
	Positive  string        // the positive class; "": true, or 1
	Threshold float64       // of the positive class's probability; default 0.5
	Weight    string        // an expression for the example's weight
	Balanced  bool          // weigh each class by its rarity
	Frozen    time.Duration // a baseline: a copy of the model that stops learning after this; 0: none
	Memory    int           // bytes of open questions kept in memory; the rest goes to disk; default 16 MiB
}

// Row is one row by column name, as REST takes it: numbers, strings, booleans, nil, []byte, time.Time, json.Number.
type Row map[string]any
