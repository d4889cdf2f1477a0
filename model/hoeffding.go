package model

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/tidemill/tidemill"
)

// HoeffdingTreeConfig is a decision tree that grows by the Hoeffding bound.
type HoeffdingTreeConfig struct {
	GracePeriod int     `yaml:"grace_period" doc:"The weight of rows that a leaf takes between two attempts to split. Default 200."`
	Delta       float64 `yaml:"delta" doc:"The probability that a split is not the best one. Default 1e-7."`
	Tau         float64 `yaml:"tau" doc:"A bound below which the best of two near equals is taken. Default 0.05."`
	Leaf        string  `yaml:"leaf" enum:"nba,nb,mc" doc:"What a leaf answers by: naive Bayes where it was right more often than the majority (nba), naive Bayes (nb) or the majority (mc). Default nba."`
	SplitPoints int     `yaml:"split_points" doc:"How many thresholds are tried in a number column. Default 10."`
	BinarySplit bool    `yaml:"binary_split" doc:"Split a category by one value against the others only. Default false."`
	MinBranch   float64 `yaml:"min_branch" doc:"The share of rows that at least two branches of a split must exceed. Default 0.01."`
	MaxShare    float64 `yaml:"max_share" doc:"A leaf whose majority has more than this share does not split. Default 0.99."`
	MaxDepth    int     `yaml:"max_depth" doc:"How deep the tree may grow. Default 0, which means without bound."`
	MaxSize     float64 `yaml:"max_size" doc:"The memory in MiB above which the least promising leaves stop observing. Default 100."`
}

// NewHoeffdingTreeConfig is the config with its defaults.
func NewHoeffdingTreeConfig() *HoeffdingTreeConfig {
	return &HoeffdingTreeConfig{GracePeriod: 200, Delta: 1e-7, Tau: 0.05, Leaf: "nba",
		SplitPoints: 10, MinBranch: 0.01, MaxShare: 0.99, MaxSize: 100}
}

// Build makes the model.
func (c *HoeffdingTreeConfig) Build(string) (tidemill.Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return newHoeffding(*c), nil
}

func (c *HoeffdingTreeConfig) check() error {
	fail := func(format string, a ...any) error { return fmt.Errorf("hoeffding_tree: "+format, a...) }
	switch {
	case c.GracePeriod < 1:
		return fail("grace_period is %d; it must be at least 1", c.GracePeriod)
	case !(c.Delta > 0 && c.Delta < 1):
		return fail("delta is %v; it must be above 0 and below 1", c.Delta)
	case !(c.Tau >= 0):
		return fail("tau is %v; it must not be negative", c.Tau)
	case c.Leaf != "nba" && c.Leaf != "nb" && c.Leaf != "mc":
		return fail("leaf %q is unknown; say nba, nb or mc", c.Leaf)
	case c.SplitPoints < 1 || c.SplitPoints > 1000:
		return fail("split_points is %d; say a number from 1 to 1000", c.SplitPoints)
	case !(c.MinBranch >= 0 && c.MinBranch < 0.5):
		return fail("min_branch is %v; it must be at least 0 and below 0.5", c.MinBranch)
	case !(c.MaxShare > 0 && c.MaxShare <= 1):
		return fail("max_share is %v; it must be above 0 and at most 1", c.MaxShare)
	case c.MaxDepth < 0:
		return fail("max_depth is %d; it must not be negative", c.MaxDepth)
	case !(c.MaxSize > 0):
		return fail("max_size is %v; it must be above 0", c.MaxSize)
	}
	return nil
}

func (c *HoeffdingTreeConfig) describe() string {
	return fmt.Sprintf("hoeffding_tree grace_period=%d delta=%v tau=%v leaf=%s split_points=%d binary_split=%v "+
		"min_branch=%v max_share=%v max_depth=%d max_size=%v",
		c.GracePeriod, c.Delta, c.Tau, c.Leaf, c.SplitPoints, c.BinarySplit, c.MinBranch, c.MaxShare, c.MaxDepth, c.MaxSize)
}

// hoeffding is the tree; see HoeffdingTree.
type hoeffding struct {
	set     HoeffdingTreeConfig
	bound   bool
	fixed   int
	classes int
	columns []treeColumn
	numbers int      // number columns among them
	names   int      // nominal columns among them
	called  []string // the nominal columns, where Bind told them
	nodes   []treeNode
	leaves  int
	idle    int // leaves that do not observe

	votes []float64 // scratch of Learn
}

