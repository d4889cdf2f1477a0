package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/tidemill/tidemill/config"
)

func schema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	data, err := config.Schema(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decodeYAML(t *testing.T, src string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(src), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v) // numbers as JSON has them
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsWhatParseDoes(t *testing.T) {
	s := schema(t)
	for name, src := range valid() {
		if err := s.Validate(decodeYAML(t, src)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Validate(decodeYAML(t, parse(t, src).YAML())); err != nil {
			t.Errorf("%s, printed: %v", name, err)
		}
	}
}

func TestSchemaRefusesMistakes(t *testing.T) {
	s := schema(t)
	for _, name := range []string{"unknown-keys", "unknown-kinds", "missing", "two-kinds", "wrong-types", "list", "text"} {
		data, err := os.ReadFile(filepath.Join("testdata", "bad", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(decodeYAML(t, strings.ReplaceAll(string(data), ".nan", "x"))); err == nil {
			t.Errorf("%s is valid by the schema", name)
		}
	}
}

func TestSchemaIsStable(t *testing.T) {
	data, err := config.Schema(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "schema.json", string(data)+"\n")
}

func TestReference(t *testing.T) {
	var all strings.Builder
	for _, p := range config.Reference(testKinds()) {
		all.WriteString("<!-- " + p.File + " -->\n" + p.Text + "\n")
	}
	golden(t, "reference.md", all.String())
}
