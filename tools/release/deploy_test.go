package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// dockerfile is what the tests need to know of deploy/Dockerfile.
type dockerfile struct {
	lines           [][2]string // instruction, rest
	entrypoint, cmd []string
	workdir, user   string
}

func (d *dockerfile) uid(t *testing.T) int {
	t.Helper()
	uid, _, _ := strings.Cut(d.user, ":")
	n, err := strconv.Atoi(uid)
	if err != nil || n == 0 {
		t.Fatalf("USER %s: an image needs a number that is not 0, or Kubernetes' runAsNonRoot refuses it", d.user)
	}
	return n
}

func readDockerfile(t *testing.T, root string) *dockerfile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	d := &dockerfile{}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		d.lines = append(d.lines, [2]string{word, strings.TrimSpace(rest)})
		switch word {
		case "ENTRYPOINT", "CMD":
			into := &d.entrypoint
			if word == "CMD" {
				into = &d.cmd
			}
			if err := json.Unmarshal([]byte(rest), into); err != nil {
				t.Fatalf("%s %s: an image without a shell needs the JSON form: %v", word, rest, err)
			}
		case "WORKDIR":
			d.workdir = rest
		case "USER":
			d.user = rest
		}
	}
	return d
}

// TestDockerfile checks what can be checked without an engine: stages, sources of COPY, user, entrypoint, the version of Go, and
// that the binary is built as a release is.
func TestDockerfile(t *testing.T) {
	const root = "../.."
	d := readDockerfile(t, root)
	known := map[string]bool{"FROM": true, "ARG": true, "WORKDIR": true, "COPY": true, "RUN": true, "USER": true, "VOLUME": true, "EXPOSE": true, "ENTRYPOINT": true, "CMD": true}
	stages := map[string]string{} // name -> its RUN lines
	stage, image := "", ""
	copied := map[string]bool{}
	for _, l := range d.lines {
		word, rest := l[0], l[1]
		if !known[word] {
			t.Errorf("%s is no instruction that this file needs", word)
		}
		switch word {
		case "FROM":
			f := strings.Fields(rest)
			if strings.HasPrefix(f[0], "--platform=") {
				f = f[1:]
			}
			image, stage = f[0], ""
			if len(f) == 3 && strings.EqualFold(f[1], "as") {
				stage = f[2]
				stages[stage] = ""
			}
			copied = map[string]bool{}
		case "RUN":
			stages[stage] += rest + "\n"
		case "COPY":
			from := ""
			var paths []string
			for _, w := range strings.Fields(rest) {
				if v, ok := strings.CutPrefix(w, "--from="); ok {
					from = v
				} else if !strings.HasPrefix(w, "--") {
					paths = append(paths, w)
				}
			}
			to := paths[len(paths)-1]
			for _, p := range paths[:len(paths)-1] {
				copied[to] = true
				if from == "" {
					if _, err := os.Stat(filepath.Join(root, p)); err != nil {
						t.Errorf("COPY %s: %v", rest, err)
					}
					continue
				}
				made, ok := stages[from]
				if !ok {
					t.Errorf("COPY %s: there is no stage %s above", rest, from)
				}
				if !strings.Contains(made, p) {
					t.Errorf("COPY %s: no RUN of stage %s makes %s", rest, from, p)
				}
			}
		}
	}
	if !strings.Contains(image, "distroless/static") {
		t.Errorf("the image is made from %s", image)
	}
	d.uid(t)
	if len(d.entrypoint) != 1 || !copied[d.entrypoint[0]] {
		t.Errorf("ENTRYPOINT %v is not copied into the image", d.entrypoint)
	}
	if !copied[d.workdir] {
		t.Errorf("WORKDIR %s is not made for the user: it could not be written", d.workdir)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if all := d.lines[0][1]; !strings.Contains(all, "golang:"+string(version[1])) {
		t.Errorf("FROM %s, and go.mod says Go %s", all, version[1])
	}
	if quoted := `go build -trimpath -ldflags "-s -w"`; !strings.Contains(stages["build"], quoted) || strings.Join(buildArgs, " ") != "build -trimpath -ldflags -s -w" {
		t.Errorf("the image's binary is not built as a release is: %v", buildArgs)
	}
	if !strings.Contains(stages["build"], "CGO_ENABLED=0") {
		t.Error("an image without libc needs CGO_ENABLED=0")
	}
}

// TestUnit holds what the unit must not lose.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile("../../deploy/systemd/tidemill@.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := "\n" + string(text)
	for _, line := range []string{"User=tidemill", "ExecStart=/usr/bin/tidemill run --quiet /etc/tidemill/%i.yaml", "StateDirectory=tidemill/%i", "RestartPreventExitStatus=2",
		"NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "CapabilityBoundingSet=", "SystemCallFilter=@system-service", "MemoryDenyWriteExecute=yes",
		"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "PrivateTmp=yes", "PrivateDevices=yes"} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit has no line %s", line)
		}
	}
}
