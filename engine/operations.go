package engine

import "github.com/tidemill/tidemill"

// streamed are the operations that a live source may yield.
const streamed = tidemill.Insert | tidemill.Update | tidemill.Delete | tidemill.Truncate | tidemill.LogicalMessage

// checkOperations refuses what has no meaning in the stream: a change that is passed over in silence is lost.
func checkOperations(cs []tidemill.Change, locate func(*tidemill.Change) string) error {
	for i := range cs {
		op := cs[i].Op
		if op&streamed != 0 && op&(op-1) == 0 {
			continue
		}
		switch op {
		case tidemill.Read:
			return tidemill.Fatalf("at %s: the source yielded a snapshot's row after its snapshot was whole", locate(&cs[i]))
		case tidemill.Control:
			return tidemill.Fatalf("at %s: the source yielded a control: those do not come from a source", locate(&cs[i]))
		}
		return tidemill.Fatalf("at %s: the operation %s (%#x) is not known: use a newer program",
			locate(&cs[i]), op, uint16(op))
	}
	return nil
}
