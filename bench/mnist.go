package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// mnistRow is the whole way: 60,000 and 10,000 rows in Postgres and nothing running; then one epoch learned and the
// 10,000 scored. The clock starts with the process and stops with its end, its checkpoint saved.
func mnistRow(ctx context.Context, b *bench) error {
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	scale := 1
	if b.size > 0 {
		scale = b.size
	}
	if err := s.loadDigits(ctx, scale*60000, scale*10000); err != nil {
		return err
	}
	i := 0
	ours := side{name: "tidemill", run: func(ctx context.Context) (figures, error) {
		i++
		dir := filepath.Join(s.dir, "mnist"+strconv.Itoa(i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		flow, err := s.digitFlow(dir)
		if err != nil {
			return nil, err
		}
		var scores struct {
			f figures
		}
		begin := time.Now()
		scores.f, err = commandJSON(ctx, s.env(), func(v map[string]any) figures {
			out := figures{"accuracy": dig(v, "scores", "accuracy"), "learned": dig(v, "learned"),
				"scored": dig(v, "tasks", "digit", "evaluated")}
			return out
		}, b.binary(), "run", flow, "--once", "--json", "--quiet")
		seconds := time.Since(begin).Seconds()
		err = errors.Join(err, s.forget(ctx))
		if err != nil {
			return nil, err
		}
		if scores.f["learned"] != float64(scale*60000) || scores.f["scored"] != float64(scale*10000) {
			return nil, fmt.Errorf("learned %v rows and scored %v", scores.f["learned"], scores.f["scored"])
		}
		scores.f["seconds"] = seconds
		return scores.f, nil
	}}
	_, err = b.interleave(ctx, 5, ours,
		b.stack(s, "stack tuned", 3, nil, "e2e", "tuned", "json"),
		b.stack(s, "stack default", 1, nil, "e2e", "default", "json"))
	return err
}
