package serve

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// width is the bytes of one element of each datatype; 0 for BYTES.
func width(datatype string) (int, bool) {
	switch datatype {
	case "BOOL", "UINT8", "INT8":
		return 1, true
	case "UINT16", "INT16", "FP16":
		return 2, true
	case "UINT32", "INT32", "FP32":
		return 4, true
	case "UINT64", "INT64", "FP64":
		return 8, true
	case "BYTES":
		return 0, true
	}
	return 0, false
}

// tensorRows makes rows of the inputs: the first axis counts the rows, and a column has one element per row. A picture
// column has its width*height numbers per row, or one text with the picture.
func (s *server) tensorRows(t *engine.TaskStatus, inputs []tensor) ([]tidemill.Row, error) {
	n := 1
	if len(inputs[0].shape) > 0 {
		n = inputs[0].shape[0]
	}
	if n > s.cfg.MaxRows {
		return nil, s.tooMany()
	}
	for i := range inputs {
		// Every element has a byte at least: what a shape claims is checked before room is made for it.
		if in := &inputs[i]; n > max(len(in.data), len(in.raw)) {
			return nil, fmt.Errorf("input %q has less data than its shape, %v, says", clip(in.name), in.shape)
		}
	}
	rows := make([]tidemill.Row, n)
	for i := range rows {
		rows[i] = make(tidemill.Row, len(inputs))
	}
	for i := range inputs {
		in := &inputs[i]
		if len(in.shape) > 0 && in.shape[0] != n {
			return nil, fmt.Errorf("input %q has %d rows, input %q has %d", clip(in.name), in.shape[0],
				clip(inputs[0].name), n)
		}
		if n > 0 {
			if _, twice := rows[0][in.name]; twice {
				return nil, fmt.Errorf("input %q twice", clip(in.name))
			}
		}
		if err := s.fillColumn(rows, in, pictureOf(t)); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// fillColumn puts a tensor's elements into the rows. pic is the task's picture column, nil if there is none.
func (s *server) fillColumn(rows []tidemill.Row, in *tensor, pic *engine.PictureStatus) error {
	per := 1 // elements of a row
	for _, d := range in.shape[min(1, len(in.shape)):] {
		if d > 0 && per > s.cfg.MaxBody/d {
			return fmt.Errorf("input %q is too large", clip(in.name))
		}
		per *= d
	}
	if pic != nil && pic.Column != in.name {
		pic = nil
	}
	shades := pic != nil && in.datatype != "BYTES"
	if shades && per != pic.Width*pic.Height || !shades && per != 1 {
		return fmt.Errorf("input %q has %d elements per row; shape is [rows], or [rows, height, width] for a picture",
			clip(in.name), per)
	}
	return in.each(len(rows)*per, func(k int, v any) (err error) {
		row := rows[k/per]
		switch {
		case shades:
			b, _ := row[in.name].([]byte)
			f, ok := number(v)
			if !ok || !(f >= 0 && f <= 255) {
				return fmt.Errorf("input %q: %v is no shade of grey: 0 is black, 255 is white", clip(in.name), v)
			}
			if b == nil {
				b = make([]byte, 0, per)
			}
			if b = append(b, byte(f+0.5)); len(b) == per {
				row[in.name], err = drawn(b, pic)
			} else {
				row[in.name] = b
			}
		case pic != nil && v != nil:
			text, _ := v.(string)
			if in.size >= 0 {
				row[in.name], err = pictureBytes([]byte(text), pic)
			} else {
				row[in.name], err = pictureText(text, pic)
			}
		default:
			row[in.name] = v
		}
		return err
	})
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// each calls f for the n elements in row-major order. NaN is nil: not known.
func (in *tensor) each(n int, f func(k int, v any) error) error {
	size, ok := width(in.datatype)
	if !ok {
		return fmt.Errorf("input %q: %q is no datatype of the protocol", clip(in.name), clip(in.datatype))
	}
	if in.size >= 0 {
		return in.eachBinary(n, size, f)
	}
	p := &scanner{s: in.data}
	k := 0
	var walk func(depth int) error
	walk = func(depth int) error {
		if depth > 8 {
			return fmt.Errorf("input %q: data nested more than 8 deep", clip(in.name))
		}
		return p.items(func(int) error {
			if p.peek() == '[' {
				return walk(depth + 1)
			}
			if k == n {
				return fmt.Errorf("input %q has more data than its shape, %v, says", clip(in.name), in.shape)
			}
			v, err := p.element(in)
			if err != nil {
				return err
			}
			k++
			return f(k-1, v)
		})
	}
	if err := walk(1); err != nil {
		return err
	}
	if k != n {
		return fmt.Errorf("input %q has %d elements; its shape, %v, says %d", clip(in.name), k, in.shape, n)
	}
	return nil
}

// element reads one element and checks it against the datatype.
func (p *scanner) element(in *tensor) (any, error) {
	v, err := p.value()
	if err != nil || v == nil {
		return nil, err
	}
	ok := false
	switch in.datatype {
	case "BYTES":
		_, ok = v.(string)
	case "BOOL":
		if n, is := v.(int64); is && (n == 0 || n == 1) {
			return n == 1, nil
		}
		_, ok = v.(bool)
	case "FP16", "FP32", "FP64":
		if n, is := v.(int64); is {
			return float64(n), nil
		}
		if n, is := v.(json.Number); is {
			f, err := n.Float64()
			return f, err
		}
		_, ok = v.(float64)
	default:
		switch n := v.(type) {
		case int64:
			ok = fits(n, in.datatype)
		case json.Number:
			ok = in.datatype == "UINT64" && n[0] != '-'
		}
	}
	if !ok {
		return nil, fmt.Errorf("input %q: %s is no %s", clip(in.name), clip(fmt.Sprint(v)), in.datatype)
	}
	return v, nil
}

// fits is true if a whole number is in the range of its datatype.
func fits(n int64, datatype string) bool {
	size, _ := width(datatype)
	if bits := 8 * size; datatype[0] == 'U' {
		return n >= 0 && (bits == 64 || n < 1<<bits)
	} else {
		return bits == 64 || -1<<(bits-1) <= n && n < 1<<(bits-1)
	}
}

func (in *tensor) eachBinary(n, size int, f func(k int, v any) error) error {
	b := in.raw
	if size > 0 && len(b) != n*size {
		return fmt.Errorf("input %q has %d bytes; %d elements of %s have %d", clip(in.name), len(b), n, in.datatype,
			n*size)
	}
	for k := range n {
		if size == 0 {
			if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
				return fmt.Errorf("input %q: element %d ends early", clip(in.name), k)
			}
			size := 4 + int(binary.LittleEndian.Uint32(b))
			if err := f(k, string(b[4:size])); err != nil {
				return err
			}
			b = b[size:]
			continue
		}
		v := fixed(in.datatype, b[k*size:])
		if x, ok := v.(float64); ok && math.IsNaN(x) {
			v = nil
		} else if ok && math.IsInf(x, 0) {
			return fmt.Errorf("input %q: element %d is infinite", clip(in.name), k)
		}
		if err := f(k, v); err != nil {
			return err
		}
	}
	if size == 0 && len(b) > 0 {
		return fmt.Errorf("input %q has more data than its shape, %v, says", clip(in.name), in.shape)
	}
	return nil
}

// fixed decodes one little-endian element.
func fixed(datatype string, b []byte) any {
	le := binary.LittleEndian
	switch datatype {
	case "BOOL":
		return b[0] != 0
	case "UINT8":
		return int64(b[0])
	case "INT8":
		return int64(int8(b[0]))
	case "UINT16":
		return int64(le.Uint16(b))
	case "INT16":
		return int64(int16(le.Uint16(b)))
	case "UINT32":
		return int64(le.Uint32(b))
	case "INT32":
		return int64(int32(le.Uint32(b)))
	case "INT64":
		return int64(le.Uint64(b))
	case "UINT64":
		n := le.Uint64(b)
		if n > math.MaxInt64 {
			return json.Number(fmt.Sprint(n))
		}
		return int64(n)
	case "FP16":
		return half(le.Uint16(b))
	case "FP32":
		return float64(math.Float32frombits(le.Uint32(b)))
	}
	return math.Float64frombits(le.Uint64(b))
}

// half is an IEEE 754 binary16.
func half(h uint16) float64 {
	sign, exp, frac := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}
