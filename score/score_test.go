package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

// all is every score of the package.
func all() []*Total {
	return []*Total{Accuracy(), LogLoss(), MSE(), RMSE(), MAE(), R2(), Confusion(), AUC(), BalancedAccuracy(), Kappa(),
		Precision(), Recall(), F1(), precision("macro"), recall("micro"), f1("weighted"), f1("positive"), Silhouette()}
}

func TestLaws(t *testing.T) {
	for _, s := range all() {
		t.Run(s.Describe(), func(t *testing.T) {
			tidemilltest.Score(t, s.New)
			t.Run("rolling", func(t *testing.T) {
				tidemilltest.Score(t, func() tidemill.Score { return s.Rolling(50) })
			})
			if s.Fading(.9) == nil {
				return
			}
			t.Run("fading", func(t *testing.T) {
				tidemilltest.Score(t, func() tidemill.Score { return s.Fading(.9) })
			})
		})
	}
}

func FuzzStates(f *testing.F) {
	kinds := func() (out []tidemill.Score) {
		for _, s := range all() {
			out = append(out, s.New(), s.Rolling(9))
			if g := s.Fading(.9); g != nil {
				out = append(out, g)
			}
		}
		return out
	}
	for i, s := range kinds() {
		for _, k := range []tidemill.ModelKind{tidemill.Classify, tidemill.Regress, tidemill.Cluster} {
			for _, a := range tidemilltest.Answers(k, 20) {
				s.Update(&a)
			}
		}
		f.Add(uint(i), tidemilltest.StateBytes(f, s))
	}
	f.Fuzz(func(t *testing.T, i uint, b []byte) {
		ks := kinds()
		s := ks[i%uint(len(ks))]
		if s.UnmarshalBinary(b) != nil {
			return
		}
		got := tidemilltest.StateBytes(t, s)
		next := s.New()
		if err := next.UnmarshalBinary(got); err != nil {
			t.Fatalf("a state that was read does not restore: %v", err)
		}
		if again := tidemilltest.StateBytes(t, next); string(again) != string(got) {
			t.Fatal("restored bytes differ")
		}
	})
}

func classify(p float64, truth int) *tidemill.Answer {
	a := &tidemill.Answer{Kind: tidemill.Classify, Prediction: []float64{1 - p, p}, Truth: float64(truth), Positive: 1, Weight: 1}
	if p > .5 {
		a.Class = 1
	}
	return a
}

