package main

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
)

// stack is the published pipeline as a side: Debezium in Kafka Connect, Kafka, Python and Keras over this server's
// mnist_train and mnist_test. words are what peers/seed/pipeline.py is told; before makes the tables.
func (b *bench) stack(s *server, name string, runs int, before func(context.Context) error, words ...string) side {
	return side{name: name, runs: runs, run: func(ctx context.Context) (figures, error) {
		if before != nil {
			if err := before(ctx); err != nil {
				return nil, err
			}
		}
		env := []string{"LIB=" + filepath.Join(b.cache, "jars"), "PGPORT=" + strconv.Itoa(s.Port), "CACHE=" + b.cache,
			"MNIST_DIR=" + filepath.Join(b.repo, "examples", "mnist"), "TF_CPP_MIN_LOG_LEVEL=3"}
		f, err := command(ctx, env, filepath.Join(b.cache, "venv", "bin", "python"),
			append([]string{filepath.Join(b.repo, "bench", "peers", "seed", "pipeline.py")}, words...)...)
		if f != nil { // of the whole stack, instead of the script's own
			f["rss_mb"], f["cpu_s"] = f["stack_rss_mb"], f["stack_cpu_s"]
			delete(f, "stack_rss_mb")
			delete(f, "stack_cpu_s")
		}
		return f, errors.Join(err, s.forget(context.WithoutCancel(ctx)))
	}}
}
