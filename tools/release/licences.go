package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// module is a module that is linked into the program, with its licence.
type module struct {
	path, version string
	licence       string // SPDX expression
	texts         []file // licence files, by name
	notice        []byte // what section 4 (d) of the Apache licence wants passed on
}

// accepted are the licences under which something may be linked: another one is a decision.
var accepted = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "blessing"}

// linked lists what the program links on any of the systems, sorted; the standard library is the first.
func linked(dir string, list []string) ([]module, error) {
	found := map[string]string{} // path -> folder
	versions := map[string]string{}
	for _, target := range list {
		goos, arch, _ := strings.Cut(target, "/")
		out, err := command(dir, environment(goos, arch), "go", "list", "-deps", "-json=Module", "./cmd/tidemill")
		if err != nil {
			return nil, err
		}
		for d := json.NewDecoder(strings.NewReader(out)); ; {
			var p struct {
				Module *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			if err := d.Decode(&p); err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
			if m := p.Module; m != nil && !m.Main {
				found[m.Path], versions[m.Path] = m.Dir, m.Version
			}
		}
	}
	goroot, err := command(dir, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	goversion, err := command(dir, nil, "go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	std, err := readLicence("std", goversion, goroot)
	if err != nil {
		return nil, err
	}
	mods := []module{*std}
	for path := range found {
		m, err := readLicence(path, versions[path], found[path])
		if err != nil {
			return nil, err
		}
		mods = append(mods, *m)
	}
	sort.Slice(mods[1:], func(i, j int) bool { return mods[1+i].path < mods[1+j].path })
	return mods, nil
}

func readLicence(path, version, dir string) (*module, error) {
	m := &module{path: path, version: version}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w; go mod download fetches it", path, err)
	}
	var ids []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		licence := strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "LICENCE") ||
			strings.HasPrefix(name, "COPYING")
		if e.IsDir() || !licence && name != "NOTICE" || strings.HasSuffix(name, "-LOGO") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if !licence {
			m.notice = data
			continue
		}
		m.texts = append(m.texts, file{name: e.Name(), data: data})
		if strings.Contains(name, "3RD-PARTY") {
			continue // a list of further ones; its text is passed on
		}
		id := licenceOf(string(data))
		if !slices.Contains(accepted, id) {
			return nil, fmt.Errorf("module %s: the licence in %s is not one of %s: decide on it in tools/release/licences.go",
				path, e.Name(), strings.Join(accepted, ", "))
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("module %s has no licence", path)
	}
	m.licence = strings.Join(ids, " AND ")
	return m, nil
}

// licenceOf knows a licence's text by its own words.
func licenceOf(text string) string {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	has := func(words string) bool { return strings.Contains(text, words) }
	switch {
	case has("apache license") && has("version 2.0"):
		return "Apache-2.0"
	case has("permission is hereby granted, free of charge"):
		return "MIT"
	case has("redistribution and use in source and binary forms") && has("neither the name"):
		return "BSD-3-Clause"
	case has("redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("sqlite is public domain"):
		return "blessing"
	}
	return ""
}

// noticeOf is the file NOTICE.
func noticeOf(mods []module) []byte {
	var b bytes.Buffer
	b.WriteString(`Tidemill
Copyright the Tidemill authors
Licensed under the Apache License, Version 2.0: see the file LICENSE.

The program contains the MNIST database of handwritten digits by Y. LeCun, C. Cortes and C. J. C. Burges, under the
Creative Commons licence BY-SA 3.0, unchanged. Other data of the demos is in the public domain or under CC0 1.0: examples/README.md.

It links these modules. The texts of their licences are in LICENSES-THIRD-PARTY.txt beside each released program, and are
printed by: go run ./tools/release -licences

`)
	for _, m := range mods {
		name := m.path
		if m.path == "std" {
			name = "the standard library of Go"
		}
		fmt.Fprintf(&b, "  %-40s %s\n", name, m.licence)
	}
	for _, m := range mods {
		if m.notice != nil {
			fmt.Fprintf(&b, "\n%s\n\n%s\n", m.path, indent(m.notice))
		}
	}
	return b.Bytes()
}

func indent(text []byte) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(string(text))) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			line = "    " + line
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// texts are all licences, each once, with the modules that it is for.
func texts(mods []module) []byte {
	var order []string
	owners := map[string][]string{}
	for _, m := range mods {
		for _, t := range m.texts {
			text := strings.TrimSpace(strings.ReplaceAll(string(t.data), "\r\n", "\n"))
			if owners[text] == nil {
				order = append(order, text)
			}
			owners[text] = append(owners[text], m.path+" "+m.version+" ("+t.name+")")
		}
	}
	var b bytes.Buffer
	b.WriteString("The licences of what is linked into tidemill.\n")
	for _, text := range order {
		line := strings.Repeat("=", 80)
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", line, strings.Join(owners[text], "\n"), line, text)
	}
	return b.Bytes()
}
