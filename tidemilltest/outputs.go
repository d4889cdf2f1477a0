package tidemilltest

import (
	"math"
	"time"

	"github.com/tidemill/tidemill"
)

// Outputs are outputs of every kind, numbered from 1, with what is hard to write: numbers that JSON does not have or
// that are very large or small, texts with quotes, controls and bytes that are no UTF-8, values of every kind, times
// that are not known. A test of a format or a sink writes them and compares.
func Outputs() []tidemill.Output {
	noon := time.Date(2024, 2, 29, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
	odd := "a\"b\\c\n\r\t\b\f\x01\x7f<&>\u2028\u2029é😀\xff"
	table := tidemill.NewTable("public", "things", []tidemill.Column{{Name: "id"}, {Name: odd}, {Name: "b"},
		{Name: "d"}, {Name: "at"}, {Name: "f"}, {Name: "ok"}, {Name: "none"}, {Name: "other"}, {Name: "toast"}},
		[]int{0})
	c := &tidemill.Change{Op: tidemill.Update, Table: table,
		Before: []tidemill.Value{tidemill.Int(7), {}, {}, {}, {}, {}, {}, {}, {}, {}},
		After: []tidemill.Value{tidemill.Int(-7), tidemill.Text(odd), tidemill.Blob([]byte{0, 255, 254}),
			tidemill.Decimal("1.50"), tidemill.TimeOf(noon), tidemill.Float(1e21), tidemill.Bool(true), tidemill.Null(),
			tidemill.Other("{1,\"2\"}"), {}}}
	bare := &tidemill.Change{Op: tidemill.Delete, Before: []tidemill.Value{{}},
		Table: tidemill.NewTable("", "bare", []tidemill.Column{{Name: "id"}}, []int{0})}
	version := tidemill.Version{Start: 3, Learned: 60000}
	out := []tidemill.Output{
		{Task: "late", ID: "7", Label: "yes", Score: 0.75, Labels: []string{"no", odd},
			Prediction: []float64{0.25, 0.75}, Version: version, Asked: noon, Position: "0/16B3748", Change: c},
		{Task: "late", ID: odd, Label: odd, Score: 1e-5, Labels: []string{"a", "b", "c"},
			Prediction: []float64{1e-7, math.NaN(), math.Inf(1)}, Version: version, Asked: noon,
			Position: odd, Truth: "b", Answered: noon.Add(time.Hour)},
		{Task: "near", ID: "8", Label: "1", Score: 0.5, Prediction: []float64{1.5, 0.5, -0.1, 1e300},
			Model: tidemill.Cluster, Position: "2"},
		{Task: "delay", ID: "9", Score: math.NaN(), Prediction: []float64{math.NaN()}, Model: tidemill.Regress,
			Position: "3"},
		{Task: "late", ID: "10", Label: "x", Score: math.Copysign(0, -1), Labels: []string{"x", "y"},
			Prediction: []float64{1}, Position: "4"},
		{Kind: tidemill.Truth, Task: "late", ID: "7", Truth: "no", Answered: noon, Position: "5"},
		{Kind: tidemill.Truth, Task: "late", ID: "7", Truth: "", Answered: noon, Position: "6", Corrected: true},
		{Kind: tidemill.Truth, Task: "late", ID: "8", Truth: odd, Position: "7"},
		{Kind: tidemill.Retracted, Task: "late", ID: "7", NewID: odd, Position: "8"},
		{Kind: tidemill.RowPassed, Change: c, Position: "9"},
		{Kind: tidemill.RowPassed, Change: bare, Position: "10"},
		{Kind: tidemill.RowPassed, Position: "11"},
		{Kind: tidemill.RowRejected, Task: "late", ID: "7", Change: c, Position: "12", Reason: "no <number> " + odd},
		{Kind: tidemill.RowRejected, Change: bare, Position: "13", Reason: "no id"},
		{Kind: tidemill.RowRejected, Position: "14", Reason: "no row"},
		{Kind: tidemill.EventRaised, Task: "late", Position: "15", Reason: "drift"},
		{Kind: tidemill.EventRaised, Position: "16", Reason: odd},
	}
	for _, f := range []float64{0, 1, -1, 0.1, 123456, 1234567, 1e6, 12345678.9, 1e20, 1e21, 1.5e22, 1e-4, 1e-6,
		9.99e-7, 5e-324, math.MaxFloat64, -1e-9, math.Inf(-1)} {
		out = append(out, tidemill.Output{Task: "price", ID: "1", Label: "n", Score: f, Prediction: []float64{f},
			Model: tidemill.Regress, Version: version, Asked: noon.Truncate(time.Second), Position: "20"})
	}
	for i := range out {
		out[i].Seq = uint64(i + 1)
	}
	return out
}
