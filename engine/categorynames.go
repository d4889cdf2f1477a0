package engine

import (
	"maps"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// namesMax is how many categories a task can name to people.
const namesMax = 4096

// samplesShown is how many categories of a column the dashboard's form suggests.
const samplesShown = 12

// names remembers what the categories' codes stand for, the first ones met: for people only, no model sees it.
type names struct {
	columns []nominal
	text    map[uint64]string // by term hash
}

type nominal struct {
	raw  int // of the raw vector
	name string
	seed uint64
	seen []string // the first categories, for suggestions
}

func newNames(raw []tidemill.FeatureColumn) *names {
	n := &names{text: map[uint64]string{}}
	for i, c := range raw {
		if c.Nominal {
			n.columns = append(n.columns, nominal{raw: i, name: c.Name, seed: tidemill.TermSeed(c.Name)})
		}
	}
	return n
}

// note names the categories of one row.
func (n *names) note(x *tidemill.Vector, c *tidemill.Change) {
	if len(n.text) >= namesMax {
		return
	}
	for i := range n.columns {
		col := &n.columns[i]
		code := x.Dense[col.raw]
		if code != code {
			continue
		}
		h := tidemill.TermHash(col.seed, code)
		if _, ok := n.text[h]; ok {
			continue
		}
		k := c.Table.Col(col.name)
		if k < 0 {
			continue
		}
		text := string(c.Row()[k].AppendText(nil))
		if len(text) > 60 {
			text = text[:60]
		}
		n.text[h] = col.name + "=" + text
		if len(col.seen) < samplesShown {
			col.seen = append(col.seen, text)
		}
	}
}

// samples are suggestions for a column's value.
func (n *names) samples(column string) []string {
	for i := range n.columns {
		if n.columns[i].name == column {
			return slices.Clone(n.columns[i].seen)
		}
	}
	return nil
}

func (n *names) appendTo(b []byte) []byte {
	b = statebytes.AppendUvarint(b, uint64(len(n.text)))
	for _, h := range slices.Sorted(maps.Keys(n.text)) {
		b = statebytes.AppendUint(b, h)
		b = statebytes.AppendText(b, n.text[h])
	}
	b = statebytes.AppendUvarint(b, uint64(len(n.columns)))
	for _, c := range n.columns {
		b = statebytes.AppendUvarint(b, uint64(len(c.seen)))
		for _, s := range c.seen {
			b = statebytes.AppendText(b, s)
		}
	}
	return b
}

func (n *names) read(d *statebytes.Reader) {
	for k := d.Count(9); k > 0; k-- {
		h := d.Uint()
		n.text[h] = d.Text()
	}
	cols := d.Count(1)
	for i := range cols {
		var seen []string
		for k := d.Count(1); k > 0; k-- {
			seen = append(seen, d.Text())
		}
		if i < len(n.columns) {
			n.columns[i].seen = seen
		}
	}
}
