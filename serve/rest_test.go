package serve

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/picture"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

// ask sends one request; want is the status code.
func ask(t *testing.T, h http.Handler, method, path, body string, want int, header ...string) string {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != want {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, want, w.Body)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%s %s: no JSON: %s", method, path, w.Body)
	}
	return w.Body.String()
}

func TestPredictOneRow(t *testing.T) {
	h := Handler(fakeFlights(), Config{})
	got := ask(t, h, "POST", "/predict/late", `{"carrier": "UA", "distance": 1400}`, 200)
	want := `{"prediction":"false","score":0.6224593312018546,"probabilities":{"false":0.6224593312018546,"true":0.3775406687981454},` +
		`"missing":["origin","dest","month","scheduled_at","charter"],"model_version":"1.56480","trained_through":"7412906733:1:0/2C5E1A80",` +
		`"trained_through_time":"2026-03-14T09:26:52.86Z"}` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPredictManyRows(t *testing.T) {
	h := Handler(fakeFlights(), Config{MaxRows: 3})
	got := ask(t, h, "POST", "/predict/late",
		`[{"distance":1400},{"distance":100.5,"carrier":"EV"},{"distance":null}]`, 200)
	var out []map[string]any
	if err := json.Unmarshal([]byte(got), &out); err != nil || len(out) != 3 {
		t.Fatalf("%v: %s", err, got)
	}
	if got := ask(t, h, "POST", "/predict/late", `[]`, 200); got != "[]\n" {
		t.Errorf("no rows: %s", got)
	}
	if got := ask(t, h, "POST", "/predict/late", `[{},{},{},{}]`, 413); !strings.Contains(got, "max_rows") {
		t.Errorf("too many rows: %s", got)
	}
}

func TestPredictNames(t *testing.T) {
	h := Handler(fakeFlights(), Config{})
	for _, c := range []struct {
		path, body string
		code       int
		part       string
	}{
		{"/predict/late", `{"carier": "UA"}`, 400, `did you mean \"carrier\"?`},
		{"/predict/late", `[{"carrier": "UA"},{"distnace": 3}]`, 400,
			`row 1: flights row, column distnace: the table has no such column; did you mean \"distance\"?`},
		{"/predict/late", `{"zzzzzzzzz": "UA"}`, 400, "no such column"},
		{"/predict/lat", `{}`, 404, `did you mean \"late\"?`},
		{"/predict/nothing", `{}`, 404, "there is late"},
		{"/predict/late", `{"carrier": "UA", "carrier": "B6"}`, 400, "twice"},
		{"/predict/late", `{"distance": NaN}`, 400, "NaN is no JSON; send null"},
		{"/predict/late", `{"distance": 1e999}`, 400, "too large"},
		{"/predict/late", `{"distance": 01}`, 400, "a number"},
		{"/predict/late", `{"distance": 1} x`, 400, "byte 16"},
		{"/predict/late", ``, 400, "the body ends"},
		{"/predict/late", `3`, 400, "a row {…}"},
		{"/predict/late", `{"carrier": "U`, 400, "ends inside a text"},
		{"/predict/late", "{\"carrier\": \"\xff\"}", 400, "UTF-8"},
		{"/predict/late", `{"carrier": ` + strings.Repeat("[", 100000), 400, "nested"},
		{"/predict/late", strings.Repeat("[", 100000), 400, "row 0"},
		{"/nothing", ``, 404, "nothing is served"},
	} {
		if got := ask(t, h, "POST", c.path, c.body, c.code); !strings.Contains(got, c.part) {
			t.Errorf("%s %.40s: %s, want …%s…", c.path, c.body, got, c.part)
		}
	}
	if got := ask(t, h, "GET", "/predict/late", "", 405); !strings.Contains(got, "POST") {
		t.Errorf("method: %s", got)
	}
	ask(t, h, "POST", "/predict/late", `{}`, 415, "Content-Type", "application/xml")
	ask(t, h, "POST", "/predict/late", `{}`, 415, "Content-Type", "image/png")
	ask(t, h, "POST", "/predict/late", `{}`, 415, "Content-Encoding", "br")
	for path, body := range map[string]string{"/predict/late": `{}`, "/v1/models/late:predict": `{"instances": [{}]}`,
		"/v2/models/late/infer": `{"inputs": [{"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]}]}`} {
		for _, set := range []string{"utf-16", "UTF-16LE", `"utf-32"`} {
			if got := ask(t, h, "POST", path, body, 415, "Content-Type",
				"application/json; charset="+set); !strings.Contains(got, "UTF-8") {
				t.Errorf("%s: %s", set, got)
			}
		}
		ask(t, h, "POST", path, body, 200, "Content-Type", "application/json; charset=UTF-8")
		ask(t, h, "POST", path, body, 200, "Content-Type", "application/json; charset=iso-8859-1")
	}
	ask(t, h, "POST", "/predict/late", `{}`, 403, "Sec-Fetch-Site", "cross-site")
}

// The decoder must agree with encoding/json on what is a row and what is in it.
func TestRowIsJSON(t *testing.T) {
	for _, c := range []string{
		`{"a":1,"b":-2.5e3,"c":"x","d":null,"e":true,"f":false}`, `{}`, ` { "a" : "\u00e9\n\t\"\\\/ \ud83d\ude00" } `,
		`{"a":9223372036854775807,"b":-0}`,
		`{"a":"\ud800","b":"\ud800\ud800","c":"\udc00x"}`, `{"a":0.1,"b":1E+2,"c":1e-2}`, `{"":"empty"}`,
	} {
		r := tidemill.Row{}
		p := &scanner{s: c}
		if err := p.row(r, nil); err != nil {
			t.Errorf("%s: %v", c, err)
			continue
		}
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(c))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		for k, v := range want {
			if n, ok := v.(json.Number); ok {
				if i, err := n.Int64(); err == nil && !strings.ContainsAny(string(n), ".eE") {
					want[k] = i
				} else {
					want[k], _ = n.Float64()
				}
			}
		}
		if !reflect.DeepEqual(map[string]any(r), want) {
			t.Errorf("%s: %#v, want %#v", c, r, want)
		}
	}
	r := tidemill.Row{}
	if err := (&scanner{s: `{"big":18446744073709551615,"o":{"x":[1,2]}}`}).row(r, nil); err != nil {
		t.Fatal(err)
	}
	if r["big"] != json.Number("18446744073709551615") || r["o"] != `{"x":[1,2]}` {
		t.Errorf("%#v", r)
	}
}

