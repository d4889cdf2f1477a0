package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidemill/tidemill/statebytes"
)

// classes are a task's labels and their indexes: fixed by the flow, or in the order of first answer. Labels handed out
// are never changed in place, so outputs may share them.
type classes struct {
	labels []string
	index  map[string]int
	fixed  bool
}

// classesMax bounds an open set: every prediction has a probability for each class, and a label that goes on having new
// values (an id, an amount) is no class.
const classesMax = 1024

func newClasses(fixed []string) *classes {
	c := &classes{index: map[string]int{}, fixed: len(fixed) > 0}
	for _, l := range fixed {
		c.add(l)
	}
	return c
}

// clone is c for readers, which may be read while c grows.
func (c *classes) clone() *classes {
	return &classes{labels: slices.Clip(c.labels), index: maps.Clone(c.index), fixed: c.fixed}
}

// fixedLabels are the labels of a fixed set; nil where it is open.
func (c *classes) fixedLabels() []string {
	if c.fixed {
		return c.labels
	}
	return nil
}

func (c *classes) add(label string) int {
	i := len(c.labels)
	c.labels = append(c.labels, label)
	c.index[label] = i
	return i
}

func (c *classes) find(label []byte) (int, bool) {
	i, ok := c.index[string(label)]
	return i, ok
}

// learn finds or adds a label; false means that the set is fixed and does not have it, or full.
func (c *classes) learn(label []byte) (int, bool) {
	if i, ok := c.index[string(label)]; ok {
		return i, true
	}
	if c.fixed || len(c.labels) >= classesMax {
		return -1, false
	}
	return c.add(string(label)), true
}

func (c *classes) appendTo(b []byte) []byte {
	b = statebytes.AppendBool(b, c.fixed)
	b = statebytes.AppendUvarint(b, uint64(len(c.labels)))
	for _, l := range c.labels {
		b = statebytes.AppendText(b, l)
	}
	return b
}

func (c *classes) read(d *statebytes.Reader) error {
	fixed := d.Bool()
	n := d.Count(1)
	labels := make([]string, n)
	for i := range labels {
		labels[i] = d.Text()
	}
	if d.Err() != nil {
		return d.Err()
	}
	if fixed != c.fixed || fixed && !slices.Equal(labels, c.labels) {
		e := &classesChanged{was: "an open set", now: "an open set"}
		if fixed {
			e.was = fmt.Sprint(labels)
		}
		if c.fixed {
			e.now = fmt.Sprint(c.labels)
		}
		return e
	}
	if fixed {
		return nil
	}
	c.labels, c.index = nil, map[string]int{}
	for _, l := range labels {
		c.add(l)
	}
	return nil
}

// classesChanged says that the flow's classes are not those of its state.
type classesChanged struct{ was, now string }

func (e *classesChanged) Error() string { return "classes: were " + e.was + ", now " + e.now }
