package serve

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// The page loads nothing from elsewhere and has nothing inline, and its files are the ones that it names.
func TestDashboardFiles(t *testing.T) {
	h := Handler(fakeFlights(), Config{})
	list, err := os.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		b, err := os.ReadFile(path.Join("web", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "http://www.w3.org/2000/svg", "")
		if m := regexp.MustCompile(`https?://|//[a-z]+\.[a-z]|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|style="|<style|<script>| on[a-z]+="`).FindString(text); m != "" {
			t.Errorf("%s has %q", e.Name(), m)
		}
		if lines := strings.Count(text, "\n"); lines > 500 {
			t.Errorf("%s has %d lines", e.Name(), lines)
		}
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest("GET", "/"+e.Name(), nil))
		if r.Code != 200 && !(e.Name() == "index.html" && r.Code == 301) {
			t.Errorf("%s: %d", e.Name(), r.Code)
		}
		if csp := r.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") ||
			strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", e.Name(), csp)
		}
	}
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest("GET", "/", nil))
	for _, m := range regexp.MustCompile(`(?:src|href)="/([^"]*)"`).FindAllStringSubmatch(r.Body.String(), -1) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/"+m[1], nil))
		if w.Code != http.StatusOK {
			t.Errorf("the page names /%s: %d", m[1], w.Code)
		}
	}
}

// Text stands out from what is behind it by 4.5 to 1 at least (WCAG 2.2, 1.4.3), in both colour schemes.
func TestDashboardContrast(t *testing.T) {
	b, err := os.ReadFile("web/style.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)`).FindAllStringSubmatch(
		string(b), -1) {
		colours[m[1]] = [2]string{m[2], m[3]}
	}
	luminance := func(hex string) float64 {
		var c [3]int
		fmt.Sscanf(hex, "#%02x%02x%02x", &c[0], &c[1], &c[2])
		sum := 0.0
		for i, part := range []float64{0.2126, 0.7152, 0.0722} {
			x := float64(c[i]) / 255
			if x <= 0.03928 {
				x /= 12.92
			} else {
				x = math.Pow((x+0.055)/1.055, 2.4)
			}
			sum += part * x
		}
		return sum
	}
	pairs := [][2]string{{"sea", "sea-wash"}, {"soft", "sea-wash"}, {"ink", "sea-wash"}, {"warn", "warn-wash"},
		{"bad", "bad-wash"}, {"sea-ink", "sea"}, {"ground", "ink"}}
	for _, ink := range []string{"ink", "soft", "faint", "sea", "good", "warn", "bad"} {
		for _, behind := range []string{"card", "ground", "well"} {
			pairs = append(pairs, [2]string{ink, behind})
		}
	}
	for _, p := range pairs {
		for i, scheme := range []string{"light", "dark"} {
			a, b := luminance(colours[p[0]][i]), luminance(colours[p[1]][i])
			if c := (max(a, b) + 0.05) / (min(a, b) + 0.05); c < 4.5 {
				t.Errorf("%s on %s in %s: %.2f to 1", p[0], p[1], scheme, c)
			}
		}
	}
}
