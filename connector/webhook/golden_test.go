package webhook

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/tidemilltest"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden holds the bodies that are posted, one by one and as arrays, and their keys to those of testdata.
func TestGolden(t *testing.T) {
	var got strings.Builder
	for _, batch := range []int{1, 5} {
		v := listen(t, nil)
		c := config(v.URL)
		c.Batch = batch
		if err := quick(t, c).Write(t.Context(), tidemilltest.Outputs()); err != nil {
			t.Fatal(err)
		}
		for i, b := range v.kept {
			got.WriteString(v.got[i].Header.Get("Idempotency-Key") + "\n" + b + "\n")
		}
	}
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/golden.txt", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("posted is\n%s\nnot\n%s", got.String(), want)
	}
}
