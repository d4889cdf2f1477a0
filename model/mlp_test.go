package model

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

func regress(c *MLPConfig) { c.Target = targetRegress }

// networks are settings that between them use everything.
func networks() map[string]func() tidemill.Model {
	return map[string]func() tidemill.Model{
		"plain": func() tidemill.Model { return MLP() },
		"batch": func() tidemill.Model {
			return MLP(func(c *MLPConfig) { c.Hidden, c.Batch, c.StreamBatch = []int{9, 70}, 17, 5 })
		},
		"no hidden": func() tidemill.Model { return MLP(func(c *MLPConfig) { c.Hidden, c.Batch = nil, 3 }) },
		"dropout": func() tidemill.Model {
			return MLP(func(c *MLPConfig) { c.Hidden, c.Dropout, c.Batch = []int{12, 11}, 0.3, 8 })
		},
		"regress sgd": func() tidemill.Model {
			return MLP(regress, func(c *MLPConfig) { c.Optimizer, c.Activation = "sgd", "tanh" })
		},
		"regress momentum": func() tidemill.Model {
			return MLP(regress, func(c *MLPConfig) {
				c.Optimizer, c.Nesterov, c.Layers = "momentum", true, []MLPLayer{{Units: 8, Activation: "sigmoid", Dropout: 0.1}, {Units: 5, Activation: "softmax"}}
			})
		},
	}
}

func TestMLPLaws(t *testing.T) {
	for name, made := range networks() {
		t.Run(name, func(t *testing.T) { tidemilltest.Model(t, made) })
	}
}

func FuzzMLPState(f *testing.F) {
	tidemilltest.FuzzState(f, func() tidemill.State {
		return MLP(func(c *MLPConfig) { c.Hidden, c.Classes, c.Batch = []int{3}, 2, 4 })
	})
}

// reference is the network in float64, written from the definitions.
type reference struct {
	acts    []string
	in, out []int
	w, b    [][]float64
	regress bool
}

func referenceOf(m *mlp) *reference {
	r := &reference{regress: m.c.Target == targetRegress}
	for i := range m.layers {
		l := &m.layers[i]
		r.acts, r.in, r.out = append(r.acts, activationNames[l.act]), append(r.in, l.in), append(r.out, l.out)
		w := make([]float64, l.in*l.out)
		for _, b := range l.blocks {
			for p := range l.in {
				for j, v := range b.w.Row(p) {
					w[p*l.out+b.from+j] = float64(v)
				}
			}
		}
		var bias []float64
		for _, v := range l.bias {
			bias = append(bias, float64(v))
		}
		r.w, r.b = append(r.w, w), append(r.b, bias)
	}
	return r
}

func (r *reference) loss(x []float64, y float64) float64 {
	for l := range r.w {
		z := append([]float64(nil), r.b[l]...)
		for i, v := range x {
			for j := range z {
				z[j] += v * r.w[l][i*r.out[l]+j]
			}
		}
		sum := 0.0
		for _, v := range z {
			sum += math.Exp(v)
		}
		for j, v := range z {
			switch r.acts[l] {
			case "relu":
				z[j] = max(v, 0)
			case "tanh":
				z[j] = math.Tanh(v)
			case "sigmoid":
				z[j] = 1 / (1 + math.Exp(-v))
			case "softmax":
				z[j] = math.Exp(v) / sum
			}
		}
		x = z
	}
	if r.regress {
		return (x[0] - y) * (x[0] - y)
	}
	return -math.Log(x[int(y)])
}

