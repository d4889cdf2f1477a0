package serve

import (
	"bytes"
	"embed"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

// policy lets the page load its own files and ask its own server; nothing inline, nothing from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// findPage is the route of one of the dashboard's own files. They show no data, hence need no token.
func (s *server) findPage(p string) (route, bool) {
	name := strings.TrimPrefix(p, "/")
	switch {
	case name == "":
		name = "index.html"
	case name == "favicon.ico":
		name = "favicon.svg"
	case strings.Contains(name, "/"):
		return route{}, false
	}
	b, err := web.ReadFile("web/" + name)
	if err != nil {
		return route{}, false
	}
	kind := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(name)]
	return route{"page", "GET", true, func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
		return nil
	}}, true
}
