package mnist

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestSets(t *testing.T) {
	train, err := Train()
	if err != nil {
		t.Fatal(err)
	}
	test, err := Test()
	if err != nil {
		t.Fatal(err)
	}
	if train.N != 60000 || test.N != 10000 || train.Labels[0] != 5 || test.Labels[0] != 7 {
		t.Errorf("%d and %d images, first labels %d and %d", train.N, test.N, train.Labels[0], test.Labels[0])
	}
	sum := 0
	for _, p := range train.Image(0) {
		sum += int(p)
	}
	if sum != 27525 {
		t.Errorf("the first image's bytes add up to %d, want 27525", sum)
	}
}

func idx(magic uint32, dims []uint32, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, body...)
}

func TestBadFiles(t *testing.T) {
	images, labels := idx(0x803, []uint32{1, 28, 28}, make([]byte, 784)), idx(0x801, []uint32{1}, []byte{3})
	if s, err := Read(bytes.NewReader(images), bytes.NewReader(labels)); err != nil || s.Labels[0] != 3 {
		t.Fatal(s, err)
	}
	for _, c := range []struct {
		name           string
		images, labels []byte
		want           string
	}{
		{"cut", images[:500], labels, "484 bytes where 784 should be"},
		{"long", append(bytes.Clone(images), 0), labels, "785 bytes"},
		{"magic", idx(0x801, []uint32{1, 28, 28}, nil), labels, "magic number"},
		{"size", idx(0x803, []uint32{1, 14, 56}, make([]byte, 784)), labels, "dimension 1 is 14, want 28"},
		{"counts", idx(0x803, []uint32{0, 28, 28}, nil), labels, "0 images but 1 labels"},
		{"label", images, idx(0x801, []uint32{1}, []byte{10}), "no digit"},
		{"huge", idx(0x803, []uint32{1 << 31, 28, 28}, nil), labels, "more than"},
	} {
		if _, err := Read(bytes.NewReader(c.images), bytes.NewReader(c.labels)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idx(0x803, []uint32{1, 28, 28}, make([]byte, 784)), idx(0x801, []uint32{1}, []byte{3}))
	f.Add([]byte{}, []byte{0, 0, 8, 1})
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		s, err := Read(bytes.NewReader(images), bytes.NewReader(labels))
		if err == nil && (len(s.Labels) != s.N || len(s.Pixels) != s.N*784) {
			t.Error("a set of the wrong size")
		}
	})
}