// One step of SGD at rate 1 moves each weight by the gradient of the mean loss, weighted by the rows: against finite
// differences of a network in float64.
func TestMLPGradients(t *testing.T) {
	for _, hidden := range activationNames {
		for _, out := range []string{"softmax", "linear", "sigmoid", "tanh", "relu"} {
			t.Run(hidden+" to "+out, func(t *testing.T) {
				const rows, cols = 5, 6
				m := MLP(func(c *MLPConfig) {
					c.Hidden, c.Activation, c.Output = []int{7, 65}, hidden, out
					c.Optimizer, c.LearningRate, c.Batch, c.Classes = "sgd", 1, rows, 3
					if out != "softmax" {
						c.Target, c.Classes = targetRegress, 0
					}
				}).(*mlp)
				r := rand.New(rand.NewPCG(1, 2))
				var xs [][]float64
				var ys, ws []float64
				total := func(ref *reference) (s float64) {
					for i := range xs {
						s += ws[i] * ref.loss(xs[i], ys[i]) / rows
					}
					return s
				}
				m.lazily(cols)
				for i := range m.layers { // not 0, and none at a rectifier's corner
					for j := range m.layers[i].bias {
						m.layers[i].bias[j] = float32(r.NormFloat64()) / 4
						if m.layers[i].act == actReLU && out == "relu" && i == 2 {
							m.layers[i].bias[j] = 3
						}
					}
				}
				before := referenceOf(m)
				for range rows {
					x := make([]float64, cols)
					for j := range x {
						x[j] = float64(float32(r.NormFloat64()))
					}
					y := float64(r.IntN(3))
					xs, ys, ws = append(xs, x), append(ys, y), append(ws, 0.5+r.Float64())
					m.Learn(&tidemill.Example{X: &tidemill.Vector{Dense: x}, Y: ys[len(ys)-1:], Weight: ws[len(ws)-1]})
				}
				if m.counts.Steps != 1 {
					t.Fatalf("%d steps", m.counts.Steps)
				}
				after := referenceOf(m)
				check := func(what string, p *float64, got float64) {
					const h = 1e-6
					at := *p
					*p = at + h
					up := total(before)
					*p = at - h
					down := total(before)
					*p = at
					want := (up - down) / (2 * h)
					if math.Abs(got-want) > 2e-5+2e-4*math.Abs(want) {
						t.Fatalf("%s: gradient %v, finite difference %v", what, got, want)
					}
				}
				for l := range before.w {
					for i := range before.w[l] {
						check(fmt.Sprintf("layer %d weight %d", l, i), &before.w[l][i], before.w[l][i]-after.w[l][i])
					}
					for i := range before.b[l] {
						check(fmt.Sprintf("layer %d bias %d", l, i), &before.b[l][i], before.b[l][i]-after.b[l][i])
					}
				}
			})
		}
	}
}

// Wide enough that the cores share a step: the bits are those of one core, row by row, and of a restart in mid-batch.
func TestMLPCoresAndCutsDoNotShow(t *testing.T) {
	made := func() tidemill.Model {
		m := MLP(func(c *MLPConfig) {
			c.Layers = []MLPLayer{{Units: 200, Activation: "tanh", Dropout: 0.2}, {Units: 130}}
			c.Classes, c.Batch = 5, 40
		})
		return m
	}
	const rows, cols = 203, 150
	r := rand.New(rand.NewPCG(3, 4))
	b := &tidemill.Block{Rows: rows, Cols: cols}
	for range rows * cols {
		b.Dense32 = append(b.Dense32, float32(r.NormFloat64()))
	}
	for range rows {
		b.Y = append(b.Y, float64(r.IntN(5)))
	}
	one := made()
	for i := range rows {
		x := &tidemill.Vector{}
		for _, v := range b.Dense32[i*cols : (i+1)*cols] {
			x.Dense = append(x.Dense, float64(v))
		}
		one.Learn(&tidemill.Example{X: x, Y: b.Y[i : i+1], Weight: 1})
	}
	want := tidemilltest.StateBytes(t, one)
	for _, cores := range []int{1, 2, 8} {
		was := runtime.GOMAXPROCS(cores)
		m := made()
		for i := 0; i < rows; {
			n := min(1+r.IntN(150), rows-i)
			m.(tidemill.Batcher).LearnBatch(nil, &tidemill.Block{Rows: n, Cols: cols, Dense32: b.Dense32[i*cols : (i+n)*cols], Y: b.Y[i : i+n]}, i%2 == 0)
			i += n
			next := made()
			if err := next.UnmarshalBinary(tidemilltest.StateBytes(t, m)); err != nil {
				t.Fatal(err)
			}
			m = next
		}
		runtime.GOMAXPROCS(was)
		if !bytes.Equal(tidemilltest.StateBytes(t, m), want) {
			t.Fatalf("%d cores give other weights", cores)
		}
	}
}

// The state after some steps, on every architecture and with or without assembly.
func TestMLPSameBitsEverywhere(t *testing.T) {
	want := map[string]string{
		"plain": "20048efc95bf884f", "batch": "a1a030946f3f1d9b", "no hidden": "d933bf454c5b345d",
		"dropout": "73cc18819586dfb9", "regress sgd": "fffd0953ec7648b3", "regress momentum": "2412554e27ee1342",
	}
	for name, made := range networks() {
		m := made()
		if err := m.Bind(tidemill.Input{Columns: make([]tidemill.FeatureColumn, 37), Classes: map[bool]int{true: 3}[m.Kind() == tidemill.Classify]}); err != nil {
			t.Fatal(err)
		}
		r := random(7)
		for range 100 {
			x := make([]float64, 37)
			for i := range x {
				x[i] = float64(float32(r.unit()*4 - 2))
			}
			m.Learn(&tidemill.Example{X: &tidemill.Vector{Dense: x}, Y: []float64{float64(r.next() % 3)}, Weight: 1})
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(tidemilltest.StateBytes(t, m)))[:16]; got != want[name] {
			t.Errorf("%s: %s, want %s", name, got, want[name])
		}
	}
}

