package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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

// sizeRow is the stripped binary's size, and the memory (VmRSS) of a flow that has been idle for 30 s: of one that has
// learned MNIST in that process, and of one that has resumed from its state. Beside it Debezium's engine, idle too.
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
	const idle = 30 * time.Second
	flow := ""
	waits := func(ctx context.Context, m *mill) (figures, error) {
		if err := sleep(ctx, idle); err != nil {
			return nil, err
		}
		pid := m.cmd.Process.Pid
		now := figures{"idle_mb": memory(pid, "VmRSS:"), "anon_mb": memory(pid, "RssAnon:"),
			"file_mb": memory(pid, "RssFile:")}
		f, err := m.stop()
		maps.Copy(f, now)
		return f, err
	}
	i := 0
	learned := side{name: "tidemill learned", run: func(ctx context.Context) (figures, error) {
		i++
		if err := s.forget(ctx); err != nil {
			return nil, err
		}
		name := "size" + strconv.Itoa(i)
		flow = filepath.Join(s.dir, name, "flow.yaml")
		m, err := b.trained(ctx, s, name)
		if err != nil {
			return nil, err
		}
		return waits(ctx, m)
	}}
	resumed := side{name: "tidemill resumed", own: true, run: func(ctx context.Context) (figures, error) {
		m, err := b.startMill(ctx, s.env(), flow)
		if err != nil {
			return nil, err
		}
		return waits(ctx, m)
	}}
	_, err = b.interleave(ctx, 3, learned, resumed, b.idleDebezium(s, idle, "debezium"),
		b.idleDebezium(s, idle, "debezium -Xmx16m", "-Xmx16m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss256k"))
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
