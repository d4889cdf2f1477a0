package model

import (
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

const (
	ruleSpark   = "spark"
	ruleFlink   = "flink"
	unitBatches = "batches"
	unitPoints  = "points"
	startPlus   = "kmeans++"
	startRandom = "random"
)

// KMeansConfig clusters rows around k moving centres.
type KMeansConfig struct {
	K           int         `yaml:"k" doc:"How many centres. Default 2, or as many as centers gives."`
	Rule        string      `yaml:"rule" enum:"spark,flink" doc:"The update rule: spark (StreamingKMeans) or flink (OnlineKMeans). Default spark."`
	Decay       float64     `yaml:"decay" doc:"What remains of the old weights at each step, 0 to 1. Default -1, which means 1 by rule spark and 0 by rule flink."`
	HalfLife    float64     `yaml:"half_life" doc:"Instead of decay: after how many units a weight has halved. Default 0, which means not used."`
	Unit        string      `yaml:"unit" enum:"batches,points" doc:"Whether decay and half_life count batches or rows (points). Default batches."`
	Batch       int         `yaml:"batch" doc:"Rows per step while the snapshot is learned. Default 0, which means 1 by rule spark and 32 by rule flink."`
	StreamBatch int         `yaml:"stream_batch" doc:"Rows per step while streaming. Default 0, which means 1 by rule spark and batch by rule flink."`
	Centers     [][]float64 `yaml:"centers" doc:"The centres to start from, each with a number per feature column. Default none."`
	Weights     []float64   `yaml:"weights" doc:"The weight of each centre to start from; one number is for all. Default 0."`
	Start       string      `yaml:"start" enum:"kmeans++,random" doc:"Without centers: choose them among the first rows (kmeans++), or draw each coordinate from the normal distribution (random). Default kmeans++."`
	StartRows   int         `yaml:"start_rows" doc:"How many first rows kmeans++ chooses from. Default 0, which means 100, or 10 per centre if that is more."`
	Seed        uint64      `yaml:"seed" doc:"The seed of the start. Default 1."`
}

// NewKMeansConfig is the config with its defaults.
func NewKMeansConfig() *KMeansConfig {
	return &KMeansConfig{Rule: ruleSpark, Decay: -1, Unit: unitBatches, Start: startPlus, Seed: 1}
}

// Build makes the model.
func (c *KMeansConfig) Build(string) (tidemill.Model, error) {
	m := newKMeans(c)
	if m.err != nil {
		return nil, m.err
	}
	return m, nil
}

// Filled implements config.Filler: it gives what depends on the rule and on the centres.
func (c *KMeansConfig) Filled() any {
	s, err := c.complete()
	if err != nil {
		return c
	}
	if c.HalfLife > 0 {
		s.Decay = c.Decay // which half_life stands for
	}
	return &s
}

// complete checks the settings and replaces those that mean a default.
func (c *KMeansConfig) complete() (KMeansConfig, error) {
	s := *c
	flink := s.Rule == ruleFlink
	pick := func(v *int, spark, other int) {
		if *v == 0 {
			*v = spark
			if flink {
				*v = other
			}
		}
	}
	if s.K == 0 {
		s.K = max(len(s.Centers), 2)
		if len(s.Centers) > 0 {
			s.K = len(s.Centers)
		}
	}
	if s.Decay == -1 {
		s.Decay = 1
		if flink {
			s.Decay = 0
		}
	}
	pick(&s.Batch, 1, 32)
	pick(&s.StreamBatch, 1, s.Batch)
	if s.StartRows == 0 {
		s.StartRows = max(100, 10*s.K)
	}
	return s, s.check()
}

// check looks at settings that are complete.
func (s *KMeansConfig) check() error {
	fail := func(format string, a ...any) error { return fmt.Errorf("kmeans: "+format, a...) }
	switch {
	case s.K < 1 || s.K > 1<<16:
		return fail("k is %d; say a number from 1 to 65536", s.K)
	case s.Rule != ruleSpark && s.Rule != ruleFlink:
		return fail("rule %q is unknown; say spark or flink", s.Rule)
	case s.Unit != unitBatches && s.Unit != unitPoints:
		return fail("unit %q is unknown; say batches or points", s.Unit)
	case s.Rule == ruleFlink && s.Unit == unitPoints:
		return fail("rule flink counts batches; leave unit out or say rule: spark")
	case s.Start != startPlus && s.Start != startRandom:
		return fail("start %q is unknown; say kmeans++ or random", s.Start)
	case !(s.Decay >= 0 && s.Decay <= 1):
		return fail("decay is %v; it must be from 0 to 1", s.Decay)
	case !(s.HalfLife >= 0) || math.IsInf(s.HalfLife, 1):
		return fail("half_life is %v; it must be above 0", s.HalfLife)
	case s.Batch < 1 || s.StreamBatch < 1:
		return fail("a batch has at least 1 row")
	case s.StartRows < s.K:
		return fail("start_rows is %d; choosing %d centres takes at least as many rows", s.StartRows, s.K)
	case len(s.Centers) > 0 && len(s.Centers) != s.K:
		return fail("there are %d centers, but k is %d", len(s.Centers), s.K)
	case len(s.Weights) > 1 && len(s.Weights) != s.K:
		return fail("there are %d weights for %d centres", len(s.Weights), s.K)
	}
	for i, p := range s.Centers {
		if len(p) == 0 || len(p) != len(s.Centers[0]) {
			return fail("center %d has %d numbers, the first has %d", i+1, len(p), len(s.Centers[0]))
		}
		for _, v := range p {
			if !known(v) {
				return fail("center %d has the number %v", i+1, v)
			}
		}
	}
	for i, w := range s.Weights {
		if !(w >= 0) || math.IsInf(w, 1) {
			return fail("weight %d is %v; it must not be negative", i+1, w)
		}
	}
	return nil
}

func (c *KMeansConfig) describe() string {
	s := fmt.Sprintf("kmeans k=%d rule=%s decay=%v", c.K, c.Rule, c.Decay)
	if c.HalfLife > 0 {
		s = fmt.Sprintf("kmeans k=%d rule=%s half_life=%v", c.K, c.Rule, c.HalfLife)
	}
	s += fmt.Sprintf(" unit=%s batch=%d stream_batch=%d", c.Unit, c.Batch, c.StreamBatch)
	if len(c.Centers) > 0 {
		return s + fmt.Sprintf(" centers=%v weights=%v", c.Centers, c.Weights)
	}
	return s + fmt.Sprintf(" start=%s start_rows=%d weights=%v seed=%d", c.Start, c.StartRows, c.Weights, c.Seed)
}
