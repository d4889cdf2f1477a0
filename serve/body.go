package serve

import (
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

const (
	smallBody  = 64 << 10  // up to here a body is not counted
	bodyMemory = 256 << 20 // what larger bodies may take together while they are read
	workMemory = 512 << 20 // what larger bodies may take together as rows
	unfolded   = 16        // bytes that a byte of JSON may become as rows
)

// body reads a request's body, inflated, of at most MaxBody bytes on either side of the compression, and then takes one
// of the places for predictions in work: whoever sends slowly holds no place. The bytes and the place are the caller's
// until release is called. Memory is taken as bytes arrive, not as a header promises them.
func (s *server) body(r *http.Request) (b []byte, release func(), err error) {
	in, err := s.inflated(r)
	if err != nil {
		return nil, nil, err
	}
	limit := int64(s.cfg.MaxBody)
	buf := s.bodies.Get().(*[]byte)
	b = (*buf)[:0]
	var counted, heavy int64
	var placed bool
	release = func() {
		s.memory.Add(-counted)
		s.heavy.Add(-heavy)
		if placed {
			<-s.slots
		}
		if cap(b) <= smallBody {
			*buf = b[:0]
			s.bodies.Put(buf)
		}
	}
	for {
		if len(b) == cap(b) {
			grown := int64(max(2*cap(b), 4096))
			if grown > smallBody {
				if s.memory.Add(grown-counted) > bodyMemory {
					s.memory.Add(counted - grown)
					release()
					return nil, nil, fault(http.StatusTooManyRequests, "too many large bodies at once; try again")
				}
				counted = grown
			}
			b = append(make([]byte, 0, grown), b...)
		}
		n, err := in.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > limit {
			release()
			return nil, nil, fault(http.StatusRequestEntityTooLarge,
				"the body inflates to more than max_body, %d bytes", limit)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			release()
			return nil, nil, bodyError(err)
		}
	}
	if len(b) > smallBody {
		heavy = int64(len(b)) * unfolded
		if s.heavy.Add(heavy) > workMemory {
			release()
			return nil, nil, fault(http.StatusTooManyRequests, "too many large bodies at once; try again")
		}
	}
	select {
	case s.slots <- struct{}{}:
		placed = true
		return b, release, nil
	default:
		release()
		return nil, nil, fault(http.StatusTooManyRequests, "%d predictions are in work already; try again",
			s.cfg.InFlight)
	}
}

// inflated is the bytes of a request's body, of which at most MaxBody are taken from the client.
func (s *server) inflated(r *http.Request) (in io.Reader, err error) {
	if set := charset(r.Header.Get("Content-Type")); strings.HasPrefix(set, "utf-16") ||
		strings.HasPrefix(set, "utf-32") || strings.HasPrefix(set, "ucs-") {
		return nil, fault(http.StatusUnsupportedMediaType, "charset %q: JSON is sent in UTF-8", clip(set))
	}
	limit := int64(s.cfg.MaxBody)
	if r.ContentLength > limit {
		return nil, fault(http.StatusRequestEntityTooLarge, "the body has %d bytes; max_body is %d",
			r.ContentLength, limit)
	}
	in = http.MaxBytesReader(nil, r.Body, limit)
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
	case "gzip":
		in, err = gzip.NewReader(in)
	case "deflate":
		in, err = zlib.NewReader(in)
	default:
		return nil, fault(http.StatusUnsupportedMediaType, "content encoding %q: send gzip, deflate or none",
			clip(enc))
	}
	if err != nil {
		return nil, bodyError(err)
	}
	return in, nil
}

func bodyError(err error) error {
	var large *http.MaxBytesError
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &large):
		return fault(http.StatusRequestEntityTooLarge, "the body has more than max_body, %d bytes", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault(http.StatusRequestTimeout, "the body came too slowly")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, zlib.ErrHeader),
		errors.Is(err, zlib.ErrChecksum), errors.As(err, &corrupt):
		return fault(http.StatusBadRequest, "the body's compression is broken: %v", err)
	}
	return fault(http.StatusBadRequest, "the body cannot be read: %v", err)
}

// charset is the one that a content type names, in small letters; "" if it names none. Those that hold ASCII are no
// fault of a client: the decoder says where a body is no UTF-8.
func charset(contentType string) string {
	if !strings.Contains(contentType, ";") {
		return ""
	}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return strings.ToLower(params["charset"])
}
