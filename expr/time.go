package expr

import "time"

// parseISO reads an ISO 8601 date or time, with "T" or a space between the two, seconds and their fraction if there are
// any, and a zone Z, +hh, +hhmm or +hh:mm; without a zone it is UTC. micros counts from 1970.
func parseISO(s string) (micros int64, ok bool) {
	i := 0
	num := func(width int) (n int, ok bool) {
		if i+width > len(s) {
			return 0, false
		}
		for _, c := range []byte(s[i : i+width]) {
			if c-'0' > 9 {
				return 0, false
			}
			n = n*10 + int(c-'0')
		}
		i += width
		return n, true
	}
	lit := func(c byte) bool {
		if i < len(s) && s[i] == c {
			i++
			return true
		}
		return false
	}
	year, ok1 := num(4)
	ok1 = ok1 && lit('-')
	month, ok2 := num(2)
	ok2 = ok2 && lit('-')
	day, ok3 := num(2)
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	var hour, minute, second, offset int
	var fraction int64
	if i < len(s) {
		if !lit('T') && !lit('t') && !lit(' ') {
			return 0, false
		}
		hour, ok1 = num(2)
		ok1 = ok1 && lit(':')
		minute, ok2 = num(2)
		if !ok1 || !ok2 || hour > 23 || minute > 59 {
			return 0, false
		}
		if lit(':') {
			if second, ok1 = num(2); !ok1 || second > 59 {
				return 0, false
			}
			if lit('.') {
				from, scale := i, int64(100000)
				for ; i < len(s) && s[i]-'0' < 10; i++ {
					fraction += int64(s[i]-'0') * scale
					scale /= 10
				}
				if i == from {
					return 0, false
				}
			}
		}
		lit(' ')
		if plus := lit('+'); plus || lit('-') {
			h, ok := num(2)
			m := 0
			if i < len(s) {
				lit(':')
				var okm bool
				m, okm = num(2)
				ok = ok && okm
			}
			if !ok || h > 18 || m > 59 {
				return 0, false
			}
			if offset = h*3600 + m*60; !plus {
				offset = -offset
			}
		} else if !lit('Z') {
			lit('z')
		}
		if i != len(s) {
			return 0, false
		}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return (t.Unix()-int64(offset))*1e6 + fraction, true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
