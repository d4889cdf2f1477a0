package engine

import (
	"github.com/tidemill/tidemill"
)

// learnEncoded learns the run in blocks behind encoders that learn, each row after the one before: a row is predicted
// from what the encoders made of it just before they learned it, and learned from what they made of it just after. So the
// model gets the same numbers as row by row. It is false where the model cannot be learned so.
func (t *taskState) learnEncoded(lb tidemill.BatchLearner, score bool) bool {
	r := &t.run
	bp, _ := t.model.(tidemill.BatchPredictor)
	st, _ := t.model.(tidemill.Steady)
	if score && (bp == nil || st == nil) {
		return false
	}
	for from := 0; from < len(r.rows); {
		n := len(r.rows) - from
		if score {
			n = min(n, st.Steady())
		}
		t.learnPiece(lb, bp, from, from+n, score)
		from += n
	}
	return true
}

// learnPiece is learnEncoded of rows whose learning changes no prediction among them.
func (t *taskState) learnPiece(lb tidemill.BatchLearner, bp tidemill.BatchPredictor, from, to int, score bool) {
	r := &t.run
	b := &r.block
	asked, learned := t.filling(&r.asked), t.filling(b)
	b.Y, b.Weight = b.Y[:0], b.Weight[:0]
	weighted := false
	for n := from; n < to; n++ {
		row := &r.rows[n]
		if score {
			asked.add(encode(t.encoders, &r.xs[n], &r.enc[0], &r.enc[1]))
		}
		var y []float64
		b.Y, b.Weight = append(b.Y, row.y), append(b.Weight, row.weight)
		if row.has {
			y = b.Y[len(b.Y)-1:]
		}
		weighted = weighted || row.weight != 1
		learned.add(t.prepare(&r.xs[n], y))
	}
	width := 0
	if score {
		questions := asked.block(len(t.encoded))
		r.preds = bp.PredictBatch(r.preds[:0], &questions)
		width = len(r.preds) / (to - from)
	}
	block := learned.block(len(t.encoded))
	if r.rows[from].has {
		block.Y = b.Y
	}
	if weighted {
		block.Weight = b.Weight
	}
	lb.LearnBatch(nil, &block, false)
	for n := from; n < to; n++ {
		row := &r.rows[n]
		if score && !row.scored {
			pred := r.preds[(n-from)*width : (n-from+1)*width]
			r.base = t.base.predict(r.base[:0])
			var frozen []float64
			if t.frozen != nil {
				frozen = t.frozen.predict(nil, &r.xs[n])
			}
			t.scoreAnswer(pred, t.decide(pred), row.y, row.weight, &r.xs[n], &others{r.base, t.base.last, frozen}, true)
		}
		if row.has {
			t.base.learn(row.y)
		}
		t.counts.Learned++
	}
}
