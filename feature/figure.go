package feature

import "math"

// aggregation is a figure over the values in a window.
type aggregation uint8

const (
	aggCount aggregation = iota
	aggSum
	aggMean
	aggMin
	aggMax
	aggDistinct
	aggLast
	aggSince
)

var aggregationNames = [...]string{"count", "sum", "mean", "min", "max", "distinct", "last", "since"}

// figure is what an aggregation says of a key's values in the window that ends at time at: a pure read. An empty window
// counts 0; every other figure of it is NaN.
func (s *stream) figure(agg aggregation, hash uint64, at int64) float64 {
	k := s.findKey(hash)
	if k != 0 {
		end := s.end(at)
		v, n := s.within(agg, k, at, s.begin(end), end)
		if n > 0 {
			return v
		}
	}
	if agg == aggCount || agg == aggDistinct {
		return 0
	}
	return math.NaN()
}

// within is the figure of one key over (begin, end], and how many values there are.
func (s *stream) within(agg aggregation, k uint32, at, begin, end int64) (v float64, n int) {
	key := &s.keys[k]
	if agg == aggLast || agg == aggSince {
		e := key.newest
		for e != 0 && s.slab.at(e).time > end {
			e = s.slab.at(e).prev
		}
		if e == 0 || s.slab.at(e).time <= begin {
			return 0, 0
		}
		if agg == aggSince {
			return float64(at-s.slab.at(e).time) / 1e6, 1
		}
		return math.Float64frombits(s.slab.at(e).value), 1
	}
	if have := s.end(s.clock); end >= have {
		if v, n, ok := s.ahead(agg, k, begin, end, have); ok {
			return v, n
		}
	}
	return s.scan(agg, k, begin, end)
}

// ahead starts from the running window, which ends at have, no later than the asked one: what has left since is taken
// off, what was still to come is added. ok is false where that does not give the figure.
func (s *stream) ahead(agg aggregation, k uint32, begin, end, have int64) (v float64, n int, ok bool) {
	key := &s.keys[k]
	n = int(key.count)
	var sum exact
	var x extremes
	if agg == aggSum || agg == aggMean {
		sum = s.sums[k]
	}
	if agg == aggMin || agg == aggMax {
		x = s.spans[k]
	}
	var left map[uint64]uint32
	fewer := uint32(0)
	for e := key.first; e != 0 && s.slab.at(e).time <= begin && s.slab.at(e).time <= have; e = s.slab.at(e).next {
		n--
		old := math.Float64frombits(s.slab.at(e).value)
		switch agg {
		case aggSum, aggMean:
			sum.add(-old)
		case aggMin, aggMax:
			x.lowStale, x.highStale = x.lowStale || old <= x.low, x.highStale || old >= x.high
		case aggDistinct:
			if left == nil {
				left = make(map[uint64]uint32)
			}
			id := s.slab.at(e).value
			if left[id]++; left[id] == s.values[valued{k, id}] {
				fewer++
			}
		}
	}
	come := 0
	for e := key.newest; e != 0 && s.slab.at(e).time > have; e = s.slab.at(e).prev {
		if t := s.slab.at(e).time; t > end || t <= begin {
			continue
		}
		come++
		v := math.Float64frombits(s.slab.at(e).value)
		switch agg {
		case aggSum, aggMean:
			sum.add(v)
		case aggMin, aggMax:
			if n == 0 && come == 1 {
				x = extremes{low: v, high: v}
			}
			x.low, x.high = min(x.low, v), max(x.high, v)
		case aggDistinct:
			return 0, 0, false
		}
	}
	n += come
	if n == 0 {
		return 0, 0, true
	}
	switch agg {
	case aggCount:
		return float64(n), n, true
	case aggSum:
		return sum.hi, n, !sum.rough
	case aggMean:
		return sum.hi / float64(n), n, !sum.rough
	case aggMin:
		return x.low, n, !x.lowStale
	case aggMax:
		return x.high, n, !x.highStale
	}
	return float64(key.distinct - fewer), n, true
}

// scan looks at every value in (begin, end].
func (s *stream) scan(agg aggregation, k uint32, begin, end int64) (v float64, n int) {
	each := func(f func(e *entry)) {
		for i := s.keys[k].newest; i != 0; i = s.slab.at(i).prev {
			e := s.slab.at(i)
			if e.time <= begin {
				return
			}
			if e.time <= end {
				f(e)
			}
		}
	}
	each(func(*entry) { n++ })
	if n == 0 {
		return 0, 0
	}
	switch agg {
	case aggCount:
		v = float64(n)
	case aggSum, aggMean:
		v = exactSum(func(yield func(float64)) {
			each(func(e *entry) { yield(math.Float64frombits(e.value)) })
		})
		if agg == aggMean {
			v /= float64(n)
		}
	case aggMin:
		v = math.Inf(1)
		each(func(e *entry) { v = min(v, math.Float64frombits(e.value)) })
	case aggMax:
		v = math.Inf(-1)
		each(func(e *entry) { v = max(v, math.Float64frombits(e.value)) })
	case aggDistinct:
		seen := make(map[uint64]struct{})
		each(func(e *entry) { seen[e.value] = struct{}{} })
		v = float64(len(seen))
	}
	return v, n
}
