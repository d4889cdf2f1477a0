package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/picture"
	"github.com/tidemill/tidemill/serve"
	"github.com/tidemill/tidemill/terminal"
)

type predictOptions struct {
	task, url, token string
	json, invert     bool
}

func (a *app) predictCommand() *cobra.Command {
	var o predictOptions
	c := &cobra.Command{
		Use: "predict flow.yaml row.json|image.png|-", Short: "Predict for one row, or several, or a picture",
		Args: args(2, 2),
		Long: `Predicts with the flow's newest checkpoint, without a lock, also while it runs; or, with --url,
by a running server. What is predicted is never held, scored or written.

A row is a JSON object by column names, rows an array of them. Where the task's feature is a
picture, an array of width x height numbers and a PNG or JPEG file do as well; --invert turns black
and white of the file round, for a dark drawing where the model learned light ones. "-" reads
standard input.`,
		Example: "  tidemill predict flow.yaml row.json\n  echo '{\"carrier\": \"UA\", \"distance\": 1400}' | " +
			"tidemill predict flow.yaml -\n" +
			"  tidemill predict flow.yaml digit.png\n  tidemill predict flow.yaml row.json --url http://localhost:8080",
		RunE: func(c *cobra.Command, args []string) error {
			return a.predict(c.Context(), args[0], args[1], o)
		},
	}
	c.Flags().StringVar(&o.task, "task", "", "the task; by default the first one")
	c.Flags().StringVar(&o.url, "url", "", "ask a running server")
	c.Flags().StringVar(&o.token, "token", "", "the server's token; by default the flow file's")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON: an object for a row, an array for rows")
	c.Flags().BoolVar(&o.invert, "invert", false, "swap black and white of a picture file")
	return c
}

func (a *app) predict(ctx context.Context, path, rowPath string, o predictOptions) error {
	f, err := a.readFlow(path)
	if err != nil {
		return err
	}
	if len(f.Flow.Tasks) == 0 {
		return usage("%s: the flow has no tasks", path)
	}
	if o.task == "" {
		o.task = f.Flow.Tasks[0].Name
	}
	i, err := taskIndex(f, o.task)
	if err != nil {
		return err
	}
	data, err := a.readInput(rowPath)
	if err != nil {
		return err
	}
	in, err := readRows(data, pictureOf(f, i), rowPath, o.invert)
	if err != nil {
		return err
	}
	var l learner
	if o.url != "" {
		l = newRemote(ctx, strings.TrimRight(o.url, "/"), tokenOf(f, o.token))
	} else {
		r, err := engine.Open(ctx, f.Flow)
		if err != nil {
			return hint(path, a.placed(f, err))
		}
		l = r
	}
	var out []engine.Prediction
	for n, row := range in.rows {
		p, err := l.Predict(o.task, row)
		if err != nil {
			if len(in.rows) > 1 {
				err = fmt.Errorf("row %d: %w", n+1, err)
			}
			return rowFailure(err)
		}
		out = append(out, p)
	}
	if o.json {
		return a.printPredictions(l, o.task, out, in.one)
	}
	for n := range out {
		if n > 0 {
			fmt.Fprintln(a.out)
		}
		var grey []byte
		if n < len(in.pictures) {
			grey = in.pictures[n]
		}
		a.printPrediction(&out[n], grey, in.picture)
	}
	return nil
}

// printPredictions prints what the server would answer, an object or an array of them.
func (a *console) printPredictions(l learner, task string, out []engine.Prediction, one bool) error {
	s := l.Status()
	if s == nil {
		return &failure{exitEnvironment, errors.New("the server tells nothing of its tasks")}
	}
	i := slices.IndexFunc(s.Tasks, func(t engine.TaskStatus) bool { return t.Name == task })
	if i < 0 {
		return &failure{exitEnvironment, fmt.Errorf("the server no longer has a task %q", task)}
	}
	var b []byte
	for n := range out {
		if n > 0 {
			b = append(b, ',')
		}
		b = serve.AppendPrediction(b, &s.Tasks[i], &out[n])
	}
	if !one {
		b = append(append([]byte("["), b...), ']')
	}
	_, err := fmt.Fprintf(a.out, "%s\n", b)
	return err
}

// rowFailure gives what is wrong with the row its exit code; a model that has learned nothing yet is not the row's
// fault.
func rowFailure(err error) error {
	var known *failure
	if errors.As(err, &known) || errors.Is(err, tidemill.ErrNotReady) {
		return err
	}
	return &failure{exitValidation, err}
}

func taskIndex(f *config.File, name string) (int, error) {
	var names []string
	for i := range f.Flow.Tasks {
		if f.Flow.Tasks[i].Name == name {
			return i, nil
		}
		names = append(names, f.Flow.Tasks[i].Name)
	}
	if near := expr.Nearest(name, names); near != "" {
		return 0, usage("there is no task %q; the nearest is %q", name, near)
	}
	return 0, usage("there is no task %q; there are %s", name, strings.Join(names, ", "))
}

// maxInput bounds what predict reads.
const maxInput = 64 << 20

