package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/serve"
)

// remote asks a running server.
type remote struct {
	do func(method, path string, body []byte) ([]byte, error)
}

func newRemote(ctx context.Context, url, token string) *remote {
	return &remote{func(method, path string, body []byte) ([]byte, error) {
		return ask(ctx, method, url, path, token, body)
	}}
}

// tokenOf is the token that was given, or else the flow file's.
func tokenOf(f *config.File, given string) string {
	if c, ok := f.Serve.(*serve.Config); ok && given == "" {
		return c.Token
	}
	return given
}

// remoteTime is how long a server may take to answer.
const remoteTime = 30 * time.Second

func ask(ctx context.Context, method, url, path, token string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, remoteTime)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body))
	if err != nil {
		return nil, usage("--url: %v", err)
	}
	q.Header.Set("Content-Type", "application/json")
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, &failure{exitEnvironment, err}
	}
	defer a.Body.Close()
	data, err := io.ReadAll(io.LimitReader(a.Body, maxInput))
	if err != nil {
		return nil, &failure{exitEnvironment, err}
	}
	if a.StatusCode != http.StatusOK {
		var said struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(data, &said) != nil || said.Error == "" {
			said.Error = http.StatusText(a.StatusCode)
		}
		code := exitEnvironment
		if a.StatusCode == http.StatusBadRequest || a.StatusCode == http.StatusNotFound {
			code = exitValidation
		}
		return nil, &failure{code, fmt.Errorf("%s answers %d: %s", url, a.StatusCode, said.Error)}
	}
	return data, nil
}

// Predict implements learner.
func (r *remote) Predict(task string, row tidemill.Row) (p engine.Prediction, err error) {
	sent := make(tidemill.Row, len(row))
	for k, v := range row {
		if b, ok := v.([]byte); ok {
			v = base64.StdEncoding.EncodeToString(b) // JSON's own form of bytes, which the server knows for pictures
		}
		sent[k] = v
	}
	body, err := json.Marshal(sent)
	if err != nil {
		return p, err
	}
	data, err := r.do(http.MethodPost, "/predict/"+url.PathEscape(task), body)
	if err != nil {
		return p, err
	}
	var answer struct {
		engine.Prediction
		Label json.RawMessage `json:"prediction"` // a text, a number where the task's answers are numbers, or null
	}
	err = json.Unmarshal(data, &answer)
	p = answer.Prediction
	switch label := string(answer.Label); {
	case err != nil:
	case label == "":
		err = errors.New("it has no prediction")
	case label[0] == '"':
		err = json.Unmarshal(answer.Label, &p.Label)
	case label != "null":
		p.Label = label
	}
	if err != nil {
		return p, &failure{exitEnvironment, fmt.Errorf("the server's answer is no prediction: %w", err)}
	}
	return p, nil
}

// Status implements learner; nil where the server does not answer.
func (r *remote) Status() *engine.Status {
	data, err := r.do(http.MethodGet, "/status", nil)
	var s engine.Status
	if err != nil || json.Unmarshal(data, &s) != nil {
		return nil
	}
	return &s
}
