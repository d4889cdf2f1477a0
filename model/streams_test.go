package model

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// stream is a data set of rows in order, with the class of each.
type stream struct {
	cols    []tidemill.FeatureColumn
	x       [][]float64
	y       []float64
	classes int
	rank    []int // where set: of classes of equal probability the lowest ranked is answered
}

// unzip is the content of the named file of a zip archive, of the first one if name is empty.
func unzip(t testing.TB, data []byte, name string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if name == "" || f.Name == name {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatalf("no %q in the archive", name)
	return nil
}

func readExample(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile("../examples/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readCSV reads a table whose last column is the class, as label numbers it.
func readCSV(t testing.TB, data []byte, label func(s string) float64) *stream {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{classes: 2}
	last := len(rows[0]) - 1
	for _, name := range rows[0][:last] {
		s.cols = append(s.cols, tidemill.FeatureColumn{Name: name})
	}
	for _, row := range rows[1:] {
		x := make([]float64, last)
		for i := range x {
			x[i] = number(t, row[i])
		}
		s.x, s.y = append(s.x, x), append(s.y, label(row[last]))
	}
	return s
}

// is is 1 for the label s.
func is(s string) func(string) float64 {
	return func(v string) float64 {
		if v == s {
			return 1
		}
		return 0
	}
}

func elec2(t testing.TB) *stream {
	return readCSV(t, unzip(t, readExample(t, "streams/elec2.zip"), ""), is("UP"))
}

func phishing(t testing.TB) *stream {
	z, err := gzip.NewReader(bytes.NewReader(readExample(t, "streams/phishing.csv.gz")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return readCSV(t, b, is("1"))
}

func bananas(t testing.TB) *stream {
	s := &stream{classes: 2, cols: []tidemill.FeatureColumn{{Name: "1"}, {Name: "2"}}}
	for line := range strings.Lines(string(unzip(t, readExample(t, "streams/banana.zip"), "banana.all.txt"))) {
		f := strings.Fields(line)
		x := make([]float64, 2)
		for _, v := range f[1:] {
			i, v, _ := strings.Cut(v, ":")
			x[int(number(t, i))-1] = number(t, v)
		}
		s.x, s.y = append(s.x, x), append(s.y, is("1")(f[0]))
	}
	return s
}

// imageSegments numbers its classes as they come, as a task does; alphabet ranks them by name.
func imageSegments(t testing.TB, alphabet bool) *stream {
	var names []string
	s := readCSV(t, unzip(t, readExample(t, "streams/segment.csv.zip"), ""), func(v string) float64 {
		i := slices.Index(names, v)
		if i < 0 {
			i, names = len(names), append(names, v)
		}
		return float64(i)
	})
	s.classes = len(names)
	if alphabet {
		for _, n := range names {
			rank := 0
			for _, o := range names {
				if o < n {
					rank++
				}
			}
			s.rank = append(s.rank, rank)
		}
	}
	return s
}

// pipeline is encoders and a model as a task runs them: Predict applies; Learn lets the encoders learn first.
type pipeline struct {
	encoders []tidemill.Encoder
	model    tidemill.Model
	a, b     tidemill.Vector
	p        []float64
	e        tidemill.Example
	y        [1]float64
}

// newPipeline binds m to the columns, behind the encoders that it asks for.
func newPipeline(t testing.TB, m tidemill.Model, cols []tidemill.FeatureColumn, classes int) *pipeline {
	t.Helper()
	p := &pipeline{model: m}
	if e, ok := m.(tidemill.Preparer); ok {
		p.encoders = e.Encoders(cols)
	}
	in := tidemill.Input{Columns: cols, Classes: classes}
	for _, e := range p.encoders {
		var err error
		if in, err = e.Bind(in); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Bind(in); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pipeline) encode(x *tidemill.Vector, learn bool, y []float64) *tidemill.Vector {
	dst, other := &p.a, &p.b
	for _, e := range p.encoders {
		if learn {
			e.Learn(x, y)
		}
		e.Apply(dst, x)
		x, dst, other = dst, other, dst
	}
	return x
}

// predict is the prediction, which the next call overwrites.
func (p *pipeline) predict(x *tidemill.Vector) []float64 {
	p.p = p.model.Predict(p.p[:0], p.encode(x, false, nil))
	return p.p
}

func (p *pipeline) learn(x *tidemill.Vector, y float64) {
	p.y[0] = y
	p.e = tidemill.Example{X: p.encode(x, true, p.y[:]), Y: p.y[:], Weight: 1}
	p.model.Learn(&p.e)
}

// figures are accuracy in percent and mean log loss over the n rows that had a prediction.
type figures struct {
	n, right  int
	loss      float64
	positive  []float64 // P(1) of the rows with a prediction
	positives []bool
	rank      []int
}

func (f *figures) add(p []float64, y float64) {
	if len(p) == 0 || p[0] != p[0] {
		return
	}
	best := 0
	for i, v := range p {
		if v > p[best] || v == p[best] && f.rank != nil && f.rank[i] < f.rank[best] {
			best = i
		}
	}
	f.n++
	if best == int(y) {
		f.right++
	}
	f.loss -= math.Log(min(max(p[int(y)], 1e-15), 1-1e-15))
	if len(p) > 1 {
		f.positive, f.positives = append(f.positive, p[1]), append(f.positives, y == 1)
	}
}

func (f *figures) accuracy() float64 { return 100 * float64(f.right) / float64(f.n) }
func (f *figures) logLoss() float64  { return f.loss / float64(f.n) }

// validate is progressive validation: every row is predicted, and learned once delay later rows were predicted.
func validate(t testing.TB, m tidemill.Model, s *stream, delay int) *figures {
	t.Helper()
	p := newPipeline(t, m, s.cols, s.classes)
	f := &figures{rank: s.rank}
	delay = max(delay, 1)
	for i := range s.x {
		if old := i - delay; old >= 0 {
			p.learn(&tidemill.Vector{Dense: s.x[old]}, s.y[old])
		}
		f.add(p.predict(&tidemill.Vector{Dense: s.x[i]}), s.y[i])
	}
	for i := max(0, len(s.x)-delay); i < len(s.x); i++ {
		p.learn(&tidemill.Vector{Dense: s.x[i]}, s.y[i])
	}
	return f
}

// near fails unless got is want to within tol.
func near(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s: %.9f, want %.9f", what, got, want)
	}
}

func example(x []float64, y ...float64) *tidemill.Example {
	return &tidemill.Example{X: &tidemill.Vector{Dense: x}, Y: y, Weight: 1}
}