func (a *app) readInput(path string) ([]byte, error) {
	r := a.in
	if path != "-" {
		file, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, usage("there is no file %s", path)
		}
		if err != nil {
			return nil, &failure{exitEnvironment, err}
		}
		defer file.Close()
		r = file
	}
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(data) > maxInput {
		return nil, usage("%s is larger than %d MiB", path, maxInput>>20)
	}
	return data, err
}

// input is what predict is asked about.
type input struct {
	rows     []tidemill.Row
	pictures [][]byte // grey bytes of each row that is one
	picture  *pictureColumn
	one      bool
}

// readRows reads a PNG or JPEG, a JSON object, an array of objects, or an array of a picture's numbers.
func readRows(data []byte, pic *pictureColumn, path string, invert bool) (*input, error) {
	in := &input{picture: pic, one: true}
	if picture.IsFile(data) {
		if pic == nil {
			return nil, usage("%s is a picture, and no feature of the task reads one", path)
		}
		value, grey, err := pic.file(data, invert)
		if err != nil {
			return nil, usage("%s: %v", path, err)
		}
		in.rows, in.pictures = []tidemill.Row{{pic.column: value}}, [][]byte{grey}
		return in, nil
	}
	if invert {
		return nil, usage("%s: --invert is for a PNG or JPEG file", path)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, usage("%s: neither JSON nor a PNG or JPEG file: %v", path, jsonPlace(data, err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, usage("%s: something follows the JSON value; write several rows as an array", path)
	}
	switch v := v.(type) {
	case map[string]any:
		in.rows = []tidemill.Row{v}
		return in, in.findPictures()
	case []any:
		if len(v) == 0 {
			return nil, usage("%s: the array is empty", path)
		}
		if _, object := v[0].(map[string]any); !object {
			if pic == nil {
				return nil, usage("%s: an array of %T, where rows are objects like {\"column\": 5}", path, v[0])
			}
			grey, err := pic.numbers(v)
			if err != nil {
				return nil, usage("%s: %v", path, err)
			}
			return in, in.addPicture(grey)
		}
		in.one = false
		for i, x := range v {
			row, ok := x.(map[string]any)
			if !ok {
				return nil, usage("%s: row %d is no object", path, i+1)
			}
			in.rows = append(in.rows, row)
		}
		return in, in.findPictures()
	}
	return nil, usage("%s: a row is an object like {\"column\": 5}", path)
}

func (in *input) addPicture(grey []byte) error {
	value, err := in.picture.value(grey)
	in.rows, in.pictures = append(in.rows, tidemill.Row{in.picture.column: value}), append(in.pictures, grey)
	return err
}

// findPictures turns arrays of numbers in a picture's column into what its feature reads.
func (in *input) findPictures() error {
	for i, row := range in.rows {
		if in.picture == nil {
			return nil
		}
		list, ok := row[in.picture.column].([]any)
		in.pictures = append(in.pictures, nil)
		if !ok {
			continue
		}
		grey, err := in.picture.numbers(list)
		if err != nil {
			return usage("row %d, column %s: %v", i+1, in.picture.column, err)
		}
		if row[in.picture.column], err = in.picture.value(grey); err != nil {
			return err
		}
		in.pictures[i] = grey
	}
	return nil
}

// jsonPlace adds line and column to an error of the JSON decoder.
func jsonPlace(data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := data[:min(int(syntax.Offset), len(data))]
	return fmt.Errorf("line %d, column %d: %w", 1+bytes.Count(before, []byte("\n")),
		len(before)-bytes.LastIndexByte(before, '\n')-1, err)
}

func (a *console) printPrediction(p *engine.Prediction, grey []byte, pic *pictureColumn) {
	lines := predictionLines(p)
	if grey != nil {
		lines = terminal.Beside(terminal.Picture(grey, pic.width, pic.height, a.colour(a.out)), pic.width, lines)
	}
	for _, l := range lines {
		fmt.Fprintln(a.out, l)
	}
}

// maxClasses is how many probabilities are printed.
const maxClasses = 12

func predictionLines(p *engine.Prediction) []string {
	lines := []string{"prediction " + p.Label}
	if p.Probabilities == nil && p.Score != nil && len(p.Values) != 1 {
		lines[0] += fmt.Sprintf(" (%s)", number(*p.Score))
	}
	lines = append(lines, "")
	if len(p.Probabilities) > 0 {
		labels := make([]string, 0, len(p.Probabilities))
		width := 0
		for label := range p.Probabilities {
			labels = append(labels, label)
			width = max(width, len(label))
		}
		sort.Strings(labels)
		if len(labels) > maxClasses { // the most probable ones
			sort.SliceStable(labels, func(i, j int) bool { return p.Probabilities[labels[i]] > p.Probabilities[labels[j]] })
			labels = labels[:maxClasses]
		}
		for _, label := range labels {
			q := p.Probabilities[label]
			lines = append(lines, fmt.Sprintf("%*s %6.2f %% %s", width, label, 100*q, terminal.Bar(q, 20)))
		}
	} else if len(p.Values) > 1 {
		lines = append(lines, "distances "+numbers(p.Values))
	}
	if len(p.Missing) > 0 {
		lines = append(lines, "missing, read as NULL: "+strings.Join(p.Missing, ", "))
	}
	return append(lines, "model "+p.Version+", trained through "+positionText(p.Through))
}
