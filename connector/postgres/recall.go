package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
)

var _ tidemill.Finder = (*Capture)(nil)

// readTime gives a time in microseconds since 1970, and nothing for infinity.
func readTime(column string) string {
	return "CASE WHEN isfinite(" + column + ") THEN (extract(epoch FROM " + column + ") * 1000000)::int8 END"
}

func parseTime(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// Find implements tidemill.Finder.
func (r *Capture) Find(ctx context.Context, table, column string, ids []string) (map[string]tidemill.Value, error) {
	name, err := parseTable(table)
	if err != nil {
		return nil, err
	}
	s, err := connect(ctx, r.url, false)
	if err != nil {
		return nil, err
	}
	defer s.shut()
	info, err := newCatalog(s).info(ctx, name)
	if err != nil || info == nil || len(info.key) != 1 {
		return nil, err
	}
	found := map[string]tidemill.Value{}
	native := ""
	for _, c := range info.columns {
		if c.name == column {
			native = c.native
		}
	}
	if native == "" || len(ids) == 0 {
		return found, nil
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = quoting.Text(id)
	}
	rows, err := s.ask(ctx, `SELECT `+quoting.Name(info.key[0])+`::text, `+quoting.Name(column)+` FROM `+name.sql()+
		` WHERE `+quoting.Name(info.key[0])+`::text IN (`+strings.Join(list, ", ")+`)`)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		switch hexed, isHex := strings.CutPrefix(string(row[1]), `\x`); {
		case row[1] == nil:
			found[string(row[0])] = tidemill.Null()
		case native == "bytea" && isHex:
			b, err := hex.DecodeString(hexed)
			if err != nil {
				return nil, fmt.Errorf("postgres: table %s, row %s, column %s: %w", name, row[0], column, err)
			}
			found[string(row[0])] = tidemill.Blob(b)
		default:
			found[string(row[0])] = tidemill.Text(string(row[1]))
		}
	}
	return found, nil
}
