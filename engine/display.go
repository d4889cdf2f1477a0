package engine

import (
	"github.com/tidemill/tidemill"
)

// display is what people are shown of a task and no model sees: the categories' names, a row for the form, the newest
// predictions.
type display struct {
	names   *names
	example example
	latest  []LatestStatus // newest last
}

// latestMax is how many predictions are kept for people.
const latestMax = 24

// remember keeps a prediction for the dashboard, with its picture.
func (d *display) remember(o *tidemill.Output, row *batchRow, features []tidemill.Feature) {
	l := LatestStatus{ID: o.ID, Label: o.Label, Score: figure(o.Score), Truth: row.truth,
		Version: o.Version.String(), Asked: o.Asked}
	if len(d.latest) == latestMax {
		copy(d.latest, d.latest[1:])
		d.latest = d.latest[:latestMax-1]
	}
	for _, f := range features {
		if p, ok := f.(tidemill.Pictured); ok {
			if pix, err := p.Pixels(nil, row.c); err == nil {
				l.Picture = pix
			}
			break
		}
	}
	d.latest = append(d.latest, l)
}

// setTruth completes a prediction among the latest.
func (d *display) setTruth(id, truth string) {
	for i := len(d.latest) - 1; i >= 0; i-- {
		if d.latest[i].ID == id {
			d.latest[i].Truth = truth
			return
		}
	}
}