// A network that has diverged begins anew, and one that met absurd rows did not.
func TestMLPIsNotPoisoned(t *testing.T) {
	m := MLP(regress, func(c *MLPConfig) { c.Hidden, c.Optimizer, c.LearningRate, c.Batch = nil, "sgd", 10, 1 }).(*mlp)
	r := rand.New(rand.NewPCG(5, 6))
	row := func() *tidemill.Example {
		x := r.NormFloat64() + 3
		return &tidemill.Example{X: &tidemill.Vector{Dense: []float64{x, 1}}, Y: []float64{2 * x}, Weight: 1}
	}
	for range 2000 {
		m.Learn(row())
	}
	if m.counts.RefusedSteps < maxStreak || m.counts.Restarts == 0 {
		t.Fatalf("a rate of 10 does not diverge: %+v", m.counts)
	}
	m = MLP(regress, func(c *MLPConfig) { c.Hidden, c.Optimizer, c.LearningRate, c.Batch = nil, "sgd", 0.01, 1 }).(*mlp)
	for i := range 3000 {
		e := row()
		switch i % 10 {
		case 3:
			e.X.Dense[0] = []float64{math.Inf(1), 1e300, -2e9}[i/10%3]
		case 4:
			e.Y[0] = []float64{math.Inf(-1), math.NaN(), 1e30}[i/10%3]
		}
		m.Learn(e)
	}
	if p := m.Predict(nil, &tidemill.Vector{Dense: []float64{4, 1}})[0]; math.Abs(p-8) > 0.1 {
		t.Errorf("predicts %v, want 8", p)
	}
	if p := m.Predict(nil, &tidemill.Vector{Dense: []float64{math.Inf(1), 1}})[0]; p == p {
		t.Errorf("predicts %v for an infinite input", p)
	}
	if _, rows, refused, steps, restarts := m.Counts(); rows != 2400 || refused != 600 || steps != 0 || restarts != 0 {
		t.Errorf("%+v", m.counts)
	}
}

func TestMLPSettings(t *testing.T) {
	for want, set := range map[string]func(c *MLPConfig){
		"units":               func(c *MLPConfig) { c.Hidden = []int{0} },
		"activation":          func(c *MLPConfig) { c.Activation = "gelu" },
		"dropout":             func(c *MLPConfig) { c.Dropout = 1 },
		"target":              func(c *MLPConfig) { c.Target = "cluster" },
		"probabilities":       func(c *MLPConfig) { c.Output = "linear" },
		"output is softmax":   func(c *MLPConfig) { c.Target, c.Output = targetRegress, "softmax" },
		"optimizer":           func(c *MLPConfig) { c.Optimizer = "lion" },
		"learning rate":       func(c *MLPConfig) { c.LearningRate = -1 },
		"beta_1":              func(c *MLPConfig) { c.Beta1 = 1 },
		"eps is 0":            func(c *MLPConfig) { c.Eps = 0 },
		"stream_batch":        func(c *MLPConfig) { c.StreamBatch = 0 },
		"classes is -1":       func(c *MLPConfig) { c.Classes = -1 },
		"a regression has no": func(c *MLPConfig) { c.Target, c.Classes = targetRegress, 3 },
	} {
		c := NewMLPConfig()
		set(c)
		if _, err := c.Build(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	m, err := NewMLPConfig().Build("")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Bind(tidemill.Input{Columns: tidemilltest.ModelColumns()}); err == nil || !strings.Contains(err.Error(), "classes") {
		t.Errorf("bound without classes: %v", err)
	}
	if err := m.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "a", Nominal: true}}, Classes: 2}); err == nil {
		t.Error("bound to a category")
	}
	const line = "mlp hidden=[128] output=softmax optimizer=adam rate=0.001 beta_1=0.9 beta_2=0.999 eps=1e-07 batch=32 stream_batch=1 seed=1"
	if got := m.Describe(); got != line {
		t.Errorf("Describe is %q", got)
	}
	if n := len(m.(tidemill.Preparer).Encoders(tidemilltest.ModelColumns())); n != 0 {
		t.Errorf("%d encoders for scaled columns", n)
	}
	if n := len(m.(tidemill.Preparer).Encoders([]tidemill.FeatureColumn{{Name: "a"}, {Name: "b", Nominal: true, OneHot: true}})); n != 2 {
		t.Errorf("%d encoders for a number and a category", n)
	}
}

// idx reads one file of MNIST.
func idx(t testing.TB, name string, header int) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "examples", "mnist", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b[header:]
}

// mnist is the images over 255 and the digits.
func mnist(t testing.TB, set string) *tidemill.Block {
	t.Helper()
	pixels, labels := idx(t, set+"-images-idx3-ubyte.gz", 16), idx(t, set+"-labels-idx1-ubyte.gz", 8)
	b := &tidemill.Block{Rows: len(labels), Cols: 784, Dense32: make([]float32, len(pixels)), Y: make([]float64, len(labels))}
	for i, p := range pixels {
		b.Dense32[i] = float32(p) / 255
	}
	for i, l := range labels {
		b.Y[i] = float64(l)
	}
	return b
}

