package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

// The request and the answers of the protocol's own page, with our columns.
func TestInfer(t *testing.T) {
	h := Handler(fakeFlights(), Config{})
	got := ask(t, h, "POST", "/v2/models/late/infer", `{"id":"42","inputs":[
		{"name":"distance","shape":[2],"datatype":"FP64","parameters":{},"data":[1400,200.5]},
		{"name":"carrier","shape":[2,1],"datatype":"BYTES","data":[["UA"],["EV"]]}],
		"outputs":[{"name":"probabilities"}]}`, 200)
	var a struct {
		ModelName    string `json:"model_name"`
		ModelVersion string `json:"model_version"`
		ID           string
		Parameters   map[string]any
		Outputs      []struct {
			Name, Datatype string
			Shape          []int
			Data           []float64
			Parameters     map[string]string
		}
	}
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatal(err)
	}
	if a.ModelName != "late" || a.ModelVersion != "1.56480" || a.ID != "42" ||
		a.Parameters["trained_through"] != "7412906733:1:0/2C5E1A80" || len(a.Outputs) != 1 {
		t.Fatalf("%s", got)
	}
	o := a.Outputs[0]
	if o.Name != "probabilities" || o.Datatype != "FP64" || fmt.Sprint(o.Shape) != "[2 2]" || len(o.Data) != 4 ||
		math.Abs(o.Data[2]+o.Data[3]-1) > 1e-12 || o.Parameters["labels"] != `["false","true"]` {
		t.Errorf("%s", got)
	}
	for _, version := range []string{"1", "1.56480"} {
		ask(t, h, "POST", "/v2/models/late/versions/"+version+"/infer",
			`{"inputs":[{"name":"distance","shape":[1],"datatype":"INT64","data":[3]}]}`, 200)
	}
	if got := ask(t, h, "POST", "/v2/models/late/infer",
		`{"inputs":[{"name":"distance","shape":[1],"datatype":"INT64","data":[3]}]}`, 200); strings.Contains(got,
		`"id"`) || !strings.Contains(got, `"name":"prediction","datatype":"BYTES","shape":[1],"data":["true"]`) {
		t.Errorf("all outputs, no id: %s", got)
	}
}

// Each whole datatype takes the ends of its range.
func TestInferRanges(t *testing.T) {
	h := Handler(fakeFlights(), Config{})
	for datatype, ends := range map[string]string{"INT8": "-128,127", "UINT8": "0,255", "INT16": "-32768,32767",
		"UINT16": "0,65535", "INT32": "-2147483648,2147483647",
		"UINT32": "0,4294967295", "INT64": "-9223372036854775808,9223372036854775807",
		"UINT64": "0,18446744073709551615"} {
		ask(t, h, "POST", "/v2/models/late/infer",
			`{"inputs":[{"name":"distance","shape":[2],"datatype":"`+datatype+`","data":[`+ends+`]}]}`, 200)
	}
}

