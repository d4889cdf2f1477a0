package main

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/examples/flights"
	"github.com/tidemill/tidemill/model"
)

// flightsMemoryChild is what River's script does, with our parts: each flight that lands is predicted at its scheduled
// departure, from its row, and learned at its landing; the vector is held meanwhile.
func flightsMemoryChild(_ context.Context, a args) (figures, error) {
	all, err := firstFlights(a.int("rows"))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(f flights.Flight) bool { return !f.Landed })
	events := flights.Events(all)
	table, rows := flightRows(all)
	p, err := newFlightPipeline(table)
	if err != nil {
		return nil, err
	}
	open := make([]*flightQuestion, len(all))
	right, loss := 0, 0.0
	began, used := time.Now(), cpu()
	for _, ev := range events {
		if !ev.Landing {
			if open[ev.Flight], err = p.predict(&rows[ev.Flight]); err != nil {
				return nil, err
			}
			continue
		}
		q, late := open[ev.Flight], 0.0
		if all[ev.Flight].ArrDelay > 15 {
			late = 1
		}
		if q.p > 0.5 == (late == 1) {
			right++
		}
		loss -= math.Log(max(1-math.Abs(late-q.p), 1e-15))
		p.learn(q, late)
	}
	n := float64(len(all))
	return figures{"rows_per_s": n / time.Since(began).Seconds(), "rows_per_cpu_s": n / (cpu() - used),
		"accuracy": float64(right) / n, "logloss": loss / n}, nil
}

// flightRows is the table of the flights with the columns that the features read, and its inserts.
func flightRows(all []flights.Flight) (*tidemill.Table, []tidemill.Change) {
	table := tidemill.NewTable("", "flights", []tidemill.Column{
		{Name: "month", Kind: tidemill.KindInt}, {Name: "day", Kind: tidemill.KindInt},
		{Name: "hour", Kind: tidemill.KindInt},
		{Name: "minute", Kind: tidemill.KindInt}, {Name: "distance", Kind: tidemill.KindInt},
		{Name: "carrier", Kind: tidemill.KindText},
		{Name: "origin", Kind: tidemill.KindText}, {Name: "dest", Kind: tidemill.KindText}}, nil)
	rows := make([]tidemill.Change, len(all))
	for i := range all {
		f := &all[i]
		rows[i] = tidemill.Change{Op: tidemill.Insert, Table: table, After: []tidemill.Value{
			tidemill.Int(int64(f.Month)), tidemill.Int(int64(f.Day)), tidemill.Int(int64(f.Hour)), tidemill.Int(int64(f.Minute)),
			tidemill.Int(int64(f.Distance)), tidemill.Text(f.Carrier), tidemill.Text(f.Origin), tidemill.Text(f.Dest)}}
	}
	return table, rows
}

// flightQuestion is a flight that is on its way: its vector, and the predicted probability that it will be late.
type flightQuestion struct {
	x tidemill.Vector
	p float64
}

// flightPipeline is the features, encoders and model of a task, without an engine.
type flightPipeline struct {
	features []tidemill.Feature
	encoders []tidemill.Encoder
	model    tidemill.Model
	unused   []*flightQuestion
	buffers  [2]tidemill.Vector // the encoders take turns
	out      []float64
	y        [1]float64
	example  tidemill.Example
}

func newFlightPipeline(table *tidemill.Table) (*flightPipeline, error) {
	p := &flightPipeline{features: flightFeatures(), model: model.Logistic(model.SGD(0.01))}
	p.example = tidemill.Example{Y: p.y[:], Weight: 1}
	in := tidemill.Input{Classes: 2}
	for _, f := range p.features {
		if err := f.Bind(table, tidemill.Asks); err != nil {
			return nil, err
		}
		columns, terms := f.Columns()
		in.Columns, in.Terms = append(in.Columns, columns...), in.Terms || terms
	}
	p.encoders = p.model.(tidemill.Preparer).Encoders(in.Columns)
	var err error
	for _, e := range p.encoders {
		if in, err = e.Bind(in); err != nil {
			return nil, err
		}
	}
	return p, p.model.Bind(in)
}

// predict makes a flight's vector and asks the model.
func (p *flightPipeline) predict(row *tidemill.Change) (*flightQuestion, error) {
	var q *flightQuestion
	if n := len(p.unused); n > 0 {
		q, p.unused = p.unused[n-1], p.unused[:n-1]
	} else {
		q = &flightQuestion{}
	}
	q.x.Reset()
	for _, f := range p.features {
		if err := f.Append(&q.x, row, 0); err != nil {
			return nil, err
		}
	}
	x, dst, other := &q.x, &p.buffers[0], &p.buffers[1]
	for _, enc := range p.encoders {
		enc.Apply(dst, x)
		x, dst, other = dst, other, dst
	}
	p.out = p.model.Predict(p.out[:0], x)
	q.p = 0.5
	if len(p.out) == 2 && p.out[1] == p.out[1] {
		q.p = p.out[1]
	}
	return q, nil
}

// learn teaches the encoders and the model the answer, and takes the question back.
func (p *flightPipeline) learn(q *flightQuestion, late float64) {
	p.y[0] = late
	x, dst, other := &q.x, &p.buffers[0], &p.buffers[1]
	for _, enc := range p.encoders {
		enc.Learn(x, p.y[:])
		enc.Apply(dst, x)
		x, dst, other = dst, other, dst
	}
	p.example.X = x
	p.model.Learn(&p.example)
	p.unused = append(p.unused, q)
}
