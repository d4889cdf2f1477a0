package config

import (
	"maps"
	"slices"

	"github.com/tidemill/tidemill"
)

// Builder is the config struct of one kind, by pointer: Parse fills its fields and Build makes the thing. flow is the
// flow's name. Build may be called several times, and validates.
type Builder[T any] interface {
	Build(flow string) (T, error)
}

// New makes a config struct with its defaults filled in.
type New[T any] func() Builder[T]

// Kind makes a New of a room's constructor: Kind[tidemill.Source](sqlite.NewSourceConfig).
func Kind[T any, C Builder[T]](constructor func() C) New[T] {
	return func() Builder[T] { return constructor() }
}

// Kinds are the kinds that a flow file can name, by name. It is a value: two programs, or two tests, may know different
// ones.
type Kinds struct {
	Sources    map[string]New[tidemill.Source]
	Transforms map[string]New[tidemill.Transform]
	Features   map[string]New[tidemill.Feature]
	Encoders   map[string]New[tidemill.Encoder]
	Models     map[string]New[tidemill.Model]
	Scores     map[string]New[tidemill.Score]
	Sinks      map[string]New[tidemill.Sink]
	Formats    map[string]New[tidemill.Format]
	Stores     map[string]New[tidemill.Store]

	// Merge joins a task's features that can share their memory; nil where none can.
	Merge func([]tidemill.Feature) []tidemill.Feature
	// Serve makes the config struct of the flow file's `serve:`; nil where the program cannot serve.
	Serve func() any
	// Docs is one sentence per kind, by "model.logistic": for Schema and Reference.
	Docs map[string]string
}

// room is one family of kinds without its type: what the decoder, the schema and the reference need.
type room struct {
	word  string // "model"
	plain string // "models"
	names []string
	make  func(name string) any
}

func roomOf[T any](word, plain string, kinds map[string]New[T]) room {
	return room{word, plain, slices.Sorted(maps.Keys(kinds)), func(name string) any { return kinds[name]() }}
}

// rooms are the families in the order in which a flow uses them.
func (k *Kinds) rooms() []room {
	return []room{
		roomOf("source", "sources", k.Sources), roomOf("transform", "transforms", k.Transforms),
		roomOf("feature", "features", k.Features), roomOf("encoder", "encoders", k.Encoders),
		roomOf("model", "models", k.Models), roomOf("score", "scores", k.Scores),
		roomOf("sink", "sinks", k.Sinks), roomOf("format", "formats", k.Formats),
		roomOf("store", "stores", k.Stores),
	}
}

func (k *Kinds) room(word string) room {
	for _, r := range k.rooms() {
		if r.word == word {
			return r
		}
	}
	return room{}
}
