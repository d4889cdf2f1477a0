package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

type unit struct {
	name string
	size float64
}

// The units of a duration from large to small: a day is 24 hours, a week 7 days.
func durationUnits() []unit {
	return []unit{{"w", 7 * 24 * float64(time.Hour)}, {"d", 24 * float64(time.Hour)}, {"h", float64(time.Hour)},
		{"m", float64(time.Minute)},
		{"s", float64(time.Second)}, {"ms", float64(time.Millisecond)}, {"us", float64(time.Microsecond)}, {"ns", 1}}
}

// ParseDuration reads a duration as flows write it: 10s, 30m, 2d, 1w, 1d12h, 1.5h; 0 needs no unit.
func ParseDuration(s string) (time.Duration, bool) {
	if s == "0" {
		return 0, true
	}
	total := 0.0
	for rest := s; rest != "" || s == ""; {
		i := 0
		for i < len(rest) && (rest[i]-'0' < 10 || rest[i] == '.') {
			i++
		}
		j := i
		for j < len(rest) && rest[j]-'a' < 26 {
			j++
		}
		x, err := strconv.ParseFloat(rest[:i], 64)
		size := 0.0
		for _, u := range durationUnits() {
			if u.name == rest[i:j] {
				size = u.size
			}
		}
		if err != nil || size == 0 {
			return 0, false
		}
		total += x * size
		rest = rest[j:]
	}
	if total > math.MaxInt64/2 {
		return 0, false
	}
	return time.Duration(math.Round(total)), true
}

// formatDuration is the shortest text that ParseDuration reads back.
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range durationUnits() {
		if n := d / time.Duration(u.size); n > 0 && !(u.name == "w" && d%time.Duration(u.size) != 0) {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			d -= n * time.Duration(u.size)
		}
	}
	return b.String()
}

func byteUnits() []unit {
	return []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
}

// parseBytes reads 64MiB, 1.5GB, 4096.
func parseBytes(s string) (int64, bool) {
	number, size := s, 1.0
	for _, u := range byteUnits() {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			number, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(number, "_", ""), 64)
	if err != nil || !(x >= 0) || x*size > 1<<53 {
		return 0, false
	}
	return int64(x * size), true
}

func formatBytes(n int64) string {
	for _, u := range byteUnits()[:3] {
		if size := int64(u.size); n >= size && n%size == 0 {
			return strconv.FormatInt(n/size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// parseRange reads 0..9.
func parseRange(s string) (from, to int64, ok bool) {
	a, b, found := strings.Cut(s, "..")
	if !found {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	return from, to, err == nil && err2 == nil && from <= to && to-from < 1<<16
}
