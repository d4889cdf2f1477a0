package statustest

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill/engine"
)

// Pictures are some of MNIST's, and the mean of each digit: enough of a model to know a drawn digit.
type Pictures struct {
	Images [][]byte
	Labels []int
	means  [10][784]float64
}

// MNIST reads some of the pictures of examples/mnist, whose folder is dir.
func MNIST(t testing.TB, dir string) *Pictures {
	t.Helper()
	const n = 3000
	img := read(t, filepath.Join(dir, "train-images-idx3-ubyte.gz"), 16, n*784)
	lab := read(t, filepath.Join(dir, "train-labels-idx1-ubyte.gz"), 8, n)
	m := &Pictures{}
	var count [10]float64
	for i := range n {
		p := img[i*784 : (i+1)*784]
		m.Images, m.Labels = append(m.Images, p), append(m.Labels, int(lab[i]))
		count[lab[i]]++
		for k, x := range p {
			m.means[lab[i]][k] += float64(x)
		}
	}
	for d := range m.means {
		for k := range m.means[d] {
			m.means[d][k] /= count[d]
		}
	}
	return m
}

// read gives n bytes of a compressed file after its head.
func read(t testing.TB, path string, head, n int) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, head+n)
	if _, err := io.ReadFull(z, b); err != nil {
		t.Fatal(err)
	}
	return b[head:]
}

// Predict is the nearest mean.
func (m *Pictures) Predict(p []byte) engine.Prediction {
	var logit [10]float64
	for d := range m.means {
		for k, x := range p {
			e := (float64(x) - m.means[d][k]) / 255
			logit[d] -= e * e / 6
		}
	}
	sum, best := 0.0, 0
	for d := range logit {
		if logit[d] > logit[best] {
			best = d
		}
	}
	top := logit[best]
	for d := range logit {
		logit[d] = math.Exp(logit[d] - top)
		sum += logit[d]
	}
	out := engine.Prediction{Label: fmt.Sprint(best), Probabilities: map[string]float64{}}
	for d := range logit {
		out.Probabilities[fmt.Sprint(d)] = logit[d] / sum
	}
	out.Score = Some(1 / sum)
	return out
}
