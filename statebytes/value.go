package statebytes

import "github.com/tidemill/tidemill"

// AppendValue appends one value; [Reader.Value] reads it back. It is the format of the journal and of held rows.
func AppendValue(b []byte, v tidemill.Value) []byte {
	b = append(b, byte(v.Kind()))
	switch v.Kind() {
	case tidemill.KindUnknown, tidemill.KindNull:
	case tidemill.KindBool:
		b = append(b, byte(v.Int()))
	case tidemill.KindInt, tidemill.KindTime:
		b = AppendVarint(b, v.Int())
	case tidemill.KindFloat:
		b = AppendFloat(b, v.Float())
	default:
		b = AppendBytes(b, v.Bytes())
	}
	return b
}

// Value reads what [AppendValue] wrote; it shares the memory of what is read.
func (r *Reader) Value() tidemill.Value {
	switch k := tidemill.Kind(r.Byte()); k {
	case tidemill.KindUnknown:
		return tidemill.Value{}
	case tidemill.KindNull:
		return tidemill.Null()
	case tidemill.KindBool:
		return tidemill.Bool(r.Byte()&1 == 1)
	case tidemill.KindInt:
		return tidemill.Int(r.Varint())
	case tidemill.KindTime:
		return tidemill.Timestamp(r.Varint())
	case tidemill.KindFloat:
		return tidemill.Float(r.Float())
	case tidemill.KindDecimal:
		return tidemill.DecimalBytes(r.Bytes())
	case tidemill.KindText:
		return tidemill.TextBytes(r.Bytes())
	case tidemill.KindBytes:
		return tidemill.Blob(r.Bytes())
	case tidemill.KindOther:
		return tidemill.OtherBytes(r.Bytes())
	}
	r.Fail(ErrShort)
	return tidemill.Value{}
}

// AppendTable appends a table's shape; [Reader.Table] reads it.
func AppendTable(b []byte, t *tidemill.Table) []byte {
	b = AppendText(b, t.Schema)
	b = AppendText(b, t.Name)
	b = AppendUvarint(b, uint64(len(t.Columns)))
	for _, c := range t.Columns {
		b = AppendText(b, c.Name)
		b = append(b, byte(c.Kind))
		b = AppendText(b, c.Native)
		b = AppendUvarint(b, uint64(c.OID))
		b = AppendUvarint(b, uint64(c.Mod))
		b = AppendBool(b, c.Nullable)
	}
	b = AppendUvarint(b, uint64(len(t.Key)))
	for _, k := range t.Key {
		b = AppendUvarint(b, uint64(k))
	}
	return b
}

// Table reads what [AppendTable] wrote; nil after a mistake.
func (r *Reader) Table() *tidemill.Table {
	schema, name := r.Text(), r.Text()
	cols := make([]tidemill.Column, r.Count(6))
	for i := range cols {
		cols[i] = tidemill.Column{Name: r.Text(), Kind: tidemill.Kind(r.Byte()), Native: r.Text(), OID: uint32(r.Uvarint()),
			Mod: uint32(r.Uvarint()), Nullable: r.Bool()}
	}
	key := make([]int, r.Count(1))
	for i := range key {
		key[i] = int(r.Uvarint())
		if key[i] >= len(cols) {
			r.Fail(ErrShort)
			return nil
		}
	}
	if r.Err() != nil {
		return nil
	}
	return tidemill.NewTable(schema, name, cols, key)
}
