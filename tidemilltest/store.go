package tidemilltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/tidemill/tidemill"
)

// Store holds a tidemill.Store to the laws of that door. open gives a new, empty store each time; it registers with t
// what has to be closed.
//
//	func TestDir(t *testing.T) {
//		tidemilltest.Store(t, func(t *testing.T) tidemill.Store { return store.Dir(t.TempDir()) })
//	}
func Store(t *testing.T, open func(t *testing.T) tidemill.Store) {
	for _, law := range []struct {
		name string
		test func(*testing.T, tidemill.Store)
	}{
		{"empty", storeEmpty},
		{"lock is exclusive and terms rise", storeLock},
		{"what is saved is loaded", storeRoundTrip},
		{"the two newest are kept", storeKeepsTwo},
		{"save refuses", storeRefuses},
		{"a cancelled save leaves nothing", storeCancel},
		{"segments", storeSegments},
		{"segments live as long as they are referred to", storePrunes},
		{"orphans go at the next lock", storeOrphans},
		{"set aside", storeSetAside},
		{"readers beside the writer", storeReaders},
	} {
		t.Run(law.name, func(t *testing.T) { law.test(t, open(t)) })
	}
}

// lockStore locks s until the test ends or unlock is called.
func lockStore(t *testing.T, s tidemill.Store) (term uint64, unlock func()) {
	t.Helper()
	term, release, err := s.Lock(t.Context())
	if err != nil {
		t.Fatalf("Lock: %v", err)
	}
	unlock = sync.OnceFunc(func() {
		if err := release(); err != nil {
			t.Errorf("unlock: %v", err)
		}
	})
	t.Cleanup(unlock)
	return term, unlock
}

func saveStore(t *testing.T, s tidemill.Store, term, seq uint64, segments ...string) *tidemill.Checkpoint {
	t.Helper()
	c := SampleCheckpoint(term, seq)
	c.Segments = segments
	if err := s.Save(t.Context(), c); err != nil {
		t.Fatalf("Save %d.%d: %v", term, seq, err)
	}
	return c
}

// SampleCheckpoint is a checkpoint with every field set but Segments; its bytes follow from term and seq.
func SampleCheckpoint(term, seq uint64) *tidemill.Checkpoint {
	return &tidemill.Checkpoint{
		ID: tidemill.CheckpointID{Term: term, Seq: seq}, Flow: "sample", Clock: int64(seq) * 1_000_000,
		Position: tidemill.Position(fmt.Sprintf("sample log=1 at=%d", seq)),
		Marks:    []tidemill.Mark{{Term: term, Seq: seq * 10, Place: fmt.Sprint(seq * 100)}, {}},
		Sections: []tidemill.Section{
			{Name: "task/a/model", Kind: "sample", Version: 7, Fingerprint: "sample(1, ü)",
				Data: bytes.Repeat([]byte{byte(term), byte(seq), 0, 255}, 1000)},
			{Name: "task/a/scores", Kind: "sample", Version: 1, Data: []byte{}},
		},
	}
}

func listStore(t *testing.T, s tidemill.Store, want ...tidemill.CheckpointID) {
	t.Helper()
	ids, broken, err := s.List(t.Context())
	if err != nil || len(broken) > 0 {
		t.Fatalf("List: %v, broken: %v", err, broken)
	}
	if !slices.Equal(ids, want) {
		t.Fatalf("List gives %v, not %v", ids, want)
	}
}

func storeEmpty(t *testing.T, s tidemill.Store) {
	listStore(t, s)
	if _, err := s.Load(t.Context(), tidemill.CheckpointID{Term: 1, Seq: 1}); err == nil {
		t.Error("Load of a checkpoint that was never saved gives no error")
	}
	if _, err := s.Open(t.Context(), "never"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a segment that was never created gives %v, not fs.ErrNotExist", err)
	}
	lockStore(t, s)
	if where, err := s.SetAside(t.Context()); err != nil || where != "" {
		t.Errorf("SetAside of nothing gives %q, %v", where, err)
	}
}

