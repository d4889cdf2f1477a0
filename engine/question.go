package engine

import (
	"context"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
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
	x      tidemill.Vector
}

func (q *question) appendTo(b []byte) []byte {
	b = statebytes.AppendUint(b, uint64(q.asked))
	b = statebytes.AppendUint(b, q.table)
	b = statebytes.AppendText(b, q.id)
	b = statebytes.AppendFloat(b, q.weight)
	b = statebytes.AppendVarint(b, int64(q.class))
	b = appendFloats(b, q.pred)
	b = appendFloats(b, q.base)
	b = statebytes.AppendFloat(b, q.last)
	b = appendFloats(b, q.frozen)
	b = appendFloats(b, q.x.Dense)
	b = statebytes.AppendUvarint(b, uint64(len(q.x.Terms)))
	for _, t := range q.x.Terms {
		b = statebytes.AppendUint(b, t.Hash)
		b = statebytes.AppendFloat(b, t.Value)
	}
	return b
}

func (q *question) read(b []byte) error {
	d := statebytes.Read(b)
	q.asked = int64(d.Uint())
	q.table = d.Uint()
	q.id = d.Text()
	q.weight = d.Float()
	q.class = int(d.Varint())
	q.pred = readFloats(d, q.pred[:0])
	q.base = readFloats(d, q.base[:0])
	q.last = d.Float()
	q.frozen = readFloats(d, q.frozen[:0])
	q.x.Dense = readFloats(d, q.x.Dense[:0])
	q.x.Terms = q.x.Terms[:0]
	for n := d.Count(16); n > 0; n-- {
		q.x.Terms = append(q.x.Terms, tidemill.Term{Hash: d.Uint(), Value: d.Float()})
	}
	return d.End()
}

// A chunk of held questions is full at a sixteenth of the memory bound, within these sizes; ordBits are enough to
// number the records of one.
const (
	chunkMin = 1 << 10
	chunkMax = 1 << 20
	ordBits  = 15
)

// chunk is an append-only run of question records: in memory, or in an immutable segment.
type chunk struct {
	no    uint64
	slot  uint32 // in questions.slots
	mem   []byte // nil once the records are in a segment
	offs  []uint32
	keys  []uint64 // the hash of each record's id
	size  int
	live  []uint64 // a bit per record
	n     int      // live records
	bytes int      // of live records
	first int64    // no live record was asked before this
	name  string   // of the segment
	file  tidemill.SegmentReader
}

// full reports whether a chunk takes no more records. What is in a segment takes none, whatever the bound is by now.
func (s *questions) full(c *chunk) bool {
	return c.mem == nil || c.size >= min(max(s.memory/16, chunkMin), chunkMax) || len(c.offs) == 1<<ordBits
}

// questions holds a task's open questions: an index of hashes over chunks of records. Chunks beyond the memory bound go
// to segments of the store. Which records lie in which chunk depends on the changes and the bound alone.
type questions struct {
	task    string
	memory  int
	store   tidemill.Store
	term    uint64
	index   hashIndex // entries are slot << ordBits | record
	chunks  []*chunk  // by number
	slots   []*chunk
	next    uint64
	memUsed int
	first   int64 // no open question was asked before this
	buf     []byte
	page    []byte // a record read from a segment
	spare   []byte // memory for the next chunk
}

func newQuestions(task string, memory int, store tidemill.Store, term uint64) *questions {
	if memory <= 0 {
		memory = 16 << 20
	}
	s := &questions{task: task, memory: memory, store: store, term: term, first: math.MaxInt64}
	s.index.hash = func(e uint32) uint64 { return s.slots[e>>ordBits].keys[e&(1<<ordBits-1)] }
	return s
}

func (s *questions) len() int { return s.index.n }

// find is where the open question of id lies, with its record; c is nil if there is none.
func (s *questions) find(id string) (c *chunk, ord int, rec []byte, err error) {
	h := tidemill.Hash(id)
	for at, e, ok := s.index.first(h); ok; at, e, ok = s.index.next(at) {
		c, ord := s.slots[e>>ordBits], int(e&(1<<ordBits-1))
		if c.keys[ord] != h {
			continue
		}
		if rec, err = s.record(c, ord); err != nil {
			return nil, 0, nil, err
		}
		if recordID(rec) == id {
			return c, ord, rec, nil
		}
	}
	return nil, 0, nil, nil
}

// recordID is the id in a record; it shares the record's memory.
func recordID(rec []byte) string {
	if len(rec) < 17 {
		return ""
	}
	n, used := binary.Uvarint(rec[16:])
	from := 16 + used
	if used <= 0 || n > uint64(len(rec)-from) || n == 0 {
		return ""
	}
	return unsafe.String(&rec[from], int(n))
}

func (s *questions) has(id string) (bool, error) {
	c, _, _, err := s.find(id)
	return c != nil, err
}

