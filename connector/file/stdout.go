package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tidemill/tidemill"
)

// Printer is the sink that prints on standard output. Stdout and StdoutConfig make it. One goroutine uses it.
type Printer struct {
	to    io.Writer // nil: os.Stdout
	lines lineWriter
	term  uint64
	seq   uint64
	rest  []byte // what a failed write left to do
	upto  uint64 // Seq of the last output in rest
	buf   []byte
}

// Stdout prints outputs on standard output, each message of the format as a line. A flow that is killed prints those
// since its last checkpoint again: task, id, position and kind name an output on every replay.
func Stdout(f tidemill.Format) *Printer { return &Printer{lines: lineWriter{format: f}} }

var (
	_ tidemill.Sink      = (*Printer)(nil)
	_ tidemill.Describer = (*Printer)(nil)
)

// Describe is "stdout", with the format where it is not the usual one.
func (p *Printer) Describe() string { return "stdout" + p.lines.describe() }

// Mark gives errors.ErrUnsupported: what is printed is out of our hands.
func (p *Printer) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}

// Resume takes the term; standard output knows of no mark.
func (p *Printer) Resume(_ context.Context, r tidemill.Resumption) error {
	if err := p.lines.check(); err != nil {
		return err
	}
	p.term, p.seq = r.Term, r.After.Seq
	return nil
}

// Write prints a line per output. After an error the same Write goes on where it stopped.
func (p *Printer) Write(ctx context.Context, out []tidemill.Output) error {
	if p.term == 0 {
		return tidemill.Fatalf("file: stdout: Write before Resume")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.print(p.rest, p.upto); err != nil {
		return err
	}
	b, seq, err := p.lines.append(p.buf[:0], out, p.seq)
	if err != nil {
		return err
	}
	p.buf = b
	return p.print(b, seq)
}

func (p *Printer) print(b []byte, seq uint64) error {
	if len(b) == 0 {
		return nil
	}
	to := p.to
	if to == nil {
		to = os.Stdout
	}
	n, err := to.Write(b)
	if err != nil {
		p.rest, p.upto = append([]byte(nil), b[n:]...), seq
		return fmt.Errorf("file: stdout: %w", err)
	}
	p.rest, p.seq = nil, seq
	return nil
}

// Flush gives the mark: what is printed is out of our hands.
func (p *Printer) Flush(context.Context) (tidemill.Mark, error) {
	return tidemill.Mark{Term: p.term, Seq: p.seq}, nil
}

// Close leaves standard output open.
func (p *Printer) Close() error { return nil }
