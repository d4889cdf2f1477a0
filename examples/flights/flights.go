// Package flights holds the 336,776 flights that left New York City in 2013, as a database would have seen them: a row
// is inserted at the scheduled departure, and updated at the landing with the delay. The data is embedded, so that the
// demo needs no network and no file beside the binary.
package flights

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed flights.zip
var archive []byte

// FlowSQLite and FlowPostgres are the demo's flow files.
var (
	//go:embed flow.yaml
	FlowSQLite string
	//go:embed flow.postgres.yaml
	FlowPostgres string
)

// Flight is one row. Times are minutes since 2013-01-01 00:00 by the schedule's clocks, which know no zone.
type Flight struct {
	ID                       int // the row's number in the file, from 1
	Month, Day, Hour, Minute int // of the scheduled departure
	Carrier                  string
	Number                   int
	Tail                     string // "" where it is not known
	Origin, Dest             string
	Distance                 int // miles

	Scheduled int
	// What is known once it has landed; 9,430 flights were cancelled or diverted and never did.
	Landed                     bool
	LandedAt                   int // at least Scheduled
	DepDelay, ArrDelay, Flying int // minutes; negative is early
}

// epoch is minute 0.
var epoch = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// Time is a minute as a time.
func Time(minute int) time.Time { return epoch.Add(time.Duration(minute) * time.Minute) }

// taxiing is the minutes from the gate to the air and back that the data leaves out: landing is
// departure, time in the air and this.
const taxiing = 30

// columns of the file, in its order.
var columns = []string{"year", "month", "day", "hour", "minute", "dep_delay", "arr_delay", "air_time", "carrier",
	"flight", "tailnum", "origin", "dest", "distance"}

// All is the flights in the order of the file. Its texts share one piece of memory.
func All() ([]Flight, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("flights: %w", err)
	}
	r, err := z.Open("flights.csv")
	if err != nil {
		return nil, fmt.Errorf("flights: %w", err)
	}
	defer r.Close()
	return Read(r)
}

// Read reads the file's format: CSV without quotes, NA where a value is missing.
func Read(r io.Reader) ([]Flight, error) {
	var text strings.Builder
	if _, err := io.Copy(&text, r); err != nil {
		return nil, fmt.Errorf("flights: %w", err)
	}
	head, rest, _ := strings.Cut(text.String(), "\n")
	if head != strings.Join(columns, ",") {
		return nil, fmt.Errorf("flights: the columns are %q, want %q", head, strings.Join(columns, ","))
	}
	out := make([]Flight, 0, strings.Count(rest, "\n"))
	for line := range strings.Lines(rest) {
		f, err := parse(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("flights: line %d: %w", len(out)+2, err)
		}
		f.ID = len(out) + 1
		out = append(out, f)
	}
	return out, nil
}

func parse(line string) (f Flight, err error) {
	var fields [14]string
	if strings.Count(line, ",") != len(fields)-1 {
		return f, fmt.Errorf("%d fields, want %d", strings.Count(line, ",")+1, len(fields))
	}
	for i := range fields {
		fields[i], line, _ = strings.Cut(line, ",")
	}
	f.Landed = fields[5] != "NA" && fields[6] != "NA" && fields[7] != "NA"
	var year int
	for _, n := range []struct {
		to *int
		i  int
	}{{&year, 0}, {&f.Month, 1}, {&f.Day, 2}, {&f.Hour, 3}, {&f.Minute, 4}, {&f.DepDelay, 5}, {&f.ArrDelay, 6},
		{&f.Flying, 7}, {&f.Number, 9}, {&f.Distance, 13}} {
		if n.i >= 5 && n.i <= 7 && !f.Landed {
			continue
		}
		if *n.to, err = strconv.Atoi(fields[n.i]); err != nil {
			return f, fmt.Errorf("%s: %w", columns[n.i], err)
		}
	}
	f.Carrier, f.Origin, f.Dest = fields[8], fields[11], fields[12]
	if fields[10] != "NA" {
		f.Tail = fields[10]
	}
	at := time.Date(year, time.Month(f.Month), f.Day, f.Hour, f.Minute, 0, 0, time.UTC)
	f.Scheduled = int(at.Sub(epoch) / time.Minute)
	if f.Landed {
		f.LandedAt = max(f.Scheduled, f.Scheduled+f.DepDelay+f.Flying+taxiing)
	}
	return f, nil
}

// Event is a change of the table: a flight's INSERT, or its UPDATE at the landing.
type Event struct {
	Flight  int32 // index
	Minute  int32
	Landing bool
}

// Events are the flights' changes in the order of time; at the same minute landings come first, and rows in the order
// of the file.
func Events(all []Flight) []Event {
	out := make([]Event, 0, 2*len(all))
	for i := range all {
		f := &all[i]
		out = append(out, Event{int32(i), int32(f.Scheduled), false})
		if f.Landed {
			out = append(out, Event{int32(i), int32(f.LandedAt), true})
		}
	}
	slices.SortFunc(out, func(a, b Event) int {
		switch {
		case a.Minute != b.Minute:
			return int(a.Minute - b.Minute)
		case a.Landing != b.Landing:
			if a.Landing {
				return -1
			}
			return 1
		}
		return int(a.Flight - b.Flight)
	})
	return out
}
