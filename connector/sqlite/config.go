package sqlite

import (
	"cmp"
	"strings"

	"github.com/tidemill/tidemill"
)

// SourceConfig captures tables of a SQLite file with triggers that write a change log in the writer's own transaction.
type SourceConfig struct {
	Path   string   `yaml:"path" like:"shop.db" doc:"The database file." required:"true"`
	Tables []string `yaml:"tables" like:"orders" doc:"The tables to capture." required:"true"`
	Log    string   `yaml:"log" doc:"Name of the change log's table. Default tidemill_log_ and the flow's name."`
	Before string   `yaml:"before" doc:"What an update and a delete tell of the row as it was: all of it, or its key, which makes the log smaller. Default full." enum:"full,key"`
}

// NewSourceConfig is the configuration with its defaults.
func NewSourceConfig() *SourceConfig { return &SourceConfig{Before: "full"} }

// Build makes the source of the flow.
func (c *SourceConfig) Build(flow string) (tidemill.Source, error) {
	s := &Capture{path: c.Path, tables: c.Tables, log: c.Log, flow: flow, before: c.Before}
	if s.log == "" {
		s.log = logName(flow)
	}
	if s.before == "" {
		s.before = "full"
	}
	if s.before != "full" && s.before != "key" {
		return nil, tidemill.Fatalf("sqlite: before: %q is neither full nor key", s.before)
	}
	if c.Path == "" {
		return nil, tidemill.Fatalf("sqlite: path is missing: name the database file")
	}
	if len(c.Tables) == 0 {
		return nil, tidemill.Fatalf("sqlite: tables is missing: name the tables to capture")
	}
	if err := s.settings(); err != nil {
		return nil, err
	}
	return s, nil
}

// logName makes the log's name of the flow's: letters, digits and _.
func logName(flow string) string {
	if flow == "" {
		return "tidemill_log"
	}
	return "tidemill_log_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, flow)
}

// SinkConfig writes predictions to a table of a SQLite file, rows and mark in one transaction.
type SinkConfig struct {
	Path  string `yaml:"path" like:"shop.db" doc:"The database file; made if it is not there." required:"true"`
	Table string `yaml:"table" doc:"The table of predictions; made if it is not there. Default predictions."`
	Truth bool   `yaml:"truth" doc:"Fill in the truth when the answer comes. Default true."`
}

// NewSinkConfig is the configuration with its defaults.
func NewSinkConfig() *SinkConfig { return &SinkConfig{Table: "predictions", Truth: true} }

// Build makes the sink of the flow.
func (c *SinkConfig) Build(flow string) (tidemill.Sink, error) {
	p := Sink(c.Path, cmp.Or(c.Table, "predictions"))
	if !c.Truth {
		p.WithoutTruth()
	}
	if c.Path == "" {
		return nil, tidemill.Fatalf("sqlite: path is missing: name the database file")
	}
	if err := p.table.settings(); err != nil {
		return nil, err
	}
	return p, nil
}
