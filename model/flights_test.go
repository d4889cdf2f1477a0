package model

import (
	"bytes"
	"container/heap"
	"encoding/csv"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// flight is a row of nycflights13: asked at its scheduled departure, answered at its landing, both in minutes.
type flight struct {
	row       int
	asked, at int
	x         []float64
	y         float64
}

var flightColumns = []tidemill.FeatureColumn{
	{Name: "month"}, {Name: "day"}, {Name: "hour"}, {Name: "minute"}, {Name: "distance"},
	{Name: "carrier", Nominal: true, OneHot: true}, {Name: "origin", Nominal: true, OneHot: true}, {Name: "dest", Nominal: true, OneHot: true},
}

// flights is the flights that landed, in the order of their scheduled departures.
func flights(t testing.TB) []flight {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(unzip(t, readExample(t, "flights/flights.zip"), "")))
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	var out []flight
	for row := 0; ; row++ {
		f, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		get := func(name string) string { return f[column[name]] }
		missing := false
		for _, name := range []string{"arr_delay", "air_time", "dep_delay"} {
			missing = missing || get(name) == "" || get(name) == "NA"
		}
		if missing {
			continue
		}
		n := func(name string) float64 { return number(t, get(name)) }
		day := time.Date(int(n("year")), time.Month(n("month")), int(n("day")), int(n("hour")), int(n("minute")), 0, 0, time.UTC)
		asked := int(day.Sub(time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)).Minutes())
		x := []float64{n("month"), n("day"), n("hour"), n("minute"), n("distance")}
		for _, name := range []string{"carrier", "origin", "dest"} {
			x = append(x, tidemill.Code([]byte(get(name))))
		}
		late := 0.0
		if n("arr_delay") > 15 {
			late = 1
		}
		out = append(out, flight{row, asked, max(asked, asked+int(n("dep_delay")+n("air_time"))+30), x, late})
	}
	slices.SortStableFunc(out, func(a, b flight) int { return a.asked - b.asked })
	return out
}

// landings is the open questions, the next to be answered first.
type landings []*flight

func (l landings) Len() int { return len(l) }
func (l landings) Less(i, j int) bool {
	return l[i].at < l[j].at || l[i].at == l[j].at && l[i].row < l[j].row
}
func (l landings) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *landings) Push(x any)   { *l = append(*l, x.(*flight)) }
func (l *landings) Pop() any {
	x := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return x
}

// validateFlights predicts each flight at its scheduled departure and learns it when it has landed, or at once.
func validateFlights(t testing.TB, m tidemill.Model, rows []flight, delayed bool) *figures {
	p := newPipeline(t, m, flightColumns, 2)
	f := &figures{}
	var open landings
	for i := range rows {
		r := &rows[i]
		for len(open) > 0 && open[0].at <= r.asked {
			o := heap.Pop(&open).(*flight)
			p.learn(&tidemill.Vector{Dense: o.x}, o.y)
		}
		f.add(p.predict(&tidemill.Vector{Dense: r.x}), r.y)
		if delayed {
			heap.Push(&open, r)
		} else {
			p.learn(&tidemill.Vector{Dense: r.x}, r.y)
		}
	}
	return f
}

// auc is the area under the ROC curve: the probability that a positive has the higher score, half of the ties counted.
func (f *figures) auc() float64 {
	order := make([]int, len(f.positive))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case f.positive[a] < f.positive[b]:
			return -1
		case f.positive[a] > f.positive[b]:
			return 1
		}
		return 0
	})
	var ranks float64
	positives := 0
	for i := 0; i < len(order); {
		j, n := i, 0
		for ; j < len(order) && f.positive[order[j]] == f.positive[order[i]]; j++ {
			if f.positives[order[j]] {
				n++
			}
		}
		ranks += float64(n) * float64(i+j+1) / 2
		positives += n
		i = j
	}
	n := float64(positives)
	return (ranks - n*(n+1)/2) / (n * (float64(len(order)) - n))
}

// The figures of River 0.26.1 under the same protocol: labels come when the flights land. Those of the tree are River's
// with ties of the majority in a leaf going to the first class, as in MOA, instead of to the first that came.
func TestFlights(t *testing.T) {
	rows := flights(t)
	if len(rows) != 327346 {
		t.Fatalf("%d flights", len(rows))
	}
	for _, c := range []struct {
		name           string
		m              tidemill.Model
		delayed        bool
		acc, loss, auc float64
	}{
		{"logistic at once", Logistic(), false, .80897, .443647, .78047},
		{"logistic", Logistic(), true, .78010, .492140, .72867},
		{"tree at once", HoeffdingTree(), false, .761988, .5819667, .597653},
		{"tree", HoeffdingTree(), true, .761358, .5748988, .592648},
	} {
		f := validateFlights(t, c.m, rows, c.delayed)
		t.Logf("%s %.6f %.7f %.6f", c.name, f.accuracy()/100, f.logLoss(), f.auc())
		near(t, c.name+" accuracy", f.accuracy()/100, c.acc, 1e-5)
		near(t, c.name+" log loss", f.logLoss(), c.loss, 1e-5)
		near(t, c.name+" AUC", f.auc(), c.auc, 1e-5)
	}
}
