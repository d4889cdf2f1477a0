package model

import (
	"math"
	"slices"
)

// treeSplit is a candidate: a test and the class distribution of each branch.
type treeSplit struct {
	merit    float64
	column   int32 // -1: no split
	test     testKind
	at       float64
	codes    []float64 // testEach
	children [][]float64
}

// try splits leaf at, if the bound allows.
func (m *hoeffding) try(at int32) {
	l := m.nodes[at].leaf
	present := 0
	for _, w := range l.stats {
		if w > 0 {
			present++
		}
	}
	if present < 2 {
		return
	}
	total := sum(l.stats)
	if l.stats[largest(l.stats)]/total > m.set.MaxShare {
		m.forget(l)
		return
	}
	// The candidates compete in the order: no split, then the columns; of equals the later wins.
	best := treeSplit{merit: math.Inf(-1), column: -1}
	second := math.Inf(-1)
	for i := range m.columns {
		s := m.bestOf(l, i)
		if s.merit >= best.merit {
			best, second = s, best.merit
		} else {
			second = max(second, s.merit)
		}
	}
	classes := max(2, float64(present))
	r := math.Log2(classes)
	bound := math.Sqrt(float64(r*r) * math.Log(1/m.set.Delta) / (2 * total))
	if !(best.merit-second > bound || bound < m.set.Tau) {
		return
	}
	if best.column < 0 {
		m.forget(l)
		return
	}
	m.split(at, &best)
	m.limit()
}

// forget empties a leaf's observers: nothing is worth a split, and what comes may be different.
func (m *hoeffding) forget(l *treeLeaf) { l.numbers, l.names = nil, nil }

// split turns leaf at into the test s.
func (m *hoeffding) split(at int32, s *treeSplit) {
	old := &m.nodes[at]
	n := treeNode{test: s.test, column: s.column, threshold: s.at, depth: old.depth, parent: old.parent}
	lost := old.weight
	for _, code := range s.codes {
		n.codes.add(codeKey(code))
	}
	for _, stats := range s.children {
		w := sum(stats)
		n.weight += w
		n.children = append(n.children, int32(len(m.nodes)))
		m.nodes = append(m.nodes, treeNode{leaf: m.newLeaf(stats), depth: n.depth + 1, parent: at, weight: w})
	}
	m.leaves += len(s.children) - 1
	m.nodes[at] = n
	// What the leaf had from the split above it is not projected again.
	lost -= n.weight
	for p := n.parent; p >= 0; p = m.nodes[p].parent {
		m.nodes[p].weight = max(0, m.nodes[p].weight-lost)
	}
}

// bestOf is the best split on a column.
func (m *hoeffding) bestOf(l *treeLeaf, column int) treeSplit {
	k := m.columns[column]
	if !k.nominal {
		return m.bestNumber(l, int32(column), int(k.at))
	}
	if l.names == nil {
		return treeSplit{merit: math.Inf(-1), column: -1}
	}
	return m.bestCategory(l, int32(column), &l.names[k.at])
}

// bestNumber tries thresholds evenly spaced between the least and the greatest value.
func (m *hoeffding) bestNumber(l *treeLeaf, column int32, at int) treeSplit {
	best := treeSplit{merit: math.Inf(-1), column: -1}
	low, high := math.Inf(1), math.Inf(-1)
	for i := at; i < len(l.numbers); i += m.numbers {
		if d := &l.numbers[i]; d.n > 0 {
			low, high = min(low, d.min), max(high, d.max)
		}
	}
	if !(low < high) {
		return best
	}
	classes := len(l.numbers) / m.numbers
	sides := make([]float64, 2*classes)
	left, right := sides[:classes], sides[classes:]
	before := entropy(l.stats)
	width := (high - low) / float64(m.set.SplitPoints+1)
	for i := range m.set.SplitPoints {
		t := low + float64(width*float64(i+1))
		if !(low < t && t < high) {
			continue
		}
		for c := range classes {
			d := &l.numbers[c*m.numbers+at]
			switch {
			case d.n == 0:
				left[c], right[c] = 0, 0
			case t < d.min:
				left[c], right[c] = 0, d.n
			case t >= d.max:
				left[c], right[c] = d.n, 0
			default:
				left[c] = float64(d.below(t) * d.n)
				right[c] = d.n - left[c]
			}
		}
		if merit := m.merit(before, left, right); merit > best.merit {
			best.merit, best.column, best.test, best.at = merit, column, testLess, t
			best.children = [][]float64{slices.Clone(left), slices.Clone(right)}
		}
	}
	return best
}

