package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// limits are the time limits of a connection. Writing is bounded per answer; /events sets its own.
type limits struct {
	header, read, write, idle, end time.Duration
}

// roomFor is how many connections may be open where a process may open so many files: checkpoints, databases and logs need
// some too, however many clients come.
func roomFor(conns, files int) int { return min(conns, max(files/4*3, 1)) }

// staying is the context's key of a function that keeps the request's connection from giving way to others.
type staying struct{}

// headerSize bounds a request's header in bytes.
const headerSize = 16 << 10

// Listen serves a flow until ctx ends. addr is the URL to open, with the port that was taken. wait returns when the
// server has ended: nil after ctx, with the answers that were being written finished.
func Listen(ctx context.Context, mill Mill, cfg Config) (addr string, wait func() error, err error) {
	return listen(ctx, mill, cfg, limits{header: 5 * time.Second, read: 20 * time.Second, write: 30 * time.Second, idle: 60 * time.Second, end: 5 * time.Second})
}

func listen(ctx context.Context, mill Mill, cfg Config, lim limits) (addr string, wait func() error, err error) {
	cfg = cfg.filled()
	if err := cfg.Check(); err != nil {
		return "", nil, err
	}
	at, _ := cfg.address()
	scheme := "http"
	var chain *tls.Config
	if cfg.Cert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return "", nil, fmt.Errorf("serve: cert %s and key %s: %w", cfg.Cert, cfg.Key, err)
		}
		chain, scheme = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, "https"
	}
	l, err := bind(ctx, at)
	if err != nil {
		return "", nil, err
	}
	s := newServer(mill, cfg)
	s.local.Store(l.Addr().(*net.TCPAddr).IP.IsLoopback())
	s.hub.hold(ctx)
	crowd := newCrowd(roomFor(cfg.MaxConns, openFiles()))
	srv := &http.Server{
		Handler: s, ConnState: crowd.state,
		ReadHeaderTimeout: lim.header, ReadTimeout: lim.read, WriteTimeout: lim.write, IdleTimeout: lim.idle,
		MaxHeaderBytes: headerSize, TLSConfig: chain,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, staying{}, func() { crowd.stays(c) })
		},
	}
	done := make(chan error, 1)
	var plain *lane
	if chain != nil {
		go func() { done <- srv.ServeTLS(l, "", "") }()
	} else {
		plain = newLane(s, l, crowd, lim)
		go plain.run()
		go func() { done <- srv.Serve(plain) }()
	}
	ended := make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		select {
		case failed = <-done:
			failed = fmt.Errorf("serve: %w", failed)
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), lim.end)
			defer cancel()
			if err := srv.Shutdown(end); errors.Is(err, context.DeadlineExceeded) {
				srv.Close()
			}
			if plain != nil {
				plain.wait(end)
			}
			<-done
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	host, _, _ := net.SplitHostPort(at)
	return scheme + "://" + net.JoinHostPort(host, port), func() error { <-ended; return failed }, nil
}

// Free is an error if another process has the address, or it cannot be had at all: told before a flow starts, nothing has
// been done for it yet.
func (c *Config) Free(ctx context.Context) error {
	cfg := c.filled()
	if err := cfg.Check(); err != nil {
		return err
	}
	at, _ := cfg.address()
	l, err := bind(ctx, at)
	if err != nil {
		return err
	}
	return l.Close()
}

func bind(ctx context.Context, at string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("serve: cannot listen on %s; is another process there? (port 0 takes a free one): %w", at, err)
	}
	return l, nil
}
