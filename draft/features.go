package draft

import (
	"fmt"
	"math"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/terminal"
)

// choice is what becomes of a table's columns. Its lists are YAML.
type choice struct {
	numeric, boolean, onehot, words []string
	pixels, images                  []string
	keys                            []*surveyed // of a key of several columns

	reasons []string            // why columns are left out, as they came
	left    map[string][]string // the columns, by reason
}

// columns is how many columns are features; words are only where nothing else is.
func (f *choice) columns() int {
	return len(f.numeric) + len(f.boolean) + len(f.onehot) + len(f.pixels) + len(f.images)
}

func (f *choice) empty() bool { return f.columns()+len(f.words) == 0 }

func (f *choice) leave(c *surveyed, reason string) {
	if f.left[reason] == nil {
		f.reasons = append(f.reasons, reason)
	}
	f.left[reason] = append(f.left[reason], strings.ReplaceAll(c.name, "\n", " "))
}

// choose says of every column what feature it is, or why it is none.
func (s *survey) choose() *choice {
	f := &choice{left: map[string][]string{}}
	for _, c := range s.columns {
		if c == s.label {
			continue
		}
		if reason := s.unfit(c); reason != "" {
			f.leave(c, reason)
			continue
		}
		s.place(f, c)
	}
	alone := f.empty()
	for _, c := range f.keys {
		if alone {
			f.onehot = append(f.onehot, yamlWord(c.name)) // better than nothing
		} else {
			f.leave(c, "key")
		}
	}
	return f
}

// unfit is why a column is no feature by what it holds or means; "" where its kind decides.
func (s *survey) unfit(c *surveyed) string {
	bytes := c.Kind == tidemill.KindBytes || c.Kind == tidemill.KindOther
	marks := c.Kind == tidemill.KindText && c.Distinct == 1 && c.Nulls > 0 // a word or nothing
	switch {
	case c.key:
		several := len(s.table.Key) > 1 && c.Kind != tidemill.KindTime
		if several && c.Distinct > 1 && c.Distinct <= min(1000, s.rows/2) && s.label != nil {
			return ""
		}
		return "key"
	case c.Odd != "":
		return c.Odd
	case s.rows > 1 && c.Distinct < 2 && !marks && !bytes:
		return "always the same"
	case c.Kind == tidemill.KindTime:
		if c != s.at && c != s.later {
			return "time"
		}
	case s.label != nil && s.label.Nulls > 0 && c.Nulls >= s.label.Nulls && c.Nulls > 0 || laterNames.MatchString(c.name):
		return "filled in later?"
	}
	return ""
}

// place makes a feature of a column by its kind.
func (s *survey) place(f *choice, c *surveyed) {
	name := yamlWord(c.name)
	switch {
	case c.key:
		f.keys = append(f.keys, c)
	case c.Kind == tidemill.KindTime: // the clock
	case c.Kind == tidemill.KindBytes:
		f.picture(c, name)
	case c.Kind == tidemill.KindBool:
		f.boolean = append(f.boolean, name)
	case c.Kind == tidemill.KindText || c.Refers || idNames.MatchString(c.name):
		switch {
		case s.label == nil:
			f.leave(c, "text: groups are of numbers")
		case c.Distinct > 1000 || s.rows >= 20 && c.Distinct > s.rows/2:
			f.leave(c, "too many values")
			if c.Kind == tidemill.KindText {
				f.words = append(f.words, name)
			}
		default:
			f.onehot = append(f.onehot, name)
		}
	case c.Kind == tidemill.KindInt || c.Kind == tidemill.KindFloat || c.Kind == tidemill.KindDecimal:
		f.numeric = append(f.numeric, name)
	default:
		f.leave(c, c.native)
	}
}

// picture takes bytes that are picture files, or that have the length of a square of grey bytes.
func (f *choice) picture(c *surveyed, name string) {
	const least = 64 // bytes of grey
	side := int(math.Sqrt(float64(c.Bytes)))
	switch {
	case c.Width > 0:
		w, h := shrunk(c.Width, c.Height)
		f.images = append(f.images, fmt.Sprintf("{column: %s, width: %d, height: %d} # of %d x %d pixels", name, w, h,
			c.Width, c.Height))
	case c.Bytes >= least && side*side == c.Bytes:
		f.pixels = append(f.pixels, fmt.Sprintf("{column: %s, width: %d, height: %d}", name, side, side))
	default:
		f.leave(c, "bytes")
	}
}

func (s *survey) noFeature() error {
	var names []string
	for _, c := range s.columns {
		names = append(names, c.name)
	}
	return mistake("table %s has no column that can be a feature (%s): a flow needs at least one number, boolean, "+
		"category or picture beside the key and the answer; name another table with --table", s.table,
		strings.Join(names, ", "))
}

// features writes the features, and what was left out.
func (s *survey) features(w *writer, f *choice) {
	w.line("    features:")
	for _, list := range []struct {
		kind    string
		columns []string
	}{{"numeric", f.numeric}, {"boolean", f.boolean}, {"onehot", f.onehot}} {
		if len(list.columns) > 0 {
			start := "      - " + list.kind + ": ["
			w.line("%s%s]", start, broken(list.columns, len(start)))
		}
	}
	for _, p := range f.pixels {
		w.line("      - pixels: %s", p)
	}
	for _, p := range f.images {
		w.line("      - image: %s", p)
	}
	if s.at != nil && s.at.Distinct > 1 {
		parts, unix := "[weekday, hour]", ""
		if s.at.native == "date" {
			parts = "[month, weekday]"
		}
		if s.at.Unix != "" {
			unix = ", unix: " + s.at.Unix
		}
		w.line("      - time: {column: %s, parts: %s, circle: true%s}", yamlWord(s.at.name), parts, unix)
	}
	if f.columns() == 0 {
		for _, word := range f.words {
			w.line("      - text: %s # its words", word)
		}
	}
	var text []string
	for _, reason := range f.reasons {
		text = append(text, strings.Join(f.left[reason], ", ")+" ("+reason+")")
	}
	if len(text) > 0 {
		for i, l := range terminal.Wrap("left out: "+strings.Join(text, "; "), 100) {
			w.line("      # %s%s", []string{"", "  "}[min(i, 1)], l)
		}
	}
}

// shrunk is the size that pictures are brought to: their own where it is small.
func shrunk(width, height int) (int, int) {
	const side = 32
	if long := max(width, height); long > side {
		width, height = max(1, (width*side+long/2)/long), max(1, (height*side+long/2)/long)
	}
	return width, height
}
