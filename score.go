package tidemill

// Answer is one question with its truth: what scores see.
type Answer struct {
	Kind       ModelKind
	Prediction []float64 // padded to one probability per class for classifiers
	Class      int       // the predicted class (of binary tasks: by the threshold); -1 if the prediction is NaN
	Truth      float64   // the true class's index, or the true value; NaN where a cluster task has none
	Unseen     bool      // the true class was unknown when the question was asked
	Weight     float64
	Positive   int      // the positive class's index; -1 if there is none
	Labels     []string // the classes' labels by index; must not be changed
	X          *Vector  // the question's raw vector
}

// Score is a running figure over answers. One goroutine updates it; Value may run beside other reads.
type Score interface {
	// Name is the figure's name in results: "accuracy".
	Name() string
	// Describe is the settings in one canonical line: what a checkpoint knows the score by. It names whatever changes
	// results.
	Describe() string
	// New is an empty score of the same settings.
	New() Score
	// Fading is an empty score of the same settings in which an answer's weight is multiplied by keep at each further
	// answer; nil where the figure cannot fade.
	Fading(keep float64) Score
	// Suits says whether the score has a figure for models of the kind.
	Suits(kind ModelKind) bool
	Update(a *Answer)
	// Value is NaN until it is defined.
	Value() float64
	State
}

// Heavy is an upgrade of Score whose Value may take long: Later notes, in a moment, what it needs, and the func that it
// gives computes the Value as of then, beside any Update. Whoever shows figures calls Later under the flow's lock and
// the func without it.
type Heavy interface{ Later() func() float64 }

// Detailed is an upgrade of Score for those that know more than one number.
type Detailed interface {
	// Details are further named figures (precision per class, …) in a fixed order; nil where there are none.
	Details(labels []string) []NamedValue
	// Confusion is the counts [truth][predicted]; nil where none are kept.
	Confusion() [][]uint64
}

// NamedValue is a figure with its name.
type NamedValue struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}