// put holds q; an open question of the same id must have been taken before.
func (s *questions) put(q *question) {
	s.buf = q.appendTo(s.buf[:0])
	s.append(tidemill.Hash(q.id), s.buf, q.asked)
}

// place gives a chunk a slot.
func (s *questions) place(c *chunk) {
	for i, o := range s.slots {
		if o == nil {
			c.slot, s.slots[i] = uint32(i), c
			return
		}
	}
	c.slot = uint32(len(s.slots))
	s.slots = append(s.slots, c)
}

func (s *questions) append(key uint64, rec []byte, asked int64) {
	var c *chunk
	if n := len(s.chunks); n > 0 && !s.full(s.chunks[n-1]) {
		c = s.chunks[n-1]
	} else {
		c = &chunk{no: s.next, mem: s.spare, first: math.MaxInt64}
		if s.spare = nil; c.mem == nil {
			c.mem = make([]byte, 0, 4<<10)
		}
		s.next++
		s.chunks = append(s.chunks, c)
		s.place(c)
	}
	ord := len(c.offs)
	c.offs, c.keys = append(c.offs, uint32(c.size)), append(c.keys, key)
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
	s.index.add(key, c.slot<<ordBits|uint32(ord))
}

// length is how many bytes a record takes, its own length included.
func (c *chunk) length(ord int) int {
	if ord+1 < len(c.offs) {
		return int(c.offs[ord+1] - c.offs[ord])
	}
	return c.size - int(c.offs[ord])
}

// record is the bytes of a record; those of a segment are good until the next one is read.
func (s *questions) record(c *chunk, ord int) ([]byte, error) {
	from := int(c.offs[ord])
	to := from + c.length(ord)
	if c.mem != nil {
		return c.mem[from+4 : to], nil
	}
	if c.file == nil {
		f, err := s.store.Open(context.Background(), c.name)
		if err != nil {
			return nil, tidemill.Fatalf("task %s: open questions in segment %s: %w", s.task, c.name, err)
		}
		c.file = f
	}
	s.page = slices.Grow(s.page[:0], to-from)[:to-from]
	b := s.page
	if _, err := c.file.ReadAt(b, int64(from)); err != nil {
		return nil, tidemill.Fatalf("task %s: read segment %s: %w", s.task, c.name, err)
	}
	if int(binary.LittleEndian.Uint32(b)) != to-from-4 {
		return nil, tidemill.Fatalf("task %s: segment %s is damaged at %d: restore it, or run --fresh", s.task, c.name, from)
	}
	return b[4:], nil
}

// take removes the open question of id and reads it into q; false if there is none.
func (s *questions) take(id string, q *question) (bool, error) {
	c, ord, rec, err := s.find(id)
	if err != nil || c == nil {
		return false, err
	}
	if err := q.read(rec); err != nil {
		return false, tidemill.Fatalf("task %s: open question %q: %w", s.task, id, err)
	}
	s.kill(c, ord, len(rec)+4)
	return true, s.tidy(c)
}

// kill marks a record of size bytes as taken.
func (s *questions) kill(c *chunk, ord, size int) {
	s.index.remove(c.keys[ord], c.slot<<ordBits|uint32(ord))
	c.live[ord/64] &^= 1 << (ord % 64)
	c.n--
	c.bytes -= size
}

// tidy drops an empty chunk, and moves what lives out of one that is mostly dead.
func (s *questions) tidy(c *chunk) error {
	if !s.full(c) || c.n > 0 && c.bytes*4 >= c.size {
		return nil
	}
	type moved struct {
		ord   int
		rec   []byte
		asked int64
	}
	var keep []moved
	err := s.each(c, func(ord int, rec []byte) error {
		keep = append(keep, moved{ord, slices.Clone(rec), int64(binary.LittleEndian.Uint64(rec))})
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range keep {
		s.kill(c, m.ord, len(m.rec)+4)
	}
	s.drop(c)
	for _, m := range keep {
		s.append(c.keys[m.ord], m.rec, m.asked)
	}
	return nil
}

// drop forgets a chunk without live records.
func (s *questions) drop(c *chunk) {
	if c.mem != nil {
		s.memUsed -= c.size
		s.spare = c.mem[:0]
	}
	if c.file != nil {
		c.file.Close()
	}
	s.slots[c.slot] = nil
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
				return tidemill.Fatalf("task %s: open question: %w", s.task, err)
			}
			out, ords = append(out, q), append(ords, ord)
			return nil
		})
		if err != nil {
			return nil, err
		}
		c.first = first
		for _, ord := range ords {
			s.kill(c, ord, c.length(ord))
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

// appendFloats appends numbers behind their count; readFloats reads them into dst's memory.
func appendFloats(b []byte, f []float64) []byte {
	return statebytes.AppendFloats(statebytes.AppendUvarint(b, uint64(len(f))), f)
}

func readFloats(d *statebytes.Reader, dst []float64) []float64 {
	for n := d.Count(8); n > 0; n-- {
		dst = append(dst, d.Float())
	}
	return dst
}