func FuzzRow(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":"\ud83d\ude00"}`, `[[]]`, `{"a":[1,{"b":null}]}`, `{"a":-0.0e-1}`,
		`{"a":"\x"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := &scanner{s: s}
		_, err := p.raw()
		if err == nil {
			err = p.end()
		}
		// What this decoder takes, encoding/json takes too; the other way round it is stricter on three points.
		if err == nil && !json.Valid([]byte(s)) {
			t.Fatalf("accepted %q", s)
		}
		if err != nil && json.Valid([]byte(s)) && !strings.Contains(err.Error(), "nested") &&
			!strings.Contains(err.Error(), "UTF-8") && !strings.Contains(err.Error(), "too large") {
			t.Fatalf("refused %q: %v", s, err)
		}
	})
}

func TestPicture(t *testing.T) {
	f := fakeDigits(t)
	m := mnist(t)
	h := Handler(f, Config{})
	k := 0
	for m.Labels[k] != 7 || m.Predict(m.Images[k]).Label != "7" {
		k++
	}
	seven := m.Images[k]
	three, err := os.ReadFile("../examples/digit/three.json")
	if err != nil {
		t.Fatal(err)
	}
	list := fmt.Sprint(seven)
	list = strings.ReplaceAll(list, " ", ",")
	var nested []string
	for y := range 28 {
		nested = append(nested, strings.ReplaceAll(fmt.Sprint(seven[y*28:(y+1)*28]), " ", ","))
	}
	img := image.NewGray(image.Rect(0, 0, 28, 28))
	copy(img.Pix, seven)
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	big := image.NewGray(image.Rect(0, 0, 84, 84))
	for y := range 84 {
		for x := range 84 {
			big.SetGray(x, y, color.Gray{seven[y/3*28+x/3]})
		}
	}
	var bigFile bytes.Buffer
	if err := png.Encode(&bigFile, big); err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	for _, c := range []struct{ name, body, kind, want string }{
		{"list", list, "", "7"}, {"three.json", string(three), "", ""},
		{"nested", "[" + strings.Join(nested, ",") + "]", "", "7"},
		{"png", file.String(), "image/png", "7"}, {"larger png", bigFile.String(), "image/png", "7"},
		{"column", `{"pixels":` + list + `}`, "", "7"},
		{"column in base64", `{"pixels":"` + b64(seven) + `"}`, "", "7"},
		{"column as png", `{"pixels":{"b64":"` + b64(file.Bytes()) + `"}}`, "", "7"},
		{"column in hex", fmt.Sprintf(`{"pixels":"\\x%x"}`, seven), "", "7"},
		{"data URL", `{"pixels":"data:image/png;base64,` + b64(file.Bytes()) + `"}`, "", "7"},
	} {
		got := ask(t, h, "POST", "/predict/digit", c.body, 200, "Content-Type", c.kind)
		if !strings.HasPrefix(got, `{"prediction":"`+c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
	}
	if got := ask(t, h, "POST", "/predict/digit", "["+list+","+string(three)+"]", 200); strings.Count(got,
		"prediction\":") != 2 {
		t.Errorf("two pictures: %s", got)
	}
	for _, c := range []struct{ body, kind, part string }{
		{"[1,2,3]", "", "has 3 numbers, not 784"}, {"[" + strings.Repeat("1,", 784) + "1]", "", "more than 784"},
		{"[300]", "", "no shade of grey"},
		{`{"pixels":"%%"}`, "", "base64"}, {"GIF89a", "image/png", "neither PNG nor JPEG"},
		{file.String()[:40], "image/png", "cannot be read"},
		{`{"pixels":7}`, "", "a picture"}, {bomb(), "image/png", "at most 4096"},
	} {
		if got := ask(t, h, "POST", "/predict/digit", c.body, 400, "Content-Type", c.kind); !strings.Contains(got,
			c.part) {
			t.Errorf("%.20q: %s, want …%s…", c.body, got, c.part)
		}
	}
}

