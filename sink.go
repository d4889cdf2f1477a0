package tidemill

import (
	"context"
	"strconv"
	"time"
)

// OutputKind says what an Output is.
type OutputKind uint8

// The kinds of outputs.
const (
	Predicted   OutputKind = iota // a prediction; where the truth was known at once, Truth and Answered are filled too
	Truth                         // the truth about an earlier prediction: same Task and ID
	RowPassed                     // a change passed on
	RowRejected                   // a row that cannot be used
	EventRaised                   // drift, promotion, …
	Retracted                     // the row of the prediction moved to another key (ID is the old one, NewID the new)
)

var outputNames = [...]string{"prediction", "truth", "row", "reject", "event", "moved"}

// String is the kind's name in JSON.
func (k OutputKind) String() string { return outputNames[k] }

// Version names the model that answered: after the Start-th fresh start, Learned rows learned. It is the same on
// replay.
type Version struct {
	Start   uint32
	Learned uint64
}

// String is "3.60000".
func (v Version) String() string { return string(v.Append(nil)) }

// Append appends the version's text.
func (v Version) Append(dst []byte) []byte {
	return strconv.AppendUint(append(strconv.AppendUint(dst, uint64(v.Start), 10), '.'), v.Learned, 10)
}

// Output is one thing that a flow says. It shares memory with the batch it came from and must not be changed; a sink
// that keeps one past Flush copies it.
type Output struct {
	Kind       OutputKind
	Seq        uint64  // the flow's ordinal of outputs, from 1; the same on replay
	Change     *Change // the change that caused it; nil where there is none
	Task       string
	ID         string // the row's id in the task
	NewID      string
	Model      ModelKind
	Label      string    // the predicted class, the value as text, the nearest centre
	Score      float64   // its probability, the value, the distance, the anomaly score
	Prediction []float64 // as the model gave it
	Labels     []string  // the classes of Prediction; nil unless a classifier
	Version    Version
	Asked      time.Time // the flow's clock at the ask
	Position   string    // of the change, as the source prints it
	Truth      string    // the label; of Truth outputs, and of Predicted ones whose row carried it
	Answered   time.Time // the flow's clock at the answer; zero where Truth is not known
	Corrected  bool      // Truth: not the first answer
	Reason     string    // RowRejected, EventRaised
}

// Key is the output's id that is the same on every replay: for idempotency keys.
func (o *Output) Key() string {
	return o.Task + "/" + o.ID + "/" + o.Position + "/" + o.Kind.String()
}

// Mark is how far a sink is: the term of the writer, the Seq of the last output, and the sink's own note of the place
// (a file's length).
type Mark struct {
	Term, Seq uint64
	Place     string
}

// Resumption is what a sink is told when a flow starts.
type Resumption struct {
	Flow string
	Term uint64 // above every term before
	// After is the mark in the checkpoint that the flow resumes from. The zero Mark means that no checkpoint exists.
	After Mark
	// Adopt takes the sink over whatever it holds and whatever term it has seen (--adopt, or a fresh start): rows stay
	// and are overwritten as ids come again.
	Adopt bool
	// Replay says that outputs after After which the sink already holds come again just as they were: it may pass them
	// over. A sink that moves rows to other keys must, or a row would move twice. False where another history may
	// follow: nothing is durable but the begin of a snapshot, or what decides about outputs was edited.
	Replay bool
	// Reset removes first what the sink holds of Tasks (--reset); a sink that keeps nothing ignores it. Adopt is true
	// beside it.
	Reset bool
	Tasks []string // the flow's
}

// Sink tells the world. One goroutine calls it. Rows and the mark commit together where the sink can; rows beyond
// Resumption.After are passed over or overwritten by the replay (same Task and ID), or cut off (files).
type Sink interface {
	// Mark is what the sink holds of the flow, zero if nothing; engine.ResumeSink compares it with the checkpoint. Seq
	// is 0 where the sink does not count outputs: Place then says that it holds some. It changes nothing and needs no
	// Resume. errors.ErrUnsupported where the sink keeps no mark.
	Mark(ctx context.Context, flow string) (Mark, error)
	// Resume makes what the sink needs (tables) and takes the term: ErrFenced if it has seen a higher one,
	// ErrUnknownMark if it does not hold the Place of After. It comes again, under the same term, when a snapshot
	// breaks off and starts over: what was written since After is then another history's.
	Resume(ctx context.Context, r Resumption) error
	// Write commits the outputs, in order; visible at once. Kinds that the sink does not tell are skipped.
	// ErrFenced when a higher term has taken over. Other errors are retried by the engine with the same outputs.
	Write(ctx context.Context, out []Output) error
	// Flush returns when all written outputs are durable, with their mark.
	Flush(ctx context.Context) (Mark, error)
	Close() error
}

// Gatherer is a Sink to which a flood costs less in few large writes than in many. The engine asks once.
type Gatherer interface {
	// Gather says how many outputs in one write are a flood, and how long after the begin of such a write the next one
	// waits for more. A write of fewer is never followed by a wait, and nothing waits for a checkpoint.
	Gather() (flood int, wait time.Duration)
}

// Recaller is an upgrade of Sink: it reads back what it has written, for reports. It needs no Resume and takes no
// lock, so it works while another process writes.
type Recaller interface {
	// Recall is the newest predictions of a task that have their truth, newest first, at most limit.
	Recall(ctx context.Context, task string, limit int) ([]Recalled, error)
}

// Recalled is a prediction and its truth, as a sink keeps them.
type Recalled struct {
	ID, Label, Truth string
	Score            float64 // NaN where it has none
	Probabilities    map[string]float64
	Asked, Answered  time.Time // on the flow's clock; zero where not kept
}
