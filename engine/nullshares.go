package engine

import (
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// nullShares counts which raw columns are unknown in the snapshot and when a row is asked about, to find what is filled
// in later.
type nullShares struct {
	columns []tidemill.FeatureColumn
	nulls   [2][]uint64 // per column: NaN in learned snapshot rows, in asks
	rows    [2]uint64   // looked at
}

func newNullShares(columns []tidemill.FeatureColumn) nullShares {
	return nullShares{columns: columns, nulls: [2][]uint64{make([]uint64, len(columns)), make([]uint64, len(columns))}}
}

// add counts which raw columns are unknown, to find what is filled in later.
func (n *nullShares) add(p tidemill.Phase, x *tidemill.Vector) {
	n.rows[p]++
	for i, v := range x.Dense {
		if v != v {
			n.nulls[p][i]++
		}
	}
}

// leaks names the columns whose share of NULL in the snapshot differs so much from that at the ask that they must be
// filled in later: what the model learned from the snapshot it will not have when it is asked.
func (n *nullShares) leaks() []string {
	if n.rows[tidemill.Snapshot] < 100 || n.rows[tidemill.Stream] < 100 {
		return nil
	}
	var out []string
	for i := range n.columns {
		s := float64(n.nulls[tidemill.Snapshot][i]) / float64(n.rows[tidemill.Snapshot])
		a := float64(n.nulls[tidemill.Stream][i]) / float64(n.rows[tidemill.Stream])
		if math.Abs(s-a) > 0.5 {
			out = append(out, n.columns[i].Name+" is filled in later: a leak (NULL in "+percent(s)+
				" of the snapshot's rows, in "+percent(a)+" of those asked about); leave it out")
		}
	}
	return out
}

func (n *nullShares) appendTo(b []byte) []byte {
	for p := range n.nulls {
		b = statebytes.AppendUvarint(b, n.rows[p])
		for _, k := range n.nulls[p] {
			b = statebytes.AppendUvarint(b, k)
		}
	}
	return b
}

func (n *nullShares) read(d *statebytes.Reader) {
	for p := range n.nulls {
		n.rows[p] = d.Uvarint()
		for i := range n.nulls[p] {
			n.nulls[p][i] = d.Uvarint()
		}
	}
}
