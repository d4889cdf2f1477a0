package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jackc/pgx/v5/pgproto3"
)

func frame(kind byte, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(b, body...)
}

// TestWireIsTakenOverAtAnyMessage: pgproto3 reads some messages through the wire, next the others, and nothing is lost in
// pgproto3's own buffer.
func TestWireIsTakenOverAtAnyMessage(t *testing.T) {
	var all []byte
	var bodies []string
	for i := range 200 {
		bodies = append(bodies, strings.Repeat("x", i*i))
		all = append(all, frame('d', bodies[i])...)
	}
	for _, r := range []io.Reader{bytes.NewReader(all), iotest.OneByteReader(bytes.NewReader(all)), iotest.DataErrReader(bytes.NewReader(all))} {
		w := &wire{r: r}
		fe := pgproto3.NewFrontend(w, io.Discard)
		for i, body := range bodies {
			if i%3 == 0 {
				m, err := fe.Receive()
				if err != nil {
					t.Fatal(err)
				}
				if got := string(m.(*pgproto3.CopyData).Data); got != body {
					t.Fatalf("message %d has %d bytes, want %d", i, len(got), len(body))
				}
				continue
			}
			kind, got, err := w.next()
			if err != nil || kind != 'd' || string(got) != body {
				t.Fatalf("message %d: %q, %d bytes, %v", i, kind, len(got), err)
			}
		}
		if _, _, err := w.next(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
}

// TestWireDoesNotTrustLengths: a peer that announces a gigabyte and sends ten bytes gets no gigabyte.
func TestWireDoesNotTrustLengths(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := &wire{r: bytes.NewReader(append([]byte{'d', 0x3f, 0xff, 0xff, 0xff}, "ten bytes!"...))}
	if _, _, err := w.next(); err == nil {
		t.Error("a cut message is read")
	}
	for _, header := range []string{"d\xff\xff\xff\xff", "d\x00\x00\x00\x03", "d\x7f\x00\x00\x00"} {
		w := &wire{r: strings.NewReader(header + "xxxxxxxx")}
		if _, _, err := w.next(); err == nil {
			t.Errorf("%q is read", header)
		}
		if w = (&wire{r: strings.NewReader(header + "xxxxxxxx")}); w.ready() {
			t.Error("ready before anything was read")
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

func FuzzWire(f *testing.F) {
	f.Add(append(frame('d', "body"), frame('k', "")...), 3)
	f.Add([]byte("d\x00\x00"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		w := &wire{r: bytes.NewReader(data)}
		var back []byte
		for {
			kind, body, err := w.next()
			if err != nil {
				break
			}
			back = append(back, frame(kind, string(body))...)
		}
		if !bytes.HasPrefix(data, back) {
			t.Errorf("%q came as %q", data, back)
		}
	})
}
