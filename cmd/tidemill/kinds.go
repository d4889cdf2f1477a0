package main

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/connector/file"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/connector/webhook"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/format/json"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/serve"
	"github.com/tidemill/tidemill/transform"
)

//go:generate go test . -run TestKindsReference -rewrite

// kinds is the only list of what a flow file can name. A custom build is a main of its own with another list. After a
// change, `go generate` writes kinds_docs.go and docs/kinds anew.
func kinds() config.Kinds {
	jsonPlain := config.Kind[tidemill.Format](json.NewConfig)
	return config.Kinds{
		Sources: map[string]config.New[tidemill.Source]{
			"file":     config.Kind[tidemill.Source](file.NewSourceConfig),
			"postgres": config.Kind[tidemill.Source](postgres.NewSourceConfig),
			"sqlite":   config.Kind[tidemill.Source](sqlite.NewSourceConfig),
		},
		Transforms: map[string]config.New[tidemill.Transform]{
			"derive": config.Kind[tidemill.Transform](transform.NewDeriveConfig),
			"drop":   config.Kind[tidemill.Transform](transform.NewDropConfig),
			"filter": config.Kind[tidemill.Transform](transform.NewFilterConfig),
			"mask":   config.Kind[tidemill.Transform](transform.NewMaskConfig),
			"rename": config.Kind[tidemill.Transform](transform.NewRenameConfig),
		},
		Features: map[string]config.New[tidemill.Feature]{
			"boolean":  config.Kind[tidemill.Feature](feature.NewBooleanConfig),
			"category": config.Kind[tidemill.Feature](feature.NewCategoryConfig),
			"hashed":   config.Kind[tidemill.Feature](feature.NewHashedConfig),
			"image":    config.Kind[tidemill.Feature](feature.NewImageConfig),
			"log":      config.Kind[tidemill.Feature](feature.NewLogConfig),
			"numeric":  config.Kind[tidemill.Feature](feature.NewNumericConfig),
			"onehot":   config.Kind[tidemill.Feature](feature.NewOneHotConfig),
			"pixels":   config.Kind[tidemill.Feature](feature.NewPixelsConfig),
			"ratio":    config.Kind[tidemill.Feature](feature.NewRatioConfig),
			"text":     config.Kind[tidemill.Feature](feature.NewTextConfig),
			"time":     config.Kind[tidemill.Feature](feature.NewTimeConfig),
			"window":   config.Kind[tidemill.Feature](feature.NewWindowConfig),
		},
		Encoders: map[string]config.New[tidemill.Encoder]{
			"hasheddense": config.Kind[tidemill.Encoder](encode.NewHashedDenseConfig),
			"impute":      config.Kind[tidemill.Encoder](encode.NewImputeConfig),
			"minmax":      config.Kind[tidemill.Encoder](encode.NewMinMaxConfig),
			"missing":     config.Kind[tidemill.Encoder](encode.NewMissingConfig),
			"onehot":      config.Kind[tidemill.Encoder](encode.NewOneHotConfig),
			"onehotdense": config.Kind[tidemill.Encoder](encode.NewOneHotDenseConfig),
			"standard":    config.Kind[tidemill.Encoder](encode.NewStandardConfig),
			"target":      config.Kind[tidemill.Encoder](encode.NewTargetConfig),
		},
		Models: models(),
		Scores: scores(),
		Sinks: map[string]config.New[tidemill.Sink]{
			"file":     config.Transport(file.NewSinkConfig, "json", jsonPlain),
			"postgres": config.Kind[tidemill.Sink](postgres.NewSinkConfig),
			"sqlite":   config.Kind[tidemill.Sink](sqlite.NewSinkConfig),
			"stdout":   config.Transport(file.NewStdoutConfig, "json", jsonPlain),
			"webhook":  config.Transport(webhook.NewSinkConfig, "json", config.Kind[tidemill.Format](json.NewKeyedConfig)),
		},
		Formats: map[string]config.New[tidemill.Format]{
			"json": jsonPlain,
		},
		Stores: map[string]config.New[tidemill.Store]{
			"dir":    config.Kind[tidemill.Store](newDirConfig),
			"memory": config.Kind[tidemill.Store](newMemoryConfig),
		},
		Merge: feature.Merge,
		Serve: func() any { return serve.NewConfig() },
		Docs:  kindsDocs(),
	}
}

func scores() map[string]config.New[tidemill.Score] {
	return map[string]config.New[tidemill.Score]{
		"accuracy":          config.Kind[tidemill.Score](score.NewAccuracyConfig),
		"auc":               config.Kind[tidemill.Score](score.NewAUCConfig),
		"balanced_accuracy": config.Kind[tidemill.Score](score.NewBalancedAccuracyConfig),
		"confusion":         config.Kind[tidemill.Score](score.NewConfusionConfig),
		"f1":                config.Kind[tidemill.Score](score.NewF1Config),
		"kappa":             config.Kind[tidemill.Score](score.NewKappaConfig),
		"logloss":           config.Kind[tidemill.Score](score.NewLogLossConfig),
		"mae":               config.Kind[tidemill.Score](score.NewMAEConfig),
		"mse":               config.Kind[tidemill.Score](score.NewMSEConfig),
		"precision":         config.Kind[tidemill.Score](score.NewPrecisionConfig),
		"r2":                config.Kind[tidemill.Score](score.NewR2Config),
		"recall":            config.Kind[tidemill.Score](score.NewRecallConfig),
		"rmse":              config.Kind[tidemill.Score](score.NewRMSEConfig),
		"silhouette":        config.Kind[tidemill.Score](score.NewSilhouetteConfig),
	}
}

func models() map[string]config.New[tidemill.Model] {
	return map[string]config.New[tidemill.Model]{
		"gaussian_nb":    config.Kind[tidemill.Model](model.NewGaussianNBConfig),
		"hoeffding_tree": config.Kind[tidemill.Model](model.NewHoeffdingTreeConfig),
		"kmeans":         config.Kind[tidemill.Model](model.NewKMeansConfig),
		"linear":         config.Kind[tidemill.Model](model.NewLinearConfig),
		"logistic":       config.Kind[tidemill.Model](model.NewLogisticConfig),
		"majority":       config.Kind[tidemill.Model](model.NewMajorityConfig),
		"mean":           config.Kind[tidemill.Model](model.NewMeanConfig),
		"mlp":            config.Kind[tidemill.Model](model.NewMLPConfig),
		"no_change":      config.Kind[tidemill.Model](model.NewNoChangeConfig),
		"softmax":        config.Kind[tidemill.Model](model.NewSoftmaxConfig),
	}
}
