package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tidemill/tidemill/examples/mnist"
)

func itoa(n int) string { return strconv.Itoa(n) }

// inFolder gives f a new folder under another name for each call, and removes it.
func (b *bench) inFolder(f func(dir string) error) error {
	dir, err := os.MkdirTemp("", "tidemill-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return f(dir)
}

// startRow kills nothing: it starts a flow that has learned MNIST from its checkpoint, and asks it over REST until it
// answers; beside it `tidemill predict`, which reads the checkpoint without a flow.
func startRow(ctx context.Context, b *bench) error {
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.loadDigits(ctx, 60000, 0); err != nil {
		return err
	}
	m, err := b.trained(ctx, s, "start")
	if err != nil {
		return err
	}
	if _, err := m.stop(); err != nil {
		return err
	}
	flow := filepath.Join(s.dir, "start", "flow.yaml")
	set, err := mnist.Test()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"pixels": base64.StdEncoding.EncodeToString(set.Image(0))})
	if err != nil {
		return err
	}
	row := filepath.Join(s.dir, "row.json")
	if err := os.WriteFile(row, body, 0o644); err != nil {
		return err
	}
	_, err = b.interleave(ctx, 5, side{name: "tidemill", run: func(ctx context.Context) (figures, error) {
		m, err := b.startMill(ctx, s.env(), flow)
		if err != nil {
			return nil, err
		}
		served := time.Since(m.began)
		for try := 0; ; try++ {
			r, err := http.Post(m.addr+"/predict/digit", "application/json", bytes.NewReader(body))
			if err == nil {
				text, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if r.StatusCode == 200 {
					break
				}
				err = fmt.Errorf("%s: %s", r.Status, text)
			}
			if try == 1000 {
				return nil, err
			}
			time.Sleep(time.Millisecond)
		}
		first := time.Since(m.began)
		f, err := m.stop()
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		cmd := exec.CommandContext(ctx, b.binary(), "predict", flow, row)
		cmd.Env = append(os.Environ(), s.env()...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("predict: %w: %s", err, out)
		}
		f["serving_ms"], f["first_prediction_ms"], f["predict_command_ms"] = ms(served), ms(first), ms(time.Since(begin))
		return f, nil
	}})
	return err
}

// sizeRow is the stripped binary's size, and the memory of a flow that waits: one that has learned MNIST in this process,
// and one that has resumed from that state.
func sizeRow(ctx context.Context, b *bench) error {
	info, err := os.Stat(b.binary())
	if err != nil {
		return err
	}
	fmt.Printf("binary %.1f MB (%d bytes)\n", float64(info.Size())/1e6, info.Size())
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.loadDigits(ctx, 60000, 0); err != nil {
		return err
	}
	m, err := b.trained(ctx, s, "size")
	if err != nil {
		return err
	}
	for _, wait := range []time.Duration{5, 25, 30} {
		if err := sleep(ctx, wait*time.Second); err != nil {
			return err
		}
		fmt.Printf("after learning, idle for another %d s: %.1f MB\n", wait, memory(m.cmd.Process.Pid, "VmRSS:"))
	}
	if _, err := m.stop(); err != nil {
		return err
	}
	_, err = b.interleave(ctx, 3, side{name: "tidemill", run: func(ctx context.Context) (figures, error) {
		m, err := b.startMill(ctx, s.env(), filepath.Join(s.dir, "size", "flow.yaml"))
		if err != nil {
			return nil, err
		}
		if err := sleep(ctx, 5*time.Second); err != nil {
			return nil, err
		}
		now := memory(m.cmd.Process.Pid, "VmRSS:")
		f, err := m.stop()
		if f != nil {
			f["idle_mb"] = now
		}
		return f, err
	}})
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
