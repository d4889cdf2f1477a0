package serve

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// Mill is the running flow as this package needs it; *engine.Mill is one. All methods are called from many goroutines
// at once. Predict and PredictBatch keep neither the rows nor the slices that they are given; an error of PredictBatch
// says which row it is about.
type Mill interface {
	Status() *engine.Status
	Predict(task string, r tidemill.Row) (engine.Prediction, error)
	PredictBatch(task string, rows []tidemill.Row) ([]engine.Prediction, error)
}

// Config says where to listen, who may ask, and how much is too much. In a flow file: `serve: localhost:8080`, or a
// mapping. The zero value of each number means its default.
type Config struct {
	Listen   string `yaml:"listen" short:"true" doc:"Address and port to listen on. An address without a host is localhost; port 0 takes a free one. Default localhost:8080."`
	Token    string `yaml:"token" secret:"true" doc:"Bearer token that everything which shows data must be asked with. Default none: whoever reaches the port may read."`
	Cert     string `yaml:"cert" doc:"File with the TLS certificate chain in PEM. Default none: plain HTTP."`
	Key      string `yaml:"key" doc:"File with the certificate's private key in PEM."`
	MaxBody  int    `yaml:"max_body" doc:"Largest request body in bytes, before and after decompression. Default 4194304."`
	MaxRows  int    `yaml:"max_rows" doc:"Most rows in one request. Default 10000."`
	InFlight int    `yaml:"in_flight" doc:"Predictions worked on at the same time; one more is answered 429. Default 256."`
	MaxConns int    `yaml:"max_conns" doc:"Open connections; beyond it the one that has been idle longest is closed. Default 4096; never more than three quarters of the files that the process may open."`
	Watchers int    `yaml:"watchers" doc:"Dashboards that may watch at the same time; one more is answered 429. Default 64."`
}

// NewConfig is a Config with every default filled in.
func NewConfig() *Config { return new(Config{}.filled()) }

func (c Config) filled() Config {
	if c.Listen == "" {
		c.Listen = "localhost:8080"
	}
	for _, d := range []struct {
		field *int
		value int
	}{{&c.MaxBody, 4 << 20}, {&c.MaxRows, 10000}, {&c.InFlight, 256}, {&c.MaxConns, 4096}, {&c.Watchers, 64}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return c
}

// Check reports the first setting that cannot work.
func (c Config) Check() error {
	c = c.filled()
	if _, err := c.address(); err != nil {
		return err
	}
	if (c.Cert == "") != (c.Key == "") {
		return errors.New("serve: cert and key belong together: give both or none")
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"max_body", c.MaxBody}, {"max_rows", c.MaxRows}, {"in_flight", c.InFlight}, {"max_conns", c.MaxConns},
		{"watchers", c.Watchers},
	} {
		if n.value < 0 {
			return fmt.Errorf("serve: %s is %d: it must be at least 1", n.name, n.value)
		}
	}
	if strings.TrimSpace(c.Token) != c.Token {
		return errors.New("serve: the token begins or ends with white space: take it away")
	}
	return nil
}

// Open is true when other machines can reach the address and no token keeps them out: worth a warning on start.
func (c Config) Open() bool {
	a, err := c.filled().address()
	return err == nil && c.Token == "" && !loopback(a)
}

// address is Listen with localhost where it names no host.
func (c Config) address() (string, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", fmt.Errorf("serve: listen %q is no address with a port, like localhost:8080: %w", c.Listen, err)
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}

// loopback is true for a host, with or without a port, that only this machine reaches.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
