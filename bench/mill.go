package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// mill is the real binary at work: `tidemill run`.
type mill struct {
	cmd   *exec.Cmd
	addr  string // where it serves
	errs  *log
	done  chan struct{}
	peak  func() float64
	began time.Time
}

// log is what a process said on standard error.
type log struct {
	mu sync.Mutex
	b  []byte
}

func (l *log) add(line string) {
	l.mu.Lock()
	l.b = append(append(l.b, line...), '\n')
	l.mu.Unlock()
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tail(string(l.b))
}

func (b *bench) binary() string { return filepath.Join(b.cache, "bin", "tidemill") }

// startMill starts a flow and returns when it serves.
func (b *bench) startMill(ctx context.Context, env []string, flow string, words ...string) (*mill, error) {
	m := &mill{errs: &log{}, done: make(chan struct{}), began: time.Now()}
	m.cmd = exec.CommandContext(ctx, b.binary(), append([]string{"run", flow, "--quiet"}, words...)...)
	if os.Getenv("BENCH_CPUPROFILE")+os.Getenv("BENCH_MEMPROFILE") != "" {
		m.cmd = exec.CommandContext(ctx, filepath.Join(b.cache, "bin", "bench"), "-child", "flow", "flow="+flow)
	}
	m.cmd.Env = append(os.Environ(), env...)
	m.cmd.Cancel = func() error { return m.cmd.Process.Signal(syscall.SIGTERM) }
	r, err := m.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	m.peak = watchPeak(m.cmd.Process.Pid)
	served := make(chan string, 1)
	go func() {
		defer close(m.done)
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			m.errs.add(lines.Text())
			if addr, ok := strings.CutPrefix(lines.Text(), "serving on "); ok {
				served <- addr
			}
		}
		io.Copy(io.Discard, r)
		m.cmd.Wait()
	}()
	select {
	case m.addr = <-served:
	case <-m.done:
		return nil, fmt.Errorf("tidemill ended: %s", m.errs)
	case <-time.After(20 * time.Second):
		return nil, errors.Join(fmt.Errorf("tidemill does not serve: %s", m.errs), m.cmd.Process.Kill())
	}
	return m, nil
}

// status is the part of the flow's status that is looked at here.
type status struct {
	State    string
	Outputs  uint64
	Written  uint64
	Snapshot struct{ Done bool }
	Stream   struct{ Rows uint64 }
}

func (m *mill) status() (status, error) {
	var s status
	r, err := http.Get(m.addr + "/status")
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	return s, json.NewDecoder(r.Body).Decode(&s)
}

// until asks for the status until f is content.
func (m *mill) until(ctx context.Context, every time.Duration, f func(status) bool) error {
	for {
		s, err := m.status()
		if err != nil {
			return fmt.Errorf("%w: %s", err, m.errs)
		}
		if f(s) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.done:
			return fmt.Errorf("tidemill ended: %s", m.errs)
		case <-time.After(every):
		}
	}
}

// stop ends it and says what it used.
func (m *mill) stop() (figures, error) {
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return nil, err
	}
	select {
	case <-m.done:
	case <-time.After(30 * time.Second):
		return nil, errors.Join(errors.New("tidemill does not stop"), m.cmd.Process.Kill())
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		return nil, fmt.Errorf("tidemill: exit code %d: %s", code, m.errs)
	}
	f := figures{}
	f.usage(m.cmd.ProcessState, m.peak())
	return f, nil
}
