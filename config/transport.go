package config

import (
	"reflect"

	"github.com/tidemill/tidemill"
)

// Messenger is the config struct of a transport: a sink whose messages a format writes. It has no key for the format:
// Transport gives it one.
type Messenger interface {
	Build(flow string, f tidemill.Format) (tidemill.Sink, error)
}

// Transport makes a New of a transport's constructor. Its key format names one of the kinds' formats; name is the
// default, and format makes its config struct with the defaults that it has for this transport.
func Transport[C any, M interface {
	*C
	Messenger
}](constructor func() M, name string, format New[tidemill.Format]) New[tidemill.Sink] {
	return func() Builder[tidemill.Sink] {
		t := &transport[C, M]{Sink: (*C)(constructor())}
		t.Format.name, t.Format.made, t.Format.cfg = name, format, format()
		return t
	}
}

// transport is a transport's config struct beside the format of its messages.
type transport[C any, M interface {
	*C
	Messenger
}] struct {
	Sink   *C         `yaml:",inline"`
	Format formatName `yaml:"format" doc:"How outputs are written. Default json."`
}

// Build makes the format and the sink.
func (t *transport[C, M]) Build(flow string) (tidemill.Sink, error) {
	f, err := t.Format.cfg.Build(flow)
	if err != nil {
		return nil, err
	}
	return M(t.Sink).Build(flow, f)
}

// Config is the struct that the transport's own room documents.
func (t *transport[C, M]) Config() any { return t.Sink }

// ConfigOf is the config struct as its room defines it: b, or what Transport has laid a format beside.
func ConfigOf(b any) any {
	if t, ok := b.(interface{ Config() any }); ok {
		return t.Config()
	}
	return b
}

// formatName is a field that names a format and has a default.
type formatName struct{ one[tidemill.Format] }

// show is the name alone where all else is the default.
func (f *formatName) show() any {
	if f.cfg != nil && reflect.DeepEqual(f.cfg, f.made()) {
		return f.name
	}
	return f.one.show()
}
