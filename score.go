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
	// New is an empty score of the same settings.
	New() Score
	Update(a *Answer)
	// Value is NaN until it is defined.
	Value() float64
	State
}

// Heavy is an upgrade of Score whose Value may take long: Later notes, in a moment, what it needs, and the func that it
// gives computes the Value as of then, beside any Update. Whoever shows figures calls Later under the flow's lock and the
// func without it.
type Heavy interface{ Later() func() float64 }

// Suited is an upgrade of Score: whether it has a figure for models of the kind. One that does not say so suits all.
type Suited interface{ Suits(kind ModelKind) bool }

// Confuser is an upgrade of Score: the counts [truth][predicted].
type Confuser interface{ Confusion() [][]uint64 }

// Detailed is an upgrade of Score: further named figures (precision per class, …) in a fixed order.
type Detailed interface {
	Details(labels []string) []NamedValue
}

// NamedValue is a figure with its name.
type NamedValue struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Fader is an upgrade of Score: an empty score of the same settings in which an answer's weight is multiplied by keep at
// each further answer; nil where the figure cannot fade.
type Fader interface{ Fading(keep float64) Score }
