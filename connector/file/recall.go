package file

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/tidemill/tidemill"
)

var _ tidemill.Recaller = (*Writer)(nil)

// recallBytes is how much of the file's end Recall looks at.
const recallBytes = 64 << 20

// recalledLine is what Recall reads of a line.
type recalledLine struct {
	Kind          string             `json:"kind"`
	Task          string             `json:"task"`
	ID            string             `json:"id"`
	NewID         string             `json:"new_id"`
	Prediction    string             `json:"prediction"`
	Score         *float64           `json:"score"`
	Probabilities map[string]float64 `json:"probabilities"`
	Truth         *string            `json:"truth"`
	Asked         time.Time          `json:"asked_at"`
	Answered      time.Time          `json:"answered_at"`
}

// Recall implements tidemill.Recaller. It looks at the last 64 MiB of the file: a question that was asked before them
// is left out, and so is a correction of the truth.
func (w *Writer) Recall(ctx context.Context, task string, limit int) ([]tidemill.Recalled, error) {
	f, err := os.Open(w.path)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	from := max(0, info.Size()-recallBytes)
	r := bufio.NewReaderSize(io.NewSectionReader(f, from, info.Size()-from), 1<<16)
	if from > 0 {
		if _, err := r.ReadBytes('\n'); err != nil && err != io.EOF {
			return nil, fmt.Errorf("file: %w", err)
		}
	}
	open := map[string]tidemill.Recalled{}
	var out []tidemill.Recalled
	for n := 0; ; n++ {
		b, err := r.ReadBytes('\n')
		if err == io.EOF { // a line without an end is being written
			break
		}
		if err != nil {
			return nil, fmt.Errorf("file: %w", err)
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var l recalledLine
		if json.Unmarshal(bytes.TrimSpace(b), &l) != nil || l.Task != task {
			continue // an adopted file may hold lines of somebody else
		}
		switch l.Kind {
		case "prediction":
			x := tidemill.Recalled{ID: l.ID, Label: l.Prediction, Score: math.NaN(), Probabilities: l.Probabilities,
				Asked: l.Asked}
			if l.Score != nil {
				x.Score = *l.Score
			}
			if l.Truth == nil {
				open[l.ID] = x
				continue
			}
			x.Truth, x.Answered = *l.Truth, l.Answered
			out = append(out, x)
		case "truth":
			x, ok := open[l.ID]
			if !ok || l.Truth == nil {
				continue
			}
			delete(open, l.ID)
			x.Truth, x.Answered = *l.Truth, l.Answered
			out = append(out, x)
		case "moved":
			if x, ok := open[l.ID]; ok {
				delete(open, l.ID)
				x.ID = l.NewID
				open[l.NewID] = x
			}
		}
		if len(out) >= 2*limit {
			out = slices.Delete(out, 0, len(out)-limit)
		}
	}
	out = out[max(0, len(out)-limit):]
	slices.Reverse(out)
	return out, nil
}
