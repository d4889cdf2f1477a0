package tidemilltest

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/tidemill/tidemill"
)

// StateBytes is the state's bytes. It fails the test if AppendBinary fails, changes what is before it, or gives other
// bytes the second time.
func StateBytes(t testing.TB, s tidemill.State) []byte {
	t.Helper()
	prefix := []byte("prefix")
	b, err := s.AppendBinary(append([]byte(nil), prefix...))
	if err != nil {
		t.Fatalf("AppendBinary: %v", err)
	}
	if !bytes.HasPrefix(b, prefix) {
		t.Fatal("AppendBinary overwrote what was there before")
	}
	again, err := s.AppendBinary(nil)
	if err != nil || !bytes.Equal(b[len(prefix):], again) {
		t.Fatalf("AppendBinary gives %d bytes, then %d others (%v): it is not pure", len(b)-len(prefix), len(again), err)
	}
	if c, ok := s.(tidemill.Capturer); ok {
		if got, err := c.Capture()(append([]byte(nil), prefix...)); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("Capture gives %d bytes, AppendBinary %d others (%v)", len(got)-len(prefix), len(again), err)
		}
	}
	return again
}

// restore gives s the bytes and checks that it gives them back and kept no reference to them.
func restore(t testing.TB, s tidemill.State, b []byte) {
	t.Helper()
	loan := bytes.Clone(b)
	if err := s.UnmarshalBinary(loan); err != nil {
		t.Fatalf("UnmarshalBinary of the state's own bytes: %v", err)
	}
	for i := range loan {
		loan[i] = 0xAA
	}
	if got := StateBytes(t, s); !bytes.Equal(got, b) {
		t.Fatalf("the restored state gives other bytes (%d) than the saved one (%d)", len(got), len(b))
	}
}

// hostile gives made states broken bytes: each is answered with an error or becomes a state that saves and restores;
// none panics or allocates out of proportion. valid is a good state's bytes.
func hostile(t testing.TB, made func() tidemill.State, valid []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	try := func(b []byte) {
		t.Helper()
		s := made()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := s.UnmarshalBinary(b)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20+uint64(len(b))*256 {
			t.Fatalf("UnmarshalBinary of %d broken bytes allocated %d MiB", len(b), got>>20)
		}
		if err == nil {
			restore(t, made(), StateBytes(t, s))
		}
	}
	if err := made().UnmarshalBinary(nil); err == nil {
		t.Fatal("UnmarshalBinary of no bytes at all is no error: a state starts with its version")
	}
	if len(valid) > 0 {
		if err := made().UnmarshalBinary(append(bytes.Clone(valid), 0)); err == nil {
			t.Fatal("UnmarshalBinary takes a byte too many without an error")
		}
	}
	steps := max(1, len(valid)/40)
	for n := 0; n < len(valid); n += steps {
		if s := made(); s.UnmarshalBinary(valid[:n]) == nil {
			t.Fatalf("UnmarshalBinary of the first %d of %d bytes is no error", n, len(valid))
		}
	}
	for range 100 {
		b := bytes.Clone(valid)
		for range 1 + r.IntN(4) {
			if len(b) == 0 {
				break
			}
			// The front, where the counts are, is hit as often as all the rest.
			i := r.IntN(len(b))
			if r.IntN(2) == 0 {
				i = r.IntN(min(len(b), 24))
			}
			switch r.IntN(3) {
			case 0:
				b[i] ^= 1 << r.IntN(8)
			case 1:
				b[i] = 0xFF
			case 2:
				b[i] = byte(r.IntN(256))
			}
		}
		try(b)
	}
	for range 50 {
		b := make([]byte, r.IntN(64))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if len(b) > 0 && len(valid) > 0 {
			b[0] = valid[0]
		}
		try(b)
	}
}

// FuzzState fuzzes a kind's decoder: bytes are answered with an error, or make a state that gives bytes that restore to
// the same bytes. seeds are good states; an empty state is always among them.
//
//	func FuzzStandard(f *testing.F) { tidemilltest.FuzzState(f, func() tidemill.State { return bound(encode.Standard()) }) }
func FuzzState(f *testing.F, made func() tidemill.State, seeds ...[]byte) {
	f.Helper()
	f.Add(StateBytes(f, made()))
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := made()
		if s.UnmarshalBinary(bytes.Clone(b)) != nil {
			return
		}
		restore(t, made(), StateBytes(t, s))
	})
}