// treeColumn says where a dense column is observed: the index among the number or among the nominal columns.
type treeColumn struct {
	nominal bool
	at      int32
}

// HoeffdingTree is the incremental decision tree (VFDT) of Domingos and Hulten, "Mining High-Speed Data Streams", KDD
// 2000, in the form of MOA and River: a leaf observes a normal distribution per class and number column and counts per
// class and category, and every grace_period rows it compares the information gain of the best two splits, of 10
// thresholds per number column. It splits when their difference exceeds ε = √(R²·ln(1/δ)/2n), R being log2 of the
// classes seen, or when ε is below tau. Children start from the class distribution that the split projects. A leaf
// answers by naive Bayes or by its majority, whichever was right more often there (Gama, Rocha, Medas, 2003).
//
// A leaf with one dominant class (max_share) forgets its observers instead of splitting. A split on a category has a
// branch per category seen, or one category against the rest; a new category gets a leaf of its own when it is learned.
// A row whose split column is NaN goes where more weight went. A leaf observes at most 16384 categories of a column,
// and a split has at most as many branches. Above max_size the leaves with the least to gain stop observing (Kirkby,
// 2007). It takes numbers and categories as they are: no scaling, no one-hot. Sparse terms are refused. Until a row is
// learned the prediction is NaN.
//
// set changes the settings of NewHoeffdingTreeConfig.
func HoeffdingTree(set ...func(c *HoeffdingTreeConfig)) tidemill.Model {
	c := NewHoeffdingTreeConfig()
	for _, f := range set {
		f(c)
	}
	return newHoeffding(*c)
}

func newHoeffding(c HoeffdingTreeConfig) *hoeffding { return &hoeffding{set: c} }

// Kind implements tidemill.Model: the prediction is a probability per class.
func (m *hoeffding) Kind() tidemill.ModelKind { return tidemill.Classify }

// New implements tidemill.Model.
func (m *hoeffding) New() tidemill.Model { return newHoeffding(m.set) }

// Describe implements tidemill.Model.
func (m *hoeffding) Describe() string { return m.set.describe() }

// Warnings implements tidemill.Warner: columns of which a leaf, or a test, has as many categories as it may have.
func (m *hoeffding) Warnings() []string {
	return fullColumns(m.called, func(i int) bool {
		for k := range m.nodes {
			n := &m.nodes[k]
			if n.leaf == nil && n.test == testEach && len(n.children) >= maxCategories &&
				m.columns[n.column] == (treeColumn{true, int32(i)}) {
				return true
			}
			if n.leaf != nil && i < len(n.leaf.names) && len(n.leaf.names[i].codes) >= maxCategories {
				return true
			}
		}
		return false
	})
}

// Bind implements tidemill.Model: there may be no sparse terms.
func (m *hoeffding) Bind(in tidemill.Input) error {
	if err := noTerms(&in, "hoeffding_tree", ""); err != nil {
		return err
	}
	if err := m.set.check(); err != nil {
		return err
	}
	*m = hoeffding{set: m.set, bound: true, fixed: in.Classes, classes: in.Classes}
	for i := range in.Columns {
		m.column(in.Columns[i].Nominal)
		if in.Columns[i].Nominal {
			m.called = append(m.called, in.Columns[i].Name)
		}
	}
	return nil
}

func (m *hoeffding) column(nominal bool) {
	c := treeColumn{nominal: nominal, at: int32(m.numbers)}
	if nominal {
		c.at = int32(m.names)
		m.names++
	} else {
		m.numbers++
	}
	m.columns = append(m.columns, c)
}

// treeNode is a leaf or a test.
type treeNode struct {
	leaf      *treeLeaf // nil in a test
	test      testKind
	column    int32
	depth     int32
	parent    int32     // -1 at the root
	threshold float64   // the number, or the category's code
	children  []int32   // by branch
	codes     termIndex // testEach: the branch of a category
	weight    float64   // of the leaves below: rows learned there, and what the splits above projected
}

// maxCategories bounds what a leaf observes of a nominal column, and the branches of a test.
const maxCategories = 1 << 14

type testKind uint8

