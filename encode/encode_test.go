package encode

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

func kinds() []tidemill.Encoder {
	small, _ := (&OneHotConfig{Max: 12}).Build("")
	few, _ := (&TargetConfig{Smoothing: 1, Classes: 3, Max: 9, Columns: []string{"colour", "carrier"}}).Build("")
	some, _ := (&MissingConfig{Columns: []string{"hour", "carrier", "pixel"}}).Build("")
	return []tidemill.Encoder{Standard(), MinMax(), OneHot(), small, OneHotDense(5), Impute("mean"), Impute("last"), Impute("constant"),
		Missing(), some, Target(10), few, HashedDense(4)}
}

func TestLaws(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.Describe(), func(t *testing.T) { tidemilltest.Encoder(t, k.New) })
	}
}

func FuzzStates(f *testing.F) {
	bound := func(i uint) tidemill.Encoder {
		ks := kinds()
		e := ks[i%uint(len(ks))]
		if _, err := e.Bind(tidemill.Input{Columns: tidemilltest.EncoderColumns()}); err != nil {
			f.Fatal(err)
		}
		return e
	}
	xs, ys := tidemilltest.EncoderVectors(30)
	for i := range kinds() {
		e := bound(uint(i))
		for k, x := range xs {
			e.Learn(x, ys[k])
		}
		f.Add(uint(i), tidemilltest.StateBytes(f, e))
	}
	f.Fuzz(func(t *testing.T, i uint, b []byte) {
		e := bound(i)
		if e.UnmarshalBinary(b) != nil {
			return
		}
		got := tidemilltest.StateBytes(t, e)
		next := bound(i)
		if err := next.UnmarshalBinary(got); err != nil {
			t.Fatalf("a state that was read does not restore: %v", err)
		}
		if again := tidemilltest.StateBytes(t, next); string(again) != string(got) {
			t.Fatal("restored bytes differ")
		}
		var dst tidemill.Vector
		next.Learn(xs[0], ys[0])
		next.Apply(&dst, xs[1])
	})
}

func bind(t *testing.T, e tidemill.Encoder, in ...tidemill.FeatureColumn) []tidemill.FeatureColumn {
	t.Helper()
	out, err := e.Bind(tidemill.Input{Columns: in})
	if err != nil {
		t.Fatal(err)
	}
	return out.Columns
}

func TestStandardIsThePopulationScore(t *testing.T) {
	e := Standard()
	bind(t, e, tidemill.FeatureColumn{Name: "a"}, tidemill.FeatureColumn{Name: "b"})
	for _, v := range []float64{2, 4, 4, 4, 5, 5, 7, 9} { // mean 5, population deviation 2
		e.Learn(&tidemill.Vector{Dense: []float64{v, 3}}, nil)
	}
	e.Learn(&tidemill.Vector{Dense: []float64{math.NaN(), 3}}, nil)
	var z tidemill.Vector
	e.Apply(&z, &tidemill.Vector{Dense: []float64{9, 4}})
	if math.Abs(z.Dense[0]-2) > 1e-15 || z.Dense[1] != 0 {
		t.Errorf("9 and 4 became %v, not 2 and 0", z.Dense)
	}
	e.Apply(&z, &tidemill.Vector{Dense: []float64{math.NaN(), math.NaN()}})
	if z.Dense[0] != 0 || z.Dense[1] != 0 {
		t.Errorf("NaN became %v", z.Dense)
	}
}

func TestMinMaxIsTheRange(t *testing.T) {
	e := MinMax()
	bind(t, e, tidemill.FeatureColumn{Name: "a"})
	var z tidemill.Vector
	e.Apply(&z, &tidemill.Vector{Dense: []float64{9}})
	if z.Dense[0] != 0 {
		t.Errorf("before anything was learned 9 is %v", z.Dense[0])
	}
	for _, v := range []float64{2, 10, math.NaN()} {
		e.Learn(&tidemill.Vector{Dense: []float64{v}}, nil)
	}
	for _, c := range [][2]float64{{2, 0}, {10, 1}, {4, .25}, {12, 1.25}, {math.NaN(), 0}} {
		e.Apply(&z, &tidemill.Vector{Dense: []float64{c[0]}})
		if z.Dense[0] != c[1] {
			t.Errorf("%v became %v, not %v", c[0], z.Dense[0], c[1])
		}
	}
}

