package postgres

import "github.com/tidemill/tidemill"

// SourceConfig reads tables of a PostgreSQL database by logical replication.
type SourceConfig struct {
	URL               string   `yaml:"url" like:"postgres://localhost/shop" required:"true" secret:"true" doc:"The connection string: postgres://user:password@host:5432/database."`
	Tables            []string `yaml:"tables" like:"orders" required:"true" doc:"The tables to read, as flights or schema.flights; without a schema it is public."`
	Slot              string   `yaml:"slot" doc:"The replication slot. Default tidemill_<flow>."`
	Publication       string   `yaml:"publication" doc:"The publication. Default the slot's name."`
	CreatePublication bool     `yaml:"create_publication" doc:"Make the publication where it is missing. Default true."`
	Failover          bool     `yaml:"failover" doc:"Make a slot that standbys keep in step, so that the flow goes on when one is promoted (PostgreSQL 17 or newer). Default false."`
}

// NewSourceConfig is the default configuration.
func NewSourceConfig() *SourceConfig { return &SourceConfig{CreatePublication: true} }

// Build makes the source of the flow named flow.
func (c *SourceConfig) Build(flow string) (tidemill.Source, error) {
	r := c.reader(flow)
	if r.problem != nil {
		return nil, r.problem
	}
	return r, nil
}

// SinkConfig writes predictions into a table of a PostgreSQL database.
type SinkConfig struct {
	URL   string `yaml:"url" like:"postgres://localhost/shop" required:"true" secret:"true" doc:"The connection string: postgres://user:password@host:5432/database."`
	Table string `yaml:"table" doc:"The table, as predictions or schema.predictions; made where it is missing. Default predictions."`
	Truth bool   `yaml:"truth" doc:"Fill in truth and answered_at when the answer comes. Default true."`
}

// NewSinkConfig is the default configuration.
func NewSinkConfig() *SinkConfig { return &SinkConfig{Table: "predictions", Truth: true} }

// Build makes the sink of the flow named flow.
func (c *SinkConfig) Build(flow string) (tidemill.Sink, error) {
	w := c.writer()
	if w.table.problem != nil {
		return nil, w.table.problem
	}
	return w, nil
}
