package feature

import "math"

// keyed is what a stream knows about one key that has entries.
type keyed struct {
	hash     uint64
	oldest   uint32 // of its list; of a spare key: the next spare one
	newest   uint32
	first    uint32 // the oldest one inside of the running window; 0 if there is none
	entries  uint32
	count    uint32 // entries inside of the running window
	distinct uint32 // different values among them
}

// extremes are the smallest and largest value in a key's running window; stale when one may have left.
type extremes struct {
	low, high           float64
	lowStale, highStale bool
}

// wants says which figures a stream keeps ready.
type wants struct{ sum, extremes, distinct bool }

// stream is one sort of value of one table, by key and time: it answers for the values of a key in (t-over, t], for any
// t, while one window, that of the newest time, is kept added up. Memory is proportional to the entries that a window
// can still need.
type stream struct {
	over, every, late int64 // microseconds; every is 0 for sliding windows
	want              wants

	started bool
	clock   int64 // the newest time
	missed  uint64
	unfit   uint64

	slab   slab
	keys   []keyed // [0] is no key
	spare  uint32  // a list through oldest
	sums   []exact // per key, where they are wanted
	spans  []extremes
	keyed  places   // by hash
	rows   places   // entries by row
	order  timeline // entries by time, then arrival
	lo, hi int      // places in order: the running window is [lo, hi)
	live   int
	values map[valued]uint32 // how often a value is in the running window of a key, for distinct
}

// valued is a value under a key.
type valued struct {
	key   uint32
	value uint64
}

func newStream(over, every, late int64, want wants) *stream {
	s := &stream{over: over, every: every, late: late, want: want, slab: newSlab()}
	s.clear()
	return s
}

// clear forgets the entries; the clock stays.
func (s *stream) clear() {
	s.slab.clear()
	s.keys, s.sums, s.spans = make([]keyed, 1), nil, nil
	if s.want.sum {
		s.sums = make([]exact, 1)
	}
	if s.want.extremes {
		s.spans = make([]extremes, 1)
	}
	s.spare, s.live, s.lo, s.hi = 0, 0, 0, 0
	s.keyed, s.rows, s.order, s.values = places{}, places{}, timeline{}, nil
	if s.want.distinct {
		s.values = make(map[valued]uint32)
	}
}

// end is the end of the window of time t: t itself, or for tumbling windows the last full step.
func (s *stream) end(t int64) int64 {
	if s.every == 0 {
		return t
	}
	r := t % s.every
	if r < 0 {
		r += s.every
	}
	return t - r
}

// begin is what an end's window begins after.
func (s *stream) begin(end int64) int64 {
	if end < math.MinInt64+s.over {
		return math.MinInt64
	}
	return end - s.over
}

// forgotten is the time up to which no window can ask any more: rows that are late by no more than late see all of
// theirs.
func (s *stream) forgotten() int64 {
	t := s.clock
	if t < math.MinInt64+s.late {
		return math.MinInt64
	}
	return s.begin(s.end(t - s.late))
}

// find is the entry of a row, 0 if it has none.
func (s *stream) find(row uint64) uint32 {
	return s.rows.find(row, func(i uint32) bool { return s.slab.at(i).row == row })
}

func (s *stream) findKey(hash uint64) uint32 {
	return s.keyed.find(hash, func(i uint32) bool { return s.keys[i].hash == hash })
}

// enter puts a row's value under a key at a time; the row has no entry. A time that no window can ask about is missed.
func (s *stream) enter(hash, row, value uint64, at int64) {
	s.advance(at)
	if at <= s.forgotten() {
		s.missed++
		return
	}
	k := s.findKey(hash)
	if k == 0 {
		k = s.newKey(hash)
	}
	e := s.slab.add(entry{time: at, row: row, value: value, hash: hash, key: k})
	s.rows.add(row, e)
	s.live++
	s.link(k, e)

	p := s.order.after(at, &s.slab)
	s.order.insert(p, e)
	end := s.end(s.clock)
	if at <= s.begin(end) {
		s.lo++
		s.hi++
	} else if at <= end {
		s.hi++
		s.include(e)
	}
	s.fresh(k)
	if s.want.sum && s.sums[k].rough && (s.keys[k].count < 64 || e%64 == 0) {
		s.smooth(k)
	}
}

// smooth adds a rough sum up anew: what made it rough may have left. Which sums are rough changes no figure.
func (s *stream) smooth(k uint32) {
	var sum exact
	end := s.end(s.clock)
	for e := s.keys[k].first; e != 0 && s.slab.at(e).time <= end; e = s.slab.at(e).next {
		sum.add(math.Float64frombits(s.slab.at(e).value))
	}
	s.sums[k] = sum
}

// link puts the entry into its key's list: behind all that are not later.
func (s *stream) link(k, e uint32) {
	key := &s.keys[k]
	key.entries++
	before := key.newest
	for before != 0 && s.slab.at(before).time > s.slab.at(e).time {
		before = s.slab.at(before).prev
	}
	var next uint32
	if before == 0 {
		next, key.oldest = key.oldest, e
	} else {
		b := s.slab.own(before)
		next, b.next = b.next, e
	}
	n := s.slab.own(e)
	n.prev, n.next = before, next
	if next == 0 {
		key.newest = e
	} else {
		s.slab.own(next).prev = e
	}
}

