package serve

import (
	"bytes"
	"io"
	"strings"
)

// plain reads a request that came whole: POST /predict/<task>, a task of plain letters, HTTP/1.1, one Host, one
// Content-Length that is just the rest of b, and headers of plain characters among which none speaks of the connection
// or of another framing. Anything else is false, also where it would be well-formed: net/http then reads the same bytes. The
// request shares no memory with b but its body's.
func (x *exchange) plain(b []byte) bool {
	const begin, version = "POST /predict/", " HTTP/1.1\r\n"
	if len(b) < len(begin)+len(version) || string(b[:len(begin)]) != begin {
		return false
	}
	i := len(begin)
	for i < len(b) && plainName(b[i]) {
		i++
	}
	if i == len(begin) || !bytes.HasPrefix(b[i:], []byte(version)) || b[len(begin)] == '.' {
		return false
	}
	r := &x.request
	if path := b[len("POST "):i]; r.URL.Path != string(path) {
		r.URL.Path = string(path)
		r.RequestURI = r.URL.Path
	}
	clear(r.Header)
	length, host := -1, false
	for b = b[i+len(version):]; ; {
		end := bytes.IndexByte(b, '\n')
		if end < 1 || b[end-1] != '\r' {
			return false
		}
		line := b[:end-1]
		b = b[end+1:]
		if len(line) == 0 {
			break
		}
		colon := 0
		for colon < len(line) && plainName(line[colon]) {
			colon++
		}
		if colon == 0 || colon == len(line) || line[colon] != ':' {
			return false
		}
		name, value := line[:colon], line[colon+1:]
		for _, c := range value {
			if c < ' ' || c > '~' {
				return false
			}
		}
		value = bytes.Trim(value, " ")
		switch header := headerOf(name); header {
		case otherHeader:
		case hostHeader:
			if host || !plainHost(value) {
				return false
			}
			if host = true; r.Host != string(value) {
				r.Host = string(value)
			}
		case lengthHeader:
			if length >= 0 || len(value) == 0 || len(value) > 5 {
				return false
			}
			length = 0
			for _, c := range value {
				if c < '0' || c > '9' {
					return false
				}
				length = 10*length + int(c-'0')
			}
		case connectionHeader:
			if !strings.EqualFold(string(value), "keep-alive") {
				return false
			}
		case framingHeader:
			return false
		default: // what the server looks at
			if r.Header[string(header)] != nil {
				return false
			}
			text := "application/json"
			if string(value) != text {
				text = string(value)
			}
			r.Header[string(header)] = []string{text}
		}
	}
	if !host || length != len(b) {
		return false
	}
	r.ContentLength = int64(length)
	x.body = wholeBody{b}
	return true
}

// header is what a header is to the lane: one of the constants, or the name under which the server looks it up.
type header string

const (
	otherHeader      header = ""
	hostHeader       header = "host"
	lengthHeader     header = "content-length"
	connectionHeader header = "connection"
	framingHeader    header = "framing"
)

func headerOf(name []byte) header {
	var lower [32]byte
	if len(name) > len(lower) {
		return otherHeader
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	switch string(lower[:len(name)]) {
	case "host":
		return hostHeader
	case "content-length":
		return lengthHeader
	case "connection":
		return connectionHeader
	case "transfer-encoding", "te", "trailer", "expect", "upgrade", "keep-alive", "proxy-connection", "content-encoding", "http2-settings":
		return framingHeader
	case "content-type":
		return "Content-Type"
	case "authorization":
		return "Authorization"
	case "sec-fetch-site":
		return "Sec-Fetch-Site"
	case "sec-fetch-mode":
		return "Sec-Fetch-Mode"
	}
	return otherHeader
}

// plainName is true for the characters of a header's name, and of a task's, that mean nothing else anywhere.
func plainName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// plainHost is true for a name or an address with or without a port.
func plainHost(b []byte) bool {
	for _, c := range b {
		if !plainName(c) && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return len(b) > 0
}

// wholeBody is a request's body that is all there.
type wholeBody struct{ b []byte }

func (w *wholeBody) Read(b []byte) (int, error) {
	n := copy(b, w.b)
	if w.b = w.b[n:]; len(w.b) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (w *wholeBody) Close() error { return nil }
