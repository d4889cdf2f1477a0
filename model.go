package tidemill

// ModelKind says what a model's prediction means.
type ModelKind uint8

// The kinds: a probability per class; the value; a distance per centre; a score, higher is stranger. A model that is
// not ready predicts NaN.
const (
	Classify ModelKind = iota
	Regress
	Cluster
	Anomaly
)

var modelKindNames = [...]string{"classify", "regress", "cluster", "anomaly"}

// String is the kind's name.
func (k ModelKind) String() string { return modelKindNames[k] }

// Example is one row with its answer: Y holds the class index or the value, and is empty for models that need none.
type Example struct {
	X      *Vector
	Y      []float64
	Weight float64
}

// Model learns and answers. Learn, Bind and UnmarshalBinary run alone; Predict runs beside other Predicts.
type Model interface {
	// Describe is the settings in one canonical line without secrets: a checkpoint is refused where it is another. It
	// names whatever changes results.
	Describe() string
	Kind() ModelKind
	// New is an untrained, unbound model of the same settings.
	New() Model
	// Bind is called once, before Learn, Predict and UnmarshalBinary. An error stops the flow: a fixed set of classes
	// is missing, a sparse feature that the model cannot take.
	Bind(in Input) error
	// Learn takes one row. Classes may grow: a Y[0] beyond the classes seen so far adds them.
	Learn(e *Example)
	// Predict appends the prediction for x: a pure read. Classifiers append one probability per class known to the
	// model (the Task pads). Scratch comes from dst or a pool.
	Predict(dst []float64, x *Vector) []float64
	State
}

// Input is what an encoder or a model is told before all else.
type Input struct {
	Columns []FeatureColumn // of the vectors that it will see
	Classes int             // the fixed number of classes; 0 when the set is open or there are none
	Terms   bool            // whether vectors carry sparse terms too
}

// Preparer is an upgrade of Model: the encoders that this model wants before it unless the task names its own, for
// these columns: scaling and one-hot for linear models, none for trees.
type Preparer interface {
	Encoders(in []FeatureColumn) []Encoder
}

// Phase is the part of a flow's life that a row belongs to.
type Phase uint8

// The phases. Evaluated is for scores alone: rows of the snapshot that evaluate, kept apart from those that taught.
const (
	Snapshot Phase = iota
	Stream
	Evaluated
)

// String is the phase's name.
func (p Phase) String() string { return [...]string{"snapshot", "stream", "evaluate"}[p] }

// Batched is an upgrade of Model whose rule has a mini-batch: pending rows are State, and step when the batch is full.
// EndBatch is the data's own mark (the end of an epoch, of the snapshot): step with what is there; what is learned next
// belongs to phase next (batch: n while Snapshot, stream_batch: n while Stream). A new model is in Snapshot.
type Batched interface{ EndBatch(next Phase) }

// Batcher is an upgrade of Model for those that compute many rows faster together. It changes no result: a row of a
// block gets the same bits as alone, and leaves the same state.
type Batcher interface {
	// LearnBatch is Learn of each row in turn. If want is true it appends to dst, per row, what Predict would have
	// returned just before that row was learned.
	LearnBatch(dst []float64, b *Block, want bool) []float64
	// PredictBatch appends the predictions of all rows, each as wide as Predict's: a pure read beside other reads.
	PredictBatch(dst []float64, b *Block) []float64
	// Steady is how many rows can be learned, the last of them included, before a prediction may change; at least 1.
	// Rows that are predicted from other numbers than they are learned from (a scaler learns in between) are learned in
	// blocks of at most that size.
	Steady() int
	// Float32 is true where blocks are wanted in float32; it is fixed for life.
	Float32() bool
}

// Weighted is an upgrade of Model for people: what it has learned by column, for `tidemill state` and the dashboard.
type Weighted interface {
	// Weights calls yield for each weight: the dense column's index or -1 with the term's hash, the output's index, the
	// weight. Of a cluster model the outputs are the centres and the weights their places, centre by centre.
	Weights(yield func(column int, hash uint64, output int, w float64) bool)
}

// Warner is an upgrade of Feature, Encoder and Model: what people should know (what it had to refuse, and how much of
// it), empty when all is well.
type Warner interface{ Warnings() []string }
