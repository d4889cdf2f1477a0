package feature

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	_ "time/tzdata" // the zones are the same on every machine that has none of its own

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// timeParts reads parts of a timestamp; see Time.
type timeParts struct {
	columnar
	parts   []part
	zone    *time.Location
	unix    string
	mistake error
}

// part is one number in a timestamp; period is set where it goes round.
type part struct {
	name   string
	period float64
	circle bool // sine and cosine instead of the number
	of     func(t time.Time) float64
}

// timePartNames lists the parts that a config may name; timePart gives them.
var timePartNames = []string{"year", "quarter", "month", "week", "day", "dayofyear", "weekday", "hour", "minute",
	"second", "minuteofday", "unix"}

func timePart(name string) (part, bool) {
	p := part{name: name}
	switch name {
	case "year":
		p.of = func(t time.Time) float64 { return float64(t.Year()) }
	case "quarter":
		p.of, p.period = func(t time.Time) float64 { return float64((t.Month()-1)/3 + 1) }, 4
	case "month":
		p.of, p.period = func(t time.Time) float64 { return float64(t.Month()) }, 12
	case "week":
		p.of, p.period = func(t time.Time) float64 { _, w := t.ISOWeek(); return float64(w) }, 53
	case "day":
		p.of, p.period = func(t time.Time) float64 { return float64(t.Day()) }, 31
	case "dayofyear":
		p.of, p.period = func(t time.Time) float64 { return float64(t.YearDay()) }, 366
	case "weekday":
		p.of, p.period = func(t time.Time) float64 { return float64(t.Weekday()) }, 7
	case "hour":
		p.of, p.period = func(t time.Time) float64 { return float64(t.Hour()) }, 24
	case "minute":
		p.of, p.period = func(t time.Time) float64 { return float64(t.Minute()) }, 60
	case "second":
		p.of, p.period = func(t time.Time) float64 { return float64(t.Second()) }, 60
	case "minuteofday":
		p.of, p.period = func(t time.Time) float64 { return float64(t.Hour()*60 + t.Minute()) }, 1440
	case "unix":
		p.of = func(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
	default:
		return p, false
	}
	return p, true
}

// TimeConfig reads parts of a timestamp as numbers: the hour, the weekday, the month.
type TimeConfig struct {
	Column string   `yaml:"column" like:"ordered_at" required:"true" doc:"The column: a time, ISO 8601 text, or a number with unix."`
	Parts  []string `yaml:"parts" like:"weekday,hour" required:"true" enum:"year,quarter,month,week,day,dayofyear,weekday,hour,minute,second,minuteofday,unix" doc:"The parts: weekday counts from 0 (Sunday), week is ISO 8601's, unix is seconds since 1970."`
	Zone   string   `yaml:"zone" doc:"The time zone of the parts, such as America/New_York. Default UTC."`
	Circle bool     `yaml:"circle" doc:"Two columns, sine and cosine, for each part that goes round, so that 23 is next to 0. Default false."`
	Unix   string   `yaml:"unix" enum:"s,ms" doc:"How a number counts since 1970. Default none: times and ISO text."`
}

// NewTimeConfig is the config with its defaults.
func NewTimeConfig() *TimeConfig { return &TimeConfig{} }

// Build makes the feature. It fails for a part, a zone or a unit that does not exist.
func (c *TimeConfig) Build(string) (tidemill.Feature, error) {
	f := newTime(c)
	if f.mistake != nil {
		return nil, f.mistake
	}
	return f, nil
}

// Time reads parts of a timestamp in UTC as numbers: year, quarter, month (1 to 12), week (ISO 8601), day (1 to 31),
// dayofyear (1 to 366), weekday (0 is Sunday), hour, minute, second, minuteofday, unix (seconds since 1970). TimeConfig
// sets a zone, and sines and cosines for parts that go round. NULL is NaN; what is no time rejects the row.
func Time(column string, parts ...string) tidemill.Feature {
	return newTime(&TimeConfig{Column: column, Parts: parts})
}

func newTime(c *TimeConfig) *timeParts {
	f := &timeParts{columnar: columnar{kind: "time", cols: []string{c.Column}, fits: fitsTime},
		zone: time.UTC, unix: c.Unix}
	if len(c.Parts) == 0 {
		f.mistake = errors.New("time: name the parts, such as hour and weekday")
	}
	if c.Unix != "" && c.Unix != "s" && c.Unix != "ms" {
		f.mistake = fmt.Errorf("time: unix is %q; say s or ms", c.Unix)
	}
	if c.Zone != "" {
		zone, err := time.LoadLocation(c.Zone)
		if err != nil || c.Zone == "Local" {
			f.mistake = fmt.Errorf("time: there is no zone %q; say one such as Europe/Berlin", c.Zone)
		} else {
			f.zone = zone
		}
	}
	for _, name := range c.Parts {
		p, ok := timePart(name)
		if !ok {
			f.mistake = fmt.Errorf("time: there is no part %q; did you mean %q? The parts are %s", name,
				expr.Nearest(name, timePartNames), strings.Join(timePartNames, ", "))
			break
		}
		p.circle = c.Circle && p.period > 0
		f.parts = append(f.parts, p)
		if p.circle {
			f.out = append(f.out,
				tidemill.FeatureColumn{Name: c.Column + " " + name + " sine", Scaled: true},
				tidemill.FeatureColumn{Name: c.Column + " " + name + " cosine", Scaled: true})
		} else {
			f.out = append(f.out, tidemill.FeatureColumn{Name: c.Column + " " + name})
		}
	}
	return f
}

func fitsTime(k tidemill.Kind) string {
	switch k {
	case tidemill.KindBytes, tidemill.KindBool:
		return "holds " + k.String() + ", which is no time"
	}
	return ""
}

// Describe implements tidemill.Feature.
func (f *timeParts) Describe() string {
	s := "time " + f.cols[0]
	for _, p := range f.parts {
		s += " " + p.name
		if p.circle {
			s += "°"
		}
	}
	s += " in " + f.zone.String()
	if f.unix != "" {
		s += " unix " + f.unix
	}
	return s
}

// Bind implements tidemill.Feature.
func (f *timeParts) Bind(t *tidemill.Table, role tidemill.Role) error {
	if f.mistake != nil {
		return f.mistake
	}
	return f.columnar.Bind(t, role)
}

// Append implements tidemill.Feature.
func (f *timeParts) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	v := row[at[0]]
	if v.IsNull() {
		appendNaN(dst, len(f.out))
		return nil
	}
	if !v.Known() {
		return reject(c, at[0], errNotSent)
	}
	micros, ok := expr.Micros(v, f.unix)
	if !ok {
		if k := v.Kind(); f.unix == "" && (k == tidemill.KindInt || k == tidemill.KindFloat || k == tidemill.KindDecimal) {
			return reject(c, at[0], fmt.Errorf("%s is a number; say how it counts with unix: s or ms", quoted(v)))
		}
		return reject(c, at[0], fmt.Errorf("%s is no time", quoted(v)))
	}
	t := time.UnixMicro(micros).In(f.zone)
	for i := range f.parts {
		p := &f.parts[i]
		x := p.of(t)
		if p.circle {
			s, c := math.Sincos(2 * math.Pi * x / p.period)
			dst.Dense = append(dst.Dense, s, c)
		} else {
			dst.Dense = append(dst.Dense, x)
		}
	}
	return nil
}
