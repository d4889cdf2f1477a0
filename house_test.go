package tidemill_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const modulePath = "github.com/tidemill/tidemill"

// rooms are which of our packages each package may import, by the first folder of its path; "" is the root. Siblings
// do not import each other, except through matrix, statebytes, durable and debezium, a model its encoders, and a SQL system
// what such systems share.
var rooms = map[string][]string{
	"":             {},
	"matrix":       {"matrix"},
	"statebytes":   {""},
	"durable":      {},
	"expr":         {""},
	"engine":       {"", "expr", "statebytes", "durable"},
	"picture":      {},
	"terminal":     {},
	"encode":       {"", "matrix", "statebytes"},
	"feature":      {"", "expr", "matrix", "picture", "statebytes"},
	"model":        {"", "matrix", "statebytes", "encode"},
	"score":        {"", "matrix", "statebytes"},
	"transform":    {"", "expr"},
	"store":        {"", "statebytes", "durable"},
	"jsontext":     {""},
	"format":       {"", "expr", "matrix", "statebytes", "durable", "jsontext"},
	"connector":    {"", "expr", "durable", "jsontext"},
	"config":       {"", "expr", "engine", "encode"},
	"draft":        {"", "expr", "picture", "terminal"},
	"report":       {"", "engine"},
	"serve":        {"", "engine", "expr", "jsontext", "picture"},
	"tidemilltest": {"", "engine", "expr"},
	"examples":     {},
	"tools":        {},
	"demo": {"", "engine", "expr", "config", "serve", "terminal", "examples", "connector", "encode", "feature", "format",
		"model", "score", "store"},
	"cmd": {"", "engine", "expr", "picture", "config", "draft", "report", "serve", "terminal", "demo", "connector", "transform", "feature",
		"format", "encode", "model", "score", "store", "examples"},
	"bench": {"", "engine", "expr", "config", "serve", "demo", "connector", "feature", "encode", "model", "score", "store", "examples", "matrix", "tidemilltest"},
}

// forbidden are package names that say nothing.
var forbidden = []string{"util", "utils", "common", "helper", "helpers", "base", "misc", "types", "internal"}

// fileLimit is how long a source file may be.
const fileLimit = 500

// longer are the files that may be longer, each with its bound: the list only shrinks.
var longer = map[string]int{}

type goFile struct {
	path string // from the repository's root
	dir  string
	test bool
	ast  *ast.File
	text []byte
	set  *token.FileSet
}

// line is the number of a position's line.
func (f *goFile) line(p token.Pos) int { return f.set.Position(p).Line }

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var out []goFile
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, goFile{filepath.ToSlash(path), filepath.ToSlash(filepath.Dir(path)), strings.HasSuffix(path, "_test.go"), f, text, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func room(dir string) string {
	if dir == "." {
		return ""
	}
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func TestImports(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || ignored(f) {
			continue
		}
		from := room(f.dir)
		allowed, known := rooms[from]
		if !known {
			t.Errorf("%s: the room %q is not in the table of imports", f.path, from)
			continue
		}
		for _, imp := range f.ast.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			if path == modulePath || strings.HasPrefix(path, modulePath+"/") {
				to := room(strings.TrimPrefix(strings.TrimPrefix(path, modulePath), "/"))
				if path == modulePath {
					to = ""
				}
				same := f.dir == strings.TrimPrefix(path, modulePath+"/") || strings.HasPrefix(strings.TrimPrefix(path, modulePath+"/"), f.dir+"/")
				shared := from == "connector" && path == modulePath+"/connector/sqltable"
				if !slices.Contains(allowed, to) && !same && !shared {
					t.Errorf("%s imports %s", f.path, path)
				}
				continue
			}
			if from == "" && strings.Contains(path, ".") {
				t.Errorf("%s imports %s: the root imports the standard library only", f.path, path)
			}
		}
	}
}

// ignored reports whether a file is built by nobody but `go run`.
func ignored(f goFile) bool {
	return strings.Contains(string(f.text[:min(len(f.text), 200)]), "//go:build ignore")
}

func TestNoInitNoGlobals(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || ignored(f) {
			continue
		}
		if slices.Contains(forbidden, f.ast.Name.Name) {
			t.Errorf("%s: the package name %s says nothing", f.path, f.ast.Name.Name)
		}
		globals := map[string]bool{}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", f.path)
			}
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, s := range g.Specs {
					for _, n := range s.(*ast.ValueSpec).Names {
						globals[n.Name] = true
					}
				}
			}
		}
		// A package variable may be a table or a sentinel; nothing in its file may assign to it.
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok && a.Tok == token.ASSIGN {
				for _, l := range a.Lhs {
					if id, ok := l.(*ast.Ident); ok && id.Name != "_" && globals[id.Name] && (id.Obj == nil || id.Obj.Pos() < f.ast.Name.End() || isPackageLevel(f.ast, id)) {
						t.Errorf("%s assigns to the package variable %s", f.path, id.Name)
					}
				}
			}
			return true
		})
	}
}

func isPackageLevel(f *ast.File, id *ast.Ident) bool {
	return id.Obj != nil && f.Scope != nil && f.Scope.Lookup(id.Name) == id.Obj
}

func TestFileLengths(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		lines := strings.Count(string(f.text), "\n")
		limit := fileLimit
		if l, ok := longer[f.path]; ok {
			limit = l
		}
		if lines > limit {
			t.Errorf("%s has %d lines, more than %d: is there a second room in it?", f.path, lines, limit)
		}
	}
}