func regress(p, truth float64) *tidemill.Answer {
	return &tidemill.Answer{Kind: tidemill.Regress, Class: -1, Prediction: []float64{p}, Truth: truth, Positive: -1, Weight: 1}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12*max(1, math.Abs(want))) && !(got != got && want != want) {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

// The figures are worked out by hand from the definitions; the regression rows and their r2 are the example of
// scikit-learn's documentation (metrics.r2_score).
func TestGoldens(t *testing.T) {
	p := []float64{.1, .4, .35, .8, .65, .9, .5, .4}
	y := []int{0, 0, 1, 1, 0, 1, 1, 1}
	acc, ll, auc := Accuracy(), LogLoss(), AUC()
	for i := range p {
		for _, s := range []*Total{acc, ll, auc} {
			s.Update(classify(p[i], y[i]))
		}
	}
	near(t, "accuracy", acc.Value(), .5)
	near(t, "log loss", ll.Value(), -(math.Log(.9)+math.Log(.6)+math.Log(.35)+math.Log(.8)+math.Log(.35)+math.Log(.9)+math.Log(.5)+math.Log(.4))/8)
	near(t, "auc", auc.Value(), 10.5/15)

	mse, rmse, mae, r2 := MSE(), RMSE(), MAE(), R2()
	for i, truth := range []float64{3, -.5, 2, 7} {
		for _, s := range []*Total{mse, rmse, mae, r2} {
			s.Update(regress([]float64{2.5, 0, 2, 8}[i], truth))
		}
	}
	near(t, "mse", mse.Value(), .375)
	near(t, "rmse", rmse.Value(), math.Sqrt(.375))
	near(t, "mae", mae.Value(), .5)
	near(t, "r2", r2.Value(), 0.9486081370449679)
}

func TestUnseenClass(t *testing.T) {
	a := &tidemill.Answer{Kind: tidemill.Classify, Prediction: []float64{1, 0}, Class: 0, Truth: 1, Unseen: true, Positive: -1}
	acc, ll := Accuracy(), LogLoss()
	acc.Update(a)
	ll.Update(a)
	near(t, "accuracy", acc.Value(), 0)
	near(t, "log loss", ll.Value(), -math.Log(1e-15))
}

func TestNotReadyIsNotCounted(t *testing.T) {
	acc := Accuracy()
	acc.Update(&tidemill.Answer{Kind: tidemill.Classify, Prediction: []float64{math.NaN(), math.NaN()}, Class: -1, Truth: 1})
	if v := acc.Value(); v == v {
		t.Errorf("accuracy is %v after an answer to a question that could not be answered", v)
	}
}

func TestConfusionCounts(t *testing.T) {
	c := Confusion()
	for i := range 100 {
		c.Update(&tidemill.Answer{Kind: tidemill.Classify, Class: i % 3, Truth: float64(i % 2), Positive: -1})
	}
	// A class beyond the square table.
	c.Update(&tidemill.Answer{Kind: tidemill.Classify, Class: 0, Truth: 100, Positive: -1})
	m := c.Confusion()
	if len(m) != 101 || fmt.Sprint(m[0][:3], m[1][:3], m[100][0]) != "[17 16 17] [17 17 16] 1" {
		t.Errorf("counts are %v %v %v", m[0][:3], m[1][:3], m[100][0])
	}
}

// three runs eight answers of three classes through the scores.
func three(scores ...*Total) {
	for i, truth := range []int{0, 0, 0, 1, 1, 2, 2, 0} {
		a := &tidemill.Answer{Kind: tidemill.Classify, Class: []int{0, 0, 1, 1, 0, 2, 0, 2}[i], Truth: float64(truth), Positive: -1}
		for _, s := range scores {
			s.Update(a)
		}
	}
}

func TestPerClass(t *testing.T) {
	// Truth 0 0 0 1 1 2 2 0, predicted 0 0 1 1 0 2 0 2: rows of the matrix are [2 1 1] [1 1 0] [1 0 1].
	p, r, f, macro, micro, weighted, b, k := Precision(), Recall(), F1(), precision("macro"), recall("micro"), recall("weighted"), BalancedAccuracy(), Kappa()
	three(p, r, f, macro, micro, weighted, b, k)
	near(t, "precision", p.Value(), (2.0/4+1.0/2+1.0/2)/3)
	near(t, "macro precision", macro.Value(), p.Value())
	near(t, "recall", r.Value(), (2.0/4+1.0/2+1.0/2)/3)
	near(t, "micro recall", micro.Value(), 4.0/8)
	near(t, "weighted recall", weighted.Value(), 4.0/8)
	near(t, "f1", f.Value(), .5)
	near(t, "balanced accuracy", b.Value(), .5)
	chance := (4.0*4 + 2*2 + 2*2) / 64
	near(t, "kappa", k.Value(), (.5-chance)/(1-chance))
	d := r.Details([]string{"a", "b", "c"})
	if len(d) != 6 || d[0].Name != "recall of a" || d[0].Value != .5 || d[3].Name != "recall macro" {
		t.Errorf("details %v", d)
	}
}

func TestPositiveClass(t *testing.T) {
	p, r, f, b := Precision(), Recall(), F1(), BalancedAccuracy()
	probs, truth := []float64{.9, .8, .3, .2, .6, .7}, []int{1, 1, 1, 0, 0, 0}
	for i := range probs {
		for _, s := range []*Total{p, r, f, b} {
			s.Update(classify(probs[i], truth[i]))
		}
	}
	near(t, "precision", p.Value(), 2.0/4)
	near(t, "recall", r.Value(), 2.0/3)
	near(t, "f1", f.Value(), 4.0/7)
	near(t, "balanced accuracy", b.Value(), .5)
	never := Precision()
	never.Update(classify(.1, 1))
	near(t, "precision of a class never predicted", never.Value(), 0)
	if _, err := (&F1Config{Average: "mean"}).Build(""); err == nil {
		t.Error("an average that does not exist is built")
	}
}

func TestSilhouette(t *testing.T) {
	s := Silhouette()
	for _, d := range [][]float64{{1, 4, 9}, {3, 3}, {0, 0}, {5, 2}} {
		s.Update(&tidemill.Answer{Kind: tidemill.Cluster, Class: 0, Prediction: d})
	}
	near(t, "silhouette", s.Value(), (.75+0+0+.6)/4)
	one := Silhouette()
	one.Update(&tidemill.Answer{Kind: tidemill.Cluster, Prediction: []float64{1}})
	near(t, "silhouette of one centre", one.Value(), math.NaN())
}

// exactAUC is the definition.
func exactAUC(p []float64, y []int) float64 {
	won, pairs := 0.0, 0.0
	for i := range p {
		for j := range p {
			if y[i] == 1 && y[j] == 0 {
				pairs++
				if p[i] > p[j] {
					won++
				} else if p[i] == p[j] {
					won += .5
				}
			}
		}
	}
	return won / pairs
}

func TestAUCIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var p []float64
	var y []int
	s := AUC()
	for range 3000 {
		truth := r.IntN(2)
		v := math.Round((r.NormFloat64()+float64(truth))*50) / 50
		p, y = append(p, v), append(y, truth)
		s.Update(classify(v, truth))
	}
	near(t, "auc", s.Value(), exactAUC(p, y))
}

