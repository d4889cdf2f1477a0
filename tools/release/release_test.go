package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

var when = time.Unix(1795468425, 0).UTC()

// TestNotice: NOTICE lists what is linked now, on all systems, and every licence is one of those accepted.
func TestNotice(t *testing.T) {
	mods, err := linked("../..", targets)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(noticeOf(mods)) {
		t.Error("NOTICE is not what is linked now: go generate ./tools/release")
	}
	all := string(texts(mods))
	for _, m := range mods {
		if !strings.Contains(all, "\n"+m.path+" "+m.version+" (") {
			t.Errorf("no licence text of %s", m.path)
		}
	}
	for _, words := range []string{"Blake Mizerany", "Permission is hereby granted", "Redistribution and use in source", "Apache License"} {
		if !strings.Contains(all, words) {
			t.Errorf("the texts lack %q", words)
		}
	}
}

func TestLicenceOf(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                                                "Apache-2.0",
		"MIT\n\nPermission is hereby granted,\nfree of charge, to any person":                                         "MIT",
		"Redistribution and use in source and binary\nforms, with or without ... Neither the name of X nor":           "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without modification, are permitted provided ...": "BSD-2-Clause",
		"GNU GENERAL PUBLIC LICENSE": "",
	} {
		if got := licenceOf(text); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/LICENSE", []byte("GNU GENERAL PUBLIC LICENSE"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readLicence("example.org/x", "v1.0.0", dir); err == nil || !strings.Contains(err.Error(), "example.org/x") {
		t.Errorf("a licence that is not accepted: %v", err)
	}
	if _, err := readLicence("example.org/x", "v1.0.0", t.TempDir()); err == nil {
		t.Error("no licence is one")
	}
}

var packed = []file{{"a/b/tidemill", 0o755, []byte("binary")}, {"a/LICENSE", 0o644, []byte("text")}, {"a/etc/", 0o755, nil}}

func TestTar(t *testing.T) {
	data, err := tarGz(packed, when)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := tarGz(packed, when)
	if !bytes.Equal(data, again) {
		t.Error("the same files give other bytes")
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Uid != 0 || h.Uname != "root" || !h.ModTime.Equal(when) || h.FileInfo().IsDir() != strings.HasSuffix(h.Name, "/") {
			t.Errorf("%+v", h)
		}
	}
	if want := []string{"a/", "a/b/", "a/b/tidemill", "a/LICENSE", "a/etc/"}; !slices.Equal(names, want) {
		t.Errorf("%q, not %q", names, want)
	}
}

func TestZip(t *testing.T) {
	data, err := zipOf(packed[:2], when)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(r.File) != 2 {
		t.Fatalf("%v", err)
	}
	if f := r.File[0]; f.Name != "a/b/tidemill" || f.Mode() != 0o755 || !f.Modified.Equal(when) {
		t.Errorf("%+v", f.FileHeader)
	}
}

func TestAr(t *testing.T) {
	got := string(ar([]file{{"debian-binary", 0o644, []byte("2.0\n")}, {"odd", 0o644, []byte("x")}}, when))
	want := "!<arch>\ndebian-binary   1795468425  0     0     100644  4         `\n2.0\nodd             1795468425  0     0     100644  1         `\nx\n"
	if got != want {
		t.Errorf("%q\n%q", got, want)
	}
}

func TestDebVersion(t *testing.T) {
	for v, want := range map[string]string{"v1.2.3": "1.2.3", "v1.2.3-rc.1": "1.2.3~rc.1", "v0.0.0-20261123212128-99ba5ce2de22": "0.0.0~20261123212128.99ba5ce2de22",
		"v0.1.1-0.20261123212128-99ba5ce2de22": "0.1.1~0.20261123212128.99ba5ce2de22"} {
		if got := debVersion(v); got != want {
			t.Errorf("%s is %s, not %s", v, got, want)
		}
	}
}

// TestSBOM makes one of this test's own binary.
func TestSBOM(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info.Deps = []*debug.Module{{Path: "example.org/x", Version: "v1.2.3+incompatible", Sum: "h1:abc="}}
	b := &binary{os: runtime.GOOS, arch: runtime.GOARCH, version: "v1.2.3", data: []byte("binary"), info: info}
	s := &source{commit: strings.Repeat("a", 40), when: when}
	mods := []module{{path: "std", licence: "BSD-3-Clause"}, {path: "example.org/x", licence: "MIT"}}
	data, err := sbom(b, mods, s)
	if err != nil {
		t.Fatal(err)
	}
	var doc spdxDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{doc.ID: true}
	for _, p := range doc.Packages {
		if ids[p.ID] || !regexp.MustCompile(`^SPDXRef-[A-Za-z0-9.-]+$`).MatchString(p.ID) {
			t.Errorf("the id %s", p.ID)
		}
		ids[p.ID] = true
		if p.Name == "" || p.Version == "" || p.Download == "" || p.Concluded == "" || len(p.References) != 1 {
			t.Errorf("%+v", p)
		}
	}
	for _, r := range doc.Relationships {
		if !ids[r.Element] || !ids[r.Related] {
			t.Errorf("%+v points nowhere", r)
		}
	}
	if len(doc.Packages) != 3 || doc.Packages[2].References[0].Locator != "pkg:golang/example.org/x@v1.2.3%2Bincompatible" || doc.Packages[2].Declared != "MIT" {
		t.Errorf("%s", data)
	}
	if _, err := sbom(b, mods[:1], s); err == nil {
		t.Error("a module without a licence is taken")
	}
}