func TestScalersLeaveScaledAndNominalAlone(t *testing.T) {
	for _, e := range []tidemill.Encoder{Standard(), MinMax()} {
		bind(t, e, tidemill.FeatureColumn{Name: "pixel", Scaled: true}, tidemill.FeatureColumn{Name: "colour", Nominal: true})
		for _, v := range []float64{1, 2, 3} {
			e.Learn(&tidemill.Vector{Dense: []float64{v, v}}, nil)
		}
		var z tidemill.Vector
		e.Apply(&z, &tidemill.Vector{Dense: []float64{.5, 7}})
		if z.Dense[0] != .5 || z.Dense[1] != 7 {
			t.Errorf("%v, not .5 and 7", z.Dense)
		}
		e.Apply(&z, &tidemill.Vector{Dense: []float64{math.NaN(), math.NaN()}})
		if z.Dense[0] != 0 || z.Dense[1] == z.Dense[1] {
			t.Errorf("unknown became %v; a scaled column's is 0, a category's stays unknown", z.Dense)
		}
	}
}

func carriers() []tidemill.FeatureColumn {
	return []tidemill.FeatureColumn{{Name: "x"}, {Name: "carrier", Nominal: true, OneHot: true}}
}

func carrier(name string) *tidemill.Vector {
	return &tidemill.Vector{Dense: []float64{1, tidemill.Code([]byte(name))}}
}

func TestOneHotAddsOnlyWhatItLearned(t *testing.T) {
	e, err := (&OneHotConfig{Max: 2}).Build("")
	if err != nil {
		t.Fatal(err)
	}
	if out := bind(t, e, carriers()...); len(out) != 1 || out[0].Name != "x" {
		t.Fatalf("columns that go out: %v", out)
	}
	terms := func(name string) []tidemill.Term {
		var z tidemill.Vector
		e.Apply(&z, carrier(name))
		if len(z.Dense) != 1 {
			t.Fatalf("dense is %v", z.Dense)
		}
		return z.Terms
	}
	if got := terms("UA"); len(got) != 0 {
		t.Errorf("a category never learned adds %v", got)
	}
	for _, name := range []string{"UA", "AA", "UA", "DL", "B6", "DL"} {
		e.Learn(carrier(name), nil)
	}
	ua, aa := terms("UA"), terms("AA")
	if len(ua) != 1 || len(aa) != 1 || ua[0].Value != 1 || ua[0].Hash == aa[0].Hash {
		t.Errorf("learned categories add %v and %v", ua, aa)
	}
	if got := terms("DL"); len(got) != 0 {
		t.Errorf("a category beyond the bound adds %v", got)
	}
	if got := e.(*onehot).refused; got != 3 {
		t.Errorf("%d refused, not 3", got)
	}
}

func TestOneHotNamesTheColumn(t *testing.T) {
	e := OneHot()
	bind(t, e, tidemill.FeatureColumn{Name: "from", Nominal: true, OneHot: true}, tidemill.FeatureColumn{Name: "to", Nominal: true, OneHot: true})
	code := tidemill.Code([]byte("JFK"))
	x := &tidemill.Vector{Dense: []float64{code, code}}
	e.Learn(x, nil)
	var z tidemill.Vector
	e.Apply(&z, x)
	if len(z.Terms) != 2 || z.Terms[0].Hash == z.Terms[1].Hash {
		t.Errorf("one value in two columns is %v", z.Terms)
	}
}

