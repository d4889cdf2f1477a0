package report

import "testing"

func TestReportNumberFormat(t *testing.T) {
	for v, want := range map[float64][2]string{
		0.5:       {"0.5000", "0.5"},
		-12.34567: {"-12.3457", "-12.346"},
		6052.261:  {"6,052.3", "6,052.3"},
		-14026.38: {"-14,026.4", "-14,026.4"},
		287532.6:  {"287,533", "287,533"},
		3.2e17:    {"3.2e+17", "3.2e+17"},
	} {
		if f, s := figure(&v), shortNumber(v); f != want[0] || s != want[1] {
			t.Errorf("%v is told as %s and %s, not %s and %s", v, f, s, want[0], want[1])
		}
	}
}
