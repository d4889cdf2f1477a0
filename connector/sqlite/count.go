package sqlite

import (
	"context"

	"github.com/tidemill/tidemill"
)

var _ tidemill.Counter = (*Capture)(nil)

// Count implements tidemill.Counter. It counts, on a connection of its own.
func (c *Capture) Count(ctx context.Context) (snapshot, stream uint64, err error) {
	tables, err := c.Tables(ctx)
	if err != nil {
		return 0, 0, err
	}
	d, err := look(c.path)
	if err != nil {
		return 0, 0, err
	}
	defer d.close()
	d.watch(ctx)
	err = d.retry(ctx, func() error {
		snapshot = 0
		for _, t := range tables {
			n, err := d.one("SELECT count(*) FROM main." + quoting.Name(t.Name))
			if err != nil {
				return err
			}
			snapshot += uint64(n)
		}
		return nil
	})
	return snapshot, 0, explain(c.path, err)
}
