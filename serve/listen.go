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

// connsFor is how many connections may be open where a process may open so many files: checkpoints, databases and logs
// need some too, however many clients come.
func connsFor(conns, files int) int { return min(conns, max(files/4*3, 1)) }

// pinned is the context's key of a function that keeps the request's connection open, whoever else connects.
type pinned struct{}

// headerSize bounds a request's header in bytes.
const headerSize = 16 << 10

// Listen serves a flow until ctx ends. addr is the URL to open, with the port that was taken. wait returns when the
// server has ended: nil after ctx, with the answers that were being written finished.
func Listen(ctx context.Context, mill Mill, cfg Config) (addr string, wait func() error, err error) {
	return listen(ctx, mill, cfg, limits{
		header: 5 * time.Second, read: 20 * time.Second, write: 30 * time.Second, idle: time.Minute,
		end: 5 * time.Second,
	})
}

func listen(ctx context.Context, mill Mill, cfg Config, lim limits) (addr string, wait func() error, err error) {
	cfg = cfg.filled()
	if err := cfg.Check(); err != nil {
		return "", nil, err
	}
	at, _ := cfg.address()
	chain, err := cfg.certificate()
	if err != nil {
		return "", nil, err
	}
	l, err := bind(ctx, at)
	if err != nil {
		return "", nil, err
	}
	s := newServer(mill, cfg)
	s.local.Store(l.Addr().(*net.TCPAddr).IP.IsLoopback())
	s.hub.hold(ctx)
	conns := newConnLimit(connsFor(cfg.MaxConns, openFiles()))
	srv := httpServer(ctx, s, conns, lim)
	done := make(chan error, 1)
	scheme := "http"
	if chain != nil {
		scheme, srv.TLSConfig = "https", chain
		go func() { done <- srv.ServeTLS(l, "", "") }()
	} else {
		go func() { done <- srv.Serve(l) }()
	}
	ended := make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		select {
		case failed = <-done:
			failed = fmt.Errorf("serve: %w", failed)
		case <-ctx.Done():
			l.Close()
			shutdown(context.WithoutCancel(ctx), srv, conns, lim.end)
			<-done
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	host, _, _ := net.SplitHostPort(at)
	return scheme + "://" + net.JoinHostPort(host, port), func() error { <-ended; return failed }, nil
}

// certificate is the TLS configuration, nil where the settings name no certificate.
func (c *Config) certificate() (*tls.Config, error) {
	if c.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("serve: cert %s and key %s: %w", c.Cert, c.Key, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// httpServer is the server of h with every limit on a connection: its time, its header, and how many there are.
func httpServer(ctx context.Context, h http.Handler, conns *connLimit, lim limits) *http.Server {
	return &http.Server{
		Handler: h, ConnState: conns.state,
		ReadHeaderTimeout: lim.header, ReadTimeout: lim.read, WriteTimeout: lim.write, IdleTimeout: lim.idle,
		MaxHeaderBytes: headerSize,
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, pinned{}, func() { conns.pin(c) })
		},
	}
}

// shutdown closes the connections that ask nothing, and waits for the answers in work as long as within says. The
// listener is closed before.
func shutdown(ctx context.Context, srv *http.Server, conns *connLimit, within time.Duration) {
	end, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conns.end() // net/http waits five seconds for a connection that has sent nothing yet
	if err := srv.Shutdown(end); errors.Is(err, context.DeadlineExceeded) {
		srv.Close()
	}
}

// Free is an error if another process has the address, or it cannot be had at all: told before a flow starts, nothing
// has been done for it yet.
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
		return nil, fmt.Errorf("serve: cannot listen on %s; is another process there? (port 0 takes a free one): %w",
			at, err)
	}
	return l, nil
}
