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
	// Bind is called once, before Learn, Predict and UnmarshalBinary. An error stops the flow: a fixed set of classes is
	// missing, a sparse feature that the model cannot take.
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

// BatchLearner is an upgrade of Model: LearnBatch is the same as Learn of each row in turn, bit for bit. If want is
// true it appends to dst, per row, what Predict would have returned just before that row was learned.
type BatchLearner interface {
	LearnBatch(dst []float64, b *Block, want bool) []float64
}

// Steady is an upgrade of BatchLearner: so many rows can be learned, the last of them included, before a prediction may
// change; at least 1. Rows that are predicted from other numbers than they are learned from (a scaler learns in between)
// are learned in blocks of that size.
type Steady interface{ Steady() int }

// BatchPredictor is an upgrade of Model: PredictBatch appends the predictions of all rows, each as wide as Predict's and
// with the same bits. It is a pure read beside other reads.
type BatchPredictor interface {
	PredictBatch(dst []float64, b *Block) []float64
}

// Float32er is an upgrade of Model: true asks for blocks in float32.
type Float32er interface{ Float32() bool }

// Weighted is an upgrade of Model for people: the weights by column, for `tidemill state` and the dashboard.
type Weighted interface {
	// Weights calls yield for each weight: the dense column's index or -1 with the term's hash, the output's index, the weight.
	Weights(yield func(column int, hash uint64, output int, w float64) bool)
}

// Centred is an upgrade of cluster models: the centres, one slice each.
type Centred interface{ Centres() [][]float64 }

// Warner is an upgrade of Feature, Encoder and Model: what people should know (what it had to refuse, and how much of it),
// empty when all is well.
type Warner interface{ Warnings() []string }
