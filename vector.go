package tidemill

// Vector is one row as numbers: Dense has one float64 per FeatureColumn (NaN is unknown; a nominal column holds its
// category's code, see Code), Terms are sparse extras (hashed n-grams, one-hot after encoding). Terms have no
// duplicates of one hash that mean different things; a reader sums duplicates.
type Vector struct {
	Dense []float64
	Terms []Term
}

// Term is one sparse entry: a 64-bit hash of feature and value, and a number.
type Term struct {
	Hash  uint64
	Value float64
}

// Reset empties the vector and keeps its memory.
func (v *Vector) Reset() { v.Dense, v.Terms = v.Dense[:0], v.Terms[:0] }

// Clone is a copy with memory of its own.
func (v *Vector) Clone() *Vector {
	c := &Vector{Dense: make([]float64, len(v.Dense))}
	copy(c.Dense, v.Dense)
	if len(v.Terms) > 0 {
		c.Terms = append([]Term(nil), v.Terms...)
	}
	return c
}

// Hash is the 64-bit FNV-1a hash, finished with a mixer, of the parts, each ended by a zero byte. It is part of the
// checkpoint format and never changes.
func Hash(parts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for i := 0; i < len(p); i++ {
			h = (h ^ uint64(p[i])) * 1099511628211
		}
		h *= 1099511628211
	}
	return mix(h)
}

// HashBytes is Hash of one part continued from a seed: HashBytes(Hash(a), b) names b within a without allocating.
func HashBytes(seed uint64, b []byte) uint64 {
	h := seed ^ 14695981039346656037
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return mix(h * 1099511628211)
}

// mix is the 64-bit finaliser of MurmurHash3 (public domain, Austin Appleby).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Code is the number that stands for a category in a dense nominal column: 52 bits of its hash, exact in a float64.
func Code(category []byte) float64 { return float64(HashBytes(0, category) >> 12) }

// TermSeed is the seed of TermHash for a one-hot column.
func TermSeed(column string) uint64 { return Hash("onehot", column) }

// TermHash is the hash of the Term that a one-hot column has for a category: seed is the column's TermSeed, code the
// category's Code. It is SplitMix64's finaliser (Steele, Lea and Flood 2014), and part of the checkpoint format.
func TermHash(seed uint64, code float64) uint64 {
	h := seed + uint64(int64(code))*0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// FeatureColumn describes one dense column.
type FeatureColumn struct {
	Name    string // as the flow names it; unique in a task
	Nominal bool   // the number is a category's Code, not a quantity
	OneHot  bool   // a nominal column that numeric models see as one column per category (encode.OneHot)
	Scaled  bool   // already in a fixed small range (pixels / 255, an indicator): scalers leave it alone
}

// Block is contiguous rows for a Batcher: row i is Dense[i*Cols:(i+1)*Cols], or the same in Dense32 where the
// model asked for float32 (then Dense is nil). Terms is nil, or has one slice per row. Y has one number per row (the
// class index, or the value) and is nil where there is no truth; Weight is nil when all are 1.
type Block struct {
	Rows, Cols int
	Dense      []float64
	Dense32    []float32
	Terms      [][]Term
	Y          []float64
	Weight     []float64
}
