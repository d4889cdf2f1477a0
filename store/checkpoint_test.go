package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

var update = flag.Bool("update", false, "write the golden file of the current format version")

// example has every field set, and a section without data.
func example() *tidemill.Checkpoint {
	return &tidemill.Checkpoint{
		ID:       tidemill.CheckpointID{Term: 3, Seq: 42},
		Flow:     "late-flights",
		Position: "sqlite:4f1c99 change=1042",
		Clock:    1_700_000_000_123_456,
		Marks:    []tidemill.Mark{{Term: 3, Seq: 917, Place: "181223"}, {Term: 2, Seq: 900}},
		Segments: []string{"journal-3-1", "questions/7"},
		Sections: []tidemill.Section{
			{Name: "task/late/model", Kind: "logistic", Version: 2, Fingerprint: "logistic(sgd 0.01)", Data: []byte("\x02weights\x00\xff")},
			{Name: "task/late/questions", Kind: "questions", Version: 1},
		},
	}
}

func encode(t testing.TB, c *tidemill.Checkpoint) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := writeCheckpoint(context.Background(), &b, c)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Fatalf("said %d bytes, wrote %d", n, b.Len())
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/checkpoint.v*")
	if err != nil {
		t.Fatal(err)
	}
	current := "testdata/checkpoint.v1"
	if *update {
		if err := os.WriteFile(current, encode(t, example()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if len(files) != version {
		t.Fatalf("there are %d golden files for %d versions", len(files), version)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := readCheckpoint(b)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		want := example()
		want.Sections[1].Data = []byte{}
		if !reflect.DeepEqual(c, want) {
			t.Errorf("%s reads as\n%+v\nnot\n%+v", path, c, want)
		}
		if path == current && !bytes.Equal(b, encode(t, example())) {
			t.Errorf("%s: the bytes written today differ", path)
		}
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	good := encode(t, example())
	for i := range good {
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			if _, err := readCheckpoint(b); !isDamage(err) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
	}
	for n := range good {
		if _, err := readCheckpoint(good[:n]); !isDamage(err) || !strings.Contains(err.Error(), "truncated") && n >= 4 {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := readCheckpoint(append(bytes.Clone(good), 0)); !isDamage(err) {
		t.Fatalf("one byte more: %v", err)
	}
	if _, err := readCheckpoint(make([]byte, len(good))); !isDamage(err) {
		t.Fatalf("all zero: %v", err)
	}
}

func TestDamagedSectionIsNamed(t *testing.T) {
	b := encode(t, example())
	b[bytes.Index(b, []byte("weights"))] ^= 1
	if _, err := readCheckpoint(b); err == nil || !strings.Contains(err.Error(), `"task/late/model"`) {
		t.Errorf("got %v", err)
	}
}

func TestNewerVersion(t *testing.T) {
	b := newer(t)
	if _, err := readCheckpoint(b); !errors.Is(err, tidemill.ErrNewer) || isDamage(err) {
		t.Errorf("got %v", err)
	}
}

// newer is a whole file of a version to come: all that it keeps is the magic, the version's place and the hash at the end.
func newer(t testing.TB) []byte {
	b := encode(t, example())
	b = append(b[:len(b)-sha256.Size], "something else"...)
	b[4] = version + 1
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func TestTwoSectionsOfOneName(t *testing.T) {
	c := example()
	c.Sections[1].Name = c.Sections[0].Name
	if _, err := writeCheckpoint(context.Background(), &bytes.Buffer{}, c); err == nil {
		t.Error("written")
	}
}

// seal makes a file with right lengths and checksums around any head and body.
func seal(head, body []byte) []byte {
	le := binary.LittleEndian
	b := append([]byte(magic), version, 0, 0, 0)
	size := uint64(prefixSize + len(head) + len(body) + footerSize)
	b = le.AppendUint64(b, size)
	b = le.AppendUint32(b, uint32(len(head)))
	b = le.AppendUint32(b, crc32.Checksum(head, castagnoli))
	b = append(append(b, head...), body...)
	b = le.AppendUint64(b, size)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func FuzzCheckpoint(f *testing.F) {
	good := encode(f, example())
	f.Add(good, []byte{})
	head := appendHead(nil, example())
	f.Add(head, []byte("\x02weights\x00\xff"))
	f.Add(bytes.Repeat([]byte{0xff}, 200), []byte("x"))
	f.Add(append(make([]byte, 32), 0xff, 0xff, 0xff, 0x7f), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, file := range [][]byte{a, seal(a, b)} {
			c, err := readCheckpoint(file)
			if err != nil {
				continue
			}
			if again := encode(t, c); !bytes.Equal(again, file) {
				t.Errorf("%x reads and is written as %x", file, again)
			}
		}
	})
}
