package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// figures are what one run measured, by name. A process adds wall_s, cpu_s (user and system) and rss_mb (its peak).
type figures map[string]float64

// args are a child's settings: key=value.
type args map[string]string

func (a args) int(key string) int {
	n, _ := strconv.Atoi(a[key])
	return n
}

func cores() int { return runtime.NumCPU() }

// side is one program of a row.
type side struct {
	name string
	run  func(ctx context.Context) (figures, error)
	runs int  // at most; 0: as many as the others
	own  bool // ours too, though not the first
}

// runChild is this program as one of our sides.
func runChild(ctx context.Context, name string, words []string) error {
	f, ok := children()[name]
	if !ok {
		return fmt.Errorf("there is no child %q", name)
	}
	a := args{}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		a[k] = v
	}
	stop, err := profile()
	if err != nil {
		return err
	}
	out, err := f(ctx, a)
	stop()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// child is a side that runs one of our children in a process of its own.
func (b *bench) child(side_, name string, words ...string) side {
	return side{name: side_, run: func(ctx context.Context) (figures, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return command(ctx, nil, self, append([]string{"-child", name}, words...)...)
	}}
}

// command runs a program whose last line of output that begins with { is its figures.
func command(ctx context.Context, env []string, name string, words ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, name, words...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begin := time.Now()
	peak, err := runWatched(cmd)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(words, " "), err,
			tail(out.String()), tail(errs.String()))
	}
	f := figures{"wall_s": time.Since(begin).Seconds()}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if strings.HasPrefix(line, "{") {
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				return nil, fmt.Errorf("%s: %w in %s", name, err, line)
			}
		}
	}
	f.usage(cmd.ProcessState, peak)
	return f, nil
}

// commandJSON is command for a program whose JSON is not figures: pick makes them.
func commandJSON(ctx context.Context, env []string, pick func(map[string]any) figures, name string,
	words ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, name, words...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	peak, err := runWatched(cmd)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(words, " "), err,
			tail(out.String()), tail(errs.String()))
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var v map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		return nil, fmt.Errorf("%s: %w in %s", name, err, tail(out.String()))
	}
	f := pick(v)
	f.usage(cmd.ProcessState, peak)
	return f, nil
}

// dig is the number at a path of a JSON object; NaN if there is none.
func dig(v any, path ...string) float64 {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	if f, ok := v.(float64); ok {
		return f
	}
	return math.NaN()
}

// runWatched runs cmd and says its peak memory in MB. The kernel's own figure (rusage) would be that of this process
// where it is higher, since a child starts out in its parent's memory.
func runWatched(cmd *exec.Cmd) (peak float64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	stop := watchPeak(cmd.Process.Pid)
	err = cmd.Wait()
	return stop(), err
}

// watchPeak reads a process's peak memory again and again until it is stopped.
func watchPeak(pid int) (stop func() float64) {
	done, over := make(chan struct{}), make(chan float64)
	go func() {
		peak := 0.0
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, memory(pid, "VmHWM:"))
			select {
			case <-done:
				over <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() float64 { close(done); return <-over }
}

// memory is a figure of a process's memory, in MB: VmHWM: its peak, VmRSS: what it has now.
func memory(pid int, what string) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, what); ok {
			var kb float64
			fmt.Sscan(v, &kb)
			return kb / 1024
		}
	}
	return 0
}

// processCPU is the processor time that a process has used, in steps of 10 ms.
func processCPU(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return float64(user+system) / 100
}

// usage adds what a process has used.
func (f figures) usage(p *os.ProcessState, peak float64) {
	f["cpu_s"] = (p.UserTime() + p.SystemTime()).Seconds()
	f["rss_mb"] = peak
}

func tail(s string) string {
	if len(s) > 4000 {
		return "…" + s[len(s)-4000:]
	}
	return s
}

// interleave runs the sides in turn, n times, and prints each run and then the medians. The first side is ours; of each
// figure that a peer has too, the ratio is printed.
func (b *bench) interleave(ctx context.Context, n int, sides ...side) (map[string]figures, error) {
	if b.n > 0 {
		n = b.n
	}
	all := map[string][]figures{}
	var names []string
	for i := range n {
		for k, s := range sides {
			if b.ours && k > 0 && !s.own || b.only != "" && !slices.Contains(strings.Split(b.only, ","), s.name) ||
				s.runs > 0 && i >= s.runs {
				continue
			}
			f, err := s.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if i == 0 {
				names = append(names, s.name)
			}
			all[s.name] = append(all[s.name], f)
			line, _ := json.Marshal(f)
			fmt.Printf("%s\t%s\n", s.name, line)
		}
	}
	medians := map[string]figures{}
	for _, name := range names {
		medians[name] = median(all[name])
	}
	for _, name := range names {
		fmt.Printf("%-28s n=%d", name, len(all[name]))
		for _, k := range keys(medians[name]) {
			fmt.Printf("  %s %s", k, short(medians[name][k]))
			if name != names[0] && medians[names[0]][k] != 0 && medians[name][k] != 0 {
				fmt.Printf(" (%.2fx)", medians[names[0]][k]/medians[name][k])
			}
		}
		fmt.Println()
	}
	fmt.Printf("# %s\n\n", machine())
	return medians, nil
}

// median is the median of each figure.
func median(runs []figures) figures {
	out := figures{}
	for k := range runs[0] {
		var v []float64
		for _, r := range runs {
			if x, ok := r[k]; ok {
				v = append(v, x)
			}
		}
		out[k] = quantile(v, 0.5)
	}
	return out
}

// quantile is the q-th quantile of v, which it sorts.
func quantile(v []float64, q float64) float64 {
	slices.Sort(v)
	if len(v) == 0 {
		return math.NaN()
	}
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}

func keys(f figures) []string {
	var out []string
	for k := range f {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func short(v float64) string {
	switch {
	case v >= 10000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// cpu is the processor time that this process has used.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
