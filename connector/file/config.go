package file

import (
	"errors"

	"github.com/tidemill/tidemill"
)

// SourceConfig reads the rows of a CSV or JSON-lines file, or of standard input.
type SourceConfig struct {
	Path      string   `yaml:"path" like:"rows.csv" doc:"The file; - is standard input. A name that ends in .gz is decompressed." required:"true" short:"true"`
	Format    string   `yaml:"format" doc:"How the file is written. Default by the end of its name; csv for standard input." enum:"csv,tsv,jsonl"`
	Table     string   `yaml:"table" doc:"The table's name in the flow. Default the file's name up to its first dot; stdin for standard input."`
	Columns   []string `yaml:"columns" doc:"Kinds of columns, as in [zip text, landed_at time]: int, float, bool, time or text. Default by the first 1,000 rows; with header: false, all columns in order."`
	Key       []string `yaml:"key" doc:"The columns that identify a row. Default _line, the number of its first line."`
	Header    bool     `yaml:"header" doc:"Whether the first line of a CSV file names the columns. Default true."`
	Separator string   `yaml:"separator" doc:"The character between two fields of a CSV file. Default a comma; a tab for tsv."`
	Nulls     []string `yaml:"nulls" doc:"Words that mean NULL in an unquoted field, beside the empty field: [NA, '?']. Default none."`
	Follow    bool     `yaml:"follow" doc:"Whether to wait for more lines at the end of the file. Default false."`
	Snapshot  bool     `yaml:"snapshot" doc:"Whether the rows that are there at the start are a snapshot, not a stream of inserts. Default false."`
	BadLines  string   `yaml:"bad_lines" doc:"What to do with a line that does not fit: stop the flow, or skip it. Default stop." enum:"stop,skip"`
}

// NewSourceConfig is the configuration with its defaults.
func NewSourceConfig() *SourceConfig { return &SourceConfig{Header: true, BadLines: "stop"} }

// Build makes the source.
func (c *SourceConfig) Build(string) (tidemill.Source, error) {
	r := &Reader{c: *c}
	if _, err := r.plan(); err != nil {
		return nil, err
	}
	return r, nil
}

// SinkConfig appends outputs to a file, a line each, exactly once.
type SinkConfig struct {
	Path string `yaml:"path" like:"rows.csv" doc:"The file; it is made where it is missing." required:"true" short:"true"`
}

// NewSinkConfig is the configuration with its defaults.
func NewSinkConfig() *SinkConfig { return &SinkConfig{} }

// Build makes the sink, whose lines are the format's messages.
func (c *SinkConfig) Build(_ string, f tidemill.Format) (tidemill.Sink, error) {
	if c.Path == "" {
		return nil, errors.New("file: path is missing: name the file to write")
	}
	return Sink(c.Path, f), nil
}

// StdoutConfig prints outputs on standard output, a line each, at least once.
type StdoutConfig struct{}

// NewStdoutConfig is the configuration with its defaults.
func NewStdoutConfig() *StdoutConfig { return &StdoutConfig{} }

// Build makes the sink, whose lines are the format's messages.
func (c *StdoutConfig) Build(_ string, f tidemill.Format) (tidemill.Sink, error) {
	return Stdout(f), nil
}
