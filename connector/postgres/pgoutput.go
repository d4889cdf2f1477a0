package postgres

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
)

// epoch2000 is PostgreSQL's epoch, 2000-01-01, in microseconds since 1970.
const epoch2000 = 946_684_800_000_000

// relation is a table as the decoder needs it.
type relation struct {
	table  *tidemill.Table
	forms  []form
	binary []bool // the columns that are decoded from binary too
	ident  []bool // the columns of the replica identity: what an old key holds
	skip   bool   // published, but not asked for
}

// relationMessage is the wire's description of a table.
type relationMessage struct {
	oid          uint32
	schema, name string
	identity     byte // d n f i
	columns      []relationColumn
}

type relationColumn struct {
	name string
	oid  uint32
	mod  uint32
	key  bool
}

// decoder turns pgoutput messages, protocol version 1, into changes (PostgreSQL documentation, "Logical Replication
// Message Formats"). It is fed whole messages; a committed transaction is Begin, changes, Commit.
type decoder struct {
	slab
	relations map[uint32]*relation
	resolve   func(m *relationMessage) (*relation, error)
	meta      []tidemill.Attr

	oid  uint32 // of rel
	rel  *relation
	tx   *tidemill.Tx // nil between transactions
	n    uint64
	ends lsn // where the last committed transaction ends
}

// cursor reads a message's fields; bad is set by the first that is not there.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	t := c.b[:n]
	c.b = c.b[n:]
	return t
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() int {
	if b := c.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) str() string {
	n := bytes.IndexByte(c.b, 0)
	if n < 0 {
		c.bad, c.b = true, nil
		return ""
	}
	s := string(c.b[:n])
	c.b = c.b[n+1:]
	return s
}

// message decodes one message that lies at the log position at. b is not kept.
func (d *decoder) message(b []byte, at uint64) error {
	if len(b) == 0 {
		return tidemill.Fatalf("postgres: pgoutput sent an empty message")
	}
	kind := b[0]
	c := cursor{b: b[1:]}
	var err error
	switch kind {
	case 'I', 'U', 'D':
		err = d.row(kind, &c, at)
	case 'T':
		err = d.truncate(&c, at)
	case 'B':
		err = d.begin(&c)
	case 'C':
		c.u8()
		c.u64()
		ends := lsn(c.u64())
		c.u64()
		if d.tx == nil {
			err = tidemill.Fatalf("postgres: pgoutput sent a commit outside of a transaction")
		} else if !c.bad {
			d.tx, d.ends = nil, ends
		}
	case 'O':
		c.u64()
		origin := c.str()
		if d.tx != nil {
			d.tx.Origin = origin
		}
	case 'R':
		err = d.relation(&c)
	case 'Y':
		c.u32()
		c.str()
		c.str()
	case 'M':
		c.u8()
		c.u64()
		c.str()
		c.take(int(c.u32()))
	default:
		return tidemill.Fatalf("postgres: pgoutput sent a message of kind %q, which protocol version 1 does not have", kind)
	}
	if err == nil && c.bad {
		err = tidemill.Fatalf("postgres: pgoutput's message %q is cut short", kind)
	}
	return err
}

func (d *decoder) begin(c *cursor) error {
	final, when, xid := c.u64(), int64(c.u64()), c.u32()
	if c.bad {
		return nil
	}
	if d.tx != nil {
		return tidemill.Fatalf("postgres: pgoutput began transaction %d inside transaction %s", xid, d.tx.ID)
	}
	d.tx = &tidemill.Tx{Order: final, ID: strconv.FormatUint(uint64(xid), 10),
		Commit: time.UnixMicro(when + epoch2000).UTC(), Meta: d.meta}
	d.n = 0
	return nil
}

// find is the relation that a message is about; its description came before.
func (d *decoder) find(oid uint32) (*relation, error) {
	if d.tx == nil {
		return nil, tidemill.Fatalf("postgres: pgoutput sent a change outside of a transaction")
	}
	if oid == d.oid && d.rel != nil {
		return d.rel, nil
	}
	rel := d.relations[oid]
	if rel == nil {
		return nil, tidemill.Fatalf("postgres: pgoutput sent a change of table %d before its description", oid)
	}
	d.oid, d.rel = oid, rel
	return rel, nil
}

