package serve

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Triton's own client for Python asks, and is content. It runs where that client is installed: TIDEMILL_TRITON_PYTHON
// names a Python that has it (pip install 'tritonclient[http]'), else the python3 of the path may. Elsewhere
// TestInferBinary holds what the client sends, byte by byte.
func TestTritonClient(t *testing.T) {
	python := os.Getenv("TIDEMILL_TRITON_PYTHON")
	if python == "" {
		python = "python3"
		if err := exec.Command(python, "-c", "import tritonclient.http").Run(); err != nil {
			t.Skip("no Python with tritonclient[http]: see TIDEMILL_TRITON_PYTHON")
		}
	}
	srv := httptest.NewServer(Handler(fakeFlights(), Config{}))
	defer srv.Close()
	got, err := exec.Command(python, "testdata/triton.py", strings.TrimPrefix(srv.URL, "http://")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	const want = `live True ready True model True
server tidemill
inputs [('carrier', 'BYTES', [-1]), ('origin', 'BYTES', [-1]), ('dest', 'BYTES', [-1]), ('distance', 'INT64', [-1]), ('month', 'INT64', [-1]), ('scheduled_at', 'BYTES', [-1]), ('charter', 'BOOL', [-1])]
outputs [('prediction', 'BYTES'), ('probabilities', 'FP64')]
index ['late']
infer ['false', 'true', 'false'] (3, 2) [True, True, True]
as JSON True
gzip True
deflate True
version True
id 42 ['prediction']
async True
error 404 no task is called "nothing"; there is late
error 400 flights row, column distanz: the table has no such column; did you mean "distance"?
`
	if string(got) != want {
		t.Errorf("it says\n%s\nand not\n%s", got, want)
	}
}
