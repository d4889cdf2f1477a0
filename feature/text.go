package feature

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// ngrams turns text into sparse terms; see Text.
type ngrams struct {
	columnar
	config TextConfig
	seed   uint64
}

// TextConfig turns a text into its words, or runs of letters, as sparse weights by their hash.
type TextConfig struct {
	Column  string `yaml:"column" like:"note" short:"true" required:"true" doc:"The column of text."`
	Of      string `yaml:"of" enum:"words,characters" doc:"What an n-gram is made of: words (runs of letters and digits), or characters. Default words."`
	From    int    `yaml:"from" doc:"The shortest n-gram. Default 1."`
	To      int    `yaml:"to" doc:"The longest n-gram. Default 1."`
	Case    bool   `yaml:"case" doc:"Tell upper from lower case. Default false."`
	Value   string `yaml:"value" enum:"count,binary,log" doc:"A term's number: how often it is there, 1, or ln(1+count). Default count."`
	Norm    bool   `yaml:"norm" doc:"Divide by the root of the sum of squares, so that long texts weigh what short ones do. Default false."`
	Buckets int    `yaml:"buckets" doc:"How many weights all n-grams share. Default 0: each its own."`
	Max     int    `yaml:"max" doc:"Bytes of a text that are read; the rest adds nothing. Default 65536."`
}

// NewTextConfig is the config with its defaults.
func NewTextConfig() *TextConfig {
	return &TextConfig{Of: "words", From: 1, To: 1, Value: "count", Max: 1 << 16}
}

// Build makes the feature. It fails for settings that are out of range.
func (c *TextConfig) Build(string) (tidemill.Feature, error) {
	switch {
	case c.Of != "words" && c.Of != "characters":
		return nil, fmt.Errorf("text: of is %q; say words or characters", c.Of)
	case c.From < 1 || c.To < c.From || c.To > 16:
		return nil, fmt.Errorf("text: n-grams from %d to %d; say 1 to 16, the shorter first", c.From, c.To)
	case c.Value != "count" && c.Value != "binary" && c.Value != "log":
		return nil, fmt.Errorf("text: value is %q; say count, binary or log", c.Value)
	case c.Buckets < 0:
		return nil, fmt.Errorf("text: buckets is %d; say a number from 1, or leave it out", c.Buckets)
	case c.Max < 1:
		return nil, fmt.Errorf("text: max is %d; say a number from 1", c.Max)
	}
	return newText(*c), nil
}

// Text turns a column of text into one sparse term per word, its number being how often the word is there; words are
// runs of letters, digits and marks, without regard to case. TextConfig sets n-grams of words or characters, counts, a
// norm and buckets. An n-gram of words is its words joined by a space. NULL and the empty text add nothing. Terms are
// in the order of their hashes, each once.
func Text(column string) tidemill.Feature {
	c := NewTextConfig()
	c.Column = column
	return newText(*c)
}

func newText(c TextConfig) *ngrams {
	return &ngrams{columnar: columnar{kind: "text", cols: []string{c.Column}, terms: true, fits: fitsText}, config: c,
		seed: tidemill.Hash("text", c.Column)}
}

func fitsText(k tidemill.Kind) string {
	if k == tidemill.KindBytes {
		return "holds bytes, not text"
	}
	return ""
}

// Describe implements tidemill.Feature.
func (f *ngrams) Describe() string {
	c := &f.config
	return fmt.Sprintf("text %s of=%s from=%d to=%d case=%v value=%s norm=%v buckets=%d max=%d",
		c.Column, c.Of, c.From, c.To, c.Case, c.Value, c.Norm, c.Buckets, c.Max)
}

// Append implements tidemill.Feature.
func (f *ngrams) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	v := row[at[0]]
	if v.IsNull() {
		return nil
	}
	if !v.Known() {
		return reject(c, at[0], errNotSent)
	}
	var scratch [64]byte
	s := text(v, &scratch)
	if len(s) > f.config.Max {
		s = s[:f.config.Max]
	}
	from := len(dst.Terms)
	var buffer [512]byte
	if f.config.Of == "words" {
		f.words(dst, s, buffer[:0])
	} else {
		f.characters(dst, s, buffer[:0])
	}
	dst.Terms = dst.Terms[:from+f.weigh(dst.Terms[from:])]
	return nil
}

func (f *ngrams) add(dst *tidemill.Vector, gram []byte) {
	h := bucket(tidemill.HashBytes(f.seed, gram), f.seed, f.config.Buckets)
	dst.Terms = append(dst.Terms, tidemill.Term{Hash: h, Value: 1})
}

func (f *ngrams) fold(r rune) rune {
	if f.config.Case {
		return r
	}
	return unicode.ToLower(r)
}

// words writes the words into clean, one space between two, and adds every run of From to To of them.
func (f *ngrams) words(dst *tidemill.Vector, s, clean []byte) {
	var room [64]int
	starts := room[:0]
	in := false
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		s = s[n:]
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			in = false
			continue
		}
		if !in {
			if len(clean) > 0 {
				clean = append(clean, ' ')
			}
			starts = append(starts, len(clean))
			in = true
		}
		clean = utf8.AppendRune(clean, f.fold(r))
	}
	for i, from := range starts {
		for n := f.config.From; n <= f.config.To && i+n <= len(starts); n++ {
			to := len(clean)
			if i+n < len(starts) {
				to = starts[i+n] - 1
			}
			f.add(dst, clean[from:to])
		}
	}
}

// characters adds every run of From to To characters.
func (f *ngrams) characters(dst *tidemill.Vector, s, clean []byte) {
	var room [128]int
	starts := room[:0]
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		s = s[n:]
		starts = append(starts, len(clean))
		clean = utf8.AppendRune(clean, f.fold(r))
	}
	for i, from := range starts {
		for n := f.config.From; n <= f.config.To && i+n <= len(starts); n++ {
			to := len(clean)
			if i+n < len(starts) {
				to = starts[i+n]
			}
			f.add(dst, clean[from:to])
		}
	}
}

// weigh sorts the terms, joins equal ones and sets their numbers; it returns how many are left.
func (f *ngrams) weigh(terms []tidemill.Term) int {
	slices.SortFunc(terms, func(a, b tidemill.Term) int { return cmp.Compare(a.Hash, b.Hash) })
	n := 0
	for _, t := range terms {
		if n > 0 && terms[n-1].Hash == t.Hash {
			terms[n-1].Value++
			continue
		}
		terms[n] = t
		n++
	}
	squares := 0.0
	for i := range terms[:n] {
		t := &terms[i]
		switch f.config.Value {
		case "binary":
			t.Value = 1
		case "log":
			t.Value = math.Log1p(t.Value)
		}
		squares += float64(t.Value * t.Value)
	}
	if f.config.Norm && n > 0 {
		root := math.Sqrt(squares)
		for i := range terms[:n] {
			terms[i].Value /= root
		}
	}
	return n
}
