package engine

import (
	"fmt"

	"github.com/tidemill/tidemill"
)

// section is a Section whose bytes may still have to be written: a state that is shared with the flow is fixed at once
// and written down beside it.
type section struct {
	tidemill.Section
	write func(b []byte) ([]byte, error) // nil: Data is there
}

// captured is a checkpoint as the engine's goroutine fixed it; complete makes it one to save.
type captured struct {
	head     tidemill.Checkpoint // without sections
	sections []section
}

// complete writes down what was only fixed. It runs beside the flow.
func (c *captured) complete() (*tidemill.Checkpoint, error) {
	out := c.head
	for _, s := range c.sections {
		if s.write != nil {
			var err error
			if s.Data, err = s.write(nil); err != nil {
				return nil, fmt.Errorf("save %s: %w", s.Name, err)
			}
		}
		out.Sections = append(out.Sections, s.Section)
	}
	return &out, nil
}
