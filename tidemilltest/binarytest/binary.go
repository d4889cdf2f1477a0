// Package binarytest gives tests the program tidemill, built as it is for use.
package binarytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Variable is the environment variable that names a built program; tools/test.sh sets it, so that it is built once.
const Variable = "TIDEMILL_TEST_BINARY"

// Path is the path of the program: the one that Variable names, else one that is built into the folder dir. It is
// called from any package's tests or TestMain.
func Path(dir string) (string, error) {
	if path := os.Getenv(Variable); path != "" {
		return path, nil
	}
	path := filepath.Join(dir, "tidemill")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o",
		path, "github.com/tidemill/tidemill/cmd/tidemill")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}
