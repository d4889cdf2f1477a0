package statebytes_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// mean is a state of a count and a sum.
type mean struct{ n, sum float64 }

func (m *mean) AppendBinary(b []byte) ([]byte, error) {
	return statebytes.AppendFloat(statebytes.AppendFloat(append(b, 1), m.n), m.sum), nil
}

func (m *mean) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	next := mean{n: r.Weight(), sum: r.Finite()}
	if err := r.Done("score: mean"); err != nil {
		return err
	}
	*m = next
	return nil
}

func Example() {
	b, _ := (&mean{n: 3, sum: 4.5}).AppendBinary(nil)
	var m mean
	fmt.Println(m.UnmarshalBinary(b), m)
	fmt.Println(m.UnmarshalBinary(b[:9]))
	// Output:
	// <nil> {3 4.5}
	// score: mean: its state cannot be read; restore an older checkpoint or run with --fresh: the bytes end too early
}

func TestRoundTrip(t *testing.T) {
	b := []byte{7}
	b = statebytes.AppendUint(b, math.MaxUint64)
	b = statebytes.AppendFloat(b, math.Inf(-1))
	b = binary.AppendUvarint(b, 2)
	b = statebytes.AppendFloats(b, []float64{-1, 2.5})
	b = append(b, "end"...)
	r := statebytes.Read(b)
	if r.Version(7); r.Uint() != math.MaxUint64 || !math.IsInf(r.Float(), -1) {
		t.Error("another number than was written")
	}
	if n := r.Count(8); n != 2 || !slices.Equal(r.Floats(n), []float64{-1, 2.5}) {
		t.Error("other numbers than were written")
	}
	if r.Left() != 3 || string(r.Next(3)) != "end" {
		t.Error("other bytes than were written")
	}
	if err := r.Done("a state"); err != nil {
		t.Error(err)
	}
}

// TestMistakes: each is told of with its reason, reads after it give zero, and the first one is the one that is told.
func TestMistakes(t *testing.T) {
	float := func(f float64) []byte { return statebytes.AppendFloat(nil, f) }
	for name, c := range map[string]struct {
		b    []byte
		read func(r *statebytes.Reader)
		want string
	}{
		"short uint":    {make([]byte, 7), func(r *statebytes.Reader) { r.Uint() }, "end too early"},
		"short byte":    {nil, func(r *statebytes.Reader) { r.Byte() }, "end too early"},
		"short varint":  {[]byte{0x80}, func(r *statebytes.Reader) { r.Uvarint() }, "end too early"},
		"short floats":  {make([]byte, 15), func(r *statebytes.Reader) { r.Floats(2) }, "end too early"},
		"negative next": {make([]byte, 15), func(r *statebytes.Reader) { r.Next(-1) }, "end too early"},
		"count":         {[]byte{2, 0, 0, 0}, func(r *statebytes.Reader) { r.Count(2) }, "end too early"},
		"below":         {[]byte{5}, func(r *statebytes.Reader) { r.Below(5, "a class") }, "a class is 5 of 5"},
		"NaN":           {float(math.NaN()), func(r *statebytes.Reader) { r.Number() }, "NaN"},
		"infinite":      {float(math.Inf(1)), func(r *statebytes.Reader) { r.Finite() }, "not finite"},
		"weight":        {float(-1), func(r *statebytes.Reader) { r.Weight() }, "a weight in it is -1"},
		"weight NaN":    {float(math.NaN()), func(r *statebytes.Reader) { r.Weight() }, "a weight in it is NaN"},
		"older":         {[]byte{1}, func(r *statebytes.Reader) { r.Version(2) }, "its version is 1, this program reads 2"},
		"left over":     {[]byte{1, 2}, func(r *statebytes.Reader) { r.Byte() }, "1 bytes are left over"},
		"first":         {nil, func(r *statebytes.Reader) { r.Failf("this"); r.Failf("that") }, "this"},
	} {
		r := statebytes.Read(c.b)
		c.read(r)
		if name != "left over" && (r.Err() == nil || r.Uint() != 0 || r.Left() != 0) {
			t.Errorf("%s: no mistake is held, or something is read after it", name)
		}
		if err := r.Done("a kind"); err == nil || !strings.HasSuffix(err.Error(), c.want) && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	r := statebytes.Read([]byte{9})
	if r.Version(8); !errors.Is(r.Done("a kind"), tidemill.ErrNewer) {
		t.Error("a later version is not ErrNewer")
	}
}

// FuzzReader: whatever the bytes, no read panics or allocates more than they can fill.
func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Fuzz(func(t *testing.T, data, reads []byte) {
		r := statebytes.Read(data)
		for _, k := range reads {
			switch k % 8 {
			case 0:
				r.Byte()
			case 1:
				r.Uint()
			case 2:
				r.Uvarint()
			case 3:
				if n := r.Count(8); n > len(data)/8 || len(r.Floats(n)) > len(data)/8 {
					t.Fatalf("%d numbers of %d bytes", n, len(data))
				}
			case 4:
				r.Below(int(k), "it")
			case 5:
				r.Finite()
			case 6:
				r.Weight()
			case 7:
				r.Next(int(k))
			}
		}
		if err := r.Done("a kind"); err == nil && len(data) > 0 && len(reads) == 0 {
			t.Fatal("bytes that nobody read are not left over")
		}
	})
}