// take takes an entry out: its value counts no more. Its place in the order of time stays until that is passed.
func (s *stream) take(e uint32) {
	n := s.slab.at(e)
	end := s.end(s.clock)
	if n.time <= end && n.time > s.begin(end) {
		s.exclude(e)
	}
	s.unlink(e)
	s.slab.own(e).dead = true
	if s.order.len() > 1024 && s.live < s.order.len()/2 {
		s.rebuild()
	}
}

// unlink removes the entry from rows and from its key, and the key with its last entry.
func (s *stream) unlink(e uint32) {
	n := s.slab.at(e)
	s.rows.remove(n.row, e)
	s.live--
	key := &s.keys[n.key]
	key.entries--
	if n.prev == 0 {
		key.oldest = n.next
	} else {
		s.slab.own(n.prev).next = n.next
	}
	if n.next == 0 {
		key.newest = n.prev
	} else {
		s.slab.own(n.next).prev = n.prev
	}
	if key.entries == 0 {
		s.keyed.remove(key.hash, n.key)
		*key = keyed{oldest: s.spare}
		s.spare = n.key
	}
}

// advance moves the clock to at, if that is later: values leave the running window, and what no window needs is
// forgotten.
func (s *stream) advance(at int64) {
	if s.started && at <= s.clock {
		return
	}
	s.started, s.clock = true, at
	end := s.end(at)
	begin := s.begin(end)
	for s.hi < s.order.len() {
		e := s.order.at(s.hi)
		if s.slab.at(e).time > end {
			break
		}
		s.hi++
		if !s.slab.at(e).dead {
			s.include(e)
		}
	}
	for s.lo < s.hi {
		e := s.order.at(s.lo)
		if s.slab.at(e).time > begin {
			break
		}
		s.lo++
		if !s.slab.at(e).dead {
			s.exclude(e)
		}
	}
	gone := s.forgotten()
	for s.order.len() > 0 {
		e := s.order.at(0)
		if s.slab.at(e).time > gone {
			break
		}
		s.order.pop()
		s.lo--
		s.hi--
		if !s.slab.at(e).dead {
			s.unlink(e)
		}
		s.slab.remove(e)
	}
	if s.slab.n > 1024 && s.live < int(s.slab.n)/8 {
		s.rebuild()
	}
}

// include counts an entry into its key's running window.
func (s *stream) include(e uint32) {
	n := s.slab.at(e)
	key := &s.keys[n.key]
	if f := key.first; f == 0 || n.time < s.slab.at(f).time {
		key.first = e
	}
	key.count++
	v := math.Float64frombits(n.value)
	if s.want.sum {
		s.sums[n.key].add(v)
	}
	if s.want.extremes {
		x := &s.spans[n.key]
		if key.count == 1 {
			*x = extremes{low: v, high: v}
		}
		x.low, x.high = min(x.low, v), max(x.high, v)
	}
	if s.want.distinct {
		id := valued{n.key, n.value}
		if s.values[id]++; s.values[id] == 1 {
			key.distinct++
		}
	}
}

// exclude takes an entry out of its key's running window.
func (s *stream) exclude(e uint32) {
	n := s.slab.at(e)
	key := &s.keys[n.key]
	if key.first == e {
		key.first = n.next
		if f := key.first; f != 0 && s.slab.at(f).time > s.end(s.clock) {
			key.first = 0
		}
	}
	key.count--
	v := math.Float64frombits(n.value)
	if s.want.sum {
		s.sums[n.key].add(-v)
		if key.count == 0 {
			s.sums[n.key] = exact{}
		}
	}
	if s.want.extremes {
		x := &s.spans[n.key]
		x.lowStale = x.lowStale || v <= x.low
		x.highStale = x.highStale || v >= x.high
	}
	if s.want.distinct {
		id := valued{n.key, n.value}
		if s.values[id]--; s.values[id] == 0 {
			delete(s.values, id)
			key.distinct--
		}
	}
}

// fresh looks for a key's extremes anew where the old ones may have left.
func (s *stream) fresh(k uint32) {
	if !s.want.extremes || s.keys[k].count == 0 || !s.spans[k].lowStale && !s.spans[k].highStale {
		return
	}
	x := extremes{low: math.Inf(1), high: math.Inf(-1)}
	end := s.end(s.clock)
	for e := s.keys[k].first; e != 0 && s.slab.at(e).time <= end; e = s.slab.at(e).next {
		v := math.Float64frombits(s.slab.at(e).value)
		x.low, x.high = min(x.low, v), max(x.high, v)
	}
	s.spans[k] = x
}

func (s *stream) newKey(hash uint64) uint32 {
	k := s.spare
	if k != 0 {
		s.spare = s.keys[k].oldest
	} else {
		k = uint32(len(s.keys))
		s.keys = append(s.keys, keyed{})
		if s.want.sum {
			s.sums = append(s.sums, exact{})
		}
		if s.want.extremes {
			s.spans = append(s.spans, extremes{})
		}
	}
	s.keys[k] = keyed{hash: hash}
	if s.want.sum {
		s.sums[k] = exact{}
	}
	s.keyed.add(hash, k)
	return k
}

// rebuild packs what is alive: after a burst, or many corrections, memory is given back.
func (s *stream) rebuild() {
	old := *s
	s.clear()
	for i := range old.order.len() {
		if n := old.slab.at(old.order.at(i)); !n.dead {
			s.enter(n.hash, n.row, n.value, n.time)
		}
	}
}
