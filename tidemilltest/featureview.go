package tidemilltest

import (
	"slices"
	"sync"
	"testing"

	"github.com/tidemill/tidemill"
)

// view checks tidemill.Viewer: a view gives the numbers of its moment while the feature goes on, also one that is made
// in the memory of another, and none is larger than what is allowed.
func (f *featureTest) view(t *testing.T) {
	a := f.bound(t, f.Changes)
	viewer, ok := a.(tidemill.Viewer)
	if !ok {
		return
	}
	var asked []*tidemill.Change
	for i := range f.Changes {
		if f.Changes[i].After != nil && i%5 == 0 {
			asked = append(asked, &f.Changes[i])
		}
	}
	answers := func(a tidemill.Feature) (out []tidemill.Vector) {
		for _, c := range asked {
			var v tidemill.Vector
			if err := ask(a, &v, c); err != nil {
				t.Errorf("a view: %v", err)
			}
			out = append(out, v)
		}
		return out
	}
	same := func(a, b tidemill.Vector) bool { return sameVector(&a, &b) }
	const most = 64 << 20
	var views [2]tidemill.Feature
	var reading sync.WaitGroup
	for i := range f.Changes {
		if i%16 == 0 {
			reading.Wait()
			now := i / 16 % 2
			v, size := viewer.View(views[now], most)
			if v == nil || size > most {
				t.Fatalf("change %d: no view of %d bytes", i, size)
			}
			if size > 0 {
				if none, _ := viewer.View(nil, size-1); none != nil {
					t.Fatalf("change %d: a view of %d bytes where %d are too many", i, size, size)
				}
			}
			views[now] = v
			want := answers(a)
			for range 2 {
				reading.Go(func() {
					if !slices.EqualFunc(answers(v), want, same) {
						t.Errorf("change %d: a view answers otherwise than the feature did", i)
					}
				})
			}
		}
		update(a, &f.Changes[i])
		if i == len(f.Changes)/2 { // the shape changes beside a view
			if err := a.Bind(f.Changes[i].Table, tidemill.Asks); err != nil {
				t.Fatal(err)
			}
		}
	}
	reading.Wait()
}
