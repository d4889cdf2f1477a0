package serve

import "github.com/tidemill/tidemill"

// rowBuffer is the memory of one request's rows, which the next request uses again.
type rowBuffer struct{ rows []tidemill.Row }

// keptRows is how many rows a buffer keeps for the next request, keptColumns how many columns of each.
const (
	keptRows    = 1024
	keptColumns = 256
)

// next is a further row, empty.
func (b *rowBuffer) next() tidemill.Row {
	n := len(b.rows)
	if n < cap(b.rows) {
		b.rows = b.rows[:n+1]
	} else {
		b.rows = append(b.rows, nil)
	}
	if b.rows[n] == nil {
		b.rows[n] = tidemill.Row{}
	}
	return b.rows[n]
}

// reset empties the buffer. Nothing that it keeps refers to the request; a map's memory never shrinks, so large ones
// go.
func (b *rowBuffer) reset() {
	if cap(b.rows) > keptRows {
		b.rows = nil
		return
	}
	for i, r := range b.rows {
		if len(r) > keptColumns {
			b.rows[i] = nil
		}
		clear(r)
	}
	b.rows = b.rows[:0]
}
