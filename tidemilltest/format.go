package tidemilltest

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/tidemill/tidemill"
)

// Format holds a tidemill.Format to the laws of that door. open gives another one with the same settings.
func Format(t *testing.T, open func() tidemill.Format) {
	encode := func(t *testing.T, f tidemill.Format, dst []tidemill.Message, o *tidemill.Output) []tidemill.Message {
		t.Helper()
		was := *o
		out, err := f.Encode(dst, o)
		if err != nil {
			t.Fatalf("output %d: %v", o.Seq, err)
		}
		if !reflect.DeepEqual(bare(*o), bare(was)) {
			t.Fatalf("output %d was changed", o.Seq)
		}
		return out
	}
	t.Run("equal outputs give equal messages", func(t *testing.T) {
		outs, again := Outputs(), Outputs()
		one, two := open(), open()
		var all []tidemill.Message
		for i := range outs {
			all = encode(t, one, all, &outs[i])
		}
		var reversed [][]tidemill.Message
		for i := len(again) - 1; i >= 0; i-- {
			reversed = append(reversed, encode(t, two, nil, &again[i]))
		}
		n := 0
		for i := range reversed {
			for _, m := range reversed[len(reversed)-1-i] {
				if n == len(all) || !same(&all[n], &m) {
					t.Fatalf("output %d is another message beside others than alone", i+1)
				}
				n++
			}
		}
		if n != len(all) {
			t.Errorf("%d messages beside each other, %d one by one", len(all), n)
		}
	})
	t.Run("messages are appended and stay", func(t *testing.T) {
		outs, f := Outputs(), open()
		var all, kept []tidemill.Message
		for i := range outs {
			n := len(all)
			all = encode(t, f, all, &outs[i])
			if len(all) < n {
				t.Fatalf("output %d: %d messages became %d", i+1, n, len(all))
			}
			for k := n; k < len(all); k++ {
				kept = append(kept, tidemill.Message{Topic: all[k].Topic, Key: bytes.Clone(all[k].Key), Value: bytes.Clone(all[k].Value),
					Headers: append([]tidemill.Attr(nil), all[k].Headers...)})
			}
		}
		for i := range kept {
			if !same(&all[i], &kept[i]) {
				t.Errorf("message %d was changed by a later Encode", i)
			}
		}
	})
	t.Run("memory that is used again does not show", func(t *testing.T) {
		outs, f := Outputs(), open()
		var dst []tidemill.Message
		for range 2 {
			for i := range outs {
				dst = encode(t, f, dst[:0], &outs[i])
				alone := encode(t, f, nil, &outs[i])
				if len(alone) != len(dst) {
					t.Fatalf("output %d: %d messages in memory that is used again, %d in new memory", i+1, len(dst), len(alone))
				}
				for k := range alone {
					if !same(&dst[k], &alone[k]) {
						t.Fatalf("output %d is another message in memory that is used again", i+1)
					}
				}
			}
		}
	})
}

// bare is an output without what cannot be compared: NaN.
func bare(o tidemill.Output) tidemill.Output {
	o.Prediction, o.Score = nil, 0
	return o
}

func same(a, b *tidemill.Message) bool {
	return a.Topic == b.Topic && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil) &&
		reflect.DeepEqual(a.Headers, b.Headers)
}
