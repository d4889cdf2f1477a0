package postgrestest

import "fmt"

type settings struct {
	conf     []string
	password string
	tls      bool
}

// Option configures a server; a server with options is the test's own.
type Option func(*settings)

// Own asks for a server that no other test uses.
func Own() Option { return func(*settings) {} }

// Conf sets a server setting: Conf("max_replication_slots", "2").
func Conf(name, value string) Option {
	return func(s *settings) { s.conf = append(s.conf, fmt.Sprintf("%s = '%s'", name, value)) }
}

// WALLevel sets wal_level; the default is logical.
func WALLevel(level string) Option { return Conf("wal_level", level) }

// Fsync turns durable writes on; tests run without.
func Fsync() Option {
	return func(s *settings) {
		s.conf = append(s.conf, "fsync = on", "synchronous_commit = on", "full_page_writes = on")
	}
}

// Password asks for one (scram-sha-256) at every connection; the default is to trust.
func Password(password string) Option { return func(s *settings) { s.password = password } }

// TLS lets the server take encrypted connections, with a certificate of its own making; URLs then ask for them
// (sslmode=require).
func TLS() Option { return func(s *settings) { s.tls = true } }
