package tidemill

import (
	"fmt"
	"time"
)

// dayMicros is a day of the flow's clock.
const dayMicros = int64(24 * time.Hour / time.Microsecond)

// CheckTime says why a column cannot tell times: it holds numbers, and unix ("s", "ms") does not say what they count.
func CheckTime(c *Column, unix string) error {
	if unix != "" || c.Kind != KindInt && c.Kind != KindFloat && c.Kind != KindDecimal {
		return nil
	}
	return fmt.Errorf("column %s holds numbers (%s): say `unix: s` or `unix: ms` beside `at:`, as what they count from 1970", c.Name, c.Kind)
}

// clockTime is the wall form of the flow's clock.
func clockTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
