package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

var _ tidemill.Finder = (*Capture)(nil)

// Find implements tidemill.Finder.
func (c *Capture) Find(ctx context.Context, table, column string, ids []string) (map[string]tidemill.Value, error) {
	d, err := look(c.path)
	if err != nil {
		return nil, err
	}
	defer d.close()
	d.watch(ctx)
	found := map[string]tidemill.Value{}
	err = d.retry(ctx, func() error {
		l, err := d.layout(table[strings.LastIndexByte(table, '.')+1:])
		if err != nil {
			return err
		}
		t := l.table()
		if len(t.Key) != 1 || t.Col(column) < 0 {
			return nil
		}
		key := quoting.Name(t.Columns[t.Key[0]].Name)
		for _, id := range ids {
			// The key's affinity turns the text into what the column holds.
			if err := d.query(fmt.Sprintf("SELECT %s FROM main.%s WHERE %s=?",
				quoting.Name(column), quoting.Name(t.Name), key), func(s *stmt) error {
				found[id] = s.value(0, &slab{}).Clone()
				return nil
			}, id); err != nil {
				return err
			}
		}
		return nil
	})
	return found, explain(c.path, err)
}
