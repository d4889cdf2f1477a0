package serve

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tidemill/tidemill/engine"
)

// tensor is one input: its rows are not cut out yet.
type tensor struct {
	name, datatype string
	shape          []int
	data           string // the JSON array; "" where the data is binary
	size           int    // of the binary data; -1 where it is JSON
	raw            []byte
}

// asked is an inference request.
type asked struct {
	id      string
	hasID   bool
	inputs  []tensor
	outputs []wanted
	binary  bool // outputs are binary unless they say otherwise
}

// wanted is one requested output.
type wanted struct {
	name   string
	binary bool
	said   bool // binary was said
}

// v2Infer is POST …/infer. With Inference-Header-Content-Length the JSON is that long and tensors follow it in binary.
func (s *server) v2Infer(w http.ResponseWriter, r *http.Request) error {
	t, err := s.versioned(r)
	if err != nil {
		return err
	}
	body, release, err := s.body(r)
	if err != nil {
		return err
	}
	defer release()
	head, tail := body, []byte(nil)
	if h := r.Header.Get("Inference-Header-Content-Length"); h != "" {
		n, err := strconv.Atoi(h)
		if err != nil || n < 0 || n > len(body) {
			return fault(http.StatusBadRequest, "Inference-Header-Content-Length is %q; the body has %d bytes",
				clip(h), len(body))
		}
		head, tail = body[:n], body[n:]
	}
	a, err := parseAsked(string(head), tail)
	if err != nil {
		return bad(err)
	}
	outs, err := choose(t, a)
	if err != nil {
		return bad(err)
	}
	rows, err := s.tensorRows(t, a.inputs)
	if err != nil {
		return bad(err)
	}
	return s.work(t, rows, func(p []engine.Prediction) error {
		head, tail := appendInference(nil, t, a, outs, p)
		if tail != nil {
			w.Header().Set("Inference-Header-Content-Length", strconv.Itoa(len(head)))
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Write(append(head, tail...))
			return nil
		}
		answer(w, http.StatusOK, append(head, '\n'))
		return nil
	})
}

// parseAsked reads the request's JSON and cuts its binary data.
func parseAsked(head string, tail []byte) (*asked, error) {
	a := &asked{}
	p := &scanner{s: head}
	err := p.each(func(name string) (err error) {
		switch name {
		case "id":
			if p.peek() != '"' {
				return p.unexpected("the id, a text")
			}
			a.hasID = true
			a.id, err = p.str()
			return err
		case "parameters":
			return p.each(func(name string) error {
				v, err := p.value()
				if name == "binary_data_output" {
					a.binary = v == true
				}
				return err
			})
		case "inputs":
			return p.items(func(i int) error {
				if i == 4096 {
					return p.fail("more than %d inputs", i)
				}
				in := tensor{size: -1}
				if err := p.input(&in); err != nil {
					return err
				}
				a.inputs = append(a.inputs, in)
				return nil
			})
		case "outputs":
			return p.items(func(i int) error {
				if i == 64 {
					return p.fail("more than %d outputs", i)
				}
				var o wanted
				if err := p.output(&o); err != nil {
					return err
				}
				a.outputs = append(a.outputs, o)
				return nil
			})
		}
		_, err = p.raw()
		return err
	})
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return nil, err
	}
	if len(a.inputs) == 0 {
		return nil, fmt.Errorf("the request has no inputs")
	}
	return a, a.share(tail)
}

// share gives the inputs with binary data their parts of it.
func (a *asked) share(tail []byte) error {
	for i := range a.inputs {
		in := &a.inputs[i]
		if in.size < 0 {
			continue
		}
		if in.size > len(tail) {
			return fmt.Errorf("input %q: its binary data ends early", clip(in.name))
		}
		in.raw, tail = tail[:in.size], tail[in.size:]
	}
	if len(tail) > 0 {
		return fmt.Errorf("%d bytes follow the last input's binary data", len(tail))
	}
	return nil
}

func (p *scanner) input(in *tensor) error {
	data := false
	err := p.each(func(name string) (err error) {
		switch name {
		case "name", "datatype":
			if p.peek() != '"' {
				return p.unexpected("the " + name + ", a text")
			}
			v, err := p.str()
			if name == "name" {
				in.name = v
			} else {
				in.datatype = v
			}
			return err
		case "shape":
			return p.items(func(i int) error {
				f, err := p.float()
				if err == nil && (f != math.Trunc(f) || f < 0 || f > 1<<31 || i == 8) {
					return p.fail("a shape is at most 8 whole numbers, none below 0")
				}
				in.shape = append(in.shape, int(f))
				return err
			})
		case "parameters":
			return p.each(func(name string) error {
				v, err := p.value()
				if n, ok := v.(int64); ok && name == "binary_data_size" {
					if n < 0 || n > math.MaxInt32 {
						return p.fail("binary_data_size is %d", n)
					}
					in.size = int(n)
				}
				return err
			})
		case "data":
			if data = true; p.peek() != '[' {
				return p.unexpected("the data, an array")
			}
			in.data, err = p.raw()
			return err
		}
		_, err = p.raw()
		return err
	})
	switch {
	case err != nil:
		return err
	case in.name == "" || in.datatype == "" || in.shape == nil:
		return p.fail("an input has a name, a datatype and a shape")
	case data == (in.size >= 0):
		return p.fail("input %q has either data or parameters.binary_data_size", clip(in.name))
	}
	return nil
}