// {"b64": …} is TensorFlow Serving's way to write bytes: a text column reads their text.
func TestTensorFlowBytes(t *testing.T) {
	f := fakeFlights()
	rule := f.predict
	var seen []any
	f.predict = func(ts *engine.TaskStatus, r tidemill.Row) (engine.Prediction, error) {
		seen = append(seen, r["carrier"])
		return rule(ts, r)
	}
	h := Handler(f, Config{})
	for verb, body := range map[string]string{
		"predict":  `{"instances":[{"carrier":{"b64":"VUE="}},{"carrier":[{ "b64" : "VUE=" }]}]}`,
		"classify": `{"examples":[{"carrier":{"b64":"VUE="}}]}`,
	} {
		ask(t, h, "POST", "/v1/models/late:"+verb, body, 200)
	}
	ask(t, h, "POST", "/v1/models/late:predict", `{"inputs":{"carrier":[{"b64":"VUE="}]}}`, 200)
	if fmt.Sprint(seen) != "[UA UA UA UA]" {
		t.Errorf("%v", seen)
	}
	for body, part := range map[string]string{`{"b64":"V"}`: "illegal base64", `{"b64":"/w=="}`: "not UTF-8",
		`{"b64":"VUE=","x":1}`: "bytes in an object are", `{"b64":1}`: "bytes in an object are"} {
		if got := ask(t, h, "POST", "/v1/models/late:predict", `{"instances":[{"carrier":`+body+`}]}`,
			400); !strings.Contains(got, part) {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func TestInferRefuses(t *testing.T) {
	h := Handler(fakeFlights(), Config{MaxRows: 100})
	in := func(s string) string { return `{"inputs":[` + s + `]}` }
	for _, c := range []struct {
		path, body string
		code       int
		part       string
	}{
		{"late", in(`{"name":"distance","shape":[3],"datatype":"INT64","data":[1,2]}`), 400, "its shape, [3], says 3"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"INT64","data":[1,2]}`), 400,
			"more data than its shape"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"INT64","data":[1.5]}`), 400, "1.5 is no INT64"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"UINT64","data":[-1]}`), 400, "-1 is no UINT64"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"INT8","data":[128]}`), 400, "128 is no INT8"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"INT16","data":[-32769]}`), 400, "-32769 is no INT16"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"UINT32","data":[4294967296]}`), 400,
			"4294967296 is no UINT32"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"FP128","data":[1]}`), 400, "no datatype"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"FP64","data":["1"]}`), 400, "1 is no FP64"},
		{"late", in(`{"name":"distance","shape":[2,3],"datatype":"FP64","data":[1,2,3,4,5,6]}`), 400,
			"3 elements per row"},
		{"late", in(`{"name":"distance","shape":[-1],"datatype":"FP64","data":[1]}`), 400, "none below 0"},
		{"late", in(`{"name":"distance","datatype":"FP64","data":[1]}`), 400, "a name, a datatype and a shape"},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"FP64"}`), 400, "either data or"},
		{"late", in(`{"name":"distnace","shape":[1],"datatype":"FP64","data":[1]}`), 400, `did you mean \"distance\"?`},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"FP64","data":[1]},{"name":"month","shape":[2],"datatype":"FP64","data":[1,2]}`), 400, `\"month\" has 2 rows`},
		{"late", in(`{"name":"distance","shape":[1],"datatype":"FP64","data":[1]},{"name":"distance","shape":[1],"datatype":"FP64","data":[1]}`), 400, "twice"},
		{"late", in(`{"name":"distance","shape":[200],"datatype":"FP64","data":[1]}`), 413, "max_rows"},
		{"late", in(`{"name":"distance","shape":[90],"datatype":"FP64","data":[1]}`), 400, "less data than its shape"},
		{"late", `{"inputs":[]}`, 400, "no inputs"},
		{"late", `{"inputs":[{"name":"distance","shape":[1],"datatype":"FP64","data":[1]}],"outputs":[{"name":"proba"}]}`, 400, `no output \"proba\"; it has [prediction probabilities]`},
		{"lat", `{}`, 404, `did you mean \"late\"?`},
		{"late/versions/7", `{}`, 404, "it is at 1.56480, which 1 names too"},
	} {
		if got := ask(t, h, "POST", "/v2/models/"+c.path+"/infer", c.body, c.code); !strings.Contains(got, c.part) {
			t.Errorf("%s: %s, want …%s…", c.body, got, c.part)
		}
	}
}

// A request of Triton's own client (tritonclient 2.73, binary tensors both ways), byte by byte.
func TestInferBinary(t *testing.T) {
	h := Handler(fakeFlights(), Config{})
	head := `{"id":"7","inputs":[{"name":"distance","shape":[2],"datatype":"INT64","parameters":{"binary_data_size":16}},{"name":"carrier","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":12}}],"outputs":[{"name":"prediction","parameters":{"binary_data":true}},{"name":"probabilities","parameters":{"binary_data":true}}]}`
	tail := binary.LittleEndian.AppendUint64(nil, 1400)
	tail = binary.LittleEndian.AppendUint64(tail, 100)
	tail = append(tail, "\x02\x00\x00\x00UA\x02\x00\x00\x00EV"...)
	send := func(body []byte, length string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/v2/models/late/infer", bytes.NewReader(body))
		r.Header.Set("Inference-Header-Content-Length", length)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := send(append([]byte(head), tail...), fmt.Sprint(len(head)))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	var n int
	fmt.Sscan(w.Header().Get("Inference-Header-Content-Length"), &n)
	body := w.Body.Bytes()
	if n <= 0 || n > len(body) || !json.Valid(body[:n]) ||
		!bytes.Contains(body[:n], []byte(`"shape":[2],"parameters":{"binary_data_size":17}`)) {
		t.Fatalf("%d: %q", n, body)
	}
	rest := body[n:]
	if !bytes.HasPrefix(rest, []byte("\x05\x00\x00\x00false\x04\x00\x00\x00true")) || len(rest) != 17+32 {
		t.Errorf("%q", rest)
	}
	if p := math.Float64frombits(binary.LittleEndian.Uint64(rest[17:])); p < 0.6 || p > 0.7 {
		t.Errorf("the first probability is %g", p)
	}
	for _, bad := range [][]byte{append([]byte(head), tail[:20]...), append([]byte(head), append(tail, 0)...),
		[]byte(head)} {
		if w := send(bad, fmt.Sprint(len(head))); w.Code != 400 {
			t.Errorf("%d bytes: %d", len(bad), w.Code)
		}
	}
	for _, length := range []string{"-1", "x", "99999"} {
		if w := send([]byte(head), length); w.Code != 400 {
			t.Errorf("length %s: %d", length, w.Code)
		}
	}
}

func TestHalf(t *testing.T) {
	for h, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: math.Ldexp(1, -24),
		0x0400: math.Ldexp(1, -14), 0x3555: 0.333251953125, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1), 0: 0} {
		if got := half(h); got != want {
			t.Errorf("%04x: %g, want %g", h, got, want)
		}
	}
	if !math.IsNaN(half(0x7e00)) {
		t.Error("NaN")
	}
}

