package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// spill moves full chunks, the oldest first, to segments until the rest fits the memory bound. The engine calls it
// between slices, without a lock: readers never see questions.
func (s *questions) spill() error {
	if s.store == nil || s.memUsed <= s.memory {
		return nil
	}
	for _, c := range s.chunks {
		if s.memUsed <= s.memory {
			break
		}
		if c.mem == nil || !s.full(c) {
			continue
		}
		c.name = fmt.Sprintf("questions-%s-%08d-%d", fileWord(s.task), c.no, s.term)
		w, err := s.store.Create(context.Background(), c.name)
		if err == nil {
			if _, err = w.Write(c.mem); err == nil {
				err = w.Sync()
			}
			if e := w.Close(); err == nil {
				err = e
			}
		}
		if err != nil {
			return tidemill.Fatalf("task %s: write open questions to segment %s: %w", s.task, c.name, err)
		}
		s.memUsed -= c.size
		s.spare, c.mem = c.mem[:0], nil
	}
	return nil
}

// segments names the segments that the state refers to.
func (s *questions) segments() []string {
	var names []string
	for _, c := range s.chunks {
		if c.mem == nil {
			names = append(names, c.name)
		}
	}
	return names
}

func (s *questions) appendTo(b []byte) []byte {
	size := 32
	for _, c := range s.chunks {
		size += len(c.mem) + 8*len(c.live) + 128
	}
	b = slices.Grow(b, size)
	b = append(b, 1) // version
	b = statebytes.AppendUvarint(b, s.next)
	b = statebytes.AppendUvarint(b, uint64(len(s.chunks)))
	for _, c := range s.chunks {
		b = statebytes.AppendUvarint(b, c.no)
		b = statebytes.AppendUvarint(b, uint64(len(c.offs)))
		for _, w := range c.live {
			b = statebytes.AppendUint(b, w)
		}
		b = statebytes.AppendBool(b, c.mem != nil)
		if c.mem != nil {
			b = statebytes.AppendBytes(b, c.mem)
		} else {
			b = statebytes.AppendText(b, c.name)
		}
	}
	return b
}

// read restores what appendTo wrote; chunks on disk are read once to rebuild the index.
func (s *questions) read(b []byte) error {
	d := statebytes.Read(b)
	if v := d.Byte(); v != 1 {
		return fmt.Errorf("open questions, version %d: %w", v, tidemill.ErrNewer)
	}
	s.next = d.Uvarint()
	for n := d.Count(3); n > 0 && d.Err() == nil; n-- {
		c := &chunk{no: d.Uvarint(), first: math.MaxInt64}
		records := d.Uvarint()
		if records > 1<<ordBits || c.no >= s.next {
			return statebytes.ErrShort
		}
		for i := uint64(0); i < (records+63)/64; i++ {
			c.live = append(c.live, d.Uint())
		}
		var all []byte
		if d.Bool() {
			c.mem = append([]byte{}, d.Bytes()...)
			all = c.mem
			s.memUsed += len(c.mem)
		} else {
			c.name = d.Text()
			if d.Err() != nil {
				break
			}
			if s.store == nil {
				return tidemill.Fatalf("open questions in segment %s: the flow has no store", c.name)
			}
			f, err := s.store.Open(context.Background(), c.name)
			if err != nil {
				return tidemill.Fatalf("open questions in segment %s: %w", c.name, err)
			}
			size, err := f.Size()
			if err != nil {
				return tidemill.Fatalf("segment %s: %w", c.name, err)
			}
			s.page = slices.Grow(s.page[:0], int(size))[:size]
			all = s.page
			if _, err := f.ReadAt(all, 0); err != nil && !errors.Is(err, io.EOF) {
				return tidemill.Fatalf("read segment %s: %w", c.name, err)
			}
			c.file = f
		}
		if d.Err() != nil {
			break
		}
		if err := s.indexChunk(c, all, int(records)); err != nil {
			return err
		}
		s.chunks = append(s.chunks, c)
		s.first = min(s.first, c.first)
	}
	return d.End()
}

func (s *questions) indexChunk(c *chunk, all []byte, records int) error {
	c.size = len(all)
	s.place(c)
	for at := 0; at < len(all); {
		if len(all)-at < 4 {
			return statebytes.ErrShort
		}
		n := int(binary.LittleEndian.Uint32(all[at:]))
		if n > len(all)-at-4 || len(c.offs) == records {
			return statebytes.ErrShort
		}
		ord := len(c.offs)
		c.offs, c.keys = append(c.offs, uint32(at)), append(c.keys, 0)
		if c.live[ord/64]&(1<<(ord%64)) != 0 {
			var q question
			if err := q.read(all[at+4 : at+4+n]); err != nil {
				return err
			}
			c.n++
			c.bytes += n + 4
			c.first = min(c.first, q.asked)
			c.keys[ord] = tidemill.Hash(q.id)
			s.index.add(c.keys[ord], c.slot<<ordBits|uint32(ord))
		}
		at += 4 + n
	}
	marked := 0
	for _, w := range c.live {
		marked += bits.OnesCount64(w)
	}
	if len(c.offs) != records || marked != c.n {
		return statebytes.ErrShort
	}
	return nil
}
