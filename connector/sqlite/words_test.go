package sqlite

import (
	"path/filepath"
	"testing"
	"time"
)

// TestLookWaitsForWriters looks at a database whose writer has it locked, as one without a write-ahead log does for a moment
// at each commit.
func TestLookWaitsForWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	db := userDB(t, path, "delete", "CREATE TABLE orders(id INTEGER PRIMARY KEY, x REAL)", "INSERT INTO orders VALUES(1, 2)")
	place, err := NewSourceConfig().Open(t.Context(), path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	writer, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if _, err := writer.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() {
		time.Sleep(200 * time.Millisecond)
		_, err := writer.ExecContext(t.Context(), "COMMIT")
		over <- err
	}()
	seen, err := place.Sample(t.Context(), place.Tables()[0], 10)
	if err != nil || seen.Rows != 1 {
		t.Errorf("%+v %v", seen, err)
	}
	if err := <-over; err != nil {
		t.Fatal(err)
	}
}
