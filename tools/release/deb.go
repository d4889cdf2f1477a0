package main

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// debVersion is a Go version as Debian's tools compare it: v1.2.3-rc.1 and pseudo-versions come before v1.2.3.
func debVersion(v string) string {
	v = strings.TrimPrefix(v, "v")
	release, rest, pre := strings.Cut(v, "-")
	if pre {
		return release + "~" + strings.ReplaceAll(rest, "-", ".")
	}
	return release
}

// deb makes the Debian package.
func (s *source) deb(b *binary, mods []module) (*file, error) {
	data, err := s.debFiles(b, mods)
	if err != nil {
		return nil, err
	}
	sort.Slice(data, func(i, j int) bool { return data[i].name < data[j].name })
	var sums bytes.Buffer
	size := 0
	for _, f := range data {
		if !strings.HasSuffix(f.name, "/") {
			fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(f.data), strings.TrimPrefix(f.name, "./"))
		}
		size += (len(f.data) + 1023) / 1024
	}
	version := debVersion(b.version)
	control, err := os.ReadFile(filepath.Join(s.dir, "deploy/debian/control"))
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer("@VERSION@", version, "@ARCH@", b.arch, "@SIZE@",
		fmt.Sprint(size)).Replace(string(control))
	control0 := []file{{name: "./control", mode: 0o644, data: []byte(text)},
		{name: "./md5sums", mode: 0o644, data: sums.Bytes()}}
	for _, name := range []string{"postinst", "postrm", "prerm"} {
		script, err := os.ReadFile(filepath.Join(s.dir, "deploy/debian", name))
		if err != nil {
			return nil, err
		}
		control0 = append(control0, file{name: "./" + name, mode: 0o755, data: script})
	}
	controlTar, err := tarGz(control0, s.when)
	if err != nil {
		return nil, err
	}
	dataTar, err := tarGz(data, s.when)
	if err != nil {
		return nil, err
	}
	return &file{name: "tidemill_" + version + "_" + b.arch + ".deb",
		data: ar([]file{{"debian-binary", 0o644, []byte("2.0\n")}, {"control.tar.gz", 0o644, controlTar},
			{"data.tar.gz", 0o644, dataTar}}, s.when)}, nil
}

// debFiles are the files that the package installs.
func (s *source) debFiles(b *binary, mods []module) ([]file, error) {
	m, err := s.ask()
	if err != nil {
		return nil, err
	}
	const doc = "./usr/share/doc/tidemill/"
	out := []file{
		{"./etc/tidemill/", 0o755, nil},
		{"./usr/bin/tidemill", 0o755, b.data},
		{"./usr/share/bash-completion/completions/tidemill", 0o644, m.bash},
		{"./usr/share/zsh/vendor-completions/_tidemill", 0o644, m.zsh},
		{"./usr/share/fish/vendor_completions.d/tidemill.fish", 0o644, m.fish},
	}
	for name, from := range map[string]string{
		"./usr/lib/systemd/system/tidemill@.service": "deploy/systemd/tidemill@.service",
		doc + "copyright":             "deploy/debian/copyright",
		doc + "NOTICE":                "NOTICE",
		doc + "README.md":             "deploy/README.md",
		doc + "examples/flow.yaml":    "deploy/flow.yaml",
		doc + "examples/alerts.yml":   "deploy/prometheus/alerts.yml",
		doc + "examples/grafana.json": "deploy/grafana/tidemill.json",
	} {
		data, err := os.ReadFile(filepath.Join(s.dir, from))
		if err != nil {
			return nil, err
		}
		out = append(out, file{name, 0o644, data})
	}
	changes, err := os.ReadFile(filepath.Join(s.dir, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	for _, x := range []file{{"./usr/share/man/man1/tidemill.1.gz", 0o644, m.page}, {doc + "changelog.gz", 0o644, changes},
		{doc + "LICENSES-THIRD-PARTY.txt.gz", 0o644, texts(mods)}} {
		if x.data, err = gz(x.data); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}
