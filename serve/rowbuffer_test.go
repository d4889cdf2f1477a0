package serve

import (
	"fmt"
	"testing"
)

// Nothing of a request's rows is left for the next one, and large ones are not kept.
func TestRowBuffer(t *testing.T) {
	b := &rowBuffer{}
	for range 3 {
		for i := range 10 {
			r := b.next()
			if len(r) > 0 {
				t.Fatalf("row %d begins with %v", i, r)
			}
			r["carrier"], r["distance"] = "UA", int64(i)
		}
		if len(b.rows) != 10 || b.rows[9]["distance"] != int64(9) {
			t.Fatalf("%v", b.rows)
		}
		b.reset()
	}
	wide := b.next()
	for i := range keptColumns + 1 {
		wide[fmt.Sprint(i)] = nil
	}
	b.reset()
	if r := b.rows[:1][0]; r != nil {
		t.Errorf("a wide row is kept: %d columns", len(r))
	}
	for range 2 * keptRows {
		b.next()
	}
	if b.reset(); cap(b.rows) > 0 {
		t.Errorf("room for %d rows is kept", cap(b.rows))
	}
}
