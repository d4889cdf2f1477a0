package postgres

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tidemill/tidemill"
)

// FuzzSegments feeds messages, each with its length before it, to a stream that takes open transactions.
func FuzzSegments(f *testing.F) {
	cut := func(messages ...string) (b []byte) {
		for _, m := range messages {
			b = append(append(b, byte(len(m))), m...)
		}
		return b
	}
	start, stop := "S\x00\x00\x00\x07\x01", "E"
	commit := "c\x00\x00\x00\x07\x00" + string(make([]byte, 24))
	describe := "R\x00\x00\x00\x07\x00\x00\x00\x01public\x00a\x00d\x00\x01\x01id\x00\x00\x00\x00\x17\xff\xff\xff\xff"
	insert := "I\x00\x00\x00\x08\x00\x00\x00\x01N\x00\x01t\x00\x00\x00\x015"
	f.Add(cut(start, describe, insert, stop, start, insert, stop, "A\x00\x00\x00\x07\x00\x00\x00\x08", commit))
	f.Add(cut(start, describe, insert, stop, "A\x00\x00\x00\x07\x00\x00\x00\x07", commit))
	f.Add(cut(start, "I\x00", stop))
	f.Add(cut(start, start))
	f.Add(cut("S", "c", "A", "E"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		u := &run{Capture: &Capture{}, yield: func(b tidemill.Batch, err error) bool { n += len(b.Changes); return true }}
		x := &streamer{run: u, decoder: *newDecoder()}
		x.spool.budget = 1 << 20
		defer x.spool.close()
		for len(b) > 0 {
			size := min(int(b[0]), len(b)-1)
			m := b[1 : 1+size]
			b = b[1+size:]
			done, err := x.streamed(m, 9)
			if err == nil && !done {
				err = x.message(m, 9)
			}
			if err != nil {
				if !tidemill.IsFatal(err) && !errors.Is(err, errText) {
					t.Errorf("%v is not fatal", err)
				}
				return
			}
		}
	})
}

// FuzzDecodeBinary: whatever the bytes, a value is of its form's kind, or an infinite time.
func FuzzDecodeBinary(f *testing.F) {
	for _, n := range []uint64{0, 1, 1 << 63, 1<<63 - 1, 0x7ff8000000000001} {
		f.Add(binary.BigEndian.AppendUint64(nil, n))
		f.Add(binary.BigEndian.AppendUint32(nil, uint32(n>>32)))
	}
	f.Add([]byte{1})
	f.Add([]byte("text"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for fm := formOther; fm <= formTimestamp; fm++ {
			var s slab
			v, ok := s.decodeBinary(fm, b)
			if ok && v.Kind() != formKinds[fm] && v.Str() != "infinity" && v.Str() != "-infinity" {
				t.Errorf("form %d: %x became a %s", fm, b, v.Kind())
			}
		}
	})
}
