package draft

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
)

// Systems are the systems that a first flow can be written from, by the kind of their source.
type Systems map[string]tidemill.System

// Kinds are the names: those of URLs first, then those whose files are told by how they begin, then the others.
func (s Systems) Kinds() []string {
	rank := func(kind string) int {
		switch w := s[kind].Words(); {
		case len(w.Schemes) > 0:
			return 0
		case w.Begin != "":
			return 1
		}
		return 2
	}
	names := slices.Sorted(maps.Keys(s))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return names
}

// Words are those of the systems in the order of Kinds: of URLs, or of files.
func (s Systems) Words(urls bool) (all []tidemill.Words) {
	for _, kind := range s.Kinds() {
		if w := s[kind].Words(); len(w.Schemes) > 0 == urls {
			all = append(all, w)
		}
	}
	return all
}

// open finds the system of a place and looks at it.
func (s Systems) open(ctx context.Context, place, table string) (kind string, p tidemill.Place, err error) {
	kind, err = s.kindOf(place)
	if err != nil {
		return "", nil, err
	}
	p, err = s[kind].Open(ctx, place, table)
	return kind, p, err
}

func (s Systems) kindOf(place string) (string, error) {
	scheme, _, isURL := strings.Cut(place, "://")
	for _, kind := range s.Kinds() {
		if isURL && slices.Contains(s[kind].Words().Schemes, scheme) {
			return kind, nil
		}
	}
	const most = 16 // bytes
	f, err := os.Open(place)
	if err != nil {
		return "", s.notThere(place, err)
	}
	head := make([]byte, most)
	n, _ := io.ReadFull(f, head) // a short file has a short head, a folder none
	f.Close()
	var ones []string
	for _, kind := range s.Kinds() {
		w := s[kind].Words()
		if len(w.Schemes) > 0 {
			continue
		}
		if w.Begin != "" {
			if strings.HasPrefix(string(head[:n]), w.Begin) {
				return kind, nil
			}
		} else if slices.ContainsFunc(w.Ends, func(end string) bool { return strings.HasSuffix(place, end) }) {
			return kind, nil
		}
		ones = append(ones, w.One)
	}
	return "", mistake("%s is %s", place, neither(ones))
}

// notThere says why a place is none, where it is no file.
func (s Systems) notThere(place string, err error) error {
	scheme, _, isURL := strings.Cut(place, "://")
	var many, one, full []string
	for _, w := range s.Words(true) {
		many, one, full = append(many, "at "+w.Many), append(one, w.One), append(full, w.Full)
	}
	for _, w := range s.Words(false) {
		many = append(many, "at "+w.Many)
	}
	switch {
	case isURL:
		return mistake("there is no source for %s:// URLs; it looks %s", scheme, Listed(many, ", and "))
	case strings.Contains(place, "="):
		return mistake("that is neither a file nor a URL; write %s", Listed(full, " or "))
	case errors.Is(err, os.ErrNotExist):
		return mistake("%s is neither a file nor a URL like %s", place, Listed(one, " or "))
	}
	return err
}

// Listed joins words as a sentence does: "a, b or c", with what stands before the last.
func Listed(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + last + words[n]
}

// neither is "neither a, b nor c".
func neither(words []string) string {
	if len(words) < 2 {
		return "not " + strings.Join(words, "")
	}
	return "neither " + Listed(words, " nor ")
}
