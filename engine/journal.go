package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// journalSegment is the size at which the journal begins a new segment.
const journalSegment = 64 << 20

// journal keeps the snapshot's rows in append-only segments, each record with its checksum. Later epochs and replays
// read it; once it is whole, nothing is read from the source twice.
type journal struct {
	store  tidemill.Store // nil: in memory
	prefix string
	names  []string
	sizes  []int64
	rows   uint64
	tables []*tidemill.Table
	index  map[*tidemill.Table]int

	w      tidemill.SegmentWriter
	buf    []byte
	mem    [][]byte // segments, without a store
	open   []tidemill.SegmentReader
	commit time.Time // of the snapshot; zero where the source tells none
	readAt time.Time // when it was read, then
	order  uint64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newJournal(store tidemill.Store, term uint64) *journal {
	return &journal{store: store, prefix: fmt.Sprintf("journal-%d", term), index: map[*tidemill.Table]int{}}
}

// append writes one snapshot row.
func (j *journal) append(c *tidemill.Change) error {
	ti, ok := j.index[c.Table]
	if !ok {
		ti = len(j.tables)
		j.index[c.Table] = ti
		j.tables = append(j.tables, c.Table)
	}
	if c.Tx != nil {
		j.commit, j.readAt, j.order = c.Tx.Commit, c.Tx.Read, c.Tx.Order
	}
	at := len(j.buf)
	j.buf = append(j.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	j.buf = statebytes.AppendUvarint(j.buf, uint64(ti))
	j.buf = statebytes.AppendUvarint(j.buf, c.N)
	j.buf = statebytes.AppendUvarint(j.buf, c.At)
	for _, v := range c.After {
		j.buf = statebytes.AppendValue(j.buf, v)
	}
	rec := j.buf[at+8:]
	binary.LittleEndian.PutUint32(j.buf[at:], uint32(len(rec)))
	binary.LittleEndian.PutUint32(j.buf[at+4:], crc32.Checksum(rec, castagnoli))
	j.rows++
	if len(j.buf) >= 1<<20 {
		return j.write()
	}
	return nil
}

func (j *journal) write() error {
	if len(j.buf) == 0 {
		return nil
	}
	if len(j.names) == 0 || j.sizes[len(j.sizes)-1] >= journalSegment {
		if err := j.closeSegment(); err != nil {
			return err
		}
		name := fmt.Sprintf("%s-%05d", j.prefix, len(j.names))
		if j.store != nil {
			w, err := j.store.Create(context.Background(), name)
			if err != nil {
				return fmt.Errorf("begin the journal's segment %s: %w", name, err)
			}
			j.w = w
		} else {
			j.mem = append(j.mem, nil)
		}
		j.names, j.sizes = append(j.names, name), append(j.sizes, 0)
	}
	last := len(j.names) - 1
	if j.store != nil {
		if _, err := j.w.Write(j.buf); err != nil {
			return fmt.Errorf("write the journal's segment %s: %w", j.names[last], err)
		}
	} else {
		j.mem[last] = append(j.mem[last], j.buf...)
	}
	j.sizes[last] += int64(len(j.buf))
	j.buf = j.buf[:0]
	return nil
}

func (j *journal) closeSegment() error {
	if j.w == nil {
		return nil
	}
	err := j.w.Sync()
	if e := j.w.Close(); err == nil {
		err = e
	}
	j.w = nil
	if err != nil {
		return fmt.Errorf("make the journal durable: %w", err)
	}
	return nil
}

// finish makes the journal whole and durable.
func (j *journal) finish() error {
	if err := j.write(); err != nil {
		return err
	}
	j.buf = nil
	return j.closeSegment()
}

func (j *journal) close() {
	if j.w != nil {
		j.w.Close()
		j.w = nil
	}
	for _, r := range j.open {
		if r != nil {
			r.Close()
		}
	}
	j.open = nil
}

// discard removes what an unfinished journal wrote.
func (j *journal) discard() {
	j.close()
	if j.store == nil {
		return
	}
	for _, n := range j.names {
		j.store.Remove(context.Background(), n)
	}
}

func (j *journal) reader(seg int) (io.ReaderAt, error) {
	if j.store == nil {
		return readerAt(j.mem[seg]), nil
	}
	for len(j.open) < len(j.names) {
		j.open = append(j.open, nil)
	}
	if j.open[seg] == nil {
		r, err := j.store.Open(context.Background(), j.names[seg])
		if err != nil {
			return nil, tidemill.Fatalf("the journal's segment %s: %w", j.names[seg], err)
		}
		j.open[seg] = r
	}
	return j.open[seg], nil
}

type readerAt []byte

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	if off > int64(len(r)) {
		return 0, io.EOF
	}
	n := copy(p, r[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// place is where a record lies: segment << 40 | offset.
type place uint64

// rowAt reads one record; the row shares buf's memory, which is grown as needed and returned.
func (j *journal) rowAt(p place, c *tidemill.Change, tx *tidemill.Tx, buf []byte) ([]byte, error) {
	seg, off := int(p>>40), int64(p&(1<<40-1))
	r, err := j.reader(seg)
	if err != nil {
		return buf, err
	}
	var head [8]byte
	if _, err := r.ReadAt(head[:], off); err != nil {
		return buf, j.damaged(seg, off, err)
	}
	n := int(binary.LittleEndian.Uint32(head[:]))
	if int64(n) > j.sizes[seg] {
		return buf, j.damaged(seg, off, statebytes.ErrShort)
	}
	buf = append(buf[:0], make([]byte, n)...)
	if _, err := r.ReadAt(buf, off+8); err != nil && !(errors.Is(err, io.EOF)) {
		return buf, j.damaged(seg, off, err)
	}
	return buf, j.decode(head[:], buf, c, tx, seg, off)
}

func (j *journal) damaged(seg int, off int64, err error) error {
	return tidemill.Fatalf("the journal's segment %s is damaged at byte %d: %w: restore it, or run --fresh",
		j.names[seg], off, err)
}

func (j *journal) decode(head, rec []byte, c *tidemill.Change, tx *tidemill.Tx, seg int, off int64) error {
	if crc32.Checksum(rec, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return j.damaged(seg, off, errors.New("wrong checksum"))
	}
	d := statebytes.Read(rec)
	ti := d.Uvarint()
	if ti >= uint64(len(j.tables)) {
		return j.damaged(seg, off, statebytes.ErrShort)
	}
	t := j.tables[ti]
	*c = tidemill.Change{Op: tidemill.Read, Table: t, Tx: tx, N: d.Uvarint(), At: d.Uvarint(), After: c.After[:0]}
	for range t.Columns {
		c.After = append(c.After, d.Value())
	}
	if err := d.End(); err != nil {
		return j.damaged(seg, off, err)
	}
	return nil
}

// tx is the transaction of every row.
func (j *journal) tx() *tidemill.Tx {
	return &tidemill.Tx{Order: j.order, Commit: j.commit, Read: j.readAt}
}

// scan calls f for every row in read order; c and its values are good until f returns.
func (j *journal) scan(f func(p place, c *tidemill.Change) error) error {
	tx := j.tx()
	var c tidemill.Change
	buf := make([]byte, 0, 1<<20)
	for seg := range j.names {
		r, err := j.reader(seg)
		if err != nil {
			return err
		}
		var base int64 // of buf in the segment
		buf = buf[:0]
		for off := int64(0); off < j.sizes[seg]; {
			need := int64(8)
			for {
				if have := base + int64(len(buf)) - off; have >= need {
					if need > 8 {
						break
					}
					n := int64(binary.LittleEndian.Uint32(buf[off-base:]))
					if n > j.sizes[seg] {
						return j.damaged(seg, off, statebytes.ErrShort)
					}
					need = 8 + n
					if have >= need {
						break
					}
				}
				size := max(need, 1<<20)
				size = min(size, j.sizes[seg]-off)
				if size < need {
					return j.damaged(seg, off, statebytes.ErrShort)
				}
				if int64(cap(buf)) < size {
					buf = make([]byte, size)
				}
				buf, base = buf[:size], off
				if _, err := r.ReadAt(buf, off); err != nil && !errors.Is(err, io.EOF) {
					return j.damaged(seg, off, err)
				}
			}
			rec := buf[off-base:]
			if err := j.decode(rec[:8], rec[8:need], &c, tx, seg, off); err != nil {
				return err
			}
			if err := f(place(seg)<<40|place(off), &c); err != nil {
				return err
			}
			off += need
		}
	}
	return nil
}

func (j *journal) appendTo(b []byte) []byte {
	b = statebytes.AppendUvarint(b, j.rows)
	b = statebytes.AppendVarint(b, j.commit.UnixMicro())
	b = statebytes.AppendVarint(b, j.readAt.UnixMicro())
	b = statebytes.AppendUvarint(b, j.order)
	b = statebytes.AppendUvarint(b, uint64(len(j.tables)))
	for _, t := range j.tables {
		b = statebytes.AppendTable(b, t)
	}
	b = statebytes.AppendUvarint(b, uint64(len(j.names)))
	for i, n := range j.names {
		b = statebytes.AppendText(b, n)
		b = statebytes.AppendUvarint(b, uint64(j.sizes[i]))
	}
	return b
}

func (j *journal) read(d *statebytes.Reader) {
	j.rows, j.commit, j.readAt, j.order = d.Uvarint(), clockTime(d.Varint()), clockTime(d.Varint()), d.Uvarint()
	for n := d.Count(4); n > 0 && d.Err() == nil; n-- {
		t := d.Table()
		j.index[t] = len(j.tables)
		j.tables = append(j.tables, t)
	}
	for n := d.Count(2); n > 0; n-- {
		j.names, j.sizes = append(j.names, d.Text()), append(j.sizes, int64(d.Uvarint()))
	}
}
