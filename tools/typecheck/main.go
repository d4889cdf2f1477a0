// Command typecheck type-checks the module for other systems without compiling anything: every package of ours in full,
// what it imports by its declarations alone. It finds what a build for that system would refuse, in a tenth of the
// time; what only a compiler or a linker sees, it does not.
//
//	typecheck [-C folder] [-skip package] system/architecture...
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	folder := flag.String("C", ".", "the module's folder")
	skip := flag.String("skip", "", "the import path of a package that is for this system alone")
	flag.Parse()
	failed := false
	for _, target := range flag.Args() {
		if err := check(*folder, target, *skip); err != nil {
			fmt.Fprintf(os.Stderr, "typecheck: %s:\n%v\n", target, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// listed is what `go list` tells of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	ImportMap  map[string]string
	Standard   bool
	Module     *struct {
		Main      bool
		GoVersion string
	}
	Error *struct{ Err string }
}

// check type-checks the packages of the module in folder, but for skip, for a system like linux/arm64. The error has a
// line for each fault.
func check(folder, target, skip string) error {
	goos, arch, ok := strings.Cut(target, "/")
	if !ok {
		return fmt.Errorf("the system %q is not written like linux/amd64", target)
	}
	list := exec.Command("go", "list", "-e", "-deps",
		"-json=ImportPath,Dir,GoFiles,Imports,ImportMap,Standard,Module,Error", "./...")
	list.Dir, list.Stderr = folder, os.Stderr
	list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	c := &checker{fset: token.NewFileSet(), done: map[string]*types.Package{"unsafe": types.Unsafe},
		sizes: types.SizesFor("gc", arch)}
	if c.sizes == nil {
		return fmt.Errorf("the architecture %s is not known", arch)
	}
	var faults []error
	for d := json.NewDecoder(strings.NewReader(string(out))); ; { // a package comes after what it imports
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return errors.Join(faults...)
		} else if err != nil {
			return err
		}
		ours := p.Module != nil && p.Module.Main
		switch {
		case ours && p.ImportPath == skip:
		case ours && len(p.GoFiles) == 0: // it has tests only, or is not for this system: who imports it is told
		case p.Error != nil:
			faults = append(faults, fmt.Errorf("%s: %s", p.ImportPath, p.Error.Err))
		case p.ImportPath != "unsafe":
			faults = append(faults, c.check(&p, ours)...)
		}
	}
}

// checker has what is checked so far.
type checker struct {
	fset  *token.FileSet
	done  map[string]*types.Package
	sizes types.Sizes
}

// check type-checks one package, whose imports are done; of one that is not ours, declarations only,
// and its faults are not told.
func (c *checker) check(p *listed, ours bool) []error {
	var faults []error
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(c.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			faults = append(faults, err)
		}
		if f != nil {
			files = append(files, f)
		}
	}
	conf := types.Config{Importer: &importer{c.done, p.ImportMap}, Sizes: c.sizes,
		IgnoreFuncBodies: !ours, FakeImportC: true, Error: func(err error) { faults = append(faults, err) }}
	if p.Module != nil && p.Module.GoVersion != "" {
		conf.GoVersion = "go" + p.Module.GoVersion
	}
	c.done[p.ImportPath], _ = conf.Check(p.ImportPath, c.fset, files, nil)
	if !ours {
		return nil
	}
	return faults
}

// importer finds the packages that one package imports.
type importer struct {
	done  map[string]*types.Package
	names map[string]string // the paths written in the package that mean others
}

func (i *importer) Import(path string) (*types.Package, error) {
	if real, ok := i.names[path]; ok {
		path = real
	}
	if p := i.done[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("there is no package %s for this system", path)
}
