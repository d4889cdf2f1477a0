package webhook

import (
	"time"

	"github.com/tidemill/tidemill"
)

// SinkConfig posts outputs to an HTTP server, at least once and in order.
type SinkConfig struct {
	URL     string        `yaml:"url" like:"https://localhost/hook" doc:"Where to post: http or https." required:"true" short:"true" secret:"true"`
	Kinds   []string      `yaml:"kinds" doc:"Which outputs to post: prediction, truth, moved, row, reject, event. Default all that come."`
	Batch   int           `yaml:"batch" doc:"How many outputs one request takes at most; above 1 the body is an array. Default 1."`
	Token   string        `yaml:"token" doc:"Sent as Authorization: Bearer TOKEN. Default none." secret:"true"`
	Headers []string      `yaml:"headers" doc:"Further headers, as in ['X-Api-Key: ${KEY}']. Default none." secret:"true"`
	Secret  string        `yaml:"secret" doc:"Signs each body: Tidemill-Signature: sha256=HEX of the HMAC-SHA256. Default none." secret:"true"`
	Timeout time.Duration `yaml:"timeout" doc:"How long one request may take. Default 10s."`
	Tries   int           `yaml:"tries" doc:"How often a request is tried before the flow reports trouble; it goes on trying after that. Default 5."`
	Refused string        `yaml:"refused" doc:"What to do when the server refuses an output (4xx other than 408, 425, 429): stop the flow, or skip the output. Default stop." enum:"stop,skip"`
}

// NewSinkConfig is the configuration with its defaults.
func NewSinkConfig() *SinkConfig {
	return &SinkConfig{Batch: 1, Timeout: 10 * time.Second, Tries: 5, Refused: "stop"}
}

// Build makes the sink, whose requests hold the format's messages.
func (c *SinkConfig) Build(_ string, f tidemill.Format) (tidemill.Sink, error) {
	p := &Poster{c: *c, format: f}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	return p, nil
}
