package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Bin is the folder with the server programs (initdb, postgres) that tests use; PG_BIN in
// the environment names another.
func Bin() (string, error) {
	if dir, ok := findBin(); ok {
		return dir, nil
	}
	const want = "no PostgreSQL server programs (initdb, postgres) were found in PG_BIN, /usr/lib/postgresql/*/bin, " +
		"PATH or pg_config --bindir; " +
		"install them: apt-get install postgresql (Debian), dnf install postgresql-server (Fedora), brew install " +
		"postgresql (macOS)"
	if os.Geteuid() != 0 {
		return "", errors.New("postgrestest: " + want)
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", errors.New("postgrestest: " + want)
	}
	cmd := exec.Command("apt-get", "install", "-y", "--no-install-recommends", "postgresql")
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if dir, ok := findBin(); ok {
		return dir, nil
	}
	return "", fmt.Errorf("postgrestest: %s; apt-get install was tried: %v\n%s", want, err, out)
}

func findBin() (string, bool) {
	var dirs []string
	if dir := os.Getenv("PG_BIN"); dir != "" {
		dirs = append(dirs, dir)
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin"); len(found) > 0 {
		sort.SliceStable(found, func(i, j int) bool { return major(found[i]) > major(found[j]) })
		dirs = append(dirs, found...)
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(p))
		}
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, dir := range dirs {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, true
		}
	}
	return "", false
}

func major(bin string) float64 {
	f, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(bin)), 64)
	return f
}

func executable(path string) bool {
	for _, ext := range []string{"", ".exe"} {
		if info, err := os.Stat(path + ext); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// account is the user that the server runs as: the caller, or as root (whom initdb refuses) postgres or nobody.
func account() (uid, gid uint32, err error) {
	if os.Geteuid() != 0 {
		return 0, 0, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		a, err1 := strconv.ParseUint(u.Uid, 10, 32)
		b, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && a != 0 {
			return uint32(a), uint32(b), nil
		}
	}
	return 0, 0, errors.New("postgrestest: PostgreSQL refuses to run as root, and there is no user postgres or nobody; " +
		"add one: useradd -r postgres")
}
