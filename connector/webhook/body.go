package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
)

// request is what is posted at once.
type request struct {
	body    []byte
	key     string // Idempotency-Key
	headers []tidemill.Attr
}

// requests are the requests that carry the outputs: with arrays one, else one per message. Their bodies are their own:
// a connection may read one while the next is made.
func (p *Poster) requests(batch []*tidemill.Output) ([]request, error) {
	var out []request
	var array request
	keys := ""
	for _, o := range batch {
		var err error
		if p.messages, err = p.format.Encode(p.messages[:0], o); err != nil {
			return nil, tidemill.Fatalf("webhook: output %s: %w", o.Key(), err)
		}
		for k := range p.messages {
			m := &p.messages[k]
			if m.Value == nil {
				continue
			}
			key := o.Key()
			if k > 0 { // a format that makes several messages of an output
				key += "/" + strconv.Itoa(k)
			}
			if p.c.Batch == 1 {
				out = append(out, request{append([]byte(nil), m.Value...), headerKey(key), m.Headers})
				continue
			}
			kind, err := arrayType(m)
			if err != nil {
				return nil, err
			}
			array.headers = kind
			array.body = append(append(array.body, ','), m.Value...)
			keys += key + "\n"
		}
	}
	if keys != "" {
		array.body[0] = '['
		array.body, array.key = append(array.body, ']'), hashed(keys)
		out = append(out, array)
	}
	return out, nil
}

// arrayType is the header that says what an array holds. What is no JSON does not go into one.
func arrayType(m *tidemill.Message) ([]tidemill.Attr, error) {
	for _, h := range m.Headers {
		if !strings.EqualFold(h.Name, "Content-Type") {
			continue
		}
		kind, _, err := mime.ParseMediaType(h.Value)
		if err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json")) {
			return []tidemill.Attr{{Name: "Content-Type", Value: "application/json"}}, nil
		}
	}
	return nil, tidemill.Fatalf("webhook: batch above 1 makes a JSON array, and the format's messages are no JSON: " +
		"leave batch out, or choose another format")
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// headerKey is the key where a header can hold it, else its hash.
func headerKey(key string) string {
	if len(key) > 200 {
		return hashed(key)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return hashed(key)
		}
	}
	return key
}
