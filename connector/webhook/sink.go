package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill"
)

// Poster is the sink. Sink and SinkConfig make it. One goroutine uses it; Refused may be called from any.
type Poster struct {
	c        SinkConfig
	format   tidemill.Format
	messages []tidemill.Message // used again
	url      *url.URL
	headers  http.Header
	client   *http.Client

	term, seq uint64
	failed    int // tries of the same request in a row
	refused   atomic.Uint64
}

// Sink posts outputs to a URL, each message of the format in a request of its own. SinkConfig has the settings beyond.
func Sink(url string, f tidemill.Format) *Poster {
	c := NewSinkConfig()
	c.URL = url
	return &Poster{c: *c, format: f}
}

var (
	_ tidemill.Sink      = (*Poster)(nil)
	_ tidemill.Describer = (*Poster)(nil)
	_ tidemill.Checker   = (*Poster)(nil)
)

const (
	// longestAsked bounds what a server may ask for with Retry-After.
	longestAsked = 5 * time.Minute
	// answerSize is how much of an answer's body is read.
	answerSize = 64 << 10
)

// kinds are the words of `kinds:`.
var kinds = []string{"prediction", "truth", "moved", "row", "reject", "event"}

// prepare checks the settings; what is wrong is fatal. No message has the URL: paths and queries hold tokens.
func (p *Poster) prepare() error {
	if p.client != nil {
		return nil
	}
	c := &p.c
	if p.format == nil {
		return tidemill.Fatalf("webhook: the sink has no format: give it one, such as json.Keyed()")
	}
	if c.URL == "" {
		return tidemill.Fatalf("webhook: url is missing: say where to post")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return tidemill.Fatalf("webhook: url is not of the form https://host/path")
	}
	for _, k := range c.Kinds {
		if !slices.Contains(kinds, k) {
			return tidemill.Fatalf("webhook: kinds: %q is none of %s", k, strings.Join(kinds, ", "))
		}
	}
	if c.Batch < 1 || c.Tries < 1 || c.Timeout <= 0 {
		return tidemill.Fatalf("webhook: batch %d, tries %d and timeout %s have to be above 0",
			c.Batch, c.Tries, c.Timeout)
	}
	if c.Refused != "" && c.Refused != "stop" && c.Refused != "skip" {
		return tidemill.Fatalf("webhook: refused: %q is neither stop nor skip", c.Refused)
	}
	p.headers = http.Header{"User-Agent": {"tidemill"}}
	if strings.ContainsFunc(c.Token, control) {
		return tidemill.Fatalf("webhook: token holds a control character, perhaps a line's end")
	}
	if c.Token != "" {
		p.headers.Set("Authorization", "Bearer "+c.Token)
	}
	for i, h := range c.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || !token(name) || strings.ContainsFunc(value, control) {
			return tidemill.Fatalf("webhook: headers: number %d is not of the form Name: value", i+1)
		}
		p.headers.Set(name, strings.TrimSpace(value))
	}
	p.url = u
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 2,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: c.Timeout,
		DialContext: (&net.Dialer{Timeout: c.Timeout}).DialContext}
	p.client = &http.Client{Transport: transport, Timeout: c.Timeout, CheckRedirect: stay}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// token reports whether a header's name is one.
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// stay follows a redirect only where it posts the same to the same server.
func stay(next *http.Request, via []*http.Request) error {
	first := via[0]
	same := next.Method == first.Method && next.URL.Scheme == first.URL.Scheme && next.URL.Host == first.URL.Host
	if !same || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// usual describes the format that is not named in a sink's description. The description finds the sink's mark in a
// checkpoint, and marks are older than formats.
const usual = "json layout=keyed"

// Describe names the server; a short hash stands for the rest of the URL, which may hold a token. The format is named
// where it is not the usual one.
func (p *Poster) Describe() string {
	host := ""
	if u, err := url.Parse(p.c.URL); err == nil {
		host = u.Scheme + "://" + u.Host
	}
	sum := sha256.Sum256([]byte(p.c.URL))
	said := fmt.Sprintf("webhook %s #%s batch=%d kinds=%q", host, hex.EncodeToString(sum[:4]), p.c.Batch, p.c.Kinds)
	format := fmt.Sprintf("%T", p.format)
	if d, ok := p.format.(tidemill.Describer); ok {
		format = d.Describe()
	}
	if format != usual {
		said += fmt.Sprintf(" format=%q", format)
	}
	return said
}

// Refused is how many outputs the server refused and `refused: skip` dropped.
func (p *Poster) Refused() uint64 { return p.refused.Load() }

// Check looks whether the server takes connections; it posts nothing.
func (p *Poster) Check(ctx context.Context) []tidemill.Finding {
	const path = "sinks.webhook"
	if err := p.prepare(); err != nil {
		return []tidemill.Finding{{Path: path, Level: "error", Text: err.Error()}}
	}
	port := p.url.Port()
	if port == "" {
		port = p.url.Scheme
	}
	address := net.JoinHostPort(p.url.Hostname(), port)
	conn, err := (&net.Dialer{Timeout: p.c.Timeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return []tidemill.Finding{{Path: path, Level: "warning", Text: fmt.Sprintf("webhook: %v", err),
			Mend: "start the server, or correct url"}}
	}
	_ = conn.Close()
	return []tidemill.Finding{{Path: path, Level: "ok", Text: p.url.Host + " takes connections"}}
}

// Mark gives errors.ErrUnsupported: the server keeps none for us.
func (p *Poster) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}

// Resume takes the term. The server keeps no mark and no fence for us.
func (p *Poster) Resume(_ context.Context, r tidemill.Resumption) error {
	if err := p.prepare(); err != nil {
		return err
	}
	p.term, p.seq, p.failed = r.Term, r.After.Seq, 0
	return nil
}

// Write posts the outputs, in order, and returns when all are acknowledged, or one is not. Called again after an error
// it goes on with the first that is not: the engine does so after a while.
func (p *Poster) Write(ctx context.Context, out []tidemill.Output) error {
	if p.term == 0 {
		return tidemill.Fatalf("webhook: Write before Resume")
	}
	for len(out) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		var batch []*tidemill.Output
		n, upto := 0, p.seq
		for n < len(out) && len(batch) < p.c.Batch {
			o := &out[n]
			n++
			if o.Seq != 0 && o.Seq <= p.seq {
				continue
			}
			upto = max(upto, o.Seq)
			if len(p.c.Kinds) == 0 || slices.Contains(p.c.Kinds, o.Kind.String()) {
				batch = append(batch, o)
			}
		}
		if len(batch) > 0 {
			if err := p.deliver(ctx, batch); err != nil {
				return err
			}
		}
		p.seq = upto
		out = out[n:]
	}
	return nil
}