func storeLock(t *testing.T, s tidemill.Store) {
	var last uint64
	for range 3 {
		term, unlock := lockStore(t, s)
		if term <= last {
			t.Fatalf("term %d after %d", term, last)
		}
		last = term
		if _, _, err := s.Lock(t.Context()); !errors.Is(err, tidemill.ErrLocked) {
			t.Fatalf("a second Lock gives %v, not ErrLocked", err)
		}
		unlock()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Lock(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock with a cancelled context gives %v", err)
	}
	term, _ := lockStore(t, s)
	if term <= last {
		t.Errorf("term %d after %d", term, last)
	}
}

func storeRoundTrip(t *testing.T, s tidemill.Store) {
	term, unlock := lockStore(t, s)
	c := SampleCheckpoint(term, 1)
	c.Sections = append(c.Sections, tidemill.Section{Name: "big", Data: bytes.Repeat([]byte("0123456789abcdef"), 200_000)})
	if err := s.Save(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for i := range c.Sections[0].Data {
		c.Sections[0].Data[i] = 9 // the caller's memory is its own again
	}
	want := SampleCheckpoint(term, 1)
	want.Sections = append(want.Sections, c.Sections[2])
	unlock()
	for range 2 {
		got, err := s.Load(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		got.Segments = nil
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("loaded %+v\nsaved  %+v", got.ID, want.ID)
		}
		for i := range got.Sections {
			clear(got.Sections[i].Data) // and so is what Load gave
		}
	}
}

func storeKeepsTwo(t *testing.T, s tidemill.Store) {
	id := func(term, seq uint64) tidemill.CheckpointID { return tidemill.CheckpointID{Term: term, Seq: seq} }
	a, unlock := lockStore(t, s)
	saveStore(t, s, a, 1)
	listStore(t, s, id(a, 1))
	saveStore(t, s, a, 2)
	listStore(t, s, id(a, 2), id(a, 1))
	saveStore(t, s, a, 3)
	listStore(t, s, id(a, 3), id(a, 2))
	unlock()
	b, _ := lockStore(t, s)
	listStore(t, s, id(a, 3), id(a, 2))
	saveStore(t, s, b, 1)
	listStore(t, s, id(b, 1), id(a, 3))
	if _, err := s.Load(t.Context(), id(a, 2)); err == nil {
		t.Error("Load of a pruned checkpoint gives no error")
	}
	saveStore(t, s, b, 20)
	saveStore(t, s, b, 100)
	listStore(t, s, id(b, 100), id(b, 20))
}

func storeRefuses(t *testing.T, s tidemill.Store) {
	if err := s.Save(t.Context(), SampleCheckpoint(1, 1)); err == nil {
		t.Error("Save without Lock gives no error")
	}
	if _, err := s.Create(t.Context(), "x"); err == nil {
		t.Error("Create without Lock gives no error")
	}
	term, unlock := lockStore(t, s)
	saveStore(t, s, term, 5)
	if err := s.Save(t.Context(), SampleCheckpoint(term, 5)); err == nil {
		t.Error("Save of an ID that is there gives no error")
	}
	if err := s.Save(t.Context(), SampleCheckpoint(term, 4)); err == nil {
		t.Error("Save of an ID below the newest gives no error")
	}
	if err := s.Save(t.Context(), SampleCheckpoint(term+1, 6)); err == nil {
		t.Error("Save with a term that Lock did not give gives no error")
	}
	c := SampleCheckpoint(term, 6)
	c.Segments = []string{"missing"}
	if err := s.Save(t.Context(), c); err == nil {
		t.Error("Save of a checkpoint that refers to a missing segment gives no error")
	}
	c = SampleCheckpoint(term, 6)
	c.Sections[1].Name = c.Sections[0].Name
	if err := s.Save(t.Context(), c); err == nil {
		t.Error("Save of two sections of one name gives no error")
	}
	listStore(t, s, tidemill.CheckpointID{Term: term, Seq: 5})
	saveStore(t, s, term, 6)
	unlock()
	if err := s.Save(t.Context(), SampleCheckpoint(term, 7)); err == nil {
		t.Error("Save after unlock gives no error")
	}
}

func storeCancel(t *testing.T, s tidemill.Store) {
	term, _ := lockStore(t, s)
	saveStore(t, s, term, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Save(ctx, SampleCheckpoint(term, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("Save with a cancelled context gives %v", err)
	}
	listStore(t, s, tidemill.CheckpointID{Term: term, Seq: 1})
	saveStore(t, s, term, 2)
}

// writeSegment creates a segment that holds text.
func writeSegment(t *testing.T, s tidemill.Store, name, text string) {
	t.Helper()
	w, err := s.Create(t.Context(), name)
	if err != nil {
		t.Fatalf("Create %q: %v", name, err)
	}
	if n, err := w.Write([]byte(text)); err != nil || n != len(text) {
		t.Fatalf("Write to %q: %d, %v", name, n, err)
	}
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		t.Fatalf("Sync and Close of %q: %v", name, err)
	}
}

// readSegment is a segment's text; ok is false where there is none.
func readSegment(t *testing.T, s tidemill.Store, name string) (text string, ok bool) {
	t.Helper()
	r, err := s.Open(t.Context(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		t.Fatalf("Open %q: %v", name, err)
	}
	defer r.Close()
	size, err := r.Size()
	if err != nil {
		t.Fatalf("Size of %q: %v", name, err)
	}
	b := make([]byte, size)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		t.Fatalf("ReadAt of %q: %d of %d bytes, %v", name, n, size, err)
	}
	return string(b), true
}

func storeSegments(t *testing.T, s tidemill.Store) {
	_, unlock := lockStore(t, s)
	w, err := s.Create(t.Context(), "journal/3-1")
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := readSegment(t, s, "journal/3-1"); !ok || text != "" {
		t.Errorf("a new segment reads as %q, %v", text, ok)
	}
	r, err := s.Open(t.Context(), "journal/3-1")
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for i := range 3 {
		piece := fmt.Sprintf("piece %d;", i)
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
		want += piece
		size, err := r.Size()
		b := make([]byte, len(want))
		n, rerr := r.ReadAt(b, 0)
		if err != nil || size != int64(len(want)) || n < len(b) || string(b) != want {
			t.Fatalf("beside the writer: size %d (%v), read %q (%v), want %q", size, err, b[:n], rerr, want)
		}
		if err := w.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Close gives no error")
	}
	if err := w.Close(); err != nil {
		t.Errorf("a second Close gives %v", err)
	}
	if _, err := s.Create(t.Context(), "journal/3-1"); err == nil {
		t.Error("Create of a name that is there gives no error")
	}
	names := []string{"con", "..", ".", "a b", "ä/ö\\ü", "%2F", "x:y*?", "-", "UPPER"}
	for _, name := range names {
		writeSegment(t, s, name, "text of "+name)
	}
	for _, name := range names {
		if text, ok := readSegment(t, s, name); !ok || text != "text of "+name {
			t.Errorf("segment %q reads as %q, %v", name, text, ok)
		}
	}
	if _, err := s.Create(t.Context(), ""); err == nil {
		t.Error("Create of the empty name gives no error")
	}
	for range 2 {
		if err := s.Remove(t.Context(), "con"); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	if _, ok := readSegment(t, s, "con"); ok {
		t.Error("a removed segment is there")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	unlock()
	if text, _ := readSegment(t, s, "journal/3-1"); text != want {
		t.Errorf("after unlock it reads as %q, not %q", text, want)
	}
}

// segmentsAre compares which of a, b, c and d are there.
func segmentsAre(t *testing.T, s tidemill.Store, want string) {
	t.Helper()
	got := ""
	for _, name := range []string{"a", "b", "c", "d"} {
		if text, ok := readSegment(t, s, name); ok {
			if text != name {
				t.Errorf("segment %q holds %q", name, text)
			}
			got += name
		}
	}
	if got != want {
		t.Fatalf("segments %q are there, not %q", got, want)
	}
}

func storePrunes(t *testing.T, s tidemill.Store) {
	term, unlock := lockStore(t, s)
	for _, name := range []string{"a", "b", "c", "d"} {
		writeSegment(t, s, name, name)
	}
	saveStore(t, s, term, 1, "a", "b")
	saveStore(t, s, term, 2, "b")
	if err := s.Remove(t.Context(), "a"); err == nil {
		t.Error("Remove of a segment that a kept checkpoint refers to gives no error")
	}
	segmentsAre(t, s, "abcd")
	c := saveStore(t, s, term, 3, "b", "c")
	segmentsAre(t, s, "bcd") // d was made and is not referred to yet
	if got, err := s.Load(t.Context(), c.ID); err != nil || !slices.Equal(got.Segments, []string{"b", "c"}) {
		t.Errorf("Load gives segments %v, %v", got.Segments, err)
	}
	saveStore(t, s, term, 4, "d")
	saveStore(t, s, term, 5, "d")
	segmentsAre(t, s, "d")
	unlock()
	segmentsAre(t, s, "d")
	term, _ = lockStore(t, s)
	segmentsAre(t, s, "d")
	saveStore(t, s, term, 1)
	saveStore(t, s, term, 2)
	segmentsAre(t, s, "")
}

func storeOrphans(t *testing.T, s tidemill.Store) {
	term, unlock := lockStore(t, s)
	for _, name := range []string{"a", "b", "c"} {
		writeSegment(t, s, name, name)
	}
	saveStore(t, s, term, 1, "a")
	saveStore(t, s, term, 2, "b")
	unlock()
	lockStore(t, s)
	segmentsAre(t, s, "ab")
	writeSegment(t, s, "c", "c")
	segmentsAre(t, s, "abc")
}

func storeSetAside(t *testing.T, s tidemill.Store) {
	term, unlock := lockStore(t, s)
	places := map[string]bool{}
	for i := range uint64(3) {
		writeSegment(t, s, "a", "a")
		saveStore(t, s, term, i+1, "a")
		where, err := s.SetAside(t.Context())
		if err != nil || where == "" || places[where] {
			t.Fatalf("SetAside gives %q, %v; before: %v", where, err, places)
		}
		places[where] = true
		listStore(t, s)
		segmentsAre(t, s, "")
	}
	saveStore(t, s, term, 1)
	listStore(t, s, tidemill.CheckpointID{Term: term, Seq: 1})
	unlock()
	again, _ := lockStore(t, s)
	if again <= term {
		t.Errorf("term %d after %d", again, term)
	}
}

func storeReaders(t *testing.T, s tidemill.Store) {
	term, _ := lockStore(t, s)
	saveStore(t, s, term, 1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				ids, broken, err := s.List(t.Context())
				if err != nil || len(broken) > 0 || len(ids) == 0 {
					t.Errorf("List beside Save gives %v, %v, %v", ids, broken, err)
					return
				}
				c, err := s.Load(t.Context(), ids[0])
				if errors.Is(err, fs.ErrNotExist) {
					continue // two Saves came in between
				}
				if err != nil || !reflect.DeepEqual(c.Sections, SampleCheckpoint(ids[0].Term, ids[0].Seq).Sections) {
					t.Errorf("Load beside Save: %v", err)
					return
				}
			}
		})
	}
	for seq := uint64(2); seq < 40; seq++ {
		name := fmt.Sprint("s", seq)
		writeSegment(t, s, name, name)
		saveStore(t, s, term, seq, name)
	}
	close(done)
	wg.Wait()
}