func (p *scanner) output(o *wanted) error {
	return p.each(func(name string) (err error) {
		switch name {
		case "name":
			if p.peek() != '"' {
				return p.unexpected("the name, a text")
			}
			o.name, err = p.str()
			return err
		case "parameters":
			return p.each(func(name string) error {
				v, err := p.value()
				if name == "binary_data" {
					o.binary, o.said = v == true, true
				}
				if n, ok := v.(int64); ok && name == "classification" && n > 0 {
					return p.fail("the classification extension is not served; ask for probabilities")
				}
				return err
			})
		}
		_, err = p.raw()
		return err
	})
}

// chosen is an output with how it is sent.
type chosen struct {
	output
	binary bool
}

// choose resolves the requested outputs; none means all.
func choose(t *engine.TaskStatus, a *asked) ([]chosen, error) {
	all := outputs(t)
	var c []chosen
	if len(a.outputs) == 0 {
		for _, o := range all {
			c = append(c, chosen{o, a.binary})
		}
		return c, nil
	}
next:
	for _, w := range a.outputs {
		names := make([]string, len(all))
		for i, o := range all {
			if names[i] = o.name; o.name == w.name {
				c = append(c, chosen{o, w.binary || !w.said && a.binary})
				continue next
			}
		}
		return nil, fmt.Errorf("model %q has no output %q; it has %v", t.Name, clip(w.name), names)
	}
	return c, nil
}

// appendInference appends the answer's JSON, and to tail what goes in binary.
func appendInference(
	dst []byte, t *engine.TaskStatus, a *asked, outs []chosen, p []engine.Prediction,
) (head, tail []byte) {
	version, through, when := t.Version, "", time.Time{}
	names := t.Classes
	if len(p) > 0 {
		version, through, when = p[0].Version, string(p[0].Through), p[0].ThroughTime
		names = classes(t, &p[0])
	}
	dst = appendString(append(dst, `{"model_name":`...), t.Name)
	dst = appendString(append(dst, `,"model_version":`...), version)
	if a.hasID {
		dst = appendString(append(dst, `,"id":`...), a.id)
	}
	dst = appendString(append(dst, `,"parameters":{"trained_through":`...), through)
	if !when.IsZero() {
		dst = when.UTC().AppendFormat(append(dst, `,"trained_through_time":"`...), time.RFC3339Nano)
		dst = append(dst, '"')
		dst = appendNumber(append(dst, `,"staleness_seconds":`...), max(0, time.Since(when).Seconds()))
	}
	dst = append(dst, `},"outputs":[`...)
	for i, o := range outs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":"`+o.name+`","datatype":"`+o.datatype+`","shape":[`...)
		dst = strconv.AppendInt(dst, int64(len(p)), 10)
		if o.wide {
			width := len(names)
			if len(p) > 0 && p[0].Probabilities == nil {
				width = len(p[0].Values)
			}
			dst = append(strconv.AppendInt(append(dst, ','), int64(width), 10), "]"...)
			if t.Kind == "classify" {
				dst = appendLabels(append(dst, `,"parameters":{"labels":`...), names)
				if o.binary {
					dst = append(dst, ',')
				} else {
					dst = append(dst, '}')
				}
			} else if o.binary {
				dst = append(dst, `,"parameters":{`...)
			}
		} else {
			dst = append(dst, ']')
			if o.binary {
				dst = append(dst, `,"parameters":{`...)
			}
		}
		if o.binary {
			from := len(tail)
			tail = appendBinary(tail, o.output, names, p)
			dst = append(strconv.AppendInt(append(dst, `"binary_data_size":`...), int64(len(tail)-from), 10), '}')
		} else {
			dst = appendData(append(dst, `,"data":[`...), o.output, names, p)
			dst = append(dst, ']')
		}
		dst = append(dst, '}')
	}
	if tail == nil && len(outs) > 0 && outs[0].binary {
		tail = []byte{}
	}
	return append(dst, "]}"...), tail
}

// appendLabels appends the labels of the second axis as one text: the protocol allows no lists.
func appendLabels(dst []byte, names []string) []byte {
	l := []byte{'['}
	for j, c := range names {
		if j > 0 {
			l = append(l, ',')
		}
		l = appendString(l, c)
	}
	return appendString(dst, string(append(l, ']')))
}

func appendData(dst []byte, o output, names []string, p []engine.Prediction) []byte {
	n := len(dst)
	comma := func() {
		if len(dst) > n {
			dst = append(dst, ',')
		}
	}
	for i := range p {
		switch {
		case o.wide:
			for _, f := range wideOf(&p[i], names) {
				comma()
				dst = appendNumber(dst, f)
			}
		case o.datatype == "FP64":
			comma()
			dst = appendOptional(dst, p[i].Score)
		default:
			comma()
			dst = appendString(dst, p[i].Label)
		}
	}
	return dst
}

// appendBinary appends little-endian numbers; texts with their length in four bytes before them.
func appendBinary(dst []byte, o output, names []string, p []engine.Prediction) []byte {
	for i := range p {
		switch {
		case o.wide:
			for _, f := range wideOf(&p[i], names) {
				dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
			}
		case o.datatype == "FP64":
			f := math.NaN()
			if p[i].Score != nil {
				f = *p[i].Score
			}
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
		default:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p[i].Label)))
			dst = append(dst, p[i].Label...)
		}
	}
	return dst
}