// bomb is the head of a PNG that claims 65,535 x 65,535.
func bomb() string {
	var b bytes.Buffer
	png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)))
	x := b.Bytes()
	copy(x[16:], "\x00\x00\xff\xff\x00\x00\xff\xff")
	binary.BigEndian.PutUint32(x[29:], crc32.ChecksumIEEE(x[12:29]))
	return string(x)
}

func TestScaleKeepsTheMean(t *testing.T) {
	img := image.NewGray(image.Rect(3, 5, 3+10, 5+7))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 3)
	}
	mean := func(b []byte) float64 {
		s := 0.0
		for _, x := range b {
			s += float64(x)
		}
		return s / float64(len(b))
	}
	for _, size := range [][2]int{{10, 7}, {5, 7}, {3, 2}, {28, 28}, {1, 1}} {
		if got, want := mean(picture.Reduce(img, size[0], size[1]).Bytes()), mean(img.Pix); math.Abs(got-want) > 0.6 {
			t.Errorf("%v: mean %g, want %g", size, got, want)
		}
	}
}

func TestToken(t *testing.T) {
	h := Handler(fakeFlights(), Config{Token: "tide"})
	for _, p := range []string{"/status", "/events", "/metrics", "/v2", "/v2/models/late", "/v1/models", "/nothing"} {
		if got := ask(t, h, "GET", p, "", 401); strings.Contains(got, "late") {
			t.Errorf("%s shows data: %s", p, got)
		}
	}
	ask(t, h, "POST", "/predict/late", `{}`, 401)
	ask(t, h, "POST", "/v2/models/late/infer", `{}`, 401)
	ask(t, h, "POST", "/v1/models/late:predict", `{}`, 401)
	ask(t, h, "GET", "/status", "", 401, "Authorization", "Bearer tid")
	ask(t, h, "GET", "/status", "", 401, "Authorization", "Basic tide")
	ask(t, h, "GET", "/status", "", 401, "Authorization", "tide")
	ask(t, h, "GET", "/status", "", 200, "Authorization", "Bearer tide")
	ask(t, h, "POST", "/predict/late", `{}`, 200, "Authorization", "bearer tide")
	for _, p := range []string{"/", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"} {
		if got := ask(t, h, "GET", p, "", 200); strings.Contains(got, "late-flights") {
			t.Errorf("%s shows data", p)
		}
	}
}

func TestReady(t *testing.T) {
	f := fakeFlights()
	is := func(state string, done bool, want int) {
		t.Helper()
		f.become(func() *engine.Status {
			st := statustest.Flights(statustest.Began(), 100)
			st.State, st.Snapshot.Done = state, done
			return st
		})
		h := Handler(f, Config{})
		ask(t, h, "GET", "/readyz", "", want)
		ask(t, h, "GET", "/v2/health/ready", "", want)
		ask(t, h, "GET", "/v2/models/late/ready", "", want)
		ask(t, h, "GET", "/healthz", "", 200)
		ask(t, h, "GET", "/v2/health/live", "", 200)
	}
	is("starting", false, 503)
	is("snapshot", false, 503)
	is("streaming", true, 200)
	is("reconnecting", true, 200)
	is("reconnecting", false, 503)
	is("starting", true, 200) // resumed from a checkpoint; the database need not be there
	is("failed", true, 503)
	is("stopped", true, 503)
}

