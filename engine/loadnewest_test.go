package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// shelf is a store of checkpoints by their Seq, newest first, some of which cannot be loaded.
type shelf struct {
	tidemill.Store
	seqs   []uint64
	broken []error          // what List says of others
	loads  map[uint64]error // what Load says
	err    error            // of List
}

func (s *shelf) List(context.Context) (ids []tidemill.CheckpointID, broken []error, err error) {
	for _, n := range s.seqs {
		ids = append(ids, tidemill.CheckpointID{Term: 1, Seq: n})
	}
	return ids, s.broken, s.err
}

func (s *shelf) Load(_ context.Context, id tidemill.CheckpointID) (*tidemill.Checkpoint, error) {
	if err := s.loads[id.Seq]; err != nil {
		return nil, err
	}
	return &tidemill.Checkpoint{ID: id}, nil
}

// TestLoadNewest: the newest checkpoint that is whole is taken, and every other that was tried is told of. Where there are only
// broken ones, or one of a newer version, nothing is begun anew.
func TestLoadNewest(t *testing.T) {
	torn, lost, newer := errors.New("torn"), errors.New("lost"), fmt.Errorf("of tomorrow: %w", tidemill.ErrNewer)
	for _, c := range []struct {
		name     string
		s        shelf
		seq      uint64 // 0: none
		warnings string
		fails    []string
		newer    bool
	}{
		{"none", shelf{}, 0, "[]", nil, false},
		{"two", shelf{seqs: []uint64{9, 8}}, 9, "[]", nil, false},
		{"the newest is torn", shelf{seqs: []uint64{9, 8}, loads: map[uint64]error{9: torn}}, 8, "[torn]", nil, false},
		{"an older one is torn", shelf{seqs: []uint64{9, 8}, loads: map[uint64]error{8: torn}}, 9, "[]", nil, false},
		{"one is listed as broken", shelf{seqs: []uint64{9}, broken: []error{lost}}, 9, "[lost]", nil, false},
		{"one is listed, one is torn", shelf{seqs: []uint64{9, 8}, broken: []error{lost}, loads: map[uint64]error{9: torn}}, 8, "[lost torn]", nil, false},
		{"all are torn", shelf{seqs: []uint64{9, 8}, loads: map[uint64]error{9: torn, 8: lost}}, 0, "[torn lost]", []string{"no checkpoint is whole", "torn", "lost", "--fresh"}, false},
		{"only listed ones", shelf{broken: []error{lost}}, 0, "[lost]", []string{"no checkpoint is whole", "lost", "--fresh"}, false},
		{"a newer one is listed", shelf{seqs: []uint64{9}, broken: []error{newer}}, 0, "[]", []string{"of tomorrow"}, true},
		{"a newer one is loaded", shelf{seqs: []uint64{9, 8}, loads: map[uint64]error{9: newer}}, 0, "[]", []string{"of tomorrow"}, true},
		{"no list", shelf{seqs: []uint64{9}, err: lost}, 0, "[]", []string{"lost"}, false},
	} {
		got, warnings, err := loadNewest(t.Context(), &c.s)
		if (got == nil) != (c.seq == 0) || got != nil && got.ID.Seq != c.seq {
			t.Errorf("%s: loaded %+v, want %d", c.name, got, c.seq)
		}
		if fmt.Sprint(warnings) != c.warnings || (err == nil) != (c.fails == nil) || errors.Is(err, tidemill.ErrNewer) != c.newer {
			t.Errorf("%s: warnings %v, error %v", c.name, warnings, err)
		}
		for _, w := range c.fails {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not say %q", c.name, err, w)
			}
		}
	}
}
