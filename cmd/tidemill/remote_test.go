package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tidemill/tidemill"
)

// TestRemotePrediction: a server answers with a text, or with a number where the task's answers are numbers.
func TestRemotePrediction(t *testing.T) {
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
	defer server.Close()
	r := newRemote(t.Context(), server.URL, "")
	for _, c := range []struct{ answer, label string }{
		{`{"prediction":"3","score":0.9,"missing":[],"model_version":"1.5"}`, "3"},
		{`{"prediction":295095.398,"score":295095.398,"values":[295095.398],"missing":["rooms"],"model_version":"1.5"}`, "295095.398"},
		{`{"prediction":null,"score":null,"missing":[],"model_version":"1.5"}`, ""},
	} {
		answer = c.answer
		p, err := r.Predict("price", tidemill.Row{"area": 100})
		if err != nil || p.Label != c.label || p.Version != "1.5" {
			t.Errorf("%s: %+v, %v", c.answer, p, err)
		}
	}
	for _, answer = range []string{`<html>`, `{}`, `{"prediction":"3`} {
		if p, err := r.Predict("price", nil); err == nil {
			t.Errorf("%s: %+v", answer, p)
		}
	}
}
