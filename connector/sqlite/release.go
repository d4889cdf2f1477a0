package sqlite

import (
	"context"
	"time"

	"github.com/tidemill/tidemill"
)

// How much of the log one Release deletes, and in what portions: a portion takes the write lock for some milliseconds,
// and between two of them other writers get it. What is left goes with the next Release, or while the stream is idle.
const (
	pruneRows  = 1_000_000
	pruneFirst = 1_000
	pruneMost  = 20_000
	pruneTime  = 5 * time.Millisecond
	prunePause = 2 * time.Millisecond
)

// Release deletes the log's rows before upto, some at once and the rest later. The row at
// upto stays: it holds the place.
func (c *Capture) Release(ctx context.Context, upto tidemill.Position) error {
	if upto == "" || upto == tidemill.Begun {
		return nil
	}
	at, err := parsePlace(upto)
	if err != nil {
		return err
	}
	d, err := openFile(c.path, readWrite)
	if err != nil {
		return err
	}
	defer d.close()
	d.watch(ctx)
	var m *meta
	if err := d.retry(ctx, func() (err error) { m, err = d.meta(c.log); return err }); err != nil {
		return explain(c.path, err)
	}
	if m == nil || m.ID != at.log {
		return nil // another log than the position's: nothing to forget. Changes says so.
	}
	c.wanted.Store(max(c.wanted.Load(), at.seq))
	if err := d.relaxed(ctx); err != nil {
		return explain(c.path, err)
	}
	_, err = d.prune(ctx, c.log, at.seq, pruneRows)
	return explain(c.path, err)
}

// relaxed leaves out the sync of each commit where that keeps the file whole: a deletion that a power cut undoes is
// made again.
func (d *db) relaxed(ctx context.Context) error {
	return d.retry(ctx, func() error {
		mode, err := d.text("PRAGMA main.journal_mode")
		if err != nil || mode != "wal" {
			return err
		}
		return d.exec("PRAGMA synchronous=NORMAL")
	})
}

// prune deletes about most rows of the log before upto; done when none are left. It gives way
// when another writer is busy.
func (d *db) prune(ctx context.Context, log string, upto, most int64) (done bool, err error) {
	var low int64
	table := "main." + quoting.Name(log)
	err = d.retry(ctx, func() (err error) {
		low, err = d.one("SELECT seq FROM " + table + " ORDER BY seq LIMIT 1")
		return err
	})
	if err != nil || low == 0 {
		return true, err
	}
	for n, end := int64(pruneFirst), low+most; low < upto && low < end; {
		to := min(low+n, upto)
		began := time.Now()
		err := d.exec("BEGIN IMMEDIATE")
		if err == nil {
			err = d.query("DELETE FROM "+table+" WHERE seq<?", nil, to)
			if err == nil {
				err = d.exec("COMMIT")
			}
			if err != nil && d.inTransaction() {
				d.exec("ROLLBACK")
			}
		}
		if isBusy(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		low = to
		switch took := time.Since(began); {
		case took > 2*pruneTime:
			n = max(n/2, 16)
		case took < pruneTime:
			n = min(2*n, pruneMost)
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(prunePause):
		}
	}
	return low >= upto, nil
}
