//go:build release && linux

// These tests build a release for this machine and install it; .ci/run has them run with -tags release. They need root, dpkg and
// systemd. The package is installed in a copy of the machine (an overlay with a systemd of its own) where the kernel lets us,
// else on the machine itself.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// need fails where a program is missing, and says what to install.
func need(t *testing.T, programs map[string]string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test installs a package: run it as root, on a machine that may be changed")
	}
	for program, pkg := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: apt-get install %s", program, pkg)
		}
	}
}

// target is the system of this machine.
const target = runtime.GOOS + "/" + runtime.GOARCH

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRelease builds a release for this machine's system: the files are those that SHA256SUMS says, the binary is static, the same from
// another folder, and has the commit's version.
func TestRelease(t *testing.T) {
	need(t, map[string]string{"dpkg": "dpkg", "systemd-analyze": "systemd", "adduser": "adduser", "setpriv": "util-linux", "unshare": "util-linux"})
	root, err := repository()
	must(t, err)
	out := t.TempDir()
	var said bytes.Buffer
	must(t, release(root, out, []string{target}, &said))
	t.Logf("%s", said.String())
	sums := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	sums.Dir = out
	if text, err := sums.CombinedOutput(); err != nil || strings.Count(string(text), ": OK") != 3 {
		t.Errorf("checksums: %v\n%s", err, text)
	}

	s, err := checkout(root)
	must(t, err)
	defer s.remove()
	b, err := s.build(target)
	must(t, err)
	if again, err := s.build(target); err != nil || !bytes.Equal(again.data, b.data) {
		t.Errorf("a second build beside the first: %v", err)
	}
	archive, _ := filepath.Glob(filepath.Join(out, "*.tar.gz"))
	first, err := exec.Command("tar", "xzOf", archive[0], "--wildcards", "*/tidemill").Output()
	must(t, err)
	if sha256.Sum256(first) != sha256.Sum256(b.data) {
		t.Error("the same commit, built in another folder, gives another binary")
	}
	t.Run("static", func(t *testing.T) { static(t, b) })
	t.Run("image", func(t *testing.T) { image(t, root, b) })
	t.Run("deb", func(t *testing.T) { deb(t, out) })
	newer := exec.Command("dpkg", "--compare-versions", debVersion(b.version), "lt", "999")
	if err := newer.Run(); err != nil {
		t.Errorf("dpkg does not understand the version %s: %v", debVersion(b.version), err)
	}
}

// static: no interpreter, which a program that is linked to libraries has.
func static(t *testing.T, b *binary) {
	text, err := exec.Command("readelf", "-lW", b.path).CombinedOutput()
	if err != nil {
		text, err = exec.Command("ldd", b.path).CombinedOutput()
		if !strings.Contains(string(text), "not a dynamic executable") {
			t.Errorf("ldd: %v %s", err, text)
		}
		return
	}
	if strings.Contains(string(text), "INTERP") {
		t.Errorf("the binary is not static:\n%s", text)
	}
}

// image runs the program as deploy/Dockerfile's image would: alone in a root folder, as its user.
func image(t *testing.T, root string, b *binary) {
	d := readDockerfile(t, root)
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	uid := d.uid(t)
	must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(d.entrypoint[0])), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, d.entrypoint[0]), b.data, 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, d.workdir), 0o755))
	must(t, os.Chown(filepath.Join(dir, d.workdir), uid, uid))
	must(t, os.MkdirAll(filepath.Join(dir, "etc/tidemill"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "etc/tidemill/rows.csv"), rows(), 0o644))
	flow := "name: image\nsource: {file: {path: /etc/tidemill/rows.csv}}\ntasks:\n  - name: returned\n    learn: {on: insert, table: rows, label: returned}\n" +
		"    features: [numeric: [amount]]\n    model: logistic\n"
	must(t, os.WriteFile(filepath.Join(dir, d.cmd[1]), []byte(flow), 0o644))
	c := exec.Command(d.entrypoint[0], append(d.cmd, "--once", "--json")...)
	c.Path, c.Err = d.entrypoint[0], nil // it is looked for inside
	c.Dir, c.Env = d.workdir, []string{}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	text, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(text), `"learned":1000`) {
		t.Errorf("%v\n%s", err, text)
	}
}

// rows are a thousand rows to learn from.
func rows() []byte {
	var b bytes.Buffer
	b.WriteString("id,amount,returned\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "%d,%d,%t\n", i+1, i%100, i%100 > 50)
	}
	return b.Bytes()
}

// deb installs, starts, stops, upgrades, removes and purges the package.
func deb(t *testing.T, out string) {
	if err := exec.Command("dpkg", "--status", "tidemill").Run(); err == nil {
		t.Fatal("tidemill is installed on this machine: remove it first, this test would")
	}
	must(t, os.WriteFile(filepath.Join(out, "rows.csv"), rows(), 0o644))
	must(t, os.WriteFile(filepath.Join(out, "row.json"), []byte(`{"amount": 90}`), 0o644))
	script, err := filepath.Abs("testdata/deb.sh")
	must(t, err)
	machine, err := filepath.Abs("testdata/machine.sh")
	must(t, err)
	began := time.Now()
	c := exec.Command(machine, script, out)
	text, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != 77 {
		said, _ := os.ReadFile(filepath.Join(out, "output"))
		code, _ := os.ReadFile(filepath.Join(out, "code"))
		if err != nil || strings.TrimSpace(string(code)) != "0" || !strings.Contains(string(said), "== done") {
			t.Errorf("in a copy of this machine: %v, code %s\n%s%s", err, code, said, text)
		}
		t.Logf("installed in a copy of this machine, under systemd, in %.0f s", time.Since(began).Seconds())
		return
	}
	t.Logf("no copy of this machine can be made here, the package is installed on it: %s", text)
	c = exec.Command("bash", script)
	c.Env = append(os.Environ(), "HOST="+out)
	if text, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
