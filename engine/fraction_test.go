package engine

import (
	"encoding/json"
	"testing"

	"github.com/tidemill/tidemill"
)

// TestFractionForInteger: a number with a fraction is taken as it is where the column is an integer; text must be whole.
func TestFractionForInteger(t *testing.T) {
	col := tidemill.Column{Name: "distance", Kind: tidemill.KindInt}
	for _, v := range []any{1400.5, json.Number("1400.5")} {
		if got, err := ValueOf(v, col); err != nil || got != tidemill.Float(1400.5) {
			t.Errorf("%v gives %v, %v", v, got, err)
		}
	}
	for _, v := range []any{1400.0, json.Number("1400.0"), json.Number("1400")} {
		if got, err := ValueOf(v, col); err != nil || got != tidemill.Int(1400) {
			t.Errorf("%v gives %v, %v", v, got, err)
		}
	}
	if got, err := ValueOf("1400.5", col); err == nil {
		t.Errorf("a text gives %v", got)
	}
}
