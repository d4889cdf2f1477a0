package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// buildArgs are how the binary is built, here and in deploy/Dockerfile.
var buildArgs = []string{"build", "-trimpath", "-ldflags", "-s -w"}

// source is a commit, checked out in a folder of its own.
type source struct {
	home   string // holds dir, and what is built: Go calls a clone with other files in it dirty
	dir    string
	commit string
	when   time.Time // the commit's time: the only one in a release
	manual *manual   // made with the first binary that runs here
}

// binary is the program for one system.
type binary struct {
	os, arch string
	version  string // v1.2.3, or a pseudo-version
	path     string
	data     []byte
	info     *buildinfo.BuildInfo
}

func (b *binary) file() string {
	if b.os == "windows" {
		return "tidemill.exe"
	}
	return "tidemill"
}

// repository is the root of the repository that the current folder is in.
func repository() (string, error) {
	return command("", nil, "git", "rev-parse", "--show-toplevel")
}

// checkout clones the repository's last commit. A clone has a folder .git, by which Go knows version and commit.
func checkout(root string) (*source, error) {
	s := &source{}
	var err error
	if s.commit, err = command(root, nil, "git", "rev-parse", "HEAD"); err != nil {
		return nil, err
	}
	seconds, err := command(root, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, err
	}
	s.when = time.Unix(n, 0).UTC()
	if s.home, err = os.MkdirTemp("", "tidemill-release-"); err != nil {
		return nil, err
	}
	s.dir = filepath.Join(s.home, "tidemill")
	for _, args := range [][]string{{"clone", "--quiet", "--shared", "--no-checkout", root, s.dir},
		{"-C", s.dir, "checkout", "--quiet", "--detach", s.commit}} {
		if _, err := command("", nil, "git", args...); err != nil {
			s.remove()
			return nil, err
		}
	}
	return s, nil
}

func (s *source) remove() { os.RemoveAll(s.home) }

// build builds the program for a system like linux/amd64.
func (s *source) build(target string) (*binary, error) {
	goos, arch, ok := strings.Cut(target, "/")
	if !ok {
		return nil, fmt.Errorf("the system %q is not written like linux/amd64", target)
	}
	b := &binary{os: goos, arch: arch, path: filepath.Join(s.home, "tidemill-"+goos+"-"+arch)}
	env := append(environment(goos, arch), "GOFLAGS=-buildvcs=true")
	if _, err := command(s.dir, env, "go", append(buildArgs, "-o", b.path, "./cmd/tidemill")...); err != nil {
		return nil, err
	}
	var err error
	if b.data, err = os.ReadFile(b.path); err != nil {
		return nil, err
	}
	if b.info, err = buildinfo.Read(bytes.NewReader(b.data)); err != nil {
		return nil, err
	}
	if b.version = b.info.Main.Version; !strings.HasPrefix(b.version, "v") || strings.Contains(b.version, "dirty") {
		return nil, fmt.Errorf("the version %q of the binary is none: is git at hand, and the clone clean?", b.version)
	}
	return b, nil
}

// manual is what the program says of itself: its manual page and the completions of shells.
type manual struct{ page, bash, zsh, fish []byte }

// ask makes the manual, with a program that runs on this machine.
func (s *source) ask() (*manual, error) {
	if s.manual != nil {
		return s.manual, nil
	}
	path := filepath.Join(s.home, "tidemill-"+runtime.GOOS+"-"+runtime.GOARCH)
	if _, err := os.Stat(path); err != nil {
		b, err := s.build(runtime.GOOS + "/" + runtime.GOARCH)
		if err != nil {
			return nil, err
		}
		path = b.path
	}
	m := &manual{}
	for _, x := range []struct {
		into *[]byte
		args []string
	}{{&m.page, []string{"man"}}, {&m.bash, []string{"completion", "bash"}}, {&m.zsh, []string{"completion", "zsh"}},
		{&m.fish, []string{"completion", "fish"}}} {
		out, err := exec.Command(path, x.args...).Output()
		if err != nil || len(out) == 0 {
			return nil, fmt.Errorf("tidemill %s: %d bytes, %v", strings.Join(x.args, " "), len(out), err)
		}
		*x.into = out
	}
	s.manual = m
	return m, nil
}

// environment is that of a build which depends on nothing that is set here.
func environment(goos, arch string) []string {
	return []string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=",
		"GOEXPERIMENT=", "GOWORK=off"}
}

// command runs a program and gives what it printed.
func command(dir string, env []string, name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	out, err := c.Output()
	if err != nil {
		var told *exec.ExitError
		if errors.As(err, &told) {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(told.Stderr))
		}
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
