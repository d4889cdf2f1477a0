package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill/config"
)

// TestExampleFlows: every flow in examples can be read.
func TestExampleFlows(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	env := func(name string) (string, bool) {
		return "postgres://localhost/tidemill", name == "DATABASE_URL"
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := config.Parse(file, data, kinds(), env)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if _, err := config.Parse(file, []byte(f.YAML()), kinds(), env); err != nil && f.Serve == nil {
			t.Errorf("%s, printed: %v", file, err)
		}
	}
}
