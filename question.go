package tidemill

import (
	"context"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// question is a held prediction: what was asked, with the raw vector and the answers of model and baselines as of then.
type question struct {
	id     string
	table  uint64 // Hash of the asked table's name
	asked  int64  // the row's own time, microseconds
	weight float64
	class  int // the predicted class, or -1
	pred   []float64
	base   []float64 // majority's prediction: class shares, or the mean
	last   float64   // no-change's: the last label learned before the ask; NaN if none
	frozen []float64 // the frozen copy's prediction; nil if there is none
	x      Vector
}

func (q *question) appendTo(b []byte) []byte {
	b = putU64(b, uint64(q.asked))
	b = putU64(b, q.table)
	b = putString(b, q.id)
	b = putF64(b, q.weight)
	b = putVarint(b, int64(q.class))
	b = putFloats(b, q.pred)
	b = putFloats(b, q.base)
	b = putF64(b, q.last)
	b = putFloats(b, q.frozen)
	b = putFloats(b, q.x.Dense)
	b = putUvarint(b, uint64(len(q.x.Terms)))
	for _, t := range q.x.Terms {
		b = putU64(b, t.Hash)
		b = putF64(b, t.Value)
	}
	return b
}

func (q *question) read(b []byte) error {
	d := decoder{b: b}
	q.asked = int64(d.u64())
	q.table = d.u64()
	q.id = d.string()
	q.weight = d.f64()
	q.class = int(d.varint())
	q.pred = d.floats(q.pred[:0])
	q.base = d.floats(q.base[:0])
	q.last = d.f64()
	q.frozen = d.floats(q.frozen[:0])
	q.x.Dense = d.floats(q.x.Dense[:0])
	q.x.Terms = q.x.Terms[:0]
	for n := d.count(16); n > 0; n-- {
		q.x.Terms = append(q.x.Terms, Term{d.u64(), d.f64()})
	}
	return d.done()
}

func putFloats(b []byte, f []float64) []byte {
	b = putUvarint(b, uint64(len(f)))
	for _, v := range f {
		b = putF64(b, v)
	}
	return b
}

func (d *decoder) floats(dst []float64) []float64 {
	for n := d.count(8); n > 0; n-- {
		dst = append(dst, d.f64())
	}
	return dst
}

// qkey identifies an id by 128 bits of hash: two ids that share one will not be met.
type qkey [2]uint64

func keyOf(id string) qkey {
	return qkey{Hash(id), Hash("question", id)}
}

// chunkBytes is the size at which a chunk of held questions is full.
const chunkBytes = 1 << 20

// chunk is an append-only run of question records: in memory, or in an immutable segment.
type chunk struct {
	no    uint64
	mem   []byte // nil once the records are in a segment
	offs  []uint32
	size  int
	live  []uint64 // a bit per record
	n     int      // live records
	bytes int      // of live records
	first int64    // no live record was asked before this
	name  string   // of the segment
	file  SegmentReader
}

// questions holds a task's open questions: an index of hashes over chunks of records. Chunks beyond the memory bound go
// to segments of the store. Which records lie in which chunk depends on the changes alone.
type questions struct {
	task    string
	memory  int
	store   Store
	term    uint64
	index   map[qkey]uint64 // chunk number << 20 | record
	chunks  []*chunk        // by number
	next    uint64
	memUsed int
	first   int64 // no open question was asked before this
	buf     []byte
}

func newQuestions(task string, memory int, store Store, term uint64) *questions {
	if memory <= 0 {
		memory = 64 << 20
	}
	return &questions{task: task, memory: memory, store: store, term: term, index: map[qkey]uint64{}, first: math.MaxInt64}
}

func (s *questions) len() int { return len(s.index) }

func (s *questions) has(id string) bool {
	_, ok := s.index[keyOf(id)]
	return ok
}

func (s *questions) chunk(no uint64) *chunk {
	i, ok := slices.BinarySearchFunc(s.chunks, no, func(c *chunk, no uint64) int {
		if c.no < no {
			return -1
		} else if c.no > no {
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return s.chunks[i]
}

// put holds q; an open question of the same id must have been taken before.
func (s *questions) put(q *question) {
	s.buf = q.appendTo(s.buf[:0])
	s.append(keyOf(q.id), s.buf, q.asked)
}

func (s *questions) append(key qkey, rec []byte, asked int64) {
	var c *chunk
	if n := len(s.chunks); n > 0 && s.chunks[n-1].mem != nil && s.chunks[n-1].size < chunkBytes {
		c = s.chunks[n-1]
	} else {
		c = &chunk{no: s.next, mem: []byte{}, first: math.MaxInt64}
		s.next++
		s.chunks = append(s.chunks, c)
	}
	ord := len(c.offs)
	c.offs = append(c.offs, uint32(c.size))
	before := len(c.mem)
	c.mem = binary.LittleEndian.AppendUint32(c.mem, uint32(len(rec)))
	c.mem = append(c.mem, rec...)
	c.size = len(c.mem)
	s.memUsed += c.size - before
	if ord/64 >= len(c.live) {
		c.live = append(c.live, 0)
	}
	c.live[ord/64] |= 1 << (ord % 64)
	c.n++
	c.bytes += len(rec) + 4
	c.first = min(c.first, asked)
	s.first = min(s.first, asked)
	s.index[key] = c.no<<20 | uint64(ord)
}

func (s *questions) record(c *chunk, ord int) ([]byte, error) {
	from := int(c.offs[ord])
	to := c.size
	if ord+1 < len(c.offs) {
		to = int(c.offs[ord+1])
	}
	if c.mem != nil {
		return c.mem[from+4 : to], nil
	}
	if c.file == nil {
		f, err := s.store.Open(context.Background(), c.name)
		if err != nil {
			return nil, Fatalf("task %s: open questions in segment %s: %w", s.task, c.name, err)
		}
		c.file = f
	}
	b := make([]byte, to-from)
	if _, err := c.file.ReadAt(b, int64(from)); err != nil {
		return nil, Fatalf("task %s: read segment %s: %w", s.task, c.name, err)
	}
	if int(binary.LittleEndian.Uint32(b)) != to-from-4 {
		return nil, Fatalf("task %s: segment %s is damaged at %d: restore it, or run --fresh", s.task, c.name, from)
	}
	return b[4:], nil
}

// take removes the open question of id and reads it into q; false if there is none.
func (s *questions) take(id string, q *question) (bool, error) {
	key := keyOf(id)
	loc, ok := s.index[key]
	if !ok {
		return false, nil
	}
	c, ord := s.chunk(loc>>20), int(loc&(1<<20-1))
	rec, err := s.record(c, ord)
	if err != nil {
		return false, err
	}
	if err := q.read(rec); err != nil {
		return false, Fatalf("task %s: open question %q: %w", s.task, id, err)
	}
	delete(s.index, key)
	c.kill(ord, len(rec)+4)
	return true, s.tidy(c)
}

// kill marks a record of size bytes as taken.
func (c *chunk) kill(ord, size int) {
	c.live[ord/64] &^= 1 << (ord % 64)
	c.n--
	c.bytes -= size
}

// tidy drops an empty chunk, and moves what lives out of one that is mostly dead.
func (s *questions) tidy(c *chunk) error {
	full := c.size >= chunkBytes
	if c.n == 0 && full {
		s.drop(c)
		return nil
	}
	if full && c.bytes*4 < c.size {
		type moved struct {
			key   qkey
			rec   []byte
			asked int64
		}
		var keep []moved
		err := s.each(c, func(ord int, rec []byte) error {
			var q question
			if err := q.read(rec); err != nil {
				return err
			}
			keep = append(keep, moved{keyOf(q.id), slices.Clone(rec), q.asked})
			return nil
		})
		if err != nil {
			return err
		}
		s.drop(c)
		for _, m := range keep {
			s.append(m.key, m.rec, m.asked)
		}
	}
	return nil
}

func (s *questions) drop(c *chunk) {
	if c.mem != nil {
		s.memUsed -= c.size
	}
	if c.file != nil {
		c.file.Close()
	}
	i := slices.Index(s.chunks, c)
	s.chunks = slices.Delete(s.chunks, i, i+1)
}

// each calls f for the live records of c, in order.
func (s *questions) each(c *chunk, f func(ord int, rec []byte) error) error {
	for w, word := range c.live {
		for ; word != 0; word &= word - 1 {
			ord := w*64 + bits.TrailingZeros64(word)
			rec, err := s.record(c, ord)
			if err != nil {
				return err
			}
			if err := f(ord, rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// due takes the open questions that were asked before limit, in the order of their time and then their id.
func (s *questions) due(limit int64) ([]*question, error) {
	if limit <= s.first {
		return nil, nil
	}
	var out []*question
	for _, c := range slices.Clone(s.chunks) {
		if c.first >= limit || c.n == 0 {
			continue
		}
		first := int64(math.MaxInt64)
		var ords []int
		err := s.each(c, func(ord int, rec []byte) error {
			asked := int64(binary.LittleEndian.Uint64(rec))
			if asked >= limit {
				first = min(first, asked)
				return nil
			}
			q := new(question)
			if err := q.read(rec); err != nil {
				return Fatalf("task %s: open question: %w", s.task, err)
			}
			out, ords = append(out, q), append(ords, ord)
			return nil
		})
		if err != nil {
			return nil, err
		}
		c.first = first
		for i, ord := range ords {
			q := out[len(out)-len(ords)+i]
			delete(s.index, keyOf(q.id))
			s.buf = q.appendTo(s.buf[:0])
			c.kill(ord, len(s.buf)+4)
		}
		if err := s.tidy(c); err != nil {
			return nil, err
		}
	}
	s.first = math.MaxInt64
	for _, c := range s.chunks {
		if c.n > 0 {
			s.first = min(s.first, c.first)
		}
	}
	slices.SortFunc(out, func(a, b *question) int {
		switch {
		case a.asked != b.asked:
			if a.asked < b.asked {
				return -1
			}
			return 1
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
	return out, nil
}

// dropTable forgets the open questions that were asked of a table, and says how many they were.
func (s *questions) dropTable(table uint64) (int, error) {
	var ids []string
	for _, c := range s.chunks {
		err := s.each(c, func(_ int, rec []byte) error {
			if binary.LittleEndian.Uint64(rec[8:]) != table {
				return nil
			}
			var q question
			if err := q.read(rec); err != nil {
				return err
			}
			ids = append(ids, q.id)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	var q question
	for _, id := range ids {
		if _, err := s.take(id, &q); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// fileWord is a name with only letters, digits, - and _ in it.
func fileWord(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			b[i] = '_'
		}
	}
	return string(b)
}
