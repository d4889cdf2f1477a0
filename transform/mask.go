package transform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"

	"github.com/tidemill/tidemill"
)

// MaskConfig hides the values of columns before anything is stored, logged or learned.
type MaskConfig struct {
	Columns []string `yaml:"columns" like:"email" required:"true" doc:"The columns whose values are hidden, in rows as they are and as they were."`
	How     string   `yaml:"how" enum:"empty,stars,hash" doc:"What stands in their place: NULL (empty); three stars; or a keyed hash, which is the same for equal values and so still joins and groups. Default empty."`
	Secret  string   `yaml:"secret" secret:"true" doc:"The key of the hash (HMAC-SHA-256, 32 hexadecimal digits of it), at least 16 characters: '${MASK_SECRET}'. Who has it can find out guessed values. Default none."`
	Table   string   `yaml:"table" doc:"The table whose rows it is about; those of others pass. Default every table."`
	When    string   `yaml:"when" expr:"true" doc:"An expression: only rows for which it is true, or cannot be told, are masked. Default none."`
}

// NewMaskConfig is the config with its defaults.
func NewMaskConfig() *MaskConfig { return &MaskConfig{How: "empty"} }

// Build makes the transform. It fails for a hash without a secret.
func (c *MaskConfig) Build(string) (tidemill.Transform, error) {
	if err := checkNames("columns", c.Columns); err != nil {
		return nil, err
	}
	how, secret, sometimes := c.How, []byte(c.Secret), c.When != ""
	says := quoted(c.Columns) + " " + how
	switch {
	case how != "empty" && how != "stars" && how != "hash":
		return nil, fmt.Errorf("how is %q; say empty, stars or hash", how)
	case how == "hash" && len(secret) < 16:
		return nil, errors.New("secret: the hash takes a secret of at least 16 characters, as in '${MASK_SECRET}': " +
			"without one, values are found by guessing")
	case how != "hash" && len(secret) > 0:
		return nil, errors.New("secret: only how: hash takes one")
	case how == "hash":
		sum := sha256.Sum256(append([]byte("tidemill mask "), secret...))
		says += " " + hex.EncodeToString(sum[:4]) // another secret is another setting
	}
	names := slices.Clone(c.Columns)
	r := &rows{plan: func(t *tidemill.Table) (*plan, error) { return masked(t, names, how, secret, sometimes) }}
	return r, r.init("mask", says, c.Table, c.When)
}

func masked(t *tidemill.Table, names []string, how string, secret []byte, sometimes bool) (*plan, error) {
	hidden, err := columnsOf(t, names)
	if err != nil {
		return nil, err
	}
	columns := slices.Clone(t.Columns)
	for _, i := range hidden {
		x := &columns[i]
		switch {
		case how != "hash" && slices.Contains(t.Key, i):
			return nil, fmt.Errorf("column %q is of the key, which says what a row is: say how: hash", x.Name)
		case how == "empty":
			x.Nullable = true
		case sometimes && x.Kind != tidemill.KindText:
			x.Kind, x.Native, x.OID, x.Mod, x.Default = tidemill.KindUnknown, "", 0, 0, nil // of both kinds
		default:
			x.Kind, x.Native, x.OID, x.Mod, x.Default = tidemill.KindText, "text", 0, 0, nil
		}
	}
	hide := func(tidemill.Value) tidemill.Value { return tidemill.Null() }
	switch how {
	case "stars":
		hide = func(tidemill.Value) tidemill.Value { return tidemill.Text("***") }
	case "hash":
		hide = keyed(hmac.New(sha256.New, secret))
	}
	return &plan{to: shaped(t, t.Schema, t.Name, columns, t.Key), width: len(columns), safe: true,
		row: func(dst, src []tidemill.Value, holds verdict) {
			copy(dst, src[:min(len(src), len(columns))])
			for _, i := range hidden {
				if holds == yes && dst[i].Known() && !dst[i].IsNull() {
					dst[i] = hide(dst[i])
				}
			}
		}}, nil
}

// keyed hashes a value's canonical text.
func keyed(h hash.Hash) func(tidemill.Value) tidemill.Value {
	var text []byte
	return func(v tidemill.Value) tidemill.Value {
		h.Reset()
		text = v.AppendText(text[:0])
		h.Write(text)
		var sum [sha256.Size]byte
		return tidemill.TextBytes(hex.AppendEncode(nil, h.Sum(sum[:0])[:16]))
	}
}
