package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/tidemill/tidemill"
)

// shape is a layout with its number and what decoding its log rows needs.
type shape struct {
	*layout
	id      int64
	table   *tidemill.Table
	restore []bool // columns whose old value is logged by difference
	added   []bool // columns that the shape before did not have
}

// newShape makes the shape that follows before, which is nil for the first of a table.
func newShape(id int64, l *layout, before *shape) *shape {
	s := &shape{layout: l, id: id, table: l.table(), restore: make([]bool, len(l.Columns)),
		added: make([]bool, len(l.Columns))}
	if before != nil && before.table.Sum == s.table.Sum && before.table.KeyOnly == s.table.KeyOnly {
		s.table = before.table
	}
	for i := range l.Columns {
		s.restore[i] = l.Before != "key" && l.Columns[i].wide()
		s.added[i] = before != nil && before.table.Col(l.Columns[i].Name) < 0
	}
	return s
}

// shapes reads the shapes of the log by number; those in known are taken over.
func (d *db) shapes(m *meta, known map[int64]*shape) (map[int64]*shape, error) {
	all := map[int64]*shape{}
	latest := map[string]*shape{}
	err := d.query(fmt.Sprintf("SELECT shape, body FROM main.%s WHERE shape>0 ORDER BY shape",
		quoting.Name(shapesTable(m.log))), func(s *stmt) error {
		id := s.int(0)
		if k := known[id]; k != nil {
			all[id], latest[k.Name] = k, k
			return nil
		}
		l := new(layout)
		if err := json.Unmarshal(s.raw(1), l); err != nil || !l.valid() {
			return tidemill.Fatalf("sqlite: %s: shape %d in %s is damaged; run with --fresh to start over",
				d.path, id, shapesTable(m.log))
		}
		all[id] = newShape(id, l, latest[l.Name])
		latest[l.Name] = all[id]
		return nil
	})
	return all, err
}

func (l *layout) valid() bool {
	for _, k := range l.Key {
		if k < 0 || k >= len(l.Columns) {
			return false
		}
	}
	return l.Name != "" && (l.Before == "full" || l.Before == "key")
}
