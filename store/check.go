package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemill/tidemill"
)

// Check looks at the folder without changing it: what is whole, what is damaged, and whether it lies where a checkpoint
// outlives a power cut.
func (f *Folder) Check(ctx context.Context) []tidemill.Finding {
	const path = "checkpoint.dir"
	var found []tidemill.Finding
	ids, broken, err := f.List(ctx)
	for _, b := range broken {
		found = append(found, tidemill.Finding{Path: path, Level: "warning",
			Text: b.Error(), Mend: "nothing to do while another checkpoint is whole; look at the disk's health"})
	}
	switch {
	case errors.Is(err, tidemill.ErrNewer):
		found = append(found, tidemill.Finding{Path: path, Level: "error",
			Text: err.Error(), Mend: "run the newer version of the program"})
	case err != nil:
		found = append(found, tidemill.Finding{Path: path, Level: "error", Text: err.Error()})
	case len(ids) == 0 && len(broken) > 0:
		found = append(found, tidemill.Finding{Path: path, Level: "error", Text: "no checkpoint in " + f.root + " is whole",
			Mend: "run --fresh to begin with a new snapshot; the damaged files are kept beside it"})
	case len(ids) == 0:
		found = append(found, tidemill.Finding{Path: path, Level: "ok", Text: f.root + " has no checkpoint yet"})
	default:
		found = append(found, tidemill.Finding{Path: path, Level: "ok",
			Text: fmt.Sprintf("%s has %d whole checkpoints, the newest is %d.%d", f.root, len(ids), ids[0].Term, ids[0].Seq)})
	}
	if _, ok := f.disk.(local); ok {
		if text := volatile(f.root); text != "" {
			found = append(found, tidemill.Finding{Path: path, Level: "warning",
				Text: f.root + " " + text, Mend: "name a folder on a local disk"})
		}
	}
	return found
}
