package tidemill_test

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSystemNames keeps the names of outside systems in their own folders: what is said of one, and how it is told from
// others, comes from there (System, Mender, Dropper). Names stand in the list of kinds, and in what shows Tidemill with
// one system: demos, examples, benchmarks, the servers that tests start. The release's tool names licences.
func TestSystemNames(t *testing.T) {
	free := []string{"connector", "demo", "bench", "examples", "docs", "tools", "tidemilltest"}
	lists := []string{"cmd/tidemill/kinds.go", "cmd/tidemill/kinds_docs.go"}
	// Drivers, other spellings, and systems that others will add; "file" and "webhook" are words of their own.
	names := []string{"postgresql", "pgx", "pgconn", "mysql", "mariadb", "sqlserver", "mongodb", "kafka", "rabbitmq", "redis"}
	folders, err := os.ReadDir("connector")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range folders {
		if d.IsDir() && !slices.Contains([]string{"file", "webhook", "sqltable"}, d.Name()) {
			names = append(names, d.Name())
		}
	}
	system := regexp.MustCompile("(?i)" + strings.Join(names, "|"))
	for _, f := range goFiles(t) {
		if f.test || ignored(f) || slices.Contains(free, room(f.dir)) || slices.Contains(lists, f.path) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			text := ""
			switch n := n.(type) {
			case *ast.Ident:
				text = n.Name
			case *ast.BasicLit:
				if n.Kind == token.STRING {
					text = n.Value
				}
			}
			if name := system.FindString(text); name != "" {
				t.Errorf("%s names %s, in %.60s: what is of one system belongs into its folder under connector/", f.path, name, text)
			}
			return true
		})
	}
}
