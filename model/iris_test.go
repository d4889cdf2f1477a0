package model

import (
	"bytes"
	"encoding/csv"
	"os"

	"testing"

	"github.com/tidemill/tidemill"
)

func iris(t testing.TB) (x [][]float64, y []int) {
	rows, err := csv.NewReader(bytes.NewReader(readExample(t, "iris/iris.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		var v []float64
		for _, s := range r[:4] {
			v = append(v, number(t, s))
		}
		x, y = append(x, v), append(y, int(number(t, r[4])))
	}
	return x, y
}

// shuffled is the order that testdata/iris_kmeans.py makes from a seed.
func shuffled(n int, seed uint64) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- {
		seed = (1103515245*seed + 12345) % (1 << 31)
		j := int(seed>>8) % (i + 1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

func nearestTo(m tidemill.Model, x []float64) int {
	best := 0
	p := m.Predict(nil, &tidemill.Vector{Dense: x})
	for i, d := range p {
		if d < p[best] {
			best = i
		}
	}
	return best
}

// irisRight is how many of the 11 rows held out end at a centre whose class, by the majority of the rows learned, is
// theirs.
func irisRight(x [][]float64, y []int, order []int, m tidemill.Model) int {
	held, train := order[:11], order[11:]
	for _, i := range train {
		learnRows(m, x[i])
	}
	m.(tidemill.Batched).EndBatch(tidemill.Stream)
	var votes [3][3]float64
	for _, i := range train {
		votes[nearestTo(m, x[i])][y[i]]++
	}
	right := 0
	for _, i := range held {
		if largest(votes[nearestTo(m, x[i])][:]) == y[i] {
			right++
		}
	}
	return right
}

// testdata/iris_kmeans.csv is scikit-learn's batch KMeans on the same splits: from the same centres (where it ends in a
// poor optimum), and from the best of ten k-means++ starts.
func TestKMeansIris(t *testing.T) {
	f, err := os.Open("testdata/iris_kmeans.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	golden, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	x, y := iris(t)
	var ours, theirs float64
	var ends [12]int
	for _, row := range golden[1:] {
		m := KMeans(3, func(c *KMeansConfig) {
			c.Centers = [][]float64{{6, 3, 1, 0}, {6, 3, 2, 1}, {6, 3, 3, 2}}
			c.Decay = 0.85
		})
		right := irisRight(x, y, shuffled(len(x), uint64(number(t, row[0]))), m)
		ends[right]++
		ours += float64(right) / 11 / 200
		theirs += number(t, row[2]) / 11 / 200
	}
	t.Logf("mean accuracy %.4f, scikit-learn %.4f; splits by rows right: %v", ours, theirs, ends)
	if len(golden) != 201 || ours < theirs-0.01 {
		t.Errorf("mean accuracy %.4f over %d splits, scikit-learn's is %.4f", ours, len(golden)-1, theirs)
	}
	if ends[10]+ends[11] <= 100 {
		t.Errorf("%d of 200 splits end with 10 or 11 right; it is not the typical run", ends[10]+ends[11])
	}
}
