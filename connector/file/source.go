package file

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// Reader is the source. Source and SourceConfig make it. Changes is called from one goroutine; the other methods may be
// called from any.
type Reader struct {
	c       SourceConfig
	stdin   io.Reader // standard input; nil: os.Stdin
	taken   atomic.Bool
	skipped atomic.Uint64
}

// Source reads the rows of a CSV or JSON-lines file; "-" is standard input. SourceConfig has the settings beyond.
func Source(path string) *Reader {
	c := NewSourceConfig()
	c.Path = path
	return &Reader{c: *c}
}

var (
	_ tidemill.Source      = (*Reader)(nil)
	_ tidemill.Locator     = (*Reader)(nil)
	_ tidemill.Checker     = (*Reader)(nil)
	_ tidemill.Describer   = (*Reader)(nil)
	_ tidemill.TableLister = (*Reader)(nil)
	_ tidemill.Namer       = (*Reader)(nil)
)

// Columns gives columns their kinds: Columns("zip text", "landed_at time").
func (r *Reader) Columns(columns ...string) *Reader { r.c.Columns = columns; return r }

// Key names the columns that identify a row.
func (r *Reader) Key(columns ...string) *Reader { r.c.Key = columns; return r }

// Follow waits for more lines at the end of the file.
func (r *Reader) Follow() *Reader { r.c.Follow = true; return r }

// Snapshot makes the rows that are there at the start a snapshot.
func (r *Reader) Snapshot() *Reader { r.c.Snapshot = true; return r }

// Skipped is how many bad lines were dropped since the Reader was made.
func (r *Reader) Skipped() uint64 { return r.skipped.Load() }

const stdinPath = "-"

// lineColumn is the key's column where no key is named.
const lineColumn = "_line"

// plan is the settings, checked.
type plan struct {
	path, name string // name: in messages and positions of changes
	table      string
	json       bool
	gzip       bool
	separator  byte
	header     bool
	declared   []tidemill.Column
	key        []string
	nulls      []string
	follow     bool
	snapshot   bool
	skip       bool
}

var kindWords = map[string]tidemill.Kind{"int": tidemill.KindInt, "float": tidemill.KindFloat,
	"bool": tidemill.KindBool, "time": tidemill.KindTime, "text": tidemill.KindText}

// plan checks the settings; what is wrong is fatal.
func (r *Reader) plan() (*plan, error) {
	c := &r.c
	if c.Path == "" {
		return nil, tidemill.Fatalf("file: path is missing: name the file to read, or - for standard input")
	}
	p := &plan{path: c.Path, name: filepath.Base(c.Path), table: c.Table, header: c.Header, key: c.Key, nulls: c.Nulls,
		follow: c.Follow, snapshot: c.Snapshot}
	base := p.name
	if c.Path == stdinPath {
		base, p.name = "stdin", "stdin"
		if c.Follow {
			return nil, tidemill.Fatalf("file: follow: standard input ends when its writer does; leave follow out")
		}
	}
	base, p.gzip = strings.CutSuffix(base, ".gz")
	if p.gzip && c.Follow {
		return nil, tidemill.Fatalf("file: follow: %s is compressed and cannot be followed", p.name)
	}
	if err := p.layout(c, base); err != nil {
		return nil, err
	}
	switch c.BadLines {
	case "", "stop":
	case "skip":
		p.skip = true
	default:
		return nil, tidemill.Fatalf("file: bad_lines: %q is neither stop nor skip", c.BadLines)
	}
	if p.table == "" {
		p.table, _, _ = strings.Cut(base, ".")
		if p.table == "" {
			return nil, tidemill.Fatalf("file: the name %s gives no table's name; say table: NAME", p.name)
		}
	}
	return p, p.declare(c.Columns)
}

// layout is how the file is written: by its settings, or by the end of base, its name.
func (p *plan) layout(c *SourceConfig, base string) error {
	format := c.Format
	if format == "" {
		switch ext := strings.ToLower(filepath.Ext(base)); {
		case ext == ".csv" || c.Path == stdinPath:
			format = "csv"
		case ext == ".tsv":
			format = "tsv"
		case ext == ".jsonl" || ext == ".ndjson" || ext == ".json":
			format = "jsonl"
		default:
			return tidemill.Fatalf("file: the name %s does not tell the format; say format: csv, tsv or jsonl", p.name)
		}
	}
	p.separator = ','
	switch format {
	case "csv":
	case "tsv":
		p.separator = '\t'
	case "jsonl":
		p.json = true
	default:
		return tidemill.Fatalf("file: format: %q is none of csv, tsv, jsonl", format)
	}
	if c.Separator != "" {
		if len(c.Separator) != 1 || strings.ContainsAny(c.Separator, "\"\r\n") || c.Separator[0] >= utf8.RuneSelf {
			return tidemill.Fatalf("file: separator: %q is not one ASCII character other than a quote or a line's end",
				c.Separator)
		}
		p.separator = c.Separator[0]
	}
	return nil
}