func TestBodyLimits(t *testing.T) {
	h := Handler(fakeFlights(), Config{MaxBody: 1000})
	long := `{"carrier":"` + strings.Repeat("x", 1000) + `"}`
	ask(t, h, "POST", "/predict/late", long, 413)
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	g.Write([]byte(long))
	g.Close()
	if z.Len() > 1000 {
		t.Fatal("the test's body does not compress")
	}
	ask(t, h, "POST", "/predict/late", z.String(), 413, "Content-Encoding", "gzip")
	z.Reset()
	g = gzip.NewWriter(&z)
	g.Write([]byte(`{"carrier":"UA"}`))
	g.Close()
	ask(t, h, "POST", "/predict/late", z.String(), 200, "Content-Encoding", "gzip")
	ask(t, h, "POST", "/predict/late", z.String()[:z.Len()-6], 400, "Content-Encoding", "gzip")
	ask(t, h, "POST", "/predict/late", "no gzip", 400, "Content-Encoding", "gzip")
}

func TestInFlight(t *testing.T) {
	f := fakeFlights()
	enter, leave := make(chan bool), make(chan bool)
	f.predict = func(ts *engine.TaskStatus, r tidemill.Row) (engine.Prediction, error) {
		enter <- true
		<-leave
		return delayed(ts, r)
	}
	s := newServer(f, Config{InFlight: 1})
	done := make(chan int)
	go func() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/predict/late", strings.NewReader(`{}`)))
		done <- w.Code
	}()
	<-enter
	if got := ask(t, s, "POST", "/predict/late", `{}`, 429); !strings.Contains(got, "try again") {
		t.Error(got)
	}
	leave <- true
	if code := <-done; code != 200 {
		t.Errorf("the first request: %d", code)
	}
	if len(s.slots) != 0 || s.memory.Load() != 0 || s.heavy.Load() != 0 {
		t.Error("a place or memory was not given back")
	}
}

// A Status encodes as encoding/json would have it, and NaN as null.
func TestStatusJSON(t *testing.T) {
	st := statustest.Flights(statustest.Began(), 141200)
	want, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	got := appendJSON(nil, reflect.ValueOf(st).Elem())
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	st = statustest.Digits(mnist(t), statustest.Began(), 1000)
	st.LagSeconds, st.Tasks[0].Coverage = math.NaN(), math.Inf(1)
	if got := appendJSON(nil, reflect.ValueOf(st).Elem()); !json.Valid(got) ||
		!bytes.Contains(got, []byte(`"lag_seconds":null`)) {
		t.Errorf("NaN: %.300s", got)
	}
}

func FuzzString(f *testing.F) {
	f.Add("a\"b\\c<>&\u2028\xff\x00é😀")
	f.Fuzz(func(t *testing.T, s string) {
		var got, want string
		b := appendString(nil, s)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		w, _ := json.Marshal(s)
		json.Unmarshal(w, &want)
		if got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if bytes.ContainsAny(b, "<>&\n") {
			t.Fatalf("%q", b)
		}
	})
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		part string
	}{
		{Config{Listen: "8080"}, "no address with a port"}, {Config{Cert: "a.pem"}, "belong together"},
		{Config{MaxBody: -1}, "max_body"}, {Config{Token: "x\n"}, "white space"},
	} {
		if err := c.cfg.Check(); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
	if err := NewConfig().Check(); err != nil {
		t.Error(err)
	}
	if a, _ := (Config{Listen: ":80"}).address(); a != "localhost:80" {
		t.Errorf("no host: %s", a)
	}
	if (Config{}).Open() || (Config{Listen: "0.0.0.0:80", Token: "x"}).Open() ||
		!(Config{Listen: "0.0.0.0:80"}).Open() {
		t.Error("Open")
	}
}

// What is not the row's fault is no 400.
func TestUnexpectedFault(t *testing.T) {
	f := fakeFlights()
	f.predict = func(*engine.TaskStatus, tidemill.Row) (engine.Prediction, error) {
		return engine.Prediction{}, errors.New("the disk is on fire")
	}
	if got := ask(t, Handler(f, Config{}), "POST", "/predict/late", `{"distance":5}`, 500); !strings.Contains(got,
		"on fire") {
		t.Error(got)
	}
}
