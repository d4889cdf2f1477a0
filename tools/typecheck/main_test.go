package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheck finds a fault that only one system's build has, and none for the others.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module example.org/m\n\ngo 1.26.0\n",
		"m.go":            "package m\n\nimport \"os\"\n\nfunc kind() string { return name(os.Getpid()) }\n",
		"m_linux.go":      "package m\n\nfunc name(int) string { return \"linux\" }\n",
		"m_darwin.go":     "package m\n\nfunc name(int) string { return 1 }\n",
		"m_windows.go":    "package m\n\nimport \"syscall\"\n\nfunc name(int) string { syscall.Kill(1, 2); return \"\" }\n",
		"one/one.go":      "//go:build linux\n\npackage one\n\nconst One = 1\n",
		"two/two.go":      "package two\n\nimport \"example.org/m/one\"\n\nconst Two = one.One\n",
		"only/only.go":    "package only\n\nvar Only = nothing\n",
		"tests/t_test.go": "package tests\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for target, wants := range map[string][]string{
		"linux/arm64":   nil,
		"darwin/arm64":  {"m_darwin.go:3:", "example.org/m/one"},
		"windows/amd64": {"undefined: syscall.Kill", "example.org/m/one"},
		"linux":         {"not written like"},
		"linux/none":    {"none"},
	} {
		err := check(dir, target, "example.org/m/only")
		if len(wants) == 0 && err != nil {
			t.Errorf("%s: %v", target, err)
		}
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", target, err, want)
			}
		}
	}
}
