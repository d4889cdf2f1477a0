package engine

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/tidemill/tidemill"
)

// refusedRow is a row that a transform could not take: at is how many changes of the batch leave the chain before it.
type refusedRow struct {
	at int
	o  tidemill.Output
}

// transforms is a flow's chain of them. The engine's goroutine owns it.
type transforms struct {
	list    []tidemill.Transform
	rejects bool // a row that one cannot take goes to the rejects; else it ends the flow
	locate  func(*tidemill.Change) string

	// Scratch: what has left one transform and not entered the next, and the change that is in one.
	between []tidemill.Change
	in      tidemill.Change
}

// apply takes a batch through the chain. What one change of the source becomes is numbered at the end of the chain,
// so that two transforms that both split give each change an identity of its own.
func (x *transforms) apply(cs []tidemill.Change) (out []tidemill.Change, refused []refusedRow, err error) {
	out = make([]tidemill.Change, 0, len(cs))
	for i := range cs {
		n := len(out)
		out, err = x.through(out, &cs[i])
		if err == nil && len(out)-n > math.MaxUint16 {
			err = fmt.Errorf("%d changes of one, at most %d", len(out)-n, math.MaxUint16)
		}
		if err != nil {
			out = out[:n]
			r, err := x.refuse(&cs[i], err)
			if err != nil {
				return nil, nil, err
			}
			refused = append(refused, refusedRow{n, r})
			continue
		}
		for k := range out[n:] {
			out[n+k].Sub = uint16(k)
		}
	}
	clear(x.between[:cap(x.between)]) // their rows belong to the batch
	x.in = tidemill.Change{}
	return out, refused, nil
}

// through appends what becomes of c.
func (x *transforms) through(out []tidemill.Change, c *tidemill.Change) (made []tidemill.Change, err error) {
	x.between = append(x.between[:0], *c)
	from := 0
	for k, tr := range x.list {
		to := len(x.between)
		for ; from < to; from++ {
			x.in = x.between[from]
			if k == len(x.list)-1 {
				out, err = tr.Apply(out, &x.in)
			} else {
				x.between, err = tr.Apply(x.between, &x.in)
			}
			if err != nil {
				return out, fmt.Errorf("transform %s: %w", describe(tr), err)
			}
		}
	}
	return out, nil
}

// refuse makes a rejected row of an error, or the end of the flow. The row's values are not told: transforms that were
// still to come may mask them.
func (x *transforms) refuse(c *tidemill.Change, err error) (tidemill.Output, error) {
	table := ""
	if c.Table != nil {
		table = c.Table.String() + ": "
	}
	if tidemill.IsFatal(err) || !x.rejects {
		return tidemill.Output{}, tidemill.Fatalf("%s%w, at %s: mend the row, or name a sink under `rejects:` that keeps "+
			"such rows apart", table, err, x.locate(c))
	}
	bare := *c
	bare.Before, bare.After = nil, nil
	return tidemill.Output{Kind: tidemill.RowRejected, Change: &bare, Reason: table + err.Error(),
		Position: x.locate(c)}, nil
}

// around calls apply with the changes between the refused rows, and tells of those at their places.
func (m *Mill) around(ctx context.Context, cs []tidemill.Change, first int, refused []refusedRow,
	apply func([]tidemill.Change) error) error {
	done := 0
	for i := range refused {
		at := refused[i].at - first
		if at > done {
			if err := apply(cs[done:at]); err != nil {
				return err
			}
			done = at
		}
		m.out.reject(&refused[i].o)
		if err := m.send(ctx); err != nil {
			return err
		}
	}
	if len(refused) > 0 && done == len(cs) {
		return nil
	}
	return apply(cs[done:])
}

// transformsSection names the section of a checkpoint whose fingerprint is the flow's transforms, one a line.
const transformsSection = "transforms"

// describe is the transforms, one a line.
func (x *transforms) describe() string {
	var b strings.Builder
	for _, tr := range x.list {
		b.WriteString(describe(tr))
		b.WriteByte('\n')
	}
	return b.String()
}

// same is an error that names the first transform that is not as it was.
func (x *transforms) same(c *tidemill.Checkpoint) error {
	was := ""
	if s := c.Section(transformsSection); s != nil {
		was = s.Fingerprint
	}
	now := x.describe()
	if was == now {
		return nil
	}
	a, b := strings.Split(strings.TrimSuffix(was, "\n"), "\n"), strings.Split(strings.TrimSuffix(now, "\n"), "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	at := func(lines []string) string {
		if i < len(lines) && lines[i] != "" {
			return lines[i]
		}
		return "none"
	}
	path := "transforms"
	if i < len(x.list) {
		path = fmt.Sprintf("transforms[%d]", i)
	}
	return changed(path, at(a), at(b))
}