func TestOneHotDenseFirstCome(t *testing.T) {
	e := OneHotDense(2)
	if out := bind(t, e, carriers()...); len(out) != 3 || out[1].Name != "carrier#0" {
		t.Fatalf("columns that go out: %v", out)
	}
	for _, name := range []string{"UA", "AA", "DL"} {
		e.Learn(carrier(name), nil)
	}
	for name, want := range map[string]string{"UA": "[1 1 0]", "AA": "[1 0 1]", "DL": "[1 0 0]"} {
		var z tidemill.Vector
		e.Apply(&z, carrier(name))
		if got := fmt.Sprint(z.Dense); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
	if got := e.(*onehotDense).refused; got != 1 {
		t.Errorf("%d refused", got)
	}
}

func TestHashedDenseAddsUp(t *testing.T) {
	e := HashedDense(4)
	if out := bind(t, e, tidemill.FeatureColumn{Name: "a"}); len(out) != 5 || out[4] != (tidemill.FeatureColumn{Name: "hashed#3", Scaled: true}) {
		t.Fatalf("columns that go out: %v", out)
	}
	var z tidemill.Vector
	e.Apply(&z, &tidemill.Vector{Dense: []float64{7}, Terms: []tidemill.Term{{Hash: 6, Value: 1}, {Hash: 1, Value: .5}, {Hash: 2, Value: 3}}})
	if fmt.Sprint(z) != "{[7 0 0.5 4 0] []}" {
		t.Errorf("three terms in four columns are %v", z)
	}
	if _, err := HashedDense(0).Bind(tidemill.Input{}); err == nil {
		t.Error("no columns were taken")
	}
}

func TestStateOfOtherColumnsIsRefused(t *testing.T) {
	for _, e := range []tidemill.Encoder{Standard(), MinMax()} {
		bind(t, e, tidemill.FeatureColumn{Name: "a"}, tidemill.FeatureColumn{Name: "b"})
		b := tidemilltest.StateBytes(t, e)
		other := e.New()
		bind(t, other, tidemill.FeatureColumn{Name: "a"})
		if err := other.UnmarshalBinary(b); err == nil {
			t.Error("a state of two columns was read into one")
		}
	}
}

func TestImpute(t *testing.T) {
	for with, want := range map[string]string{"mean": "[2 5]", "last": "[3 5]", "constant": "[0 5]"} {
		e := Impute(with)
		bind(t, e, tidemill.FeatureColumn{Name: "a"}, tidemill.FeatureColumn{Name: "b"})
		var z tidemill.Vector
		unknown := &tidemill.Vector{Dense: []float64{math.NaN(), 5}}
		if e.Apply(&z, unknown); with != "constant" && z.Dense[0] == z.Dense[0] {
			t.Errorf("%s: before anything was learned unknown is %v", with, z.Dense[0])
		}
		for _, v := range []float64{1, math.NaN(), 3} {
			e.Learn(&tidemill.Vector{Dense: []float64{v, 0}}, nil)
		}
		if e.Apply(&z, unknown); fmt.Sprint(z.Dense) != want {
			t.Errorf("%s: %v, not %s", with, z.Dense, want)
		}
	}
	if _, err := (&ImputeConfig{With: "median"}).Build(""); err == nil {
		t.Error("impute with median is built")
	}
	if _, err := Impute("median").Bind(tidemill.Input{}); err == nil {
		t.Error("impute with median is bound")
	}
	c := NewImputeConfig()
	c.Columns = []string{"z"}
	e, err := c.Build("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "a"}}}); err == nil || err.Error() != `impute: no feature column is named "z"; there are a` {
		t.Errorf("error %v", err)
	}
}

func TestMissing(t *testing.T) {
	e := Missing()
	out := bind(t, e, tidemill.FeatureColumn{Name: "a"}, tidemill.FeatureColumn{Name: "p", Scaled: true}, tidemill.FeatureColumn{Name: "b"})
	if len(out) != 5 || out[3].Name != "a is missing" || !out[3].Scaled {
		t.Fatalf("columns %v", out)
	}
	var z tidemill.Vector
	e.Apply(&z, &tidemill.Vector{Dense: []float64{math.NaN(), math.NaN(), 2}})
	if got := fmt.Sprint(z.Dense); got != "[NaN NaN 2 1 0]" {
		t.Errorf("%s", got)
	}
}

func TestTarget(t *testing.T) {
	e := Target(1)
	out := bind(t, e, carriers()...)
	if len(out) != 2 || out[1].Name != "carrier target" || out[1].Nominal {
		t.Fatalf("columns %v", out)
	}
	if !e.Supervised() {
		t.Error("target encoding looks at the answer")
	}
	value := func(name string) float64 {
		var z tidemill.Vector
		e.Apply(&z, carrier(name))
		return z.Dense[1]
	}
	if v := value("UA"); v != 0 {
		t.Errorf("before the first answer a category is %v", v)
	}
	for _, c := range []struct {
		name string
		y    float64
	}{{"UA", 1}, {"UA", 1}, {"AA", 0}, {"AA", 1}} {
		e.Learn(carrier(c.name), []float64{c.y})
	}
	for name, want := range map[string]float64{"UA": (2 + .75) / 3, "AA": (1 + .75) / 3, "DL": .75} {
		if v := value(name); math.Abs(v-want) > 1e-15 {
			t.Errorf("%s is %v, not %v", name, v, want)
		}
	}
	classes, err := (&TargetConfig{Classes: 3, Max: 10}).Build("")
	if err != nil {
		t.Fatal(err)
	}
	if out := bind(t, classes, carriers()...); len(out) != 4 {
		t.Fatalf("columns %v", out)
	}
	classes.Learn(carrier("UA"), []float64{2})
	classes.Learn(carrier("UA"), []float64{0})
	var z tidemill.Vector
	classes.Apply(&z, carrier("UA"))
	if got := fmt.Sprint(z.Dense); got != "[1 0.5 0 0.5]" {
		t.Errorf("%s", got)
	}
	if _, err := (&TargetConfig{Smoothing: -1, Max: 1}).Build(""); err == nil {
		t.Error("negative smoothing is built")
	}
}

func ExampleStandard() {
	scale := Standard()
	if _, err := scale.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "distance"}}}); err != nil {
		fmt.Println(err)
		return
	}
	for _, miles := range []float64{100, 300} {
		scale.Learn(&tidemill.Vector{Dense: []float64{miles}}, nil)
	}
	var z tidemill.Vector
	scale.Apply(&z, &tidemill.Vector{Dense: []float64{400}})
	fmt.Println(z.Dense)
	// Output: [2]
}