const (
	testLess  testKind = iota // x <= threshold goes to branch 0, more to branch 1
	testEqual                 // the category goes to branch 0, others to branch 1
	testEach                  // a branch per category
)

// codeKey is a category's code as a key whose low bits are spread.
func codeKey(code float64) uint64 {
	return bits.RotateLeft64(math.Float64bits(code)*0x9e3779b97f4a7c15, 32)
}

// branch is the branch for x; -1 if the value is missing, -2 if its category has no branch.
func (n *treeNode) branch(x []float64) int {
	if int(n.column) >= len(x) {
		return -1
	}
	v := x[n.column]
	switch {
	case !known(v):
		return -1
	case n.test == testLess:
		if v <= n.threshold {
			return 0
		}
		return 1
	case n.test == testEqual:
		if v == n.threshold {
			return 0
		}
		return 1
	}
	if i := n.codes.find(codeKey(v)); i >= 0 {
		return i
	}
	return -2
}

// common is the branch that most weight took, the first of equals.
func (m *hoeffding) common(n *treeNode) int {
	best := 0
	for i, c := range n.children {
		if m.nodes[c].weight > m.nodes[n.children[best]].weight {
			best = i
		}
	}
	return best
}

// find is the leaf for x.
func (m *hoeffding) find(x []float64) *treeLeaf {
	n := &m.nodes[0]
	for n.leaf == nil {
		b := n.branch(x)
		if b < 0 {
			b = m.common(n)
		}
		n = &m.nodes[n.children[b]]
	}
	return n.leaf
}

// Learn implements tidemill.Model. A weight that is not above 0 teaches nothing.
func (m *hoeffding) Learn(e *tidemill.Example) {
	c, x := class(e.Y), e.X.Dense
	if c < 0 || !teaches(e.Weight) || m.fixed > 0 && c >= m.fixed {
		return
	}
	if !m.bound {
		for len(m.columns) < len(x) {
			m.column(false)
		}
		m.bound = true
	}
	x = x[:min(len(x), len(m.columns))]
	m.classes = max(m.classes, c+1)
	if len(m.nodes) == 0 {
		m.nodes = append(m.nodes, treeNode{leaf: m.newLeaf(nil), parent: -1})
		m.leaves = 1
	}
	at := int32(0)
	for m.nodes[at].leaf == nil {
		n := &m.nodes[at]
		n.weight += e.Weight
		b := n.branch(x)
		switch {
		case b >= 0:
		case b == -2 && len(n.children) < maxCategories:
			b = len(n.children)
			n.codes.add(codeKey(x[n.column]))
			n.children = append(n.children, int32(len(m.nodes)))
			m.nodes = append(m.nodes, treeNode{leaf: m.newLeaf(nil), depth: n.depth + 1, parent: at})
			m.leaves++
			n = &m.nodes[at]
		default:
			b = m.common(n)
		}
		at = n.children[b]
	}
	n := &m.nodes[at]
	n.weight += e.Weight
	l := n.leaf
	m.teach(l, x, c, e.Weight)
	if l.idle {
		return
	}
	if m.set.MaxDepth > 0 && int(n.depth) >= m.set.MaxDepth {
		m.stop(l)
		return
	}
	if total := sum(l.stats); total-l.tried >= float64(m.set.GracePeriod) {
		m.try(at)
		l.tried = total
	}
}

// stop ends a leaf's observing.
func (m *hoeffding) stop(l *treeLeaf) {
	l.idle, l.numbers, l.names = true, nil, nil
	m.idle++
}

// Predict implements tidemill.Model: a probability per class known.
func (m *hoeffding) Predict(dst []float64, x *tidemill.Vector) []float64 {
	if len(m.nodes) == 0 {
		return appendUnknown(dst, m.classes)
	}
	at := len(dst)
	for range m.classes {
		dst = append(dst, 0)
	}
	dense := x.Dense[:min(len(x.Dense), len(m.columns))]
	m.answer(dst[at:], m.find(dense), dense)
	return dst
}

// Size is the tree's tests and leaves, and the longest way from the root to a leaf in nodes.
func (m *hoeffding) Size() (tests, leaves, height int) {
	for i := range m.nodes {
		height = max(height, int(m.nodes[i].depth)+1)
	}
	return len(m.nodes) - m.leaves, m.leaves, height
}

func sum(v []float64) float64 {
	var s float64
	for _, x := range v {
		s += x
	}
	return s
}
