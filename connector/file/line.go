package file

import (
	"fmt"

	"github.com/tidemill/tidemill"
)

// lineWriter makes lines of outputs. One goroutine uses it.
type lineWriter struct {
	format   tidemill.Format
	messages []tidemill.Message // used again
}

// usual describes the format that is not named in a sink's description. The description finds the sink's mark in a
// checkpoint, and marks are older than formats.
const usual = "json"

func (l *lineWriter) describe() string {
	said := fmt.Sprintf("%T", l.format)
	if d, ok := l.format.(tidemill.Describer); ok {
		said = d.Describe()
	}
	if said == usual {
		return ""
	}
	return fmt.Sprintf(" format=%q", said)
}

func (l *lineWriter) check() error {
	if l.format == nil {
		return tidemill.Fatalf("file: the sink has no format: give it one, such as json.Plain()")
	}
	return nil
}

// append appends a line per message of the outputs above seq, and gives the highest Seq among them.
func (l *lineWriter) append(b []byte, out []tidemill.Output, seq uint64) ([]byte, uint64, error) {
	for i := range out {
		o := &out[i]
		if o.Seq != 0 && o.Seq <= seq {
			continue
		}
		var err error
		if l.messages, err = l.format.Encode(l.messages[:0], o); err != nil {
			return b, seq, tidemill.Fatalf("file: output %s: %w", o.Key(), err)
		}
		for k := range l.messages {
			if m := &l.messages[k]; m.Value != nil {
				b = append(append(b, m.Value...), '\n')
			}
		}
		seq = max(seq, o.Seq)
	}
	return b, seq, nil
}