// What a function, a line and a type may measure. Where one is more, it does more than one thing.
const (
	functionLimit = 70
	columnLimit   = 120
	methodLimit   = 40
	fieldLimit    = 25
	rootFiles     = 22
	rootLines     = 2500
)

// TestSizes holds the bounds of functions, lines, types and of the root package.
func TestSizes(t *testing.T) {
	methods, files, lines := map[string]int{}, 0, 0
	for _, f := range goFiles(t) {
		if f.test || ignored(f) || ast.IsGenerated(f.ast) {
			continue
		}
		if f.dir == "." {
			files++
			lines += strings.Count(string(f.text), "\n")
		}
		raw := f.rawLines()
		for i, l := range strings.Split(string(f.text), "\n") {
			if n := utf8.RuneCountInString(l); n > columnLimit && !raw[i+1] && !strings.HasPrefix(l, "//\t") {
				t.Errorf("%s:%d has %d columns", f.path, i+1, n)
			}
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if n := f.line(d.End()) - f.line(d.Pos()) + 1; n > functionLimit {
					t.Errorf("%s: %s has %d lines, more than %d", f.path, d.Name.Name, n, functionLimit)
				}
				if d.Recv != nil {
					methods[f.dir+" "+receiver(d.Recv.List[0].Type)]++
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					ts, ok := s.(*ast.TypeSpec)
					if !ok {
						continue
					}
					if st, ok := ts.Type.(*ast.StructType); ok && st.Fields.NumFields() > fieldLimit {
						t.Errorf("%s: %s has %d fields, more than %d", f.path, ts.Name.Name, st.Fields.NumFields(), fieldLimit)
					}
				}
			}
		}
	}
	for name, n := range methods {
		if n > methodLimit {
			t.Errorf("%s has %d methods, more than %d", name, n, methodLimit)
		}
	}
	if files > rootFiles || lines > rootLines {
		t.Errorf("the root has %d files and %d lines, more than %d and %d", files, lines, rootFiles, rootLines)
	}
}

// rawLines are the lines that hold a text in back quotes, which cannot be wrapped: struct tags and statements of SQL.
func (f *goFile) rawLines() map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if b, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(b.Value, "`") {
			for l := f.line(b.Pos()); l <= f.line(b.End()); l++ {
				lines[l] = true
			}
		}
		return true
	})
	return lines
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestPackageSentences(t *testing.T) {
	docs := map[string]string{}
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		if _, ok := docs[f.dir]; !ok {
			docs[f.dir] = ""
		}
		if f.ast.Doc != nil {
			docs[f.dir] += f.ast.Doc.Text()
		}
	}
	for dir, doc := range docs {
		if !strings.HasPrefix(doc, "Package ") && !strings.HasPrefix(doc, "Command ") {
			t.Errorf("%s: no sentence says what the package is", dir)
		}
	}
}

// doors are the interfaces of the root that a kind is one of, and what these are made of.
var doors = []string{"Source", "Transform", "Feature", "Encoder", "Model", "Score", "Format", "Sink", "Store",
	"State", "SegmentWriter", "SegmentReader", "Place"}

// upgradeLimit is how many further interfaces the root may have: abilities that are found by assertion. What nearly every
// kind of a door has belongs into the door.
const upgradeLimit = 24

// TestUpgradesAreFew counts the root's interfaces that are no doors.
func TestUpgradesAreFew(t *testing.T) {
	seen := map[string]bool{}
	var upgrades []string
	for _, f := range goFiles(t) {
		if f.test || f.dir != "." {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if _, ok := s.Type.(*ast.InterfaceType); ok {
				if seen[s.Name.Name] = true; !slices.Contains(doors, s.Name.Name) {
					upgrades = append(upgrades, s.Name.Name)
				}
			}
			return false
		})
	}
	for _, d := range doors {
		if !seen[d] {
			t.Errorf("the root has no door %s", d)
		}
	}
	if len(upgrades) > upgradeLimit {
		slices.Sort(upgrades)
		t.Errorf("the root has %d upgrades, more than %d: %s", len(upgrades), upgradeLimit, strings.Join(upgrades, ", "))
	}
}

// TestNoClock keeps time.Now out of what decides results: the flow's clock is the data's.
func TestNoClock(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || !slices.Contains([]string{"feature", "encode", "model", "score", "matrix", "transform"}, room(f.dir)) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && (s.Sel.Name == "Now" || s.Sel.Name == "Since") {
					t.Errorf("%s reads the wall clock", f.path)
				}
			}
			return true
		})
	}
}

// TestDirectDependencies keeps the list of modules a decision.
func TestDirectDependencies(t *testing.T) {
	want := []string{"github.com/goccy/go-yaml", "github.com/google/jsonschema-go", "github.com/jackc/pgx/v5", "github.com/prometheus/client_golang",
		"github.com/spf13/cobra", "golang.org/x/sys", "golang.org/x/term", "modernc.org/libc", "modernc.org/sqlite"}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(mod), "\n") {
		l = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(l), "require "))
		name, _, ok := strings.Cut(l, " v")
		if !ok || strings.HasSuffix(l, "// indirect") {
			continue
		}
		if !slices.Contains(want, name) {
			t.Errorf("go.mod requires %s: decide on it here first", name)
		}
	}
}