// row decodes an insert, an update or a delete.
func (d *decoder) row(kind byte, c *cursor, at uint64) error {
	oid := c.u32()
	if c.bad {
		return nil
	}
	rel, err := d.find(oid)
	if err != nil {
		return err
	}
	n := d.n
	d.n++
	if rel.skip {
		return nil
	}
	var before, after []tidemill.Value
	part := c.u8()
	if part == 'K' || part == 'O' {
		if before, err = d.tuple(rel, c, part == 'K'); err != nil {
			return err
		}
		if kind == 'U' {
			part = c.u8()
		}
	}
	switch {
	case c.bad:
		return nil
	case (kind == 'I' || kind == 'U') && part == 'N' && (kind == 'U' || before == nil):
		if after, err = d.tuple(rel, c, false); err != nil {
			return err
		}
		if before != nil {
			for i := range after { // an unchanged TOAST value is in the whole old row
				if !after[i].Known() {
					after[i] = before[i]
				}
			}
		}
	case kind == 'D' && before != nil:
	default:
		return tidemill.Fatalf("postgres: pgoutput's message %q has an unexpected part %q", kind, part)
	}
	if c.bad {
		return nil
	}
	op := tidemill.Insert
	switch kind {
	case 'U':
		op = tidemill.Update
	case 'D':
		op = tidemill.Delete
	}
	ch := d.add()
	ch.Op, ch.Table, ch.Before, ch.After, ch.Tx, ch.N, ch.At = op, rel.table, before, after, d.tx, n, at
	return nil
}

// tuple decodes a row. In an old key the columns outside of the replica identity are sent as NULL; they are Unknown.
func (d *decoder) tuple(rel *relation, c *cursor, key bool) ([]tidemill.Value, error) {
	n := c.u16()
	if c.bad {
		return nil, nil
	}
	if n != len(rel.forms) {
		return nil, tidemill.Fatalf("postgres: pgoutput sent a row of %d columns for %s, which has %d",
			n, rel.table, len(rel.forms))
	}
	if n == 0 {
		return []tidemill.Value{}, nil
	}
	row := d.slab.row(n)
	b := c.b
	for i := range row {
		if len(b) == 0 {
			c.bad = true
			return nil, nil
		}
		kind := b[0]
		b = b[1:]
		switch kind {
		case 't', 'b':
			if len(b) < 4 {
				c.bad = true
				return nil, nil
			}
			size := int(binary.BigEndian.Uint32(b))
			b = b[4:]
			if size > len(b) {
				c.bad = true
				return nil, nil
			}
			if kind == 't' {
				row[i] = d.decode(rel.forms[i], b[:size])
			} else if v, ok := d.decodeBinary(rel.forms[i], b[:size]); ok && rel.binary[i] {
				row[i] = v
			} else {
				return nil, errText
			}
			b = b[size:]
		case 'n':
			if !key || rel.ident[i] {
				row[i] = tidemill.Null()
			}
		case 'u':
		default:
			return nil, tidemill.Fatalf("postgres: pgoutput sent a value of kind %q for %s.%s",
				kind, rel.table, rel.table.Columns[i].Name)
		}
	}
	c.b = b
	return row, nil
}

func (d *decoder) truncate(c *cursor, at uint64) error {
	count := int(c.u32())
	c.u8()
	if count*4 > len(c.b) {
		c.bad = true
		return nil
	}
	for range count {
		rel, err := d.find(c.u32())
		if err != nil {
			return err
		}
		n := d.n
		d.n++
		if rel.skip {
			continue
		}
		ch := d.add()
		ch.Op, ch.Table, ch.Tx, ch.N, ch.At = tidemill.Truncate, rel.table, d.tx, n, at
	}
	return nil
}

func (d *decoder) relation(c *cursor) error {
	m := relationMessage{oid: c.u32(), schema: c.str(), name: c.str(), identity: c.u8()}
	if m.schema == "" {
		m.schema = "pg_catalog"
	}
	n := c.u16()
	if n*10 > len(c.b) { // a column is 10 bytes at least
		c.bad = true
		return nil
	}
	m.columns = make([]relationColumn, n)
	for i := range m.columns {
		flags := c.u8()
		m.columns[i] = relationColumn{key: flags&1 != 0, name: c.str(), oid: c.u32(), mod: c.u32()}
	}
	if c.bad {
		return nil
	}
	rel, err := d.resolve(&m)
	if err != nil {
		return err
	}
	rel.binary = make([]bool, len(m.columns))
	for i := range m.columns {
		rel.binary[i] = hasBinary(m.columns[i].oid)
	}
	d.relations[m.oid] = rel
	d.rel = nil
	return nil
}