// bestCategory tries a branch per category, then each category against the others.
func (m *hoeffding) bestCategory(l *treeLeaf, column int32, d *treeCategoric) treeSplit {
	best := treeSplit{merit: math.Inf(-1), column: -1}
	if len(d.codes) == 0 {
		return best
	}
	before := entropy(l.stats)
	order := make([]int, len(d.codes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if d.codes[a] < d.codes[b] {
			return -1
		}
		return 1
	})
	if !m.set.BinarySplit {
		s := treeSplit{column: column, test: testEach}
		for _, p := range order {
			s.codes = append(s.codes, d.codes[p])
			s.children = append(s.children, slices.Clone(d.weights[p*d.classes:(p+1)*d.classes]))
		}
		if s.merit = m.merit(before, s.children...); s.merit > best.merit {
			best = s
		}
	}
	rest := make([]float64, d.classes)
	for _, p := range order {
		one := d.weights[p*d.classes : (p+1)*d.classes]
		for c := range rest {
			rest[c] = d.totals[c] - one[c]
		}
		if merit := m.merit(before, one, rest); merit > best.merit {
			best = treeSplit{merit: merit, column: column, test: testEqual, at: d.codes[p],
				children: [][]float64{slices.Clone(one), slices.Clone(rest)}}
		}
	}
	return best
}

// merit is the information gained by a split; -Inf unless at least two branches get their share.
func (m *hoeffding) merit(before float64, branches ...[]float64) float64 {
	var total, after float64
	for _, b := range branches {
		total += sum(b)
	}
	if !(total > 0) {
		return math.Inf(-1)
	}
	filled := 0
	for _, b := range branches {
		w := sum(b)
		if w/total > m.set.MinBranch {
			filled++
		}
		after += float64(w * entropy(b))
	}
	if filled < 2 {
		return math.Inf(-1)
	}
	return before - after/total
}

// entropy is the entropy of a class distribution in bits.
func entropy(d []float64) float64 {
	var e, total float64
	for _, w := range d {
		if w > 0 {
			e -= float64(w * math.Log2(w))
			total += w
		}
	}
	if total <= 0 {
		return 0
	}
	return (e + float64(total*math.Log2(total))) / total
}

// The bytes of a node, a leaf and an observed number, for the bound on memory.
const (
	nodeBytes   = 120
	leafBytes   = 130
	numberBytes = 56
	entryBytes  = 24
)

// bytes is what the leaf's observers take; of an idle leaf, what they would take at least.
func (m *hoeffding) bytes(l *treeLeaf) int {
	n := max(len(l.numbers), m.numbers*len(l.stats)) * numberBytes
	for i := range l.names {
		n += len(l.names[i].codes) * (entryBytes + 8*l.names[i].classes)
	}
	return n
}

// limit keeps the observers within the memory: the leaves with the most rows outside their majority observe, others are
// idle. Among equals the earlier in the tree observes.
func (m *hoeffding) limit() {
	budget := m.set.MaxSize * (1 << 20)
	size := 0
	for i := range m.nodes {
		size += nodeBytes
		if l := m.nodes[i].leaf; l != nil {
			size += leafBytes + 8*len(l.stats) + m.bytes(l)
		}
	}
	if m.idle == 0 && float64(size) <= budget {
		return
	}
	type candidate struct {
		leaf    *treeLeaf
		promise float64
		deep    bool
	}
	var all []candidate
	rest := float64(len(m.nodes) * nodeBytes)
	m.walk(func(i int32) {
		if n := &m.nodes[i]; n.leaf != nil {
			rest += float64(leafBytes + 8*len(n.leaf.stats))
			p := 0.0
			if len(n.leaf.stats) > 0 {
				p = sum(n.leaf.stats) - n.leaf.stats[largest(n.leaf.stats)]
			}
			all = append(all, candidate{n.leaf, p, m.set.MaxDepth > 0 && int(n.depth) >= m.set.MaxDepth})
		}
	})
	slices.SortStableFunc(all, func(a, b candidate) int {
		switch {
		case a.promise > b.promise:
			return -1
		case a.promise < b.promise:
			return 1
		}
		return 0
	})
	for _, c := range all {
		rest += float64(m.bytes(c.leaf))
		switch fits := rest <= budget && !c.deep; {
		case fits && c.leaf.idle:
			c.leaf.idle = false
			m.idle--
		case !fits && !c.leaf.idle:
			m.stop(c.leaf)
		}
	}
}

// walk visits the nodes from the root, a node before its branches, branch by branch.
func (m *hoeffding) walk(visit func(i int32)) {
	if len(m.nodes) == 0 {
		return
	}
	stack := []int32{0}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		visit(i)
		for _, c := range slices.Backward(m.nodes[i].children) {
			stack = append(stack, c)
		}
	}
}
