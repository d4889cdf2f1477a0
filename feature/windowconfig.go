package feature

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
)

// WindowConfig is figures over the rows of a table in a time before the row that asks, by key.
type WindowConfig struct {
	Count    string        `yaml:"count" expr:"rows" doc:"rows for the number of rows, or an expression: how many of its values are not NULL. 0 where there are none."`
	Sum      string        `yaml:"sum" expr:"true" doc:"A column or expression, such as amount or arr_delay > 15 (1 where true): the sum of its values, exact."`
	Mean     string        `yaml:"mean" like:"amount" expr:"true" doc:"A column or expression: the mean of its values."`
	Min      string        `yaml:"min" expr:"true" doc:"A column or expression: its smallest value."`
	Max      string        `yaml:"max" expr:"true" doc:"A column or expression: its largest value."`
	Distinct string        `yaml:"distinct" expr:"true" doc:"A column or expression: how many different values it has. 0 where there are none."`
	Last     string        `yaml:"last" expr:"true" doc:"A column or expression: its newest value."`
	Since    string        `yaml:"since" expr:"rows" doc:"rows for the seconds since the newest row, or an expression: since its newest value."`
	Where    string        `yaml:"where" expr:"true" doc:"Only rows of the table for which this is true. Default all."`
	Of       string        `yaml:"of" like:"orders" table:"true" required:"true" doc:"The table whose rows are in the window: flights or public.flights. Unless rows are only inserted or all that is asked for is a count of rows, it needs them as they were before an UPDATE: check says how the source brings that."`
	By       []string      `yaml:"by" like:"country" doc:"The columns that a row must share with the row that asks. Default none: all rows of the table."`
	Match    []string      `yaml:"match" doc:"The columns of the asking row that by is compared with, where they have other names. Default those of by."`
	Over     time.Duration `yaml:"over" required:"true" doc:"How far back: the window at time t holds what became known in (t - over, t]."`
	Every    time.Duration `yaml:"every" doc:"The window ends at the last multiple of this (UTC) instead of the asking row's time: tumbling when equal to over. Default sliding."`
	Late     time.Duration `yaml:"late" doc:"Rows that are late by at most this much still see their whole window; it is memory. Default 1h, or over if that is shorter."`
	At       string        `yaml:"at" doc:"The column of the table that holds the time of its rows. Default the time that the flow gives the change."`
	Unix     string        `yaml:"unix" enum:"s,ms" doc:"How a number in at counts. Default none: times and ISO text."`
}

// NewWindowConfig is the config with its defaults.
func NewWindowConfig() *WindowConfig { return &WindowConfig{Late: time.Hour} }

