// Package json writes outputs as JSON, one object per output, in either of two layouts.
//
// # Plain
//
// What a line of the file sink is. The fields that a kind of output has are always there, in this order; a time that
// is not known is null, and so is a number that JSON does not have:
//
//	{"kind":"prediction","task":…,"id":…,"prediction":…,"score":…,"probabilities":{…},"model_version":…,
//	 "asked_at":…,"position":…}
//	{"kind":"truth","task":…,"id":…,"truth":…,"corrected":true,"answered_at":…,"position":…}
//	{"kind":"moved","task":…,"id":…,"new_id":…,"position":…}
//	{"kind":"row","table":…,"op":…,"position":…,"before":{…},"row":{…}}
//	{"kind":"reject","task":…,"id":…,"table":…,"position":…,"reason":…,"row":{…}}
//	{"kind":"event","task":…,"position":…,"reason":…}
//
// A prediction whose row brought the truth ends with "truth" and "answered_at". Instead of probabilities a cluster
// model has "values", its distances. A row names its columns; bytes are base64, decimals and times texts, and what the
// source did not send is left out.
//
// # Keyed
//
// What the webhook posts: the same fields with "key" behind "kind", which is task, id, position and kind, the same on
// every replay. What is not known is left out, a truth stands before the position, numbers have no exponent from 1e-6
// up to 1e21, and U+2028 and U+2029 are escaped, so that a script may take it as it is.
package json

import (
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/jsontext"
)

// Format writes outputs as JSON objects. Plain, Keyed and Config make it. It keeps nothing between calls: any number of
// goroutines may call it.
type Format struct {
	keyed   bool
	style   jsontext.Style
	headers []tidemill.Attr
}

// Plain has every field of an output's kind: for files and logs.
func Plain() *Format { return &Format{headers: contentType()} }

// Keyed names each output by a key that is the same on every replay, and leaves out what is not known: for receivers.
func Keyed() *Format {
	return &Format{keyed: true, style: jsontext.Script | jsontext.Decimals, headers: contentType()}
}

func contentType() []tidemill.Attr {
	return []tidemill.Attr{{Name: "Content-Type", Value: "application/json"}}
}

var (
	_ tidemill.Format    = (*Format)(nil)
	_ tidemill.Describer = (*Format)(nil)
)

// Config writes outputs as JSON, one object per output.
type Config struct {
	Layout string `yaml:"layout" short:"true" enum:"plain,keyed" doc:"plain has every field; keyed has a key too, and no field that is not known. Default plain; keyed for a webhook."`
}

// NewConfig is the configuration with its defaults.
func NewConfig() *Config { return &Config{Layout: "plain"} }

// NewKeyedConfig is the configuration with the defaults for sinks whose receivers go by a key.
func NewKeyedConfig() *Config { return &Config{Layout: "keyed"} }

// Build makes the format.
func (c *Config) Build(string) (tidemill.Format, error) {
	switch c.Layout {
	case "plain":
		return Plain(), nil
	case "keyed":
		return Keyed(), nil
	}
	return nil, fmt.Errorf("json: layout: %q is neither plain nor keyed", c.Layout)
}

// Describe is "json", and names the layout where it is keyed.
func (f *Format) Describe() string {
	if f.keyed {
		return "json layout=keyed"
	}
	return "json"
}

// Encode appends one message. Its key is the task and the row's id; outputs of no task have none.
func (f *Format) Encode(dst []tidemill.Message, o *tidemill.Output) ([]tidemill.Message, error) {
	dst, m := tidemill.NextMessage(dst)
	m.Headers = f.headers
	if o.Task != "" {
		m.Key = append(append(append(m.Key, o.Task...), '/'), o.ID...)
	}
	m.Value = f.appendOutput(m.Value, o)
	return dst, nil
}
