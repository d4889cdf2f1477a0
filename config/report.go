package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// place is where a path stands in the file.
type place struct {
	line, col, width int
}

// report collects what is wrong.
type report struct {
	file    string
	lines   []string
	errs    Errors
	places  map[string]place
	secrets []string
	scalars map[string]*node // the expressions
}

func newReport(file string, data []byte) *report {
	return &report{file: file, lines: strings.Split(string(data), "\n"), places: map[string]place{},
		scalars: map[string]*node{}}
}

func (r *report) line(no int) string {
	if no < 1 || no > len(r.lines) {
		return ""
	}
	return strings.TrimRight(r.lines[no-1], "\r")
}

func (r *report) at(line, col int, path string, width int, format string, a ...any) {
	r.errs = append(r.errs, &Error{File: r.file, Line: line, Col: col, Path: path, Width: width,
		Reason: fmt.Sprintf(format, a...)})
}

func (r *report) node(n *node, path, format string, a ...any) {
	r.at(n.line, n.col, path, n.width, format, a...)
}

// path reports at the place of a path, or of the nearest path above it.
func (r *report) path(path, format string, a ...any) {
	p := r.find(path)
	r.at(p.line, p.col, path, p.width, format, a...)
}

// word reports at a word within what a path holds, or at the path where it does not stand there.
func (r *report) word(path, word, format string, a ...any) {
	p := r.find(path)
	same := func(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }
	want := []rune(word)
	for no := p.line; no <= len(r.lines) && len(want) > 0; no++ {
		line, from := []rune(r.line(no)), p.col+p.width-1
		if no > p.line {
			text := strings.TrimLeft(string(line), " ")
			if from = 0; text != "" && len(line)-len([]rune(text)) < p.col-1 {
				break // what the path holds is over
			}
		}
		for i := from; i+len(want) <= len(line); i++ {
			if line[i] == '#' && i > 0 && line[i-1] == ' ' {
				break
			}
			end := i + len(want)
			if slices.Equal(line[i:end], want) && (i == 0 || !same(line[i-1])) &&
				(end == len(line) || !same(line[end]) && line[end] != ':') {
				r.at(no, i+1, path, len(want), format, a...)
				return
			}
		}
	}
	r.path(path, format, a...)
}

// columnWord is the column that an error of a feature is about.
var columnWord = regexp.MustCompile(`column "([^"]+)"`)

// column reports an error of a feature at the column that it names, or at the feature.
func (r *report) column(path string, err error) {
	if m := columnWord.FindStringSubmatch(err.Error()); m != nil {
		r.word(path, m[1], "%v", err)
		return
	}
	r.path(path, "%v", err)
}

func (r *report) find(path string) place {
	for {
		if p, ok := r.places[path]; ok {
			return p
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return place{1, 1, 1}
		}
		path = path[:i]
	}
}

// password is the secret part of a URL.
var password = regexp.MustCompile(`(://[^:/@\s]*:)[^@\s]+(@)`)

func (r *report) star(s string) string {
	for _, secret := range r.secrets { // longest first
		s = strings.ReplaceAll(s, secret, "***")
	}
	return password.ReplaceAllString(s, "${1}***${2}")
}

// finish sorts the errors by place, gives them their lines and hides the secrets; nil if there are none.
func (r *report) finish() error {
	if len(r.errs) == 0 {
		return nil
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	sort.SliceStable(r.errs, func(i, j int) bool {
		a, b := r.errs[i], r.errs[j]
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), strings.Compare(a.Reason, b.Reason)) < 0
	})
	seen := map[string]bool{}
	var errs Errors
	for _, e := range r.errs {
		e.Reason = r.star(e.Reason)
		if key := e.Error(); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		text := []rune(r.line(e.Line))
		at := min(max(e.Col-1, 0), len(text))
		before, rest := r.star(string(text[:at])), r.star(string(text[at:]))
		e.Text, e.Caret = before+rest, utf8.RuneCountInString(before)+1
		e.Width = min(e.Width, max(1, utf8.RuneCountInString(rest)))
		errs = append(errs, e)
	}
	return errs
}