// rowsOf is some rows of a block.
func rowsOf(b *tidemill.Block, from, to int) *tidemill.Block {
	return &tidemill.Block{Rows: to - from, Cols: b.Cols, Dense32: b.Dense32[from*b.Cols : to*b.Cols], Y: b.Y[from:to]}
}

func digits(batch int) tidemill.Model {
	return MLP(func(c *MLPConfig) { c.Classes, c.Batch = 10, batch })
}

// epoch learns a block in runs of the engine's size and returns the share that was right before it was learned.
func epoch(m tidemill.Model, b *tidemill.Block, want bool) float64 {
	right := 0
	var p []float64
	for i := 0; i < b.Rows; i += 256 {
		n := min(256, b.Rows-i)
		p = m.(tidemill.Batcher).LearnBatch(p[:0], rowsOf(b, i, i+n), want)
		if want {
			right += correct(p, b.Y[i:i+n])
		}
	}
	return float64(right) / float64(b.Rows)
}

func correct(p, y []float64) int {
	right := 0
	for k, truth := range y {
		q := p[k*10 : (k+1)*10]
		best := 0
		for j, v := range q {
			if v > q[best] {
				best = j
			}
		}
		if best == int(truth) {
			right++
		}
	}
	return right
}

func TestMLPLearnsDigits(t *testing.T) {
	train, test := mnist(t, "train"), mnist(t, "t10k")
	m := digits(32)
	first := epoch(m, train, true)
	p := m.(tidemill.Batcher).PredictBatch(nil, test)
	accuracy := float64(correct(p, test.Y)) / float64(test.Rows)
	t.Logf("one epoch by batches of 32: %.4f while learning, %.4f on the test set", first, accuracy)
	if accuracy < 0.945 {
		t.Errorf("accuracy %.4f after one epoch, want at least 0.945", accuracy)
	}
	if first < 0.88 {
		t.Errorf("accuracy %.4f while learning", first)
	}
}

func BenchmarkMLP(b *testing.B) {
	train := mnist(b, "train")
	for _, batch := range []int{1, 32, 64, 128} {
		for _, want := range []bool{false, true} {
			name := fmt.Sprintf("learn/batch=%d", batch)
			if want {
				name += "/scored"
			}
			b.Run(name, func(b *testing.B) {
				m := digits(batch)
				i := 0
				var p []float64
				for b.Loop() {
					p = m.(tidemill.Batcher).LearnBatch(p[:0], rowsOf(train, i, i+256), want)
					i = (i + 256) % (train.Rows - 256)
				}
				b.ReportMetric(256*float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
	m := digits(32)
	epoch(m, rowsOf(train, 0, 2560), false)
	x := &tidemill.Vector{}
	for _, v := range train.Dense32[:784] {
		x.Dense = append(x.Dense, float64(v))
	}
	var p []float64
	b.Run("predict/one", func(b *testing.B) {
		for b.Loop() {
			p = m.Predict(p[:0], x)
		}
	})
	for _, n := range []int{1, 256} {
		b.Run(fmt.Sprintf("predict/block=%d", n), func(b *testing.B) {
			for b.Loop() {
				p = m.(tidemill.Batcher).PredictBatch(p[:0], rowsOf(train, 0, n))
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*n), "ns/row")
		})
	}
	b.Run("learn/one", func(b *testing.B) {
		m := digits(1)
		e := &tidemill.Example{X: x, Y: []float64{3}, Weight: 1}
		for b.Loop() {
			m.Learn(e)
		}
	})
}

func ExampleMLP() {
	// Is a point inside the unit circle?
	m := MLP(func(c *MLPConfig) { c.Hidden, c.LearningRate, c.Batch, c.Classes = []int{16}, 0.01, 16, 2 })
	r := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		x, y := 4*r.Float64()-2, 4*r.Float64()-2
		inside := 0.0
		if x*x+y*y < 1 {
			inside = 1
		}
		m.Learn(&tidemill.Example{X: &tidemill.Vector{Dense: []float64{x, y}}, Y: []float64{inside}, Weight: 1})
	}
	for _, p := range [][]float64{{0, 0}, {0.5, -0.5}, {1.5, 0}, {-1, 1}} {
		fmt.Printf("%v inside: %v\n", p, m.Predict(nil, &tidemill.Vector{Dense: p})[1] > 0.5)
	}
	// Output:
	// [0 0] inside: true
	// [0.5 -0.5] inside: true
	// [1.5 0] inside: false
	// [-1 1] inside: false
}
