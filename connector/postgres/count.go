package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tidemill/tidemill"
)

var _ tidemill.Counter = (*Capture)(nil)

// Count implements tidemill.Counter with the planner's estimate, which needs no look at the rows.
func (r *Capture) Count(ctx context.Context) (snapshot, stream uint64, err error) {
	if r.problem != nil {
		return 0, 0, r.problem
	}
	s, err := connect(ctx, r.url, false)
	if err != nil {
		return 0, 0, err
	}
	defer s.shut()
	for _, t := range r.tables {
		rows, err := s.ask(ctx, "EXPLAIN (FORMAT JSON) SELECT 1 FROM "+t.sql())
		if err != nil {
			return 0, 0, err
		}
		var plan []struct {
			Plan struct {
				Rows float64 `json:"Plan Rows"`
			}
		}
		if len(rows) != 1 || json.Unmarshal(rows[0][0], &plan) != nil || len(plan) != 1 {
			return 0, 0, fmt.Errorf("postgres: the plan of a scan of %s cannot be read", t)
		}
		snapshot += uint64(max(plan[0].Plan.Rows, 0))
	}
	return snapshot, 0, nil
}

// Retained implements tidemill.Retainer: the bytes of WAL that the server keeps for the slot. It asks on a connection
// of its own, and closes it.
func (r *Capture) Retained(ctx context.Context) (uint64, error) {
	if r.problem != nil {
		return 0, r.problem
	}
	s, err := connect(ctx, r.url, false)
	if err != nil {
		return 0, err
	}
	defer s.shut()
	st, err := lookSlot(ctx, s, r.slot)
	if err != nil {
		return 0, err
	}
	if st == nil {
		return 0, fmt.Errorf("postgres: there is no slot %q", r.slot)
	}
	if st.lost != "" {
		return 0, fmt.Errorf("postgres: slot %q: %s", r.slot, st.lost)
	}
	return uint64(max(st.retained, 0)), nil
}
