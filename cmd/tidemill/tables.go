package main

import (
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
)

// wantsKey finds tables whose rows nothing tells apart, where a task must join a question and its answer.
func wantsKey(f *config.File, tables []*tidemill.Table) (found []tidemill.Finding) {
	for _, table := range tables {
		if len(table.Key) > 0 {
			continue
		}
		mend := "name columns that no two rows share with `id:` in the task"
		if m, ok := f.Flow.Source.(tidemill.Mender); ok {
			if statement := m.MendKey(table); statement != "" {
				mend = statement + "\nor " + mend
			}
		}
		for i := range f.Flow.Tasks {
			t := &f.Flow.Tasks[i]
			joined := false
			for k, on := range []tidemill.On{t.Predict, t.Evaluate, t.Learn} {
				for _, o := range append([]tidemill.On{on}, on.Also...) {
					// What is only learned, never asked about, needs no id.
					asked := k < 2 || t.Predict.Table != ""
					joined = joined || o.Table != "" && table.Is(o.Table) && o.ID == "" && asked
				}
			}
			if joined {
				found = append(found, tidemill.Finding{Path: "source", Level: "error", Mend: mend,
					Text: fmt.Sprintf("task %s joins questions and answers by the primary key, and %s has none", t.Name, table)})
			}
		}
	}
	return found
}

// wantsBefore finds features that need the rows of a table as they were before an UPDATE, where the source brings their
// key alone. Where a task waits for updates of the table the flow would stop at once, elsewhere at the first one.
func wantsBefore(f *config.File, tables []*tidemill.Table) (found []tidemill.Finding) {
	for i := range f.Flow.Tasks {
		t := &f.Flow.Tasks[i]
		for _, table := range tables {
			if !table.KeyOnly {
				continue
			}
			level := "warning"
			if waitsForUpdates(t, table) {
				level = "error"
			}
			mend := "a source that brings whole rows"
			if m, ok := f.Flow.Source.(tidemill.Mender); ok {
				statement, setting := m.MendBefore(table)
				mend = statement + setting
			}
			for _, feature := range t.Features {
				if _, before := feature.Needs(table, tidemill.Folds); before {
					found = append(found, tidemill.Finding{Path: "source", Level: level, Mend: mend,
						Text: fmt.Sprintf("task %s: %s needs the rows of %s as they were before an UPDATE, which brings their key alone",
							t.Name, feature.Describe(), table)})
					break
				}
			}
		}
	}
	return found
}

// waitsForUpdates reports whether an UPDATE of the table concerns a task.
func waitsForUpdates(t *tidemill.Task, table *tidemill.Table) bool {
	for _, on := range []tidemill.On{t.Predict, t.Learn, t.Evaluate} {
		for _, o := range append([]tidemill.On{on}, on.Also...) {
			if o.Table != "" && table.Is(o.Table) && o.Op&tidemill.Update != 0 {
				return true
			}
		}
	}
	return false
}
