package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// The layout; docs/formats/checkpoint.md is its specification. Of these, every later version keeps the magic, the place
// of the version byte, and the SHA-256 over everything before it in the last 32 bytes: so a newer
// file is told from a damaged one.
const (
	magic       = "TIDE"
	version     = 1
	prefixSize  = 24              // magic, version, 3 zeros, length of the file, length of the head, its CRC
	footerSize  = 8 + sha256.Size // length of the file again, SHA-256
	chunkSize   = 1 << 20         // what is hashed and written in one go
	minFileSize = prefixSize + footerSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// damage is what is wrong with the bytes of a checkpoint, as against an error of reading them.
type damage struct{ text string }

func (d damage) Error() string { return d.text }

func damagef(format string, a ...any) error { return damage{fmt.Sprintf(format, a...)} }

func isDamage(err error) bool {
	var d damage
	return errors.As(err, &d)
}

func appendString(b []byte, s string) []byte {
	b = statebytes.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// appendHead appends everything of c but the sections' data.
func appendHead(b []byte, c *tidemill.Checkpoint) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, c.ID.Term)
	b = le.AppendUint64(b, c.ID.Seq)
	b = appendString(b, c.Flow)
	b = appendString(b, string(c.Position))
	b = le.AppendUint64(b, uint64(c.Clock))
	b = le.AppendUint32(b, uint32(len(c.Marks)))
	for _, m := range c.Marks {
		b = le.AppendUint64(b, m.Term)
		b = le.AppendUint64(b, m.Seq)
		b = appendString(b, m.Place)
	}
	b = le.AppendUint32(b, uint32(len(c.Segments)))
	for _, s := range c.Segments {
		b = appendString(b, s)
	}
	b = le.AppendUint32(b, uint32(len(c.Sections)))
	for i := range c.Sections {
		s := &c.Sections[i]
		b = appendString(b, s.Name)
		b = appendString(b, s.Kind)
		b = le.AppendUint32(b, s.Version)
		b = appendString(b, s.Fingerprint)
		b = le.AppendUint64(b, uint64(len(s.Data)))
		b = le.AppendUint32(b, crc32.Checksum(s.Data, castagnoli))
	}
	return b
}

// writeCheckpoint writes c to w in pieces of at most 1 MiB, without a copy of the sections. Equal checkpoints give
// equal bytes.
func writeCheckpoint(ctx context.Context, w io.Writer, c *tidemill.Checkpoint) (size int64, err error) {
	names := make(map[string]bool, len(c.Sections))
	for i := range c.Sections {
		if names[c.Sections[i].Name] {
			return 0, fmt.Errorf("section %q is there twice", c.Sections[i].Name)
		}
		names[c.Sections[i].Name] = true
	}
	le := binary.LittleEndian
	head := appendHead(make([]byte, prefixSize, 4096), c)
	if len(head)-prefixSize > math.MaxUint32 {
		return 0, fmt.Errorf("the head has %d bytes, more than 4 GiB", len(head)-prefixSize)
	}
	size = int64(len(head) + footerSize)
	for i := range c.Sections {
		size += int64(len(c.Sections[i].Data))
	}
	copy(head, magic)
	head[4] = version
	le.PutUint64(head[8:], uint64(size))
	le.PutUint32(head[16:], uint32(len(head)-prefixSize))
	le.PutUint32(head[20:], crc32.Checksum(head[prefixSize:], castagnoli))

	sum := sha256.New()
	put := func(b []byte) error {
		for len(b) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(len(b), chunkSize)
			sum.Write(b[:n])
			if _, err := w.Write(b[:n]); err != nil {
				return err
			}
			b = b[n:]
		}
		return nil
	}
	if err := put(head); err != nil {
		return 0, err
	}
	for i := range c.Sections {
		if err := put(c.Sections[i].Data); err != nil {
			return 0, err
		}
	}
	foot := le.AppendUint64(make([]byte, 0, footerSize), uint64(size))
	sum.Write(foot)
	_, err = w.Write(sum.Sum(foot))
	return size, err
}

// headText reads what appendString wrote.
func headText(r *statebytes.Reader) string { return string(r.Next(int(r.Uint32()))) }

// headCount reads how many items of at least size bytes follow, and believes no number that the bytes left cannot hold.
func headCount(r *statebytes.Reader, size int) int {
	n := r.Uint32()
	if uint64(n)*uint64(size) > uint64(r.Left()) {
		r.Fail(statebytes.ErrShort)
		return 0
	}
	return int(n)
}

// extent is where a section's data is in the file, and its CRC.
type extent struct {
	from, length uint64
	crc          uint32
}

