package engine

import (
	"slices"

	"github.com/tidemill/tidemill"
)

// lesson is one row to learn.
type lesson struct {
	y      float64
	has    bool // y is its answer; false where the model needs none
	weight float64
}

// teachesBlocks reports whether rows can be taught as a block: classes that may grow would change the width of
// predictions within it.
func (l *learner) teachesBlocks() (tidemill.Batcher, bool) {
	m, ok := l.model.(tidemill.Batcher)
	return m, ok && !l.spec.Balanced && (l.kind != tidemill.Classify || l.classes.fixed)
}

// teachAll teaches rows in turn, to the bit as one at a time. If want is true it appends to dst what each would have
// been predicted just before it was learned, each width numbers wide. ok is false, and nothing is done, where the model
// cannot be taught so.
//
// Behind encoders that learn, a row is predicted from what they made of it just before they learned it, and learned
// from what they made of it just after: rows are predicted and learned in blocks within which no prediction changes.
func (l *learner) teachAll(dst []float64, xs []tidemill.Vector, lessons []lesson, want bool,
	s *encoding) (preds []float64, width int, ok bool) {
	m, ok := l.teachesBlocks()
	if !ok {
		return dst, 0, false
	}
	begin := len(dst)
	if len(l.encoders) == 0 {
		block := l.lessonBlock(xs, lessons, s)
		dst = m.LearnBatch(dst, &block, want)
		return dst, (len(dst) - begin) / len(xs), true
	}
	for from := 0; from < len(xs); {
		n := len(xs) - from
		if want {
			n = min(n, m.Steady())
		}
		dst = l.teachPiece(dst, m, xs[from:from+n], lessons[from:from+n], want, s)
		from += n
	}
	return dst, (len(dst) - begin) / len(xs), true
}

// teachPiece is teachAll of rows whose learning changes no prediction among them, behind encoders.
func (l *learner) teachPiece(dst []float64, m tidemill.Batcher, xs []tidemill.Vector, lessons []lesson, want bool,
	s *encoding) []float64 {
	asked, learned := l.fill(&s.asked), l.fill(&s.block)
	b := &s.block
	b.Y, b.Weight = b.Y[:0], b.Weight[:0]
	for n := range xs {
		if want {
			asked.add(l.encode(&xs[n], s))
		}
		b.Y = append(b.Y, lessons[n].y)
		var y []float64
		if lessons[n].has {
			y = b.Y[len(b.Y)-1:]
		}
		learned.add(l.learnEncoders(&xs[n], y, s))
	}
	if want {
		questions := asked.block(len(l.columns))
		dst = m.PredictBatch(dst, &questions)
	}
	block := learned.block(len(l.columns))
	addAnswers(&block, b, lessons)
	m.LearnBatch(nil, &block, false)
	return dst
}

// teachAllAgain teaches rows as a block in a later epoch; false where the model cannot be taught so.
func (l *learner) teachAllAgain(xs []tidemill.Vector, lessons []lesson, s *encoding) bool {
	m, ok := l.teachesBlocks()
	if ok {
		block := l.lessonBlock(xs, lessons, s)
		m.LearnBatch(nil, &block, false)
	}
	return ok
}

// lessonBlock is rows, encoded, with their answers.
func (l *learner) lessonBlock(xs []tidemill.Vector, lessons []lesson, s *encoding) tidemill.Block {
	block := l.encodeAll(&s.block, xs, s)
	s.block.Y, s.block.Weight = s.block.Y[:0], s.block.Weight[:0]
	for i := range lessons {
		s.block.Y = append(s.block.Y, lessons[i].y)
	}
	addAnswers(&block, &s.block, lessons)
	return block
}

// addAnswers gives the block its answers, which memory.Y holds, and its weights, without what there is none of.
func addAnswers(block, memory *tidemill.Block, lessons []lesson) {
	weighted := false
	for i := range lessons {
		memory.Weight = append(memory.Weight, lessons[i].weight)
		weighted = weighted || lessons[i].weight != 1
	}
	if lessons[0].has {
		block.Y = memory.Y
	}
	if weighted {
		block.Weight = memory.Weight
	}
}

// encodeAll encodes rows into b, and gives the block as the model wants it: in b's memory,
// without what there is none of.
func (l *learner) encodeAll(b *tidemill.Block, xs []tidemill.Vector, s *encoding) tidemill.Block {
	f := l.fill(b)
	for i := range xs {
		f.add(l.encode(&xs[i], s))
	}
	return f.block(len(l.columns))
}

// filling makes encoded rows into a block.
type filling struct {
	b             *tidemill.Block
	single, owned bool // the model wants float32; the rows' terms are theirs past the next row
	terms         bool
	rows          int
}

// fill begins a block in b's memory.
func (l *learner) fill(b *tidemill.Block) filling {
	b.Dense, b.Dense32, b.Terms = b.Dense[:0], b.Dense32[:0], b.Terms[:0]
	f := filling{b: b, owned: len(l.encoders) == 0}
	if m, ok := l.model.(tidemill.Batcher); ok {
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
