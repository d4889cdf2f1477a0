package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// targets are the systems that a release is for.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

func main() {
	var (
		out      = flag.String("out", "dist", "the folder to write to")
		list     = flag.String("targets", strings.Join(targets, ","), "the systems to build for")
		notice   = flag.Bool("notice", false, "write the file NOTICE only")
		licences = flag.Bool("licences", false, "print the licences' texts only")
	)
	flag.Parse()
	if err := run(*out, strings.Split(*list, ","), *notice, *licences, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(out string, list []string, notice, licences bool, w io.Writer) error {
	root, err := repository()
	if err != nil {
		return err
	}
	if notice || licences {
		mods, err := linked(root, targets)
		if err != nil {
			return err
		}
		if licences {
			_, err = w.Write(texts(mods))
			return err
		}
		return os.WriteFile(filepath.Join(out, "NOTICE"), noticeOf(mods), 0o644)
	}
	return release(root, out, list, w)
}

// release builds everything for the systems of list into the folder out.
func release(root, out string, list []string, w io.Writer) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(out, "tidemill_*")) // of other commits
	if err != nil {
		return err
	}
	for _, f := range append(old, filepath.Join(out, "SHA256SUMS")) {
		if err := os.RemoveAll(f); err != nil {
			return err
		}
	}
	s, err := checkout(root)
	if err != nil {
		return err
	}
	defer s.remove()
	mods, err := linked(s.dir, targets) // of all systems, so that one that is built alone has the same bytes
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "release: commit %.12s of %s\n", s.commit, s.when.Format("2006-01-02 15:04:05 UTC"))
	var made []string
	for _, target := range list {
		b, err := s.build(target)
		if err != nil {
			return err
		}
		files, err := s.pack(b, mods)
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(out, f.name), f.data, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(w, "%10d  %s\n", len(f.data), f.name)
			made = append(made, fmt.Sprintf("%x  %s\n", sha256.Sum256(f.data), f.name))
		}
	}
	sort.Slice(made, func(i, j int) bool { return made[i][66:] < made[j][66:] })
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(strings.Join(made, "")), 0o644)
}

// pack makes the files of one system: the archive, the SBOM, and for Linux the Debian package.
func (s *source) pack(b *binary, mods []module) ([]file, error) {
	bom, err := sbom(b, mods, s)
	if err != nil {
		return nil, err
	}
	name := "tidemill_" + strings.TrimPrefix(b.version, "v") + "_" + b.os + "_" + b.arch
	inside := []file{{name: name + "/" + b.file(), mode: 0o755, data: b.data},
		{name: name + "/LICENSES-THIRD-PARTY.txt", mode: 0o644, data: texts(mods)}}
	for _, f := range []string{"LICENSE", "NOTICE", "README.md", "CHANGELOG.md"} {
		data, err := os.ReadFile(filepath.Join(s.dir, f))
		if err != nil {
			return nil, err
		}
		inside = append(inside, file{name: name + "/" + f, mode: 0o644, data: data})
	}
	archive := file{name: name + ".tar.gz"}
	if b.os == "windows" {
		archive.name = name + ".zip"
		archive.data, err = zipOf(inside, s.when)
	} else {
		archive.data, err = tarGz(inside, s.when)
	}
	if err != nil {
		return nil, err
	}
	files := []file{archive, {name: name + ".spdx.json", data: bom}}
	if b.os == "linux" {
		deb, err := s.deb(b, mods)
		if err != nil {
			return nil, err
		}
		files = append(files, *deb)
	}
	return files, nil
}
