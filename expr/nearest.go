package expr

import "strings"

// Nearest is the word of a list that was most likely meant by word: the one with the fewest edits (a letter added, left
// out, changed, or two swapped; case does not count), or that begins as word does. It is "" where none is near. Every
// message about an unknown key, column, kind or task uses it.
func Nearest(word string, of []string) string {
	w := []rune(strings.ToLower(word))
	if len(w) == 0 || len(w) > 64 {
		return ""
	}
	best, bestCost := "", 1<<30
	for _, s := range of {
		c := []rune(strings.ToLower(s))
		if len(c) > 64 {
			continue
		}
		cost := 2 * edits(w, c)
		limit := 2 * max(1, min(len(w), len(c))*2/5)
		if len(w) >= 3 && strings.HasPrefix(string(c), string(w)) || len(c) >= 3 && strings.HasPrefix(string(w), string(c)) {
			cost = min(cost, 3) // worse than one typing mistake, better than two
		}
		if cost <= limit && cost < bestCost {
			best, bestCost = s, cost
		}
	}
	return best
}

// edits is the optimal string alignment distance (Damerau 1964, restricted).
func edits(a, b []rune) int {
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			d := one[j-1]
			if a[i-1] != b[j-1] {
				d++
			}
			d = min(d, one[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, two[j-2]+1)
			}
			row[j] = d
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
