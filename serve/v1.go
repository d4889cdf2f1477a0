package serve

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// TensorFlow Serving's REST API, tensorflow.org/tfx/serving/api_rest, and the two paths that KServe v1 adds to it. A
// model is a task; a feature is a column.

// findV1 is the route of a path below /v1/models.
func (s *server) findV1(r *http.Request, rest string) (route, bool) {
	if rest == "" {
		return route{"v1", "GET", false, s.v1List}, true
	}
	rest, verb, _ := strings.Cut(rest, ":")
	part := strings.Split(rest, "/")
	r.SetPathValue("task", part[0])
	part = part[1:]
	if len(part) >= 2 && part[0] == "versions" {
		r.SetPathValue("version", part[1])
		part = part[2:]
	} else if len(part) >= 2 && part[0] == "labels" {
		r.SetPathValue("label", part[1])
		part = part[2:]
	}
	switch strings.Join(part, "/") + ":" + verb {
	case ":":
		return route{"v1", "GET", false, s.v1Model}, true
	case "metadata:":
		return route{"v1", "GET", false, s.v1Metadata}, true
	case ":predict":
		return route{"tf_predict", "POST", false, s.v1Predict}, true
	case ":classify", ":regress":
		r.SetPathValue("verb", verb)
		return route{"tf_predict", "POST", false, s.v1Examples}, true
	}
	return route{}, false
}

func (s *server) v1List(w http.ResponseWriter, _ *http.Request) error {
	v := s.seen()
	b := []byte(`{"models":[`)
	for i := range v.Tasks {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v.Tasks[i].Name)
	}
	answer(w, http.StatusOK, append(b, "]}\n"...))
	return nil
}

// v1Model answers both protocols' question at once: KServe's name and ready, TensorFlow Serving's version status.
func (s *server) v1Model(w http.ResponseWriter, r *http.Request) error {
	t, err := s.versioned(r)
	if err != nil {
		return err
	}
	state, code, why := "AVAILABLE", "OK", unready(s.seen().Status)
	if why != "" {
		state, code = "LOADING", "UNAVAILABLE"
	}
	b := appendString([]byte(`{"name":`), t.Name)
	b = fmt.Appendf(b, `,"ready":%t,"model_version_status":[{"version":`, why == "")
	b = appendString(b, start(t.Version))
	b = appendString(append(b, `,"state":"`+state+`","status":{"error_code":"`+code+`","error_message":`...), why)
	answer(w, http.StatusOK, append(b, "}}]}\n"...))
	return nil
}

// v1Metadata is the signature of a task, in the shape that TensorFlow Serving prints one.
func (s *server) v1Metadata(w http.ResponseWriter, r *http.Request) error {
	t, err := s.versioned(r)
	if err != nil {
		return err
	}
	one := func(b []byte, name, datatype string, dims ...string) []byte {
		b = append(appendString(b, name), `:{"dtype":"`+datatype+`","tensor_shape":{"dim":[{"size":"-1","name":""}`...)
		for _, d := range dims {
			b = append(b, `,{"size":"`+d+`","name":""}`...)
		}
		return append(appendString(append(b, `],"unknown_rank":false},"name":`...), name+":0"), '}')
	}
	kinds := map[string]string{"BOOL": "DT_BOOL", "INT64": "DT_INT64", "FP64": "DT_DOUBLE", "BYTES": "DT_STRING"}
	b := appendString([]byte(`{"model_spec":{"name":`), t.Name)
	b = appendString(append(b, `,"signature_name":"","version":`...), start(t.Version))
	b = append(b, `},"metadata":{"signature_def":{"signature_def":{"serving_default":{"inputs":{`...)
	for i, c := range t.Columns {
		if i > 0 {
			b = append(b, ',')
		}
		if pic := pictureOf(t); pic != nil && c.Name == pic.Column {
			b = one(b, c.Name, "DT_UINT8", fmt.Sprint(pic.Height), fmt.Sprint(pic.Width))
		} else {
			b = one(b, c.Name, kinds[datatype(c.Kind)])
		}
	}
	b = append(b, `},"outputs":{`...)
	for i, o := range outputs(t) {
		if i > 0 {
			b = append(b, ',')
		}
		if o.wide {
			b = one(b, o.name, kinds[o.datatype], "-1")
		} else {
			b = one(b, o.name, kinds[o.datatype])
		}
	}
	b = append(b, `},"method_name":"tensorflow/serving/predict","defaults":{}}}}}}`...)
	answer(w, http.StatusOK, append(b, '\n'))
	return nil
}

