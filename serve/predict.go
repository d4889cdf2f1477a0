package serve

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/expr"
)

// predict is POST /predict/<task>: one row, an array of rows, or a picture.
func (s *server) predict(w http.ResponseWriter, r *http.Request) error {
	t, err := s.task(r.PathValue("task"))
	if err != nil {
		return err
	}
	body, release, err := s.body(r)
	if err != nil {
		return err
	}
	defer release()
	buf := s.rowBuffers.Get().(*rowBuffer)
	defer s.rowBuffers.Put(buf)
	defer buf.reset()
	one, err := s.predictRows(buf, r.Header.Get("Content-Type"), body, t)
	if err != nil {
		return err
	}
	return s.work(t, buf.rows, func(out []engine.Prediction) error {
		buf := s.bodies.Get().(*[]byte)
		b := appendPredictions((*buf)[:0], t, out, one)
		answer(w, http.StatusOK, b)
		if cap(b) <= smallBody {
			*buf = b
			s.bodies.Put(buf)
		}
		return nil
	})
}

// appendPredictions appends the answer to a request: one prediction, or an array.
func appendPredictions(b []byte, t *engine.TaskStatus, out []engine.Prediction, one bool) []byte {
	if one {
		return append(AppendPrediction(b, t, &out[0]), '\n')
	}
	b = append(b, '[')
	for i := range out {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendPrediction(b, t, &out[i])
	}
	return append(b, "]\n"...)
}

// predictRows reads the body of a request of that content type into buf; one says that it was a single row, not an
// array.
func (s *server) predictRows(buf *rowBuffer, contentType string, body []byte, t *engine.TaskStatus) (one bool,
	err error) {
	kind := contentType
	if kind != "application/json" { // what nearly all clients send needs no parsing
		if kind, _, err = mime.ParseMediaType(contentType); err != nil {
			kind = ""
		}
	}
	switch kind {
	case "image/png", "image/jpeg":
		pic := pictureOf(t)
		if pic == nil {
			return false, fault(http.StatusUnsupportedMediaType,
				"task %q has no picture column: send rows as application/json", t.Name)
		}
		v, err := pictureFile(body, pic)
		if err != nil {
			return false, bad(err)
		}
		buf.next()[pic.Column] = v
		return true, nil
	case "", "application/json", "text/json", "text/plain", "application/octet-stream",
		"application/x-www-form-urlencoded": // a form's type is what curl -d sends when it is told nothing
		one, err = s.rows(buf, string(body), t)
		return one, bad(err)
	}
	return false, fault(http.StatusUnsupportedMediaType,
		"content type %q: send application/json, or image/png and image/jpeg for a picture", clip(kind))
}

// rows reads a body: an object is one row, an array of objects is rows; where the task has a picture column an array of
// numbers is one picture, an array of such arrays pictures, and an array of height arrays of width numbers one picture.
func (s *server) rows(buf *rowBuffer, body string, t *engine.TaskStatus) (one bool, err error) {
	p := &scanner{s: body}
	pic := pictureOf(t)
	switch p.peek() {
	case '{':
		if err := p.row(buf.next(), pic); err != nil {
			return false, err
		}
		return true, p.end()
	case '[':
	default:
		return false, p.unexpected("a row {…} or an array of rows")
	}
	if pic != nil && isPicture(body, pic) {
		v, err := p.drawn(pic)
		if err != nil {
			return false, err
		}
		buf.next()[pic.Column] = v
		return true, p.end()
	}
	err = p.items(func(i int) error {
		if i == s.cfg.MaxRows {
			return s.tooMany()
		}
		r := buf.next()
		var err error
		if p.peek() == '[' && pic != nil {
			r[pic.Column], err = p.drawn(pic)
		} else {
			err = p.row(r, pic)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		return nil
	})
	if err == nil {
		err = p.end()
	}
	return false, err
}

// isPicture is true for an array of numbers, and for an array whose first array has the picture's width in numbers.
func isPicture(body string, pic *engine.PictureStatus) bool {
	p := &scanner{s: body}
	p.take('[')
	switch c := p.peek(); {
	case c == '[':
		n := 0
		err := p.items(func(int) error { n++; _, _, err := p.numeral(); return err })
		return err == nil && n == pic.Width && pic.Height > 1
	default:
		return c == '-' || '0' <= c && c <= '9'
	}
}

// work predicts rows and hands the answers to use.
func (s *server) work(t *engine.TaskStatus, rows []tidemill.Row, use func([]engine.Prediction) error) (err error) {
	var out []engine.Prediction
	if len(rows) == 1 {
		var p engine.Prediction
		if p, err = s.mill.Predict(t.Name, rows[0]); err != nil {
			return s.rowFault(t, err)
		}
		out = []engine.Prediction{p}
	} else if len(rows) > 0 {
		if out, err = s.mill.PredictBatch(t.Name, rows); err != nil {
			return s.rowFault(t, err)
		}
		if len(out) != len(rows) {
			return fmt.Errorf("task %q gave %d predictions for %d rows", t.Name, len(out), len(rows))
		}
	}
	s.tally.predicted(t.Name, len(out))
	return use(out)
}

// rowFault adds the nearest column's name to the fault of a row that has an unknown one.
func (s *server) rowFault(t *engine.TaskStatus, err error) error {
	switch {
	case errors.Is(err, tidemill.ErrUnknownTask):
		return unknownTask(s.renew(), t.Name)
	}
	row, ok := isRow(err)
	if !ok {
		return err
	}
	text := err.Error()
	if row.Column != "" && !strings.Contains(text, "did you mean") {
		names := make([]string, len(t.Columns))
		known := false
		for i := range t.Columns {
			names[i] = t.Columns[i].Name
			known = known || names[i] == row.Column
		}
		if n := expr.Nearest(row.Column, names); n != "" && !known {
			text += fmt.Sprintf("; did you mean %q?", n)
		}
	}
	return fault(http.StatusBadRequest, "%s", text)
}
