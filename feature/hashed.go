package feature

import (
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

// hashed turns categories into sparse terms at once; see Hashed.
type hashed struct {
	columnar
	seeds   []uint64
	buckets int
}

// HashedConfig reads columns as categories without ever listing them: each is a sparse weight by its hash.
type HashedConfig struct {
	Columns []string `yaml:"columns" like:"country" short:"true" required:"true" doc:"The columns; every distinct value is a category."`
	Buckets int      `yaml:"buckets" doc:"How many weights the categories of a column share. Default 0: each its own."`
}

// NewHashedConfig is the config with its defaults.
func NewHashedConfig() *HashedConfig { return &HashedConfig{} }

// Build makes the feature. It fails for a negative number of buckets.
func (c *HashedConfig) Build(string) (tidemill.Feature, error) {
	if c.Buckets < 0 {
		return nil, fmt.Errorf("hashed: buckets is %d; say a number from 1, or leave it out", c.Buckets)
	}
	return newHashed(c.Columns, c.Buckets), nil
}

// Hashed turns each column's value into one sparse term of value 1 whose hash names column and value: categories need
// no list, and a new one has a weight of its own at once, as long as the model has room (linear models: 2,097,152
// terms). (With OneHot a category adds nothing before it was learned.) NULL adds nothing. HashedConfig sets a number of
// buckets ("feature hashing", Weinberger et al., 2009).
func Hashed(cols ...string) tidemill.Feature { return newHashed(cols, 0) }

func newHashed(cols []string, buckets int) *hashed {
	f := &hashed{columnar: columnar{kind: "hashed", cols: cols, terms: true}, buckets: buckets}
	for _, c := range cols {
		f.seeds = append(f.seeds, tidemill.Hash("hashed", c))
	}
	return f
}

// Describe implements tidemill.Feature.
func (f *hashed) Describe() string {
	return fmt.Sprintf("hashed %s buckets=%d", strings.Join(f.cols, ","), f.buckets)
}

// Append implements tidemill.Feature.
func (f *hashed) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	var scratch [64]byte
	for k, i := range at {
		v := row[i]
		if v.IsNull() {
			continue
		}
		if !v.Known() {
			return reject(c, i, errNotSent)
		}
		dst.Terms = append(dst.Terms, tidemill.Term{Hash: bucket(tidemill.HashBytes(f.seeds[k], text(v, &scratch)),
			f.seeds[k], f.buckets), Value: 1})
	}
	return nil
}

// bucket brings a hash to one of n that all belong to seed; n 0 leaves it.
func bucket(hash, seed uint64, n int) uint64 {
	if n == 0 {
		return hash
	}
	b := hash % uint64(n)
	return tidemill.HashBytes(seed, []byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24), byte(b >> 32),
		byte(b >> 40), byte(b >> 48), byte(b >> 56)})
}