// Build makes the feature. It fails without a figure, a table or a length, and where by and match differ in number.
func (c *WindowConfig) Build(string) (tidemill.Feature, error) {
	w, err := newWindow(*c)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Filled implements config.Filler: it gives how late rows may be.
func (c *WindowConfig) Filled() any {
	d := *c
	if d.Over > 0 {
		d.Late = min(d.Late, d.Over)
	}
	return &d
}

// figures lists the figures that are asked for, in the order of their keys.
func (c *WindowConfig) figures() (out []windowed) {
	for agg, column := range []string{c.Count, c.Sum, c.Mean, c.Min, c.Max, c.Distinct, c.Last, c.Since} {
		if column != "" {
			out = append(out, windowed{agg: aggregation(agg), column: column})
		}
	}
	return out
}

func (c *WindowConfig) check() error {
	switch {
	case len(c.figures()) == 0:
		return errors.New("window: name a figure: count, sum, mean, min, max, distinct, last or since")
	case c.Of == "":
		return errors.New("window: name the table with of")
	case c.Over < time.Microsecond:
		return fmt.Errorf("window: over is %s; say a length such as 1h", c.Over)
	case c.Every < 0 || c.Every > 0 && c.Every < time.Microsecond:
		return fmt.Errorf("window: every is %s; say a length such as 1h", c.Every)
	case c.Late < 0:
		return fmt.Errorf("window: late is %s; say a length such as 1h, or 0s", c.Late)
	case len(c.Match) > 0 && len(c.Match) != len(c.By):
		return fmt.Errorf("window: match names %d columns and by %d; each of by has one in match", len(c.Match), len(c.By))
	case c.Unix != "" && c.Unix != "s" && c.Unix != "ms":
		return fmt.Errorf("window: unix is %q; say s or ms", c.Unix)
	case slices.ContainsFunc(c.figures(), func(f windowed) bool {
		return f.column == "rows" &&
			f.agg != aggCount && f.agg != aggSince
	}):
		return errors.New("window: rows are counted (count) and timed (since); name a column for the other figures")
	case c.Unix != "" && c.At == "":
		return errors.New("window: unix says how the numbers of at count; name the column with at")
	}
	return nil
}

// span names what all figures of a window share: " of flights by origin over 1h".
func (c *WindowConfig) span() string {
	s := " of " + c.Of
	if c.Where != "" {
		s += " where " + c.Where
	}
	if len(c.By) > 0 {
		s += " by " + strings.Join(c.By, ", ")
	}
	s += " over " + length(c.Over)
	if c.Every > 0 {
		s += " every " + length(c.Every)
	}
	return s
}

// same is whether two windows are over the same rows.
func (c *WindowConfig) same(d *WindowConfig) bool {
	return c.Of == d.Of && slices.Equal(c.By, d.By) && slices.Equal(c.Match, d.Match) &&
		c.Over == d.Over && c.Every == d.Every &&
		c.Where == d.Where && c.Late == d.Late && c.At == d.At && c.Unix == d.Unix
}

// length prints a duration as flows say it: 1h, not 1h0m0s.
func length(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Count is the number of rows of a table in (t - over, t] by key; by may be "" for all rows.
func Count(of, by string, over time.Duration) tidemill.Feature {
	return short(of, by, over, func(c *WindowConfig) { c.Count = "rows" })
}

// Sum is the exact sum of a column or expression (amount, or "arr_delay > 15", 1 where true) over (t - over, t] by key.
func Sum(column, of, by string, over time.Duration) tidemill.Feature {
	return short(of, by, over, func(c *WindowConfig) { c.Sum = column })
}

// Mean is the mean of a column or expression over (t - over, t] by key.
func Mean(column, of, by string, over time.Duration) tidemill.Feature {
	return short(of, by, over, func(c *WindowConfig) { c.Mean = column })
}

// Min is the smallest value of a column or expression over (t - over, t] by key.
func Min(column, of, by string, over time.Duration) tidemill.Feature {
	return short(of, by, over, func(c *WindowConfig) { c.Min = column })
}

// Max is the largest value of a column or expression over (t - over, t] by key.
func Max(column, of, by string, over time.Duration) tidemill.Feature {
	return short(of, by, over, func(c *WindowConfig) { c.Max = column })
}

// Distinct is the number of different values of a column or expression over (t - over, t] by key.
func Distinct(column, of, by string, over time.Duration) tidemill.Feature {
	return short(of, by, over, func(c *WindowConfig) { c.Distinct = column })
}

// Last is the newest value of a column or expression in (t - over, t] by key.
func Last(column, of, by string, over time.Duration) tidemill.Feature {
	return short(of, by, over, func(c *WindowConfig) { c.Last = column })
}

// Since is the seconds since the newest row of a key, NaN if it is older than over.
func Since(of, by string, over time.Duration) tidemill.Feature {
	return short(of, by, over, func(c *WindowConfig) { c.Since = "rows" })
}

func short(of, by string, over time.Duration, figure func(c *WindowConfig)) tidemill.Feature {
	c := NewWindowConfig()
	c.Of, c.Over = of, over
	if by != "" {
		c.By = []string{by}
	}
	figure(c)
	w, err := newWindow(*c)
	if err != nil {
		return &window{mistake: err}
	}
	return w
}