func FuzzInfer(f *testing.F) {
	f.Add(`{"inputs":[{"name":"distance","shape":[1],"datatype":"INT64","data":[3]}]}`, []byte{})
	f.Add(`{"inputs":[{"name":"pixels","shape":[1,28,28],"datatype":"UINT8","parameters":{"binary_data_size":784}}]}`,
		make([]byte, 784))
	f.Add(`{"inputs":[{"name":"carrier","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]}`,
		[]byte("\x02\x00\x00\x00UA"))
	f.Add(`{"inputs":[{"name":"x","shape":[2147483647,2147483647],"datatype":"FP16","data":[]}]}`, []byte{})
	s := newServer(fakeFlights(), Config{})
	late := &statustest.Flights(statustest.Began(), 100).Tasks[0]
	late.Picture = &engine.PictureStatus{Column: "pixels", Width: 28, Height: 28}
	f.Fuzz(func(t *testing.T, head string, tail []byte) {
		a, err := parseAsked(head, tail)
		if err != nil {
			return
		}
		rows, err := s.tensorRows(late, a.inputs)
		if err == nil && len(rows) > s.cfg.MaxRows {
			t.Fatal("too many rows")
		}
	})
}

func TestInferPicture(t *testing.T) {
	m := mnist(t)
	h := Handler(fakeDigits(t), Config{})
	k := 0
	for m.Labels[k] != 0 || m.Predict(m.Images[k]).Label != "0" {
		k++
	}
	flat := strings.ReplaceAll(strings.Trim(fmt.Sprint(m.Images[k]), "[]"), " ", ",")
	for _, shape := range []string{"[1,784]", "[1,28,28]", "[1,1,28,28]", "[1,28,28,1]"} {
		got := ask(t, h, "POST", "/v2/models/digit/infer",
			`{"inputs":[{"name":"pixels","shape":`+shape+`,"datatype":"UINT8","data":[`+flat+
				`]}],"outputs":[{"name":"prediction"}]}`, 200)
		if !strings.Contains(got, `"data":["0"]`) {
			t.Errorf("%s: %s", shape, got)
		}
	}
	b64 := base64.StdEncoding.EncodeToString(m.Images[k])
	for _, body := range []string{
		`{"instances":[{"pixels":[` + flat + `]}]}`, `{"instances":[[` + flat + `]]}`,
		`{"instances":[{"b64":"` + b64 + `"}]}`,
		`{"instances":[{"pixels":{"b64":"` + b64 + `"}}]}`,
	} {
		if got := ask(t, h, "POST", "/v1/models/digit:predict", body, 200); !strings.HasPrefix(got,
			`{"predictions":[{"prediction":"0","probabilities":[`) {
			t.Errorf("%.40s: %s", body, got)
		}
	}
	if got := ask(t, h, "POST", "/v1/models/digit:predict", `{"inputs":[[`+flat+`]]}`, 200); !strings.HasPrefix(got,
		`{"outputs":{"prediction":["0"],"probabilities":[[`) {
		t.Errorf("%s", got)
	}
}

