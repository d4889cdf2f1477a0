package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/file"
	"github.com/tidemill/tidemill/format/json"
	"github.com/tidemill/tidemill/store"
)

// torn is a source whose connection breaks once in the middle of its snapshot; the rows have changed when it is read again.
type torn struct {
	script
	broken bool
}

func (s *torn) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	if s.broken {
		return s.script.Changes(ctx, after)
	}
	return func(yield func(tidemill.Batch, error) bool) {
		s.broken = true
		rows := clones(s.snapshot)
		slices.Reverse(rows)
		if yield(tidemill.Batch{Changes: rows[:7]}, nil) {
			yield(tidemill.Batch{}, errors.New("the connection broke"))
		}
	}
}

// TestSnapshotStartsOver: a snapshot that breaks off and is read again leaves nothing of the first reading in a sink, and
// nothing of the second is taken for a repetition of the first.
func TestSnapshotStartsOver(t *testing.T) {
	table := orders()
	snap, stream := history(table, 10, 20)
	for _, c := range []struct {
		name  string
		store tidemill.Store
		adopt bool
	}{{"", store.Memory(), false}, {"without a store", nil, false}, {"adopted", store.Memory(), true}} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rows.jsonl")
			if c.adopt {
				if err := os.WriteFile(path, []byte("{}\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			rejected := &tableSink{}
			var told []string
			drive(t, tidemill.Flow{Name: "capture", Source: &torn{script: script{table: table, snapshot: snap, stream: stream, cut: 4}}, Sinks: []tidemill.Sink{file.Sink(path, json.Plain()), &ordinals{lines: &told}},
				Rejects: rejected, Store: c.store, Adopt: c.adopt})
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			if c.adopt {
				if lines[0] != "{}" {
					t.Fatalf("the line that was there is gone: %s", lines[0])
				}
				lines = lines[1:]
			}
			want := append(clones(snap), stream...)
			if end := fmt.Sprintf("%d %s ", len(want), tidemill.RowPassed); told[len(told)-1] != end {
				t.Errorf("the last output is %q, not %q as in a run whose snapshot is read once", told[len(told)-1], end)
			}
			if len(lines) != len(want) {
				t.Fatalf("%d lines of %d changes", len(lines), len(want))
			}
			for i := range want {
				if id := fmt.Sprintf(`"id":%s,`, want[i].After[0]); !strings.Contains(lines[i], id) {
					t.Errorf("line %d is %s, want %s", i, lines[i], id)
				}
			}
		})
	}
}
