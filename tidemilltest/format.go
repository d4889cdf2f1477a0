package tidemilltest

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/tidemill/tidemill"
)

// Format holds a tidemill.Format to the laws of that door. open gives another one with the same settings.
func Format(t *testing.T, open func() tidemill.Format) {
	f := formatTest{open}
	t.Run("equal outputs give equal messages", f.equal)
	t.Run("messages are appended and stay", f.appended)
	t.Run("memory that is used again does not show", f.reused)
}

type formatTest struct{ open func() tidemill.Format }

// encode appends the output's messages, and looks whether the output stays as it was.
func encode(t *testing.T, f tidemill.Format, dst []tidemill.Message, o *tidemill.Output) []tidemill.Message {
	t.Helper()
	was := *o
	out, err := f.Encode(dst, o)
	if err != nil {
		t.Fatalf("output %d: %v", o.Seq, err)
	}
	if !reflect.DeepEqual(withoutNaN(*o), withoutNaN(was)) {
		t.Fatalf("output %d was changed", o.Seq)
	}
	return out
}

// withoutNaN is an output without what equals nothing: NaN.
func withoutNaN(o tidemill.Output) tidemill.Output {
	o.Prediction, o.Score = nil, 0
	return o
}

func same(a, b *tidemill.Message) bool {
	return a.Topic == b.Topic && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) &&
		(a.Value == nil) == (b.Value == nil) && reflect.DeepEqual(a.Headers, b.Headers)
}

// equal: an output has one message, beside others or alone, in order or not, by one Format or another.
func (f formatTest) equal(t *testing.T) {
	outs, again := Outputs(), Outputs()
	one, two := f.open(), f.open()
	var all []tidemill.Message
	for i := range outs {
		all = encode(t, one, all, &outs[i])
	}
	alone := make([][]tidemill.Message, len(again))
	for i := len(again) - 1; i >= 0; i-- {
		alone[i] = encode(t, two, nil, &again[i])
	}
	n := 0
	for i := range alone {
		for k := range alone[i] {
			if n == len(all) || !same(&all[n], &alone[i][k]) {
				t.Fatalf("output %d is another message beside others than alone", i+1)
			}
			n++
		}
	}
	if n != len(all) {
		t.Errorf("%d messages beside each other, %d one by one", len(all), n)
	}
}

// appended: no Encode touches what another has appended.
func (f formatTest) appended(t *testing.T) {
	outs, format := Outputs(), f.open()
	var all, kept []tidemill.Message
	for i := range outs {
		n := len(all)
		if all = encode(t, format, all, &outs[i]); len(all) < n {
			t.Fatalf("output %d: %d messages became %d", i+1, n, len(all))
		}
		for _, m := range all[n:] {
			m.Key, m.Value = bytes.Clone(m.Key), bytes.Clone(m.Value)
			m.Headers = append([]tidemill.Attr(nil), m.Headers...)
			kept = append(kept, m)
		}
	}
	for i := range kept {
		if !same(&all[i], &kept[i]) {
			t.Errorf("message %d was changed by a later Encode", i)
		}
	}
}

// reused: a slice that a caller passes again gives the same messages as new memory.
func (f formatTest) reused(t *testing.T) {
	outs, format := Outputs(), f.open()
	var dst []tidemill.Message
	for range 2 {
		for i := range outs {
			dst = encode(t, format, dst[:0], &outs[i])
			alone := encode(t, format, nil, &outs[i])
			if len(alone) != len(dst) {
				t.Fatalf("output %d: %d messages in memory that is used again, %d in new", i+1, len(dst), len(alone))
			}
			for k := range alone {
				if !same(&dst[k], &alone[k]) {
					t.Fatalf("output %d is another message in memory that is used again", i+1)
				}
			}
		}
	}
}
