package model

import "math"

// treeLeaf is a leaf's counts and observers.
type treeLeaf struct {
	stats   []float64 // per class: weight, what the split above projected included
	tried   float64   // the total weight at the last attempt to split
	byMajor float64   // weight of the rows that the majority had right
	byBayes float64   // and of those that naive Bayes had right
	idle    bool
	numbers []treeNormal    // per class that was observed, per number column
	names   []treeCategoric // per nominal column
}

// treeNormal is a class's normal distribution in a column; inverse and log are kept for naive Bayes.
type treeNormal struct {
	n, mean, s float64 // weight, mean, sum of squared deviations
	min, max   float64
	inverse    float64 // -1/(2·variance); 0 while there is none
	log        float64 // -ln(deviation·√2π)
}

// treeCategoric is the weights by category and class of a column.
type treeCategoric struct {
	index   termIndex
	codes   []float64 // by place
	weights []float64 // by place, by class
	classes int       // the width of weights
	totals  []float64 // by class
}

// newLeaf is a leaf that starts from the class distribution stats, which it takes.
func (m *hoeffding) newLeaf(stats []float64) *treeLeaf {
	l := &treeLeaf{stats: stats}
	l.tried = sum(stats)
	return l
}

// teach lets a leaf learn one row.
func (m *hoeffding) teach(l *treeLeaf, x []float64, c int, w float64) {
	if !l.idle {
		if len(l.stats) == 0 || largest(l.stats) == c {
			l.byMajor += w
		}
		if m.bayesPick(l, x) == c {
			l.byBayes += w
		}
	}
	for len(l.stats) <= c {
		l.stats = append(l.stats, 0)
	}
	l.stats[c] += w
	if l.idle {
		return
	}
	for len(l.numbers) < (c+1)*m.numbers {
		l.numbers = append(l.numbers, treeNormal{})
	}
	if l.names == nil && m.names > 0 {
		l.names = make([]treeCategoric, m.names)
	}
	row := l.numbers[c*m.numbers : (c+1)*m.numbers]
	if m.names == 0 {
		for i, v := range x {
			if known(v) {
				row[i].add(v, w)
			}
		}
		return
	}
	for i, v := range x {
		if !known(v) {
			continue
		}
		if k := m.columns[i]; k.nominal {
			l.names[k.at].add(v, c, w)
		} else {
			row[k.at].add(v, w)
		}
	}
}

// add takes one value in. A value so large that its square is infinite is left out.
func (d *treeNormal) add(v, w float64) {
	n := d.n + w
	mean := d.mean + float64(w/n*(v-d.mean))
	s := d.s + float64(w*float64((v-d.mean)*(v-mean)))
	if s-s != 0 {
		return
	}
	if d.n == 0 {
		d.min, d.max = v, v
	}
	d.min, d.max = min(d.min, v), max(d.max, v)
	d.n, d.mean, d.s = n, mean, s
	d.derive()
}

// variance is the sample variance, 0 while there is none.
func (d *treeNormal) variance() float64 {
	if d.n > 1 {
		return d.s / (d.n - 1)
	}
	return 0
}

const halfLogTau = 0.918938533204672741780329736405617639861

// derive makes what naive Bayes reads.
func (d *treeNormal) derive() {
	d.inverse, d.log = 0, 0
	if v := d.variance(); v > 0 {
		d.inverse, d.log = -0.5/v, -halfLogTau-float64(0.5*math.Log(v))
	}
}

// below is the share of the distribution up to v.
func (d *treeNormal) below(v float64) float64 {
	if s := d.variance(); s > 0 {
		return 0.5 * (1 + math.Erf((v-d.mean)/math.Sqrt(s)/math.Sqrt2))
	}
	return 0
}

func (d *treeCategoric) add(code float64, c int, w float64) {
	if c >= d.classes {
		d.widen(c + 1)
	}
	p := d.index.find(codeKey(code))
	if p < 0 {
		if len(d.codes) >= maxCategories {
			return
		}
		p = d.index.add(codeKey(code))
		d.codes = append(d.codes, code)
		for range d.classes {
			d.weights = append(d.weights, 0)
		}
	}
	d.weights[p*d.classes+c] += w
	d.totals[c] += w
}

// widen makes room for n classes.
func (d *treeCategoric) widen(n int) {
	weights := make([]float64, len(d.codes)*n)
	for i := range d.codes {
		copy(weights[i*n:], d.weights[i*d.classes:(i+1)*d.classes])
	}
	d.weights, d.classes = weights, n
	for len(d.totals) < n {
		d.totals = append(d.totals, 0)
	}
}

// answer writes the leaf's probability per class into p, which is zero.
func (m *hoeffding) answer(p []float64, l *treeLeaf, x []float64) {
	total := sum(l.stats)
	switch {
	case total == 0:
		for i := range p {
			p[i] = 1 / float64(len(p))
		}
	case !l.idle && (m.set.Leaf == "nb" || m.set.Leaf == "nba" && l.byBayes >= l.byMajor):
		p = p[:len(l.stats)]
		m.bayesVotes(p, l, x, total)
		softmax(p)
	default:
		for i, w := range l.stats {
			p[i] = w / total
		}
	}
}

// bayesPick is the class that naive Bayes would answer, -1 while there is none.
func (m *hoeffding) bayesPick(l *treeLeaf, x []float64) int {
	total := sum(l.stats)
	if total == 0 {
		return -1
	}
	for len(m.votes) < len(l.stats) {
		m.votes = append(m.votes, 0)
	}
	votes := m.votes[:len(l.stats)]
	m.bayesVotes(votes, l, x, total)
	return largest(votes)
}

// bayesVotes writes the logarithm of P(class)·P(x|class), up to a constant; -Inf for a class without rows.
func (m *hoeffding) bayesVotes(votes []float64, l *treeLeaf, x []float64, total float64) {
	for c, w := range l.stats {
		if w <= 0 {
			votes[c] = math.Inf(-1)
			continue
		}
		v := math.Log(w / total)
		if from := c * m.numbers; from < len(l.numbers) {
			row := l.numbers[from : from+m.numbers]
			if m.names == 0 {
				row = row[:len(x)]
				for i := range row {
					if d := &row[i]; known(x[i]) {
						t := x[i] - d.mean
						v += float64(d.inverse*float64(t*t)) + d.log
					}
				}
			} else {
				for i, u := range x {
					if k := m.columns[i]; !k.nominal && known(u) {
						d := &row[k.at]
						v += float64(d.inverse*float64((u-d.mean)*(u-d.mean))) + d.log
					}
				}
			}
		}
		if l.names != nil {
			for i, u := range x {
				if k := m.columns[i]; k.nominal && known(u) {
					v += l.names[k.at].logShare(u, c)
				}
			}
		}
		votes[c] = v
	}
}

// logShare is ln P(code|class); 0 where the class has not been seen with it, which leaves it out.
func (d *treeCategoric) logShare(code float64, c int) float64 {
	if c >= d.classes {
		return 0
	}
	p := d.index.find(codeKey(code))
	if p < 0 {
		return 0
	}
	if w := d.weights[p*d.classes+c]; w > 0 {
		return math.Log(w / d.totals[c])
	}
	return 0
}

// largest is the index of the largest number, the first of equals.
func largest(v []float64) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}
