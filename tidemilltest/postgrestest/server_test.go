package postgrestest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

func TestSharedServer(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (x int); INSERT INTO a VALUES (1), (NULL)")
	if got := s.Query(t, url, "SELECT x FROM a ORDER BY x; SELECT 7 WHERE false"); len(got) != 0 {
		t.Errorf("rows of the last statement: %v", got)
	}
	got := s.Query(t, url, "SELECT x FROM a ORDER BY x")
	if len(got) != 2 || got[0][0] != "1" || got[1][0] != "NULL" {
		t.Errorf("got %v", got)
	}
	if got := s.Query(t, url, "SHOW wal_level"); got[0][0] != "logical" {
		t.Errorf("wal_level %v", got)
	}
}

func TestOwnServerCrashesAndComesBack(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Password("secret"), postgrestest.WALLevel("replica"), postgrestest.Fsync())
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (x int); INSERT INTO a VALUES (1)")
	s.Kill(t)
	if _, err := pgconn.Connect(context.Background(), url); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Start(t)
	if got := s.Query(t, url, "SELECT x, current_setting('wal_level'), current_setting('fsync') FROM a"); strings.Join(got[0], " ") != "1 replica on" {
		t.Errorf("got %v", got)
	}
	s.Restart(t)
	if _, err := pgconn.Connect(context.Background(), s.UserURL("postgres", "wrong", "postgres")); err == nil {
		t.Error("a wrong password is accepted")
	}
}
