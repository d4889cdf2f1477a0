package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

func TestRecall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	s := Sink(path, "predictions")
	defer s.Close()
	if err := s.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), []tidemill.Output{predicted(1, "a", "yes"), predicted(2, "b", "no"), predicted(3, "c", "no"),
		{Kind: tidemill.Truth, Seq: 4, Task: "late", ID: "b", Truth: "no", Answered: asked.Add(time.Hour)},
		{Kind: tidemill.Truth, Seq: 5, Task: "late", ID: "a", Truth: "no", Answered: asked.Add(2 * time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	got, err := Sink(path, "predictions").Recall(t.Context(), "late", 10)
	if err != nil || len(got) != 2 || got[0].ID != "a" || got[0].Label != "yes" || got[0].Truth != "no" || got[0].Score != 0.75 ||
		got[0].Probabilities["ye\"s"] != 0.75 || !got[0].Asked.Equal(asked) || got[0].Answered.Sub(got[0].Asked) != 2*time.Hour || got[1].ID != "b" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := Sink(path, "predictions").Recall(t.Context(), "late", 1); err != nil || len(got) != 1 || got[0].ID != "a" {
		t.Errorf("the newest: %+v, %v", got, err)
	}
	if _, err := Sink(path, "others").Recall(t.Context(), "late", 1); err == nil {
		t.Error("a table that is not there was read")
	}
}

func TestFind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	d, err := openFile(path, readWriteCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := d.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB); INSERT INTO t VALUES (1, x'0102'), (2, NULL), (3, x'03');
		CREATE TABLE two (a, b, PRIMARY KEY (a, b)); INSERT INTO two VALUES (1, 2)`); err != nil {
		t.Fatal(err)
	}
	got, err := Source(path, "t").Find(t.Context(), "t", "b", []string{"1", "2", "9", "x'"})
	if v := got["2"]; err != nil || len(got) != 2 || string(got["1"].Bytes()) != "\x01\x02" || !v.IsNull() {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := Source(path, "two").Find(t.Context(), "two", "b", []string{"1"}); err != nil || len(got) != 0 {
		t.Errorf("a key of two columns: %v, %v", got, err)
	}
}

func TestCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	d, err := openFile(path, readWriteCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := d.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (30); CREATE TABLE u (id INTEGER PRIMARY KEY); INSERT INTO u VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	if n, stream, err := Source(path, "t", "u").Count(t.Context()); n != 4 || stream != 0 || err != nil {
		t.Errorf("%d, %d, %v", n, stream, err)
	}
}
