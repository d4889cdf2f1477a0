package engine

import (
	"slices"

	"github.com/tidemill/tidemill"
)

// filling makes encoded rows into a block.
type filling struct {
	b             *tidemill.Block
	single, owned bool // the model wants float32; the rows' terms are theirs past the next row
	terms         bool
	rows          int
}

// filling begins a block in b's memory.
func (t *taskState) filling(b *tidemill.Block) filling {
	b.Dense, b.Dense32, b.Terms = b.Dense[:0], b.Dense32[:0], b.Terms[:0]
	f := filling{b: b, owned: len(t.encoders) == 0}
	if m, ok := t.model.(tidemill.Float32er); ok {
		f.single = m.Float32()
	}
	return f
}

func (f *filling) add(x *tidemill.Vector) {
	b := f.b
	if f.single {
		at := len(b.Dense32)
		b.Dense32 = slices.Grow(b.Dense32, len(x.Dense))[:at+len(x.Dense)]
		to := b.Dense32[at:]
		for k, v := range x.Dense[:len(to)] {
			to[k] = float32(v)
		}
	} else {
		b.Dense = append(b.Dense, x.Dense...)
	}
	f.terms = f.terms || len(x.Terms) > 0
	if len(x.Terms) > 0 && !f.owned {
		b.Terms = append(b.Terms, append([]tidemill.Term(nil), x.Terms...))
	} else {
		b.Terms = append(b.Terms, x.Terms)
	}
	f.rows++
}

// block is the rows as the model wants them, without what there is none of.
func (f *filling) block(cols int) tidemill.Block {
	out := tidemill.Block{Rows: f.rows, Cols: cols, Dense: f.b.Dense, Dense32: f.b.Dense32, Terms: f.b.Terms}
	if f.single {
		out.Dense = nil
	} else {
		out.Dense32 = nil
	}
	if !f.terms {
		out.Terms = nil
	}
	return out
}
