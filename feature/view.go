package feature

import (
	"maps"
	"unsafe"

	"github.com/tidemill/tidemill"
)

// View implements tidemill.Viewer: some 30 µs for a thousand values in each of ten windows.
func (w *window) View(old tidemill.Feature, most int) (tidemill.Feature, int) {
	size := 0
	for _, s := range w.streams {
		if size += s.viewSize(); size > most {
			return nil, size
		}
	}
	v, ok := old.(*window)
	if !ok || len(v.streams) != len(w.streams) {
		v = &window{config: w.config, mistake: w.mistake, figures: w.figures, out: w.out,
			streams: make([]valueStream, len(w.streams))}
		for i, s := range w.streams {
			v.streams[i] = s
			v.streams[i].stream = &stream{over: s.over, every: s.every, late: s.late, want: s.want}
		}
	}
	v.asks.kept.Store(w.asks.kept.Load())
	for i, s := range w.streams {
		s.viewTo(v.streams[i].stream)
	}
	return v, size
}

// viewSize is about how many bytes viewTo copies.
func (s *stream) viewSize() int {
	n := len(s.slab.pages)*int(unsafe.Sizeof(page{})) + len(s.keys)*int(unsafe.Sizeof(keyed{})) +
		len(s.sums)*int(unsafe.Sizeof(exact{})) +
		len(s.spans)*int(unsafe.Sizeof(extremes{})) + len(s.keyed.slots)*int(unsafe.Sizeof(place{}))
	return n + len(s.values)*64 // a map is slower to copy than its bytes
}

// viewTo copies what figure reads into v, in v's memory: neither the rows nor the order of time are there.
func (s *stream) viewTo(v *stream) {
	v.started, v.clock = s.started, s.clock
	v.keys = append(v.keys[:0], s.keys...)
	v.sums = append(v.sums[:0], s.sums...)
	v.spans = append(v.spans[:0], s.spans...)
	v.keyed.slots, v.keyed.n = append(v.keyed.slots[:0], s.keyed.slots...), s.keyed.n
	pages := s.slab.pages
	for i, p := range pages {
		if i == len(v.slab.pages) {
			v.slab.pages = append(v.slab.pages, new(page))
		}
		v.slab.pages[i].entries = p.entries
	}
	clear(v.slab.pages[len(pages):])
	v.slab.pages = v.slab.pages[:len(pages)]
	v.values = nil
	if s.values != nil {
		v.values = maps.Clone(s.values)
	}
}