// deliver posts what tells the outputs, one request after the other, and stops at the first that is not acknowledged.
func (p *Poster) deliver(ctx context.Context, batch []*tidemill.Output) error {
	requests, err := p.requests(batch)
	if err != nil {
		return err
	}
	for i := range requests {
		if err := p.try(ctx, &requests[i], len(batch)); err != nil {
			return err
		}
	}
	return nil
}

// try posts one request. Where another try may mend it, the error says how long the server wants us to wait, and
// whether it is time to tell anybody.
func (p *Poster) try(ctx context.Context, q *request, outputs int) error {
	asked, err := p.post(ctx, q)
	if r := (refusal{}); errors.As(err, &r) {
		p.failed = 0
		if p.c.Refused == "skip" {
			p.refused.Add(uint64(outputs))
			return nil
		}
		return tidemill.Fatalf("webhook: %s refused output %s: %w; mend the receiver, or drop what it refuses with "+
			"refused: skip", p.url.Host, q.key, err)
	}
	if err == nil {
		p.failed = 0
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.failed++
	err = fmt.Errorf("webhook: %s, output %s, after %d tries: %w", p.url.Host, q.key, p.failed, err)
	return &tidemill.RetryError{Err: err, After: asked, Progress: p.failed == 1, Quiet: p.failed < p.c.Tries}
}

// refusal is an answer that trying again cannot change.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

// post makes one request. asked is how long the server wants us to wait, 0 where it does not say.
func (p *Poster) post(ctx context.Context, q *request) (asked time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url.String(), bytes.NewReader(q.body))
	if err != nil {
		return 0, refusal{"the request cannot be made"}
	}
	req.Header = p.headers.Clone()
	for _, h := range q.headers {
		if !token(h.Name) || strings.ContainsFunc(h.Value, control) {
			return 0, refusal{"the format's header " + strconv.Quote(h.Name) + " is none of HTTP"}
		}
		if req.Header.Get(h.Name) == "" {
			req.Header.Set(h.Name, h.Value)
		}
	}
	req.Header.Set("Idempotency-Key", q.key)
	if p.c.Secret != "" {
		mac := hmac.New(sha256.New, []byte(p.c.Secret))
		mac.Write(q.body)
		req.Header.Set("Tidemill-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	answer, err := p.client.Do(req)
	if err != nil {
		// The error's own text has the URL.
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return 0, err
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, answerSize)) // to its end, so that the connection is used again
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return 0, nil
	}
	said := answer.Status
	words := strings.Join(strings.Fields(string(text[:min(len(text), 200)])), " ")
	if words = strings.ToValidUTF8(words, "\ufffd"); words != "" {
		said += ": " + words
	}
	switch c := answer.StatusCode; {
	case c >= 300 && c < 400:
		return 0, refusal{said + " (a redirect to elsewhere is not followed)"}
	case c < 500 && c != http.StatusRequestTimeout && c != http.StatusTooEarly && c != http.StatusTooManyRequests:
		return 0, refusal{said}
	}
	return retryAfter(answer.Header), errors.New(said)
}

// retryAfter reads Retry-After: seconds, or a date (RFC 9110, 10.2.3).
func retryAfter(h http.Header) time.Duration {
	s := h.Get("Retry-After")
	if s == "" {
		return 0
	}
	if n, err := strconv.Atoi(s); err == nil {
		return time.Duration(min(max(n, 0), int(longestAsked/time.Second))) * time.Second
	}
	t, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	now := time.Now()
	if d, err := http.ParseTime(h.Get("Date")); err == nil {
		now = d // the server's own clock
	}
	return min(max(t.Sub(now), 0), longestAsked)
}

// Flush gives the mark of what is acknowledged.
func (p *Poster) Flush(context.Context) (tidemill.Mark, error) {
	return tidemill.Mark{Term: p.term, Seq: p.seq}, nil
}

// Close closes idle connections.
func (p *Poster) Close() error {
	if p.client != nil {
		p.client.CloseIdleConnections()
	}
	return nil
}