// v1Predict is :predict. instances are rows, inputs are columns.
func (s *server) v1Predict(w http.ResponseWriter, r *http.Request) error {
	t, err := s.versioned(r)
	if err != nil {
		return err
	}
	body, release, err := s.body(r)
	if err != nil {
		return err
	}
	defer release()
	p := &scanner{s: string(body)}
	var instances, inputs string
	err = p.each(func(name string) (err error) {
		switch name {
		case "instances":
			instances, err = p.raw()
		case "inputs":
			inputs, err = p.raw()
		case "signature_name":
			err = p.signature()
		default:
			err = p.fail("%q: the request has instances or inputs, and signature_name", clip(name))
		}
		return err
	})
	if err == nil {
		err = p.end()
	}
	if err == nil && (instances == "") == (inputs == "") {
		err = fmt.Errorf("the request has either instances (rows) or inputs (columns)")
	}
	if err != nil {
		return bad(err)
	}
	var rows []tidemill.Row
	if instances != "" {
		rows, err = s.instances(t, instances)
	} else {
		rows, err = s.columns(t, inputs)
	}
	if err != nil {
		return bad(err)
	}
	return s.work(t, rows, func(out []engine.Prediction) error {
		b := []byte(`{"predictions":[`)
		if instances == "" {
			b = appendColumns([]byte(`{"outputs":`), t, out)
			answer(w, http.StatusOK, append(b, "}\n"...))
			return nil
		}
		names := outputs(t)
		for i := range out {
			if i > 0 {
				b = append(b, ',')
			}
			if len(names) == 1 { // a lone output drops its name
				b = appendAnswer(b, t, &out[i])
				continue
			}
			b = appendAnswer(append(b, `{"`+names[0].name+`":`...), t, &out[i])
			b = style.AppendNumbers(append(b, `,"`+names[1].name+`":`...), wideOf(&out[i], classes(t, &out[i])))
			b = append(b, '}')
		}
		answer(w, http.StatusOK, append(b, "]}\n"...))
		return nil
	})
}

func (p *scanner) signature() error {
	if p.peek() != '"' {
		return p.unexpected("the signature's name")
	}
	name, err := p.str()
	if err == nil && name != "" && name != "serving_default" {
		err = p.fail("signature %q: there is serving_default alone", clip(name))
	}
	return err
}

// appendColumns appends the answers as columns.
func appendColumns(b []byte, t *engine.TaskStatus, out []engine.Prediction) []byte {
	names := outputs(t)
	if len(names) > 1 {
		b = append(b, `{"`+names[0].name+`":`...)
	}
	b = append(b, '[')
	for i := range out {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendAnswer(b, t, &out[i])
	}
	b = append(b, ']')
	if len(names) == 1 {
		return b
	}
	b = append(b, `,"`+names[1].name+`":[`...)
	for i := range out {
		if i > 0 {
			b = append(b, ',')
		}
		b = style.AppendNumbers(b, wideOf(&out[i], classes(t, &out[i])))
	}
	return append(b, "]}"...)
}

// v1Examples is :classify and :regress.
func (s *server) v1Examples(w http.ResponseWriter, r *http.Request) error {
	t, err := s.versioned(r)
	if err != nil {
		return err
	}
	verb := r.PathValue("verb")
	if fits := t.Kind == "classify"; (verb == "classify") != fits || verb == "regress" && t.Kind == "cluster" {
		return fault(http.StatusBadRequest, "task %q is of kind %s: :%s does not fit", t.Name, t.Kind, verb)
	}
	body, release, err := s.body(r)
	if err != nil {
		return err
	}
	defer release()
	p := &scanner{s: string(body)}
	context, examples, err := p.examples(pictureOf(t))
	if err != nil {
		return bad(err)
	}
	rows, err := s.instances(t, examples)
	if err != nil {
		return bad(err)
	}
	for _, row := range rows {
		for c, v := range context {
			if _, own := row[c]; !own {
				row[c] = v
			}
		}
	}
	return s.work(t, rows, func(out []engine.Prediction) error {
		b := []byte(`{"results":[`)
		for i := range out {
			if i > 0 {
				b = append(b, ',')
			}
			if verb == "regress" {
				b = appendAnswer(b, t, &out[i])
				continue
			}
			b = append(b, '[')
			for j, c := range classes(t, &out[i]) {
				if j > 0 {
					b = append(b, ',')
				}
				b = append(appendString(append(b, '['), c), ',')
				b = append(appendNumber(b, out[i].Probabilities[c]), ']')
			}
			b = append(b, ']')
		}
		answer(w, http.StatusOK, append(b, "]}\n"...))
		return nil
	})
}

// examples reads the body of :classify and :regress: the values that all examples share, and the examples' own text.
func (p *scanner) examples(pic *engine.PictureStatus) (context tidemill.Row, examples string, err error) {
	context = tidemill.Row{}
	err = p.each(func(name string) (err error) {
		switch name {
		case "examples":
			examples, err = p.raw()
		case "context":
			err = p.row(context, pic)
		case "signature_name":
			err = p.signature()
		default:
			err = p.fail("%q: the request has examples, context and signature_name", clip(name))
		}
		return err
	})
	if err == nil {
		err = p.end()
	}
	if err == nil && examples == "" {
		err = fmt.Errorf("the request has no examples")
	}
	return context, examples, err
}
