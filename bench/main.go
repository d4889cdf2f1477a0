package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// row is one line of the tables in README.md.
type row struct {
	name string
	what string
	run  func(ctx context.Context, b *bench) error
}

// rows are all that can be measured, in the order of README.md.
func rows() []row {
	return []row{
		{"mlp32", "MLP 784-128-10, one epoch of MNIST from memory, batch 32", mlpRow(32, 1)},
		{"mlp128", "the same, batch 128", mlpRow(128, 1)},
		{"mlp10", "the same, 10 epochs, batch 64", mlpRow(64, 10)},
		{"pg-snapshot", "Postgres snapshot, rows of pgbench_accounts' shape, null sink", snapshotRow},
		{"pg-stream", "Postgres streaming, one large transaction, null sink", streamRow},
		{"latency", "commit to prediction row visible, MNIST model, 200 rows/s", latencyRow},
		{"bulk", "rows inserted in bulk to predictions, MNIST model", bulkRow},
		{"mnist", "MNIST end to end in Postgres, nothing running before", mnistRow},
		{"flights", "delayed labels: a year of flights through SQLite, and from memory", flightsRow},
		{"growth", "time and memory of 1 and 10 times the rows, and of a larger table", growthRow},
		{"elec2", "logistic regression, Hoeffding tree, naive Bayes on Elec2 from memory, one thread", elec2Row},
		{"kmeans", "k-means on 4 columns from memory", kmeansRow},
		{"engine", "the engine alone on MNIST, source and sink in memory: processor time per row", engineRow},
		{"checkpoint", "checkpoint of a million window keys and the MNIST model", checkpointRow},
		{"start", "start to first prediction from a checkpoint", startRow},
		{"rest", "predictions over REST at rest, and while the flights flow learns at full speed from SQLite; -rows is " +
			"seconds", restRow},
		{"size", "stripped binary and idle memory", sizeRow},
	}
}

// children are our sides, each run in a process of its own by -child.
func children() map[string]func(ctx context.Context, a args) (figures, error) {
	return map[string]func(context.Context, args) (figures, error){
		"mlp": mlpChild, "source": sourceChild, "flow": flowChild,
		"flights": flightsChild, "timetable": timetableChild, "flights-memory": flightsMemoryChild,
		"elec2": elec2Child, "engine": engineChild, "kmeans": kmeansChild, "checkpoint": checkpointChild,
		"load": loadChild, "empty": emptyChild,
	}
}

// bench is what all rows share.
type bench struct {
	n     int    // runs per side; 0: the row's own
	size  int    // rows; 0: the row's own
	ours  bool   // leave the peers out
	only  string // sides to run alone, divided by commas
	cache string // peers and binaries: TIDEMILL_BENCH_CACHE
	repo  string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{cache: os.Getenv("TIDEMILL_BENCH_CACHE"), repo: os.Getenv("TIDEMILL_BENCH_REPO")}
	child := flag.String("child", "", "run one of our sides and print its figures")
	flag.IntVar(&b.n, "n", 0, "runs per side")
	flag.IntVar(&b.size, "rows", 0, "rows, where the measurement has a size")
	flag.BoolVar(&b.ours, "ours", false, "leave the peers out")
	flag.StringVar(&b.only, "only", "", "run these sides alone: tidemill,debezium")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: bench/run.sh [-n runs] [-rows n] [-ours] [-only side] row...")
		for _, r := range rows() {
			fmt.Fprintf(os.Stderr, "  %-12s %s\n", r.name, r.what)
		}
	}
	flag.Parse()
	if *child != "" {
		if err := runChild(ctx, *child, flag.Args()); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	names := flag.Args()
	if len(names) == 0 {
		for _, r := range rows() {
			names = append(names, r.name)
		}
	}
	failed := false
	for _, name := range names {
		i := slices.IndexFunc(rows(), func(r row) bool { return r.name == name })
		if i < 0 {
			flag.Usage()
			os.Exit(2)
		}
		r := rows()[i]
		fmt.Printf("# %s: %s\n# %s\n", r.name, r.what, machine())
		if err := r.run(ctx, b); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", r.name, err)
			failed = true
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failed {
		os.Exit(1)
	}
}

// machine is one line about where this runs.
func machine() string {
	name := "?"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.SplitSeq(string(b), "\n") {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				name = strings.TrimSpace(v)
				break
			}
		}
	}
	load := "?"
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Join(strings.Fields(string(b))[:3], " ")
	}
	return fmt.Sprintf("%s, %d cores, load %s", name, cores(), load)
}