// TensorFlow Serving's documented calls, with our columns.
func TestTensorFlowServing(t *testing.T) {
	f := fakeFlights()
	now := f.now
	f.become(func() *engine.Status {
		st := now()
		price := st.Tasks[0]
		price.Name, price.Kind, price.Classes = "price", "regress", nil
		st.Tasks = append(st.Tasks, price)
		return st
	})
	h := Handler(f, Config{MaxRows: 5})
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/v1/models/late", "", 200,
			`{"name":"late","ready":true,"model_version_status":[{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}`},
		{"GET", "/v1/models/late/versions/1", "", 200, `"state":"AVAILABLE"`},
		{"GET", "/v1/models/late/versions/2", "", 404, `{"error":`},
		{"GET", "/v1/models/late/labels/stable", "", 400,
			`{"error":"Unrecognized servable version label: stable; model \"late\" has no labels, ask without or for version 1"}`},
		{"GET", "/v1/models/late/labels/stable/metadata", "", 400,
			`{"error":"Unrecognized servable version label: stable; `},
		{"POST", "/v1/models/late/labels/stable:predict", `{"instances":[{"distance":1}]}`, 400,
			`{"error":"Unrecognized servable version label: stable; `},
		{"POST", "/v1/models/none/labels/stable:predict", `{"instances":[{"distance":1}]}`, 404, `{"error":`},
		{"GET", "/v1/models", "", 200, `{"models":["late","price"]}`},
		{"GET", "/v1/models/late/metadata", "", 200, `"distance":{"dtype":"DT_INT64"`},
		{"POST", "/v1/models/late:predict",
			`{"signature_name":"serving_default","instances":[{"distance":1000000},{"distance":-1000000}]}`, 200,
			`{"predictions":[{"prediction":"false","probabilities":[1,0]},{"prediction":"true","probabilities":[0,1]}]}`},
		{"POST", "/v1/models/late/versions/1:predict",
			`{"inputs":{"distance":[[1000000],[-1000000]],"carrier":["UA",null]}}`, 200,
			`{"outputs":{"prediction":["false","true"],"probabilities":[[1,0],[0,1]]}}`},
		{"POST", "/v1/models/price:predict", `{"instances":[{"distance":1400},{"distance":[50]}]}`, 200,
			`{"predictions":[140,5]}`},
		{"POST", "/v1/models/price:predict", `{"inputs":{"distance":[1400,50]}}`, 200, `{"outputs":[140,5]}`},
		{"POST", "/v1/models/price:regress",
			`{"context":{"carrier":"UA"},"examples":[{"distance":1400},{"distance":[50]}]}`, 200,
			`{"results":[140,5]}`},
		{"POST", "/v1/models/late:classify", `{"signature_name":"","examples":[{"distance":1000000}]}`, 200,
			`{"results":[[["false",1],["true",0]]]}`},
		{"POST", "/v1/models/late:regress", `{"examples":[{}]}`, 400, "of kind classify"},
		{"POST", "/v1/models/late:predict", `{"instances":[{}],"inputs":{}}`, 400, "either instances (rows) or inputs"},
		{"POST", "/v1/models/late:predict", `{}`, 400, "either instances (rows) or inputs"},
		{"POST", "/v1/models/late:predict", `{"instances":[1]}`, 400, "by column name"},
		{"POST", "/v1/models/late:predict", `{"instances":[{},{},{},{},{},{}]}`, 413, "max_rows"},
		{"POST", "/v1/models/late:predict", `{"inputs":{"distance":[1,2],"month":[1]}}`, 400,
			"1 values, the first one has 2"},
		{"POST", "/v1/models/late:predict", `{"inputs":{"distance":[1],"month":[1,2]}}`, 400,
			"more values than the first"},
		{"POST", "/v1/models/late:predict", `{"signature_name":"other","instances":[{}]}`, 400,
			"serving_default alone"},
		{"POST", "/v1/models/late:predict", `{"instances":[{"distance":[1,2]}]}`, 400, "2 values in one row"},
		{"POST", "/v1/models/late:predict", `{"instances":[{"distance":NaN}]}`, 400, "NaN is no JSON"},
		{"POST", "/v1/models/none:predict", `{"instances":[{}]}`, 404, `{"error":"no task is called \"none\"`},
		{"GET", "/v1/models/late:predict", "", 405, "wants POST"},
	} {
		if got := ask(t, h, c.method, c.path, c.body, c.code); !strings.Contains(got, c.want) {
			t.Errorf("%s %s %s: %s, want …%s…", c.method, c.path, c.body, got, c.want)
		}
	}
}

func TestServerMetadata(t *testing.T) {
	h := Handler(fakeFlights(), Config{})
	for path, want := range map[string]string{
		"/v2":                        `"extensions":["binary_tensor_data","model_repository"]}`,
		"/v2/":                       `{"name":"tidemill","version":`,
		"/v2/models/late":            `{"name":"late","versions":["1"],"platform":"tidemill","inputs":[{"name":"carrier","datatype":"BYTES","shape":[-1]}`,
		"/v2/models/late/versions/1": `"outputs":[{"name":"prediction","datatype":"BYTES","shape":[-1]},{"name":"probabilities","datatype":"FP64","shape":[-1,-1]}]}`,
		"/v2/models/late/ready":      `{"name":"late","ready":true}`,
		"/v2/health/ready":           `{"ready":true}`,
		"/v2/health/live":            `{"live":true}`,
	} {
		if got := ask(t, h, "GET", path, "", 200); !strings.Contains(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := ask(t, h, "POST", "/v2/repository/index", "",
		200); got != `[{"name":"late","version":"1","state":"READY","reason":""}]`+"\n" {
		t.Error(got)
	}
	if got := ask(t, Handler(fakeDigits(t), Config{}), "GET", "/v2/models/digit", "", 200); !strings.Contains(got,
		`{"name":"pixels","datatype":"UINT8","shape":[-1,28,28]}`) {
		t.Error(got)
	}
}
