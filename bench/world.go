package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/tidemill/tidemill/examples/flights"
)

// world writes the flights that a flow sees.
type world struct {
	flights, events int
	write           func(ctx context.Context) (figures, error) // write_s, and cpu_s where the writer is another process
	close           func() error
}

// insideWriter is a goroutine of this process.
func insideWriter(ctx context.Context, path string, a args) (*world, error) {
	all, err := firstFlights(a.int("rows"))
	if err != nil {
		return nil, err
	}
	events := flights.Events(all)
	w, err := newTimetable(ctx, path)
	if err != nil {
		return nil, err
	}
	if n := a.int("tx"); n > 0 {
		w.perTx = n
	}
	return &world{flights: len(all), events: len(events), close: w.close,
		write: func(ctx context.Context) (figures, error) {
			began := time.Now()
			err := w.run(ctx, all, events)
			return figures{"write_s": time.Since(began).Seconds()}, err
		}}, nil
}

// outsideWriter is timetableChild in a process of its own.
func outsideWriter(ctx context.Context, path string, a args) (*world, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", "timetable", "path="+path, "rows="+a["rows"], "tx="+a["tx"])
	// those are of the flow
	cmd.Stderr, cmd.Env = os.Stderr, append(os.Environ(), "BENCH_CPUPROFILE=", "BENCH_MEMPROFILE=")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := json.NewDecoder(out)
	stop := func() error { return errors.Join(in.Close(), cmd.Wait()) }
	w := &world{close: stop}
	var ready struct{ Flights, Events int }
	if err := lines.Decode(&ready); err != nil {
		return nil, errors.Join(fmt.Errorf("the writer: %w", err), stop())
	}
	w.flights, w.events = ready.Flights, ready.Events
	w.write = func(context.Context) (figures, error) {
		if _, err := io.WriteString(in, "go\n"); err != nil {
			return nil, err
		}
		f := figures{}
		return f, lines.Decode(&f)
	}
	return w, nil
}

// timetableChild makes the table, says what it will write, and writes it when it is told to.
func timetableChild(ctx context.Context, a args) (figures, error) {
	w, err := insideWriter(ctx, a["path"], a)
	if err != nil {
		return nil, err
	}
	defer w.close()
	fmt.Println(`{"flights":` + strconv.Itoa(w.flights) + `,"events":` + strconv.Itoa(w.events) + `}`)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return nil, fmt.Errorf("nobody said go: %w", err)
	}
	used := cpu()
	f, err := w.write(ctx)
	if err == nil {
		f["cpu_s"] = cpu() - used
	}
	return f, err
}
