package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// sharedEnv tells the tests of a binary where the server is that Main started.
const sharedEnv = "TIDEMILL_TEST_POSTGRES"

// Server is one running PostgreSQL server. Its methods are called from one goroutine.
type Server struct {
	Port     int
	Dir      string // its data
	password string
	bin      string
	uid, gid uint32
	shared   bool
	tls      bool
	proc     *process
}

// process is a started server and its end.
type process struct {
	cmd  *exec.Cmd
	log  bytes.Buffer
	done chan struct{} // closed when it has ended
}

// Main starts a server for all tests of the binary, runs them, stops the server and exits.
func Main(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	s, err := newServer(nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.remove()
	os.Setenv(sharedEnv, strconv.Itoa(s.Port))
	return m.Run()
}

// Start returns the server that Main started, or, with options or without Main, starts one for this test alone, which
// ends with it.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	if port, err := strconv.Atoi(os.Getenv(sharedEnv)); err == nil && len(options) == 0 {
		return &Server{Port: port, shared: true}
	}
	s, err := newServer(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

// New starts a server for a program that is no test; Close ends it.
func New(options ...Option) (*Server, error) { return newServer(options) }

// Close ends the server and removes its data.
func (s *Server) Close() { s.remove() }

func newServer(options []Option) (*Server, error) {
	var set settings
	for _, o := range options {
		o(&set)
	}
	bin, err := Bin()
	if err != nil {
		return nil, err
	}
	uid, gid, err := account()
	if err != nil {
		return nil, err
	}
	base, err := os.MkdirTemp("", "tidemill-postgres-")
	if err != nil {
		return nil, fmt.Errorf("postgrestest: %w", err)
	}
	s := &Server{bin: bin, uid: uid, gid: gid, Dir: filepath.Join(base, "data"), password: set.password}
	if err := s.create(base, set); err != nil {
		os.RemoveAll(base)
		return nil, err
	}
	return s, nil
}

func (s *Server) create(base string, set settings) error {
	if s.uid != 0 {
		if err := os.Chown(base, int(s.uid), int(s.gid)); err != nil {
			return fmt.Errorf("postgrestest: %w", err)
		}
	}
	args := []string{"-D", s.Dir, "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync", "--auth", "trust"}
	if set.password != "" {
		file := filepath.Join(base, "password")
		if err := os.WriteFile(file, []byte(set.password+"\n"), 0o600); err != nil {
			return fmt.Errorf("postgrestest: %w", err)
		}
		if s.uid != 0 {
			if err := os.Chown(file, int(s.uid), int(s.gid)); err != nil {
				return fmt.Errorf("postgrestest: %w", err)
			}
		}
		args = append(args[:len(args)-1], "scram-sha-256", "--pwfile", file)
	}
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), args...)
	cmd.Dir = base
	cmd.SysProcAttr = attr(s.uid, s.gid)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("postgrestest: initdb: %w\n%s", err, out)
	}
	if set.tls {
		if err := s.certify(); err != nil {
			return err
		}
		set.conf = append(set.conf, "ssl = on")
		s.tls = true
	}
	conf := append([]string{
		"listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "max_connections = 40", "shared_buffers = '64MB'",
		"wal_level = logical", "fsync = off", "full_page_writes = off", "max_wal_senders = 20", "max_replication_slots = 20",
		"timezone = 'UTC'", "log_min_messages = 'warning'", "autovacuum_naptime = '1min'",
	}, set.conf...)
	f, err := os.OpenFile(filepath.Join(s.Dir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	_, err = f.WriteString("\n" + strings.Join(conf, "\n") + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	for try := 0; ; try++ {
		// Another program can take the port between the look and the start.
		if s.Port, err = FreePort(); err == nil {
			err = s.start()
		}
		if err == nil || try == 4 {
			return err
		}
	}
}

// FreePort is a port of this machine that nobody listens on at the moment, for a program that must be told one. It lies
// below those that the system gives to connections, so that only another program that is told a port can take it before
// it is used, or while its server is down.
func FreePort() (int, error) {
	var err error
	for range 100 {
		port := 15000 + rand.IntN(15000)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("postgrestest: no free port: %w", err)
}

// start starts the server and waits until it answers.
func (s *Server) start() error {
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.Dir, "-p", strconv.Itoa(s.Port))
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.Dir, &p.log, &p.log
	p.cmd.SysProcAttr = attr(s.uid, s.gid)
	var once sync.Once
	started := make(chan error, 1)
	go func() {
		// The signal at the parent's death is sent when the thread that forked ends: it must live as long as the server.
		runtime.LockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		once.Do(func() { started <- err })
		if err == nil {
			p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for {
		conn, err := pgconn.Connect(ctx, s.URL("postgres"))
		if err == nil {
			s.proc = p
			return conn.Close(ctx)
		}
		select {
		case <-p.done:
			return fmt.Errorf("postgrestest: postgres ended at its start:\n%s", p.log.String())
		case <-ctx.Done():
			p.cmd.Process.Signal(sigCrash)
			<-p.done
			return fmt.Errorf("postgrestest: postgres does not answer: %w\n%s", err, p.log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL is the superuser's connection string for the database db.
func (s *Server) URL(db string) string { return s.UserURL("postgres", s.password, db) }

// UserURL is another role's connection string.
func (s *Server) UserURL(user, password, db string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)),
		Path: "/" + db, RawQuery: "sslmode=disable"}
	if s.tls {
		u.RawQuery = "sslmode=require"
	}
	if password != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}

// CreateDB makes an empty database for the test and returns its URL; it goes, with its replication slots, when the test
// ends.
func (s *Server) CreateDB(t testing.TB) string {
	t.Helper()
	name := "t" + strconv.FormatInt(time.Now().UnixNano(), 36)
	s.Exec(t, s.URL("postgres"), "CREATE DATABASE "+name)
	if s.shared {
		t.Cleanup(func() { s.dropDB(t, name) })
	}
	return s.URL(name)
}

func (s *Server) dropDB(t testing.TB, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.URL("postgres"))
	if err != nil {
		t.Errorf("postgrestest: %v", err)
		return
	}
	defer conn.Close(ctx)
	for try := 0; ; try++ {
		_, err := conn.Exec(ctx, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '`+name+
			`' AND active_pid IS NOT NULL;
			SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '`+name+`' AND active_pid IS NULL`).ReadAll()
		if err == nil {
			_, err = conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)").ReadAll()
		}
		if err == nil {
			return
		}
		if try == 400 {
			t.Errorf("postgrestest: drop database: %v", err)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Exec runs SQL (several statements, divided by semicolons) at url and fails the test on an error.
func (s *Server) Exec(t testing.TB, url, sql string) {
	t.Helper()
	s.Query(t, url, sql)
}

// Query is Exec that returns the rows of the last statement that had any, as text; NULL is "NULL".
func (s *Server) Query(t testing.TB, url, sql string) [][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatalf("postgrestest: %v", err)
	}
	defer conn.Close(ctx)
	var rows [][]string
	results := conn.Exec(ctx, sql)
	for results.NextResult() {
		r := results.ResultReader()
		if len(r.FieldDescriptions()) > 0 {
			rows = [][]string{}
		}
		for r.NextRow() {
			row := make([]string, len(r.Values()))
			for i, v := range r.Values() {
				if row[i] = string(v); v == nil {
					row[i] = "NULL"
				}
			}
			rows = append(rows, row)
		}
	}
	if err := results.Close(); err != nil {
		t.Fatalf("postgrestest: %v in %s", err, sql)
	}
	return rows
}

// Stop ends the server as an administrator would (a fast shutdown).
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.end(t, sigFast)
}

// Kill crashes the server.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.end(t, sigCrash)
}

func (s *Server) end(t testing.TB, sig os.Signal) {
	t.Helper()
	if s.shared {
		t.Fatal("postgrestest: other tests use this server; take one with postgrestest.Start(t, postgrestest.Own())")
	}
	if s.proc == nil {
		return
	}
	if err := s.proc.stop(sig, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	s.proc = nil
}

func (p *process) stop(sig os.Signal, wait time.Duration) error {
	p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
		return nil
	case <-time.After(wait):
		p.cmd.Process.Signal(sigCrash)
		<-p.done
		return fmt.Errorf("postgrestest: postgres did not end within %v of %v", wait, sig)
	}
}

// Start again after Stop or Kill, on the same port with the same data.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if s.proc != nil || s.shared {
		return
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		// The children of a crashed server hold its shared memory for a moment.
		err := s.start()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Restart stops the server and starts it.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.Start(t)
}

// remove ends the server and its data.
func (s *Server) remove() {
	if s.proc != nil {
		s.proc.stop(sigFast, 5*time.Second)
		s.proc = nil
	}
	os.RemoveAll(filepath.Dir(s.Dir))
}