func TestAUCBeyondItsBound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	exact := AUC()
	small, err := (&AUCConfig{Max: 1000}).Build("")
	if err != nil {
		t.Fatal(err)
	}
	restarted := small.New()
	for i := range 30000 {
		truth := r.IntN(2)
		a := classify(1/(1+math.Exp(-r.NormFloat64()-float64(truth))), truth)
		exact.Update(a)
		small.Update(a)
		restarted.Update(a)
		if i%777 == 0 {
			next := small.New()
			if err := next.UnmarshalBinary(tidemilltest.StateBytes(t, restarted)); err != nil {
				t.Fatal(err)
			}
			restarted = next
		}
	}
	if d := math.Abs(exact.Value() - small.Value()); d > 1e-3 || d == 0 {
		t.Errorf("bounded auc is off by %v", d)
	}
	if string(tidemilltest.StateBytes(t, small)) != string(tidemilltest.StateBytes(t, restarted)) {
		t.Error("restarts change the bounded auc")
	}
	if n := len(tidemilltest.StateBytes(t, small)); n > 12*1000 {
		t.Errorf("the bounded state has %d bytes", n)
	}
}

func TestRollingIsTheLast(t *testing.T) {
	for _, s := range []*Total{Accuracy(), LogLoss(), AUC(), Confusion()} {
		roll := Rolling(s, 100)
		as := tidemilltest.Answers(tidemill.Classify, 333)
		for i := range as {
			roll.Update(&as[i])
		}
		last := s.New()
		for i := range as[233:] {
			last.Update(&as[233+i])
		}
		near(t, "rolling "+s.Name(), roll.Value(), last.Value())
	}
}

func TestFadingIsTheWeightedMean(t *testing.T) {
	s := Fading(MAE(), .99)
	sum, n := 0.0, 0.0
	for i := range 20000 {
		v := math.Sin(float64(i))
		s.Update(regress(v, 0))
		sum, n = sum*.99+math.Abs(v), n*.99+1
	}
	near(t, "fading mae", s.Value(), sum/n)
	if Fading(AUC(), .99) != nil {
		t.Error("AUC has no fading form")
	}
}

func BenchmarkAUC(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	as := make([]*tidemill.Answer, 1<<16)
	for i := range as {
		as[i] = classify(r.Float64(), r.IntN(2))
	}
	s := AUC()
	for i := range b.N {
		a := as[i&(len(as)-1)]
		a.Prediction[1] += 1e-9
		s.Update(a)
	}
}

func ExampleAccuracy() {
	acc := Accuracy()
	acc.Update(&tidemill.Answer{Kind: tidemill.Classify, Prediction: []float64{.2, .8}, Class: 1, Truth: 1})
	acc.Update(&tidemill.Answer{Kind: tidemill.Classify, Prediction: []float64{.7, .3}, Class: 0, Truth: 1})
	fmt.Println(acc.Value())
	// Output: 0.5
}

func ExampleRolling() {
	last := Rolling(MAE(), 2)
	for _, miss := range []float64{100, 1, 3} {
		last.Update(&tidemill.Answer{Kind: tidemill.Regress, Prediction: []float64{miss}, Truth: 0})
	}
	fmt.Println(last.Value())
	// Output: 2
}

// What Later notes is the figure of its moment, whatever is learned until it is computed.
func TestAUCLater(t *testing.T) {
	for _, most := range []int{300, 1 << 20} {
		s := total(&auc{max: most})
		var now []float64
		var later []func() float64
		h := uint64(1)
		for i := range 60000 {
			h = h*6364136223846793005 + 1442695040888963407
			p := float64(h>>40) / (1 << 24)
			s.Update(&tidemill.Answer{Kind: tidemill.Classify, Prediction: []float64{1 - p, p}, Class: int(h >> 63), Truth: float64(h >> 20 % 3 % 2), Positive: 1, Weight: 1})
			if i%1777 == 0 {
				now = append(now, s.Value())
				later = append(later, s.Later())
			}
		}
		for i, f := range later {
			if got := f(); got != now[i] && !(got != got && now[i] != now[i]) {
				t.Errorf("max %d, %d: %v later, %v then", most, i, got, now[i])
			}
		}
	}
}

// TestAbsurdAnswers scores numbers at the end of what a float64 can be: no panic, a state that can be read back, and a
// rolling figure that is one again when they are gone.
func TestAbsurdAnswers(t *testing.T) {
	absurd := []float64{math.MaxFloat64, -math.MaxFloat64, 1e308, 1e200, -1e160, 5e-324}
	for _, s := range []*Total{MAE(), MSE(), RMSE(), R2()} {
		for i, made := range []func() tidemill.Score{func() tidemill.Score { return s.Rolling(5) }, s.New, func() tidemill.Score { return s.Fading(.9) }} {
			rolling := i == 0
			k := made()
			if k == nil {
				continue
			}
			for _, p := range absurd {
				for _, y := range absurd {
					k.Update(&tidemill.Answer{Kind: tidemill.Regress, Prediction: []float64{p}, Truth: y, Weight: 1})
				}
			}
			back := made()
			if err := back.UnmarshalBinary(tidemilltest.StateBytes(t, k)); err != nil {
				t.Errorf("%s: its state cannot be read back: %v", s.Describe(), err)
				continue
			}
			for i := range 20 {
				back.Update(&tidemill.Answer{Kind: tidemill.Regress, Prediction: []float64{float64(i)}, Truth: float64(i + i%2), Weight: 1})
			}
			if v := back.Value(); rolling && !(math.Abs(v) < 10) {
				t.Errorf("%s: %v over five sane answers", s.Describe(), v)
			}
		}
	}
}
