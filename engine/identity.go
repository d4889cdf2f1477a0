package engine

import (
	"cmp"

	"github.com/tidemill/tidemill"
)

// identity orders the changes of one lane: (Order, N, Sub).
type identity struct {
	order, n uint64
	sub      uint16
}

func identityOf(c *tidemill.Change) identity {
	id := identity{n: c.N, sub: c.Sub}
	if c.Tx != nil {
		id.order = c.Tx.Order
	}
	return id
}

func (a identity) compare(b identity) int {
	return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.n, b.n), cmp.Compare(a.sub, b.sub))
}

// lanes know the last change that each lane of a source has yielded, in the order in which the lanes first did.
type lanes []lane

type lane struct {
	part uint32
	last identity
}

// of is the lane's place, or -1.
func (l lanes) of(part uint32) int {
	for i := range l {
		if l[i].part == part {
			return i
		}
	}
	return -1
}

// note takes the changes in as yielded.
func (l *lanes) note(cs []tidemill.Change) {
	for i := range cs {
		if i+1 < len(cs) && cs[i+1].Part == cs[i].Part {
			continue // the last of a stretch tells
		}
		at := l.of(cs[i].Part)
		if at < 0 {
			at = len(*l)
			*l = append(*l, lane{part: cs[i].Part})
		}
		(*l)[at].last = identityOf(&cs[i])
	}
}

// skip drops, in place, the changes that their lanes have yielded before.
func (l lanes) skip(cs []tidemill.Change) []tidemill.Change {
	out := cs[:0]
	at := -1
	for i := range cs {
		if at < 0 || l[at].part != cs[i].Part {
			at = l.of(cs[i].Part)
		}
		if at < 0 || identityOf(&cs[i]).compare(l[at].last) > 0 {
			out = append(out, cs[i])
		}
	}
	return out
}
