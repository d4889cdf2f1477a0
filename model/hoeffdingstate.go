package model

import (
	"encoding/binary"
	"slices"

	"github.com/tidemill/tidemill/statebytes"
)

// AppendBinary implements tidemill.State: the nodes in the order of walk.
func (m *hoeffding) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(append(b, 1), uint64(m.classes))
	b = binary.AppendUvarint(b, uint64(len(m.columns)))
	for _, c := range m.columns {
		b = append(b, flag(c.nominal))
	}
	b = binary.AppendUvarint(b, uint64(len(m.nodes)))
	m.walk(func(i int32) {
		n := &m.nodes[i]
		b = statebytes.AppendFloat(b, n.weight)
		if n.leaf != nil {
			b = n.leaf.append(append(b, 0), m)
			return
		}
		b = append(b, 1+byte(n.test))
		b = binary.AppendUvarint(b, uint64(n.column))
		b = binary.AppendUvarint(b, uint64(len(n.children)))
		if n.test != testEach {
			b = statebytes.AppendFloat(b, n.threshold)
		}
		for _, k := range n.codes.keys {
			b = binary.LittleEndian.AppendUint64(b, k)
		}
	})
	return b, nil
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func (l *treeLeaf) append(b []byte, m *hoeffding) []byte {
	b = append(b, flag(l.idle))
	b = statebytes.AppendFloat(statebytes.AppendFloat(statebytes.AppendFloat(b, l.tried), l.byMajor), l.byBayes)
	b = binary.AppendUvarint(b, uint64(len(l.stats)))
	b = statebytes.AppendFloats(b, l.stats)
	if l.idle {
		return b
	}
	rows := 0
	if m.numbers > 0 {
		rows = len(l.numbers) / m.numbers
	}
	b = binary.AppendUvarint(b, uint64(rows))
	for i := range l.numbers {
		d := &l.numbers[i]
		b = statebytes.AppendFloat(b, d.n)
		if d.n > 0 {
			b = statebytes.AppendFloat(statebytes.AppendFloat(statebytes.AppendFloat(statebytes.AppendFloat(b,
				d.mean), d.s), d.min), d.max)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(l.names)))
	for i := range l.names {
		b = l.names[i].append(b)
	}
	return b
}

func (d *treeCategoric) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(d.classes))
	b = binary.AppendUvarint(b, uint64(len(d.codes)))
	b = statebytes.AppendFloats(b, d.codes)
	b = statebytes.AppendFloats(b, d.weights)
	return statebytes.AppendFloats(b, d.totals)
}

// UnmarshalBinary implements tidemill.State.
func (m *hoeffding) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	n := &hoeffding{set: m.set, bound: m.bound, fixed: m.fixed, called: m.called}
	n.classes = r.Below(maxClasses+1, "the number of classes")
	if r.Err() == nil && m.fixed > 0 && n.classes != m.fixed {
		r.Failf("it has %d classes, not the %d fixed", n.classes, m.fixed)
	}
	for range r.Count(1) {
		n.column(r.Below(2, "a column's sort") == 1)
	}
	if m.bound && r.Err() == nil {
		if !slices.Equal(n.columns, m.columns) {
			r.Failf("its %d columns are not the %d bound", len(n.columns), len(m.columns))
		}
	}
	nodes := r.Count(9)
	if nodes > 0 {
		n.bound = true
		n.readNodes(r, nodes)
	}
	if err := r.Done("model: hoeffding_tree"); err != nil {
		return err
	}
	*m = *n
	return nil
}