// readHead reads what appendHead wrote. The sections have no data yet; extents tell where it is.
func readHead(head []byte, size uint64) (*tidemill.Checkpoint, []extent, error) {
	r := statebytes.Read(head)
	c := &tidemill.Checkpoint{}
	c.ID = tidemill.CheckpointID{Term: r.Uint(), Seq: r.Uint()}
	c.Flow = headText(r)
	c.Position = tidemill.Position(headText(r))
	c.Clock = int64(r.Uint())
	for n := headCount(r, 20); n > 0 && r.Err() == nil; n-- {
		c.Marks = append(c.Marks, tidemill.Mark{Term: r.Uint(), Seq: r.Uint(), Place: headText(r)})
	}
	for n := headCount(r, 4); n > 0 && r.Err() == nil; n-- {
		c.Segments = append(c.Segments, headText(r))
	}
	var ext []extent
	names := map[string]bool{}
	at := uint64(prefixSize + len(head))
	for n := headCount(r, 28); n > 0 && r.Err() == nil; n-- {
		s := tidemill.Section{Name: headText(r), Kind: headText(r), Version: r.Uint32(), Fingerprint: headText(r)}
		e := extent{from: at, length: r.Uint(), crc: r.Uint32()}
		if e.length > size || at+e.length > size-footerSize {
			return nil, nil, damagef("section %q ends beyond the file", s.Name)
		}
		if names[s.Name] {
			return nil, nil, damagef("section %q is there twice", s.Name)
		}
		names[s.Name] = true
		at += e.length
		c.Sections = append(c.Sections, s)
		ext = append(ext, e)
	}
	switch {
	case r.Err() != nil:
		return nil, nil, damagef("its head ends in the middle of a field")
	case r.Left() > 0:
		return nil, nil, damagef("its head has %d bytes too many", r.Left())
	case at != size-footerSize:
		return nil, nil, damagef("its sections end at byte %d, the footer begins at %d", at, size-footerSize)
	}
	return c, ext, nil
}

// verify checks the size bytes of r from the first to the last, with 1 MiB of memory beside the head, and returns the
// checkpoint without the sections' data. What is wrong with the bytes is a damage, or wraps ErrNewer.
func verify(r io.ReaderAt, size int64) (*tidemill.Checkpoint, []extent, error) {
	if size < minFileSize {
		return nil, nil, damagef("truncated: %d bytes are fewer than any checkpoint has", size)
	}
	var prefix [prefixSize]byte
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, nil, err
	}
	le := binary.LittleEndian
	if string(prefix[:4]) != magic {
		return nil, nil, damagef("not a checkpoint: it begins with %q, not with %q", prefix[:4], magic)
	}
	if prefix[4] > version {
		if ok, err := summed(r, size); err != nil {
			return nil, nil, err
		} else if !ok {
			return nil, nil, damagef("damaged: format version %d, and its SHA-256 differs", prefix[4])
		}
		return nil, nil, fmt.Errorf("format version %d, this program reads up to %d: %w",
			prefix[4], version, tidemill.ErrNewer)
	}
	if prefix[4] == 0 || prefix[5] != 0 || prefix[6] != 0 || prefix[7] != 0 {
		return nil, nil, damagef("damaged: bytes 4 to 7 are %x", prefix[4:8])
	}
	if want := le.Uint64(prefix[8:]); want > uint64(size) {
		return nil, nil, damagef("truncated: %d of %d bytes", size, want)
	} else if want < uint64(size) {
		return nil, nil, damagef("damaged: %d bytes after its end", uint64(size)-want)
	}
	n := int64(le.Uint32(prefix[16:]))
	if n > size-minFileSize {
		return nil, nil, damagef("damaged: a head of %d bytes in a file of %d", n, size)
	}
	head := make([]byte, n)
	if _, err := r.ReadAt(head, prefixSize); err != nil {
		return nil, nil, err
	}
	if crc32.Checksum(head, castagnoli) != le.Uint32(prefix[20:]) {
		return nil, nil, damagef("damaged: the head's checksum differs")
	}
	c, ext, err := readHead(head, uint64(size))
	if err != nil {
		return nil, nil, err
	}
	var foot [8]byte
	if _, err := r.ReadAt(foot[:], size-footerSize); err != nil {
		return nil, nil, err
	}
	if le.Uint64(foot[:]) != uint64(size) {
		return nil, nil, damagef("damaged: the footer gives another length")
	}
	if ok, err := summed(r, size); err != nil {
		return nil, nil, err
	} else if !ok {
		return nil, nil, whichSection(r, c, ext)
	}
	return c, ext, nil
}

// summed reports whether the last 32 bytes are the SHA-256 of all before.
func summed(r io.ReaderAt, size int64) (bool, error) {
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, io.NewSectionReader(r, 0, size-sha256.Size), make([]byte, chunkSize)); err != nil {
		return false, err
	}
	var want [sha256.Size]byte
	if _, err := r.ReadAt(want[:], size-sha256.Size); err != nil && err != io.EOF {
		return false, err
	}
	return bytes.Equal(sum.Sum(nil), want[:]), nil
}

// whichSection names the section that is damaged, by the checksum of each.
func whichSection(r io.ReaderAt, c *tidemill.Checkpoint, ext []extent) error {
	for i, e := range ext {
		sum := crc32.New(castagnoli)
		if _, err := io.Copy(sum, io.NewSectionReader(r, int64(e.from), int64(e.length))); err != nil {
			return err
		}
		if sum.Sum32() != e.crc {
			return damagef("damaged: the checksum of section %q differs", c.Sections[i].Name)
		}
	}
	return damagef("damaged: its SHA-256 differs")
}

// readCheckpoint is the whole checkpoint in b, verified; its sections' data are parts of b.
func readCheckpoint(b []byte) (*tidemill.Checkpoint, error) {
	c, ext, err := verify(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	for i, e := range ext {
		data := b[e.from : e.from+e.length : e.from+e.length]
		if crc32.Checksum(data, castagnoli) != e.crc {
			return nil, damagef("damaged: the checksum of section %q differs", c.Sections[i].Name)
		}
		c.Sections[i].Data = data
	}
	return c, nil
}