// declare takes the columns that the settings name, such as "zip text".
func (p *plan) declare(columns []string) error {
	for _, words := range columns {
		name, kind, ok := strings.Cut(strings.TrimSpace(words), " ")
		kind = strings.TrimSpace(kind)
		col := tidemill.Column{Name: name, Kind: kindWords[kind]}
		if name == "" || ok && col.Kind == tidemill.KindUnknown {
			return tidemill.Fatalf("file: columns: %q is not a name and one of int, float, bool, time, text", words)
		}
		if slices.ContainsFunc(p.declared, func(d tidemill.Column) bool { return d.Name == name }) {
			return tidemill.Fatalf("file: columns: %s is named twice", name)
		}
		p.declared = append(p.declared, col)
	}
	if !p.header && !p.json && len(p.declared) == 0 {
		return tidemill.Fatalf("file: columns: without a header line, name all columns in order: [id int, name text]")
	}
	return nil
}

// Describe names all settings.
func (r *Reader) Describe() string {
	c := &r.c
	return fmt.Sprintf("file path=%q format=%s table=%s columns=%q key=%q header=%t separator=%q nulls=%q follow=%t "+
		"snapshot=%t bad_lines=%s", c.Path, c.Format, c.Table, c.Columns, c.Key, c.Header, c.Separator, c.Nulls,
		c.Follow, c.Snapshot, c.BadLines)
}

// Locate is the file's name and the number of the row's first line: "flights.csv:17".
func (r *Reader) Locate(c *tidemill.Change) string {
	name := filepath.Base(r.c.Path)
	if r.c.Path == stdinPath {
		name = "stdin"
	}
	if c.Tx == nil {
		return name
	}
	return name + ":" + strconv.FormatUint(c.Tx.Order, 10)
}

// TableNames is the file, as "file://path".
func (r *Reader) TableNames() []string {
	if r.c.Path == stdinPath {
		return nil
	}
	return []string{fileURL(r.c.Path)}
}

func fileURL(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return "file://" + filepath.ToSlash(path)
}

// Changes reads the file, from the beginning when after is "" or Begun.
func (r *Reader) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		p, err := r.plan()
		if err == nil {
			u := &run{r: r, plan: p, ctx: ctx, yield: yield, live: !p.snapshot}
			err = u.all(after)
			u.close()
			if u.left {
				return
			}
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(tidemill.Batch{}, err)
		}
	}
}

// Release has nothing to forget: a file keeps its lines.
func (r *Reader) Release(context.Context, tidemill.Position) error { return nil }

// Tables reads the first rows, as Changes would. Of standard input it knows nothing.
func (r *Reader) Tables(ctx context.Context) ([]*tidemill.Table, error) {
	p, err := r.plan()
	if err != nil {
		return nil, err
	}
	if p.path == stdinPath {
		return nil, nil
	}
	u := &run{r: r, plan: p, ctx: ctx}
	defer u.close()
	if err := u.open(); err != nil {
		return nil, err
	}
	known, err := u.learnShape(sampleRows)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, fmt.Errorf("file: %s has no rows yet, so its columns are not known; "+
			"name them: columns: [id int, name text]", p.name)
	}
	return []*tidemill.Table{u.shape.table}, nil
}

// Check opens the file and reads its first rows.
func (r *Reader) Check(ctx context.Context) []tidemill.Finding {
	const path = "source.file"
	if r.c.Path == stdinPath {
		return []tidemill.Finding{{Path: path, Level: "ok", Text: "reads standard input"}}
	}
	tables, err := r.Tables(ctx)
	if err != nil {
		return []tidemill.Finding{{Path: path, Level: "error", Text: err.Error()}}
	}
	var cols []string
	for _, c := range tables[0].Columns {
		cols = append(cols, c.Name+" "+c.Kind.String())
	}
	text := fmt.Sprintf("%s has the columns %s", r.c.Path, strings.Join(cols, ", "))
	return []tidemill.Finding{{Path: path, Level: "ok", Text: text}}
}

// open opens the file, or takes standard input, which can be read once.
func (u *run) open() error {
	if u.plan.path == stdinPath {
		if u.r.taken.Swap(true) {
			return tidemill.Fatalf("file: standard input has been read already; it cannot be read twice")
		}
		in := u.r.stdin
		if in == nil {
			in = os.Stdin
		}
		u.in = newInterruptible(u.ctx, in)
	} else {
		f, err := os.Open(u.plan.path)
		if err != nil {
			return tidemill.Fatalf("file: %w; name a file that is there", err)
		}
		u.file, u.in = f, f
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("file: %w", err)
		}
		if info.IsDir() {
			return tidemill.Fatalf("file: %s is a folder; name a file", u.plan.path)
		}
		u.startSize = info.Size()
	}
	return u.decompress()
}