// readNodes reads the nodes in the order of walk, which is the order in which they are kept from now on.
func (m *hoeffding) readNodes(r *statebytes.Reader, nodes int) {
	type open struct {
		at    int32
		wants int // branches that have not come
	}
	var stack []open
	for i := range nodes {
		n := treeNode{weight: r.Weight(), parent: -1}
		if i > 0 {
			if len(stack) == 0 {
				r.Failf("it has more nodes than its tests have branches")
				return
			}
			top := &stack[len(stack)-1]
			parent := &m.nodes[top.at]
			parent.children = append(parent.children, int32(i))
			n.depth, n.parent = parent.depth+1, top.at
			if top.wants--; top.wants == 0 {
				stack = stack[:len(stack)-1]
			}
		}
		kind := r.Below(4, "a node's sort")
		if r.Err() != nil {
			return
		}
		if kind == 0 {
			n.leaf = m.readLeaf(r)
			m.leaves++
			if n.leaf.idle {
				m.idle++
			}
		} else if branches := m.readTest(r, &n, testKind(kind-1)); r.Err() == nil {
			stack = append(stack, open{int32(i), branches})
		}
		if r.Err() != nil {
			return
		}
		m.nodes = append(m.nodes, n)
	}
	if len(stack) > 0 {
		r.Failf("a test in it has too few branches")
	}
}

// readTest reads a test and says how many branches it has.
func (m *hoeffding) readTest(r *statebytes.Reader, n *treeNode, test testKind) int {
	n.test = test
	n.column = int32(r.Below(len(m.columns), "a test's column"))
	branches := r.Count(1)
	if r.Err() != nil {
		return 0
	}
	if m.columns[n.column].nominal != (test != testLess) || test != testEach && branches != 2 || branches < 1 {
		r.Failf("a test in it does not fit its column")
		return 0
	}
	if test != testEach {
		n.threshold = r.Number()
		return branches
	}
	if branches > r.Left()/8 {
		r.Fail(statebytes.ErrShort)
		return 0
	}
	for i := range branches {
		if n.codes.add(r.Uint()) != i {
			r.Failf("a category is twice in a test")
			return 0
		}
	}
	return branches
}

func (m *hoeffding) readLeaf(r *statebytes.Reader) *treeLeaf {
	l := &treeLeaf{idle: r.Below(2, "the idle mark") == 1, tried: r.Weight(), byMajor: r.Weight(), byBayes: r.Weight()}
	for range r.Count(8) {
		l.stats = append(l.stats, r.Weight())
	}
	if r.Err() == nil && len(l.stats) > m.classes {
		r.Failf("a leaf has %d classes of %d", len(l.stats), m.classes)
	}
	if l.idle || r.Err() != nil {
		return l
	}
	rows := r.Uvarint()
	if rows > uint64(len(l.stats)) || m.numbers > 0 && rows > uint64(r.Left()/8/m.numbers) || m.numbers == 0 && rows > 0 {
		r.Failf("a leaf observes %d classes of %d", rows, len(l.stats))
		return l
	}
	if rows > 0 {
		l.numbers = make([]treeNormal, int(rows)*m.numbers)
	}
	for i := range l.numbers {
		d := &l.numbers[i]
		if d.n = r.Weight(); d.n > 0 {
			d.mean, d.s, d.min, d.max = r.Number(), r.Number(), r.Number(), r.Number()
			d.derive()
		}
	}
	names := r.Uvarint()
	if r.Err() == nil && names != 0 && names != uint64(m.names) {
		r.Failf("a leaf observes %d categories of %d", names, m.names)
	}
	if r.Err() != nil || names == 0 {
		return l
	}
	l.names = make([]treeCategoric, names)
	for i := range l.names {
		l.names[i].read(r, len(l.stats))
	}
	return l
}

func (d *treeCategoric) read(r *statebytes.Reader, classes int) {
	d.classes = r.Below(classes+1, "the classes of a category")
	codes := r.Count(8 * (1 + d.classes))
	if r.Err() != nil {
		return
	}
	if codes > 0 && d.classes == 0 {
		r.Failf("a category has no class")
		return
	}
	d.codes = r.Floats(codes)
	for i, code := range d.codes {
		if d.index.add(codeKey(code)) != i {
			r.Failf("a category is in a leaf twice")
			return
		}
	}
	d.weights = r.Floats(codes * d.classes)
	d.totals = r.Floats(d.classes)
}