func BenchmarkStandard(b *testing.B) {
	e := Standard()
	in := make([]tidemill.FeatureColumn, 8)
	for i := range in {
		in[i].Name = fmt.Sprint(i)
	}
	if _, err := e.Bind(tidemill.Input{Columns: in}); err != nil {
		b.Fatal(err)
	}
	x := &tidemill.Vector{Dense: []float64{1, 2, 3, 4, 5, 6, 7, 8}}
	var z tidemill.Vector
	for b.Loop() {
		x.Dense[3] += .25
		e.Learn(x, nil)
		e.Apply(&z, x)
	}
}

func BenchmarkOneHot(b *testing.B) {
	e := OneHot()
	if _, err := e.Bind(tidemill.Input{Columns: carriers()}); err != nil {
		b.Fatal(err)
	}
	x := carrier("UA")
	var z tidemill.Vector
	for b.Loop() {
		e.Learn(x, nil)
		e.Apply(&z, x)
	}
}

// TestScalersLeaveAbsurdValuesOut: a value a billion times beyond all others is left out and counted, and is 0 itself;
// where such come often they are the data.
func TestScalersLeaveAbsurdValuesOut(t *testing.T) {
	for name, made := range map[string]func() tidemill.Encoder{"standard": Standard, "minmax": MinMax} {
		t.Run(name, func(t *testing.T) {
			bound := func() tidemill.Encoder {
				e := made()
				if _, err := e.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "amount"}}}); err != nil {
					t.Fatal(err)
				}
				return e
			}
			apply := func(e tidemill.Encoder, v float64) float64 {
				var dst tidemill.Vector
				e.Apply(&dst, &tidemill.Vector{Dense: []float64{v}})
				return dst.Dense[0]
			}
			learn := func(e tidemill.Encoder, v float64) { e.Learn(&tidemill.Vector{Dense: []float64{v}}, nil) }
			with, without := bound(), bound()
			for i := range 1000 {
				v := float64(i%10) + 100
				learn(with, v)
				learn(without, v)
				if i%300 == 299 { // three in a thousand
					learn(with, []float64{1e12, -1e30, 1e308}[i/300])
				}
			}
			for _, v := range []float64{99, 100, 104.5, 120, 1e6} {
				if got, want := apply(with, v), apply(without, v); got != want || got == 0 && v != 100 {
					t.Errorf("%v becomes %v, want %v", v, got, want)
				}
			}
			if got := apply(with, 1e13); got != 0 {
				t.Errorf("an absurd value becomes %v", got)
			}
			w := strings.Join(with.(tidemill.Warner).Warnings(), "\n")
			if !strings.Contains(w, name+": column amount: 3 values left out") || len(without.(tidemill.Warner).Warnings()) > 0 {
				t.Errorf("it warns: %q", w)
			}
			back := bound()
			if err := back.UnmarshalBinary(tidemilltest.StateBytes(t, with)); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(back.(tidemill.Warner).Warnings(), "\n"); got != w {
				t.Errorf("after a restart it warns: %q", got)
			}
			for range 2000 { // the unit has changed
				learn(with, 1e12)
				learn(with, 3e12)
			}
			if a, b := apply(with, 1e12), apply(with, 3e12); !(b-a > 0.1) {
				t.Errorf("what has become the data is %v and %v", a, b)
			}
		})
	}
}

// TestMinMaxOfTheSmallest: a range so small that its halves are nothing gives no infinity.
func TestMinMaxOfTheSmallest(t *testing.T) {
	e := MinMax()
	if _, err := e.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "x"}}}); err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{0, 5e-324} {
		e.Learn(&tidemill.Vector{Dense: []float64{v}}, nil)
	}
	for _, v := range []float64{-1, 0, 5e-324, 1, 1e8} {
		var dst tidemill.Vector
		if e.Apply(&dst, &tidemill.Vector{Dense: []float64{v}}); math.IsNaN(dst.Dense[0]) || math.IsInf(dst.Dense[0], 0) {
			t.Errorf("%v becomes %v", v, dst.Dense[0])
		}
	}
}
