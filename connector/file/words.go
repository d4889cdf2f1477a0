package file

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/tidemill/tidemill"
)

// Words says what people read of files of rows.
func (*SourceConfig) Words() tidemill.Words {
	return tidemill.Words{
		Ends:  []string{".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz"},
		Usage: "file.csv", Example: "rows.csv", One: "a .csv, .tsv or .jsonl file", Many: ".csv, .tsv and .jsonl files",
	}
}

// Outside reports nothing: what is wrong with a file is told by the operating system's errors.
func (*SourceConfig) Outside(error) bool { return false }

// Open looks at a file; it is one table, whatever is asked for.
func (*SourceConfig) Open(ctx context.Context, path, _ string) (tidemill.Place, error) {
	p := &site{path: path, reader: Source(path)}
	var err error
	p.tables, err = p.reader.Tables(ctx)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// site is a file that is looked at.
type site struct {
	path   string
	reader *Reader
	tables []*tidemill.Table
}

func (p *site) String() string            { return p.path }
func (p *site) Tables() []*tidemill.Table { return p.tables }
func (p *site) Close() error              { return nil }

// Setup reads the rows that are there and writes predictions beside them.
func (p *site) Setup(t *tidemill.Table, _ string) tidemill.Setup {
	name, _, _ := strings.Cut(filepath.Base(p.path), ".")
	return tidemill.Setup{
		Flow: t.Name, Table: t.Name,
		Source:     []tidemill.Setting{{Key: "path", Text: p.path}, {Key: "snapshot", Word: "true"}},
		SourceNote: "the rows that are there; follow: true waits for more",
		Sink:       []tidemill.Setting{{Key: "path", Text: name + "-predictions.jsonl"}},
		SinkNote:   "Predictions are written here.",
	}
}

// Sample reads the first rows and counts.
func (p *site) Sample(ctx context.Context, t *tidemill.Table, rows int) (*tidemill.Sample, error) {
	s := &tidemill.Sample{Columns: make([]tidemill.ColumnSample, len(t.Columns))}
	seen := make([]map[string]bool, len(t.Columns))
	for i := range seen {
		seen[i] = map[string]bool{}
		s.Columns[i].Kind = t.Columns[i].Kind
	}
	for batch, err := range p.reader.Changes(ctx, "") {
		if err != nil {
			return nil, err
		}
		for i := range batch.Changes {
			if s.Rows == rows {
				return s, nil
			}
			s.Rows++
			for k, x := range s.Columns {
				if after := batch.Changes[i].After; k >= len(after) || after[k].IsNull() {
					x.Nulls++
				} else {
					seen[k][after[k].String()] = true
					x.Distinct = len(seen[k])
				}
				s.Columns[k] = x
			}
		}
		if batch.CaughtUp {
			break
		}
	}
	return s, nil
}

var _ tidemill.System = (*SourceConfig)(nil)
