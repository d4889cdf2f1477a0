package main

import (
	"context"
	"fmt"
	"os"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/serve"
	"github.com/tidemill/tidemill/store"
)

// benchKinds are the kinds that the flows here name.
func benchKinds() config.Kinds {
	return config.Kinds{
		Sources: map[string]config.New[tidemill.Source]{
			"postgres": config.Kind[tidemill.Source](postgres.NewSourceConfig),
			"sqlite":   config.Kind[tidemill.Source](sqlite.NewSourceConfig)},
		Features: map[string]config.New[tidemill.Feature]{
			"pixels":  config.Kind[tidemill.Feature](feature.NewPixelsConfig),
			"numeric": config.Kind[tidemill.Feature](feature.NewNumericConfig),
			"onehot":  config.Kind[tidemill.Feature](feature.NewOneHotConfig),
			"window":  config.Kind[tidemill.Feature](feature.NewWindowConfig)},
		Models: map[string]config.New[tidemill.Model]{
			"mlp":      config.Kind[tidemill.Model](model.NewMLPConfig),
			"logistic": config.Kind[tidemill.Model](model.NewLogisticConfig)},
		Scores: map[string]config.New[tidemill.Score]{
			"accuracy":  config.Kind[tidemill.Score](score.NewAccuracyConfig),
			"logloss":   config.Kind[tidemill.Score](score.NewLogLossConfig),
			"confusion": config.Kind[tidemill.Score](score.NewConfusionConfig),
			"auc":       config.Kind[tidemill.Score](score.NewAUCConfig)},
		Sinks: map[string]config.New[tidemill.Sink]{
			"postgres": config.Kind[tidemill.Sink](postgres.NewSinkConfig),
			"sqlite":   config.Kind[tidemill.Sink](sqlite.NewSinkConfig)},
		Stores: map[string]config.New[tidemill.Store]{"dir": config.Kind[tidemill.Store](newDirConfig)},
		Serve:  func() any { return serve.NewConfig() },
	}
}

// dirConfig keeps checkpoints in a folder.
type dirConfig struct {
	Dir string `yaml:"dir" short:"true" required:"true" doc:"The folder."`
}

func newDirConfig() *dirConfig { return &dirConfig{} }

// Build makes the store.
func (c *dirConfig) Build(string) (tidemill.Store, error) { return store.Dir(c.Dir), nil }

// flowChild is `tidemill run` in this program, where it can be profiled.
func flowChild(ctx context.Context, a args) (figures, error) {
	text, err := os.ReadFile(a["flow"])
	if err != nil {
		return nil, err
	}
	f, err := config.Parse(a["flow"], text, benchKinds(), os.LookupEnv)
	if err != nil {
		return nil, err
	}
	f.Flow.Once = a["once"] != ""
	m, err := engine.Start(ctx, f.Flow)
	if err != nil {
		return nil, err
	}
	if c, ok := f.Serve.(*serve.Config); ok {
		addr, _, err := serve.Listen(context.WithoutCancel(ctx), m, *c)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(os.Stderr, "serving on", addr)
	}
	return figures{}, m.Wait()
}
