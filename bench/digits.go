package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tidemill/tidemill/examples/mnist"
)

const digitTables = "DROP TABLE IF EXISTS mnist_train, mnist_test; CREATE TABLE mnist_train(id serial PRIMARY KEY, " +
	"label smallint, pixels bytea); " +
	"CREATE TABLE mnist_test(id serial PRIMARY KEY, label smallint, pixels bytea)"

// loadDigits makes mnist_train and mnist_test with so many rows; it takes the sets again from their beginning where
// there are more rows than images.
func (s *server) loadDigits(ctx context.Context, train, test int) error {
	if err := s.exec(ctx, digitTables); err != nil {
		return err
	}
	a, err := mnist.Train()
	if err != nil {
		return err
	}
	b, err := mnist.Test()
	if err != nil {
		return err
	}
	if err := s.copyDigits(ctx, "mnist_train", a, train); err != nil {
		return err
	}
	if err := s.copyDigits(ctx, "mnist_test", b, test); err != nil {
		return err
	}
	return s.exec(ctx, "VACUUM ANALYZE", "CHECKPOINT")
}

func (s *server) copyDigits(ctx context.Context, table string, set *mnist.Set, n int) error {
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.CopyFrom(ctx, pgx.Identifier{table}, []string{"label", "pixels"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			return []any{int16(set.Labels[i%set.N]), set.Image(i % set.N)}, nil
		}))
	return err
}

// digitFlow writes the example's flow for this server into dir; its state lies there too.
func (s *server) digitFlow(dir string) (path string, err error) {
	text := mnist.FlowPostgres
	text = strings.ReplaceAll(text, "dir: state", "dir: "+filepath.Join(dir, "state"))
	text = strings.ReplaceAll(text, "localhost:8080", "localhost:0")
	path = filepath.Join(dir, "flow.yaml")
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// env is the environment of a flow on this server.
func (s *server) env() []string {
	if _, err := url.Parse(s.url()); err != nil {
		return nil
	}
	return []string{"DATABASE_URL=" + s.url()}
}

// forget drops what a flow left in the database.
func (s *server) forget(ctx context.Context) error {
	if err := s.exec(ctx, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL",
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active",
		"DROP TABLE IF EXISTS predictions, tidemill_marks"); err != nil {
		return err
	}
	name, err := s.text(ctx, "coalesce((SELECT string_agg(pubname, ', ') FROM pg_publication), '')")
	if err != nil || name == "" {
		return err
	}
	return s.exec(ctx, fmt.Sprintf("DROP PUBLICATION %s", name))
}
