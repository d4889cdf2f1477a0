package serve

// nearest is the word among words that is closest to w by edit distance, or "" when none is close.
func nearest(w string, words []string) string {
	best, at := "", max(2, len(w)/3)+1
	if len(w) > 128 {
		return ""
	}
	for _, c := range words {
		if len(c) > 128 {
			continue
		}
		if d := distance(w, c); d < at {
			best, at = c, d
		}
	}
	return best
}

// distance is the optimal string alignment distance in bytes, letters of either case being equal: insertions, deletions,
// replacements and swaps of neighbours cost 1.
func distance(a, b string) int {
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			x, y := lower(a[i]), lower(b[j])
			cost := 1
			if x == y {
				cost = 0
			}
			row[j+1] = min(one[j+1]+1, row[j]+1, one[j]+cost)
			if i > 0 && j > 0 && x == lower(b[j-1]) && lower(a[i-1]) == y {
				row[j+1] = min(row[j+1], two[j-1]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
