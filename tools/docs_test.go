// Package tools_test holds that the documents are whole.
package tools_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence = regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]+`")
	word  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks: what a document of the repository points to is there, headings too.
func TestLinks(t *testing.T) {
	headings := map[string]map[string]bool{}
	texts := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		texts[path] = string(text)
		headings[path] = map[string]bool{}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "#") {
				name := strings.ToLower(word.ReplaceAllString(strings.TrimSpace(strings.TrimLeft(line, "#")), ""))
				headings[path][strings.ReplaceAll(name, " ", "-")] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) < 20 {
		t.Fatalf("only %d documents are found", len(texts))
	}
	for path, text := range texts {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			to, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			file := path
			if to != "" {
				file = filepath.Join(filepath.Dir(path), to)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Errorf("%s points to %s, which is not there", path, m[1])
			} else if heading != "" && !info.IsDir() && !headings[file][heading] {
				t.Errorf("%s points to %s: there is no such heading", path, m[1])
			}
		}
	}
}
