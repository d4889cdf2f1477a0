// Package chromiumtest drives a headless Chromium for tests of pages:
//
//	p := chromiumtest.New(t).Open(url, 1100, 900, "light")
//	p.Wait(`document.querySelectorAll("svg").length > 2`)
//	p.Clean()
package chromiumtest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Browser is a headless Chromium that is spoken to over a pipe: the DevTools protocol, JSON messages ended by a zero
// byte.
type Browser struct {
	t       *testing.T
	to      *os.File
	mu      sync.Mutex
	next    int
	answers map[int]chan message
	heard   map[string]func(message) // by session
}

type message struct {
	ID      int             `json:"id"`
	Method  string          `json:"method"`
	Session string          `json:"sessionId"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// New starts a browser that ends with the test.
func New(t *testing.T) *Browser {
	t.Helper()
	need(t)
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, itsOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
		"--disable-extensions",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
		"--user-data-dir=" + t.TempDir()}
	if os.Getuid() == 0 {
		args = append(args, "--no-sandbox") // Chromium's sandbox does not run as root
	}
	cmd := exec.Command("chromium", append(args, "about:blank")...)
	cmd.ExtraFiles = []*os.File{theirs, itsOut} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	itsOut.Close()
	b := &Browser{t: t, to: to, answers: map[int]chan message{}, heard: map[string]func(message){}}
	go b.listen(from)
	t.Cleanup(func() {
		b.Call("", "Browser.close", nil)
		gone := make(chan bool)
		go func() { cmd.Wait(); close(gone) }()
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-gone
		}
		to.Close()
		from.Close()
	})
	return b
}

// listen hands what the browser says to whom it is for.
func (b *Browser) listen(from io.Reader) {
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(line[:len(line)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		ch, hear := b.answers[m.ID], b.heard[m.Session]
		delete(b.answers, m.ID)
		b.mu.Unlock()
		if m.ID != 0 && ch != nil {
			ch <- m
		} else if hear != nil {
			hear(m)
		}
	}
}

// Call asks the browser something and waits for the answer.
func (b *Browser) Call(session, method string, params any) json.RawMessage {
	b.t.Helper()
	if params == nil {
		params = struct{}{}
	}
	ch := make(chan message, 1)
	b.mu.Lock()
	b.next++
	id := b.next
	b.answers[id] = ch
	m := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		m["sessionId"] = session
	}
	text, err := json.Marshal(m)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	select {
	case m := <-ch:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		return m.Result
	case <-time.After(60 * time.Second):
		b.t.Fatalf("%s: the browser does not answer", method)
		return nil
	}
}

// Tab is one page with a session of its own.
type Tab struct {
	*Browser
	Session string // of the DevTools protocol
	Target  string
	mu      sync.Mutex
	faults  []string // errors on the console, exceptions, refusals of the content security policy
}

type object = map[string]any

// Open makes a tab of that size and colour scheme and goes to url.
func (b *Browser) Open(url string, width, height int, scheme string) *Tab {
	b.t.Helper()
	var made struct{ TargetID, BrowserContextID, SessionID string }
	get := func(raw json.RawMessage) {
		b.t.Helper()
		if err := json.Unmarshal(raw, &made); err != nil {
			b.t.Fatal(err)
		}
	}
	get(b.Call("", "Target.createBrowserContext", object{}))
	get(b.Call("", "Target.createTarget", object{"url": "about:blank", "browserContextId": made.BrowserContextID}))
	get(b.Call("", "Target.attachToTarget", object{"targetId": made.TargetID, "flatten": true}))
	p := &Tab{Browser: b, Session: made.SessionID, Target: made.TargetID}
	b.mu.Lock()
	b.heard[p.Session] = p.hear
	b.mu.Unlock()
	for _, domain := range []string{"Runtime", "Log", "Page", "Network"} {
		p.Call(p.Session, domain+".enable", nil)
	}
	p.Look(width, height, scheme)
	p.Call(p.Session, "Page.navigate", object{"url": url})
	p.Wait(`document.readyState === "complete" && location.href !== "about:blank"`)
	return p
}

// Look makes the window that large and the system's colours light or dark.
func (p *Tab) Look(width, height int, scheme string) {
	p.t.Helper()
	p.Call(p.Session, "Emulation.setDeviceMetricsOverride",
		object{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
	p.Call(p.Session, "Emulation.setEmulatedMedia",
		object{"features": []object{{"name": "prefers-color-scheme", "value": scheme}}})
}

func (p *Tab) hear(m message) {
	bad := ""
	switch m.Method {
	case "Runtime.exceptionThrown":
		bad = string(m.Params)
	case "Runtime.consoleAPICalled":
		if strings.Contains(string(m.Params), `"type":"error"`) || strings.Contains(string(m.Params), `"type":"warning"`) {
			bad = string(m.Params)
		}
	case "Log.entryAdded":
		if strings.Contains(string(m.Params), `"level":"error"`) ||
			strings.Contains(string(m.Params), `"source":"security"`) {
			bad = string(m.Params)
		}
	}
	if bad != "" {
		p.mu.Lock()
		p.faults = append(p.faults, bad)
		p.mu.Unlock()
	}
}

// Clean fails the test if the console has had an error; except are texts of errors that belong to the test.
func (p *Tab) Clean(except ...string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, f := range p.faults {
		for _, e := range except {
			if strings.Contains(f, e) {
				continue next
			}
		}
		p.t.Errorf("the browser's console: %.600s", f)
	}
}

// Eval is the value of an expression in the page, awaited if it is a promise.
func (p *Tab) Eval(expr string) any {
	p.t.Helper()
	var r struct {
		Result    struct{ Value any }
		Exception *struct {
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	if err := json.Unmarshal(p.Call(p.Session, "Runtime.evaluate",
		object{"expression": expr, "returnByValue": true, "awaitPromise": true}), &r); err != nil {
		p.t.Fatal(err)
	}
	if r.Exception != nil {
		p.t.Fatalf("%s: %s", expr, r.Exception.Exception.Description)
	}
	return r.Result.Value
}

// Wait waits until an expression is true.
func (p *Tab) Wait(expr string) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(40 * time.Millisecond) {
		if p.Eval(expr) == true {
			return
		}
		if time.Now().After(end) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.t.Fatalf("never true: %s\nconsole: %v\npage: %.1500s", expr, p.faults, p.Eval("document.body.innerText"))
		}
	}
}

// Text is the text of the first element that a selector finds.
func (p *Tab) Text(selector string) string {
	p.t.Helper()
	return fmt.Sprint(p.Eval(fmt.Sprintf(`document.querySelector(%q)?.innerText`, selector)))
}

// Mouse sends a pointer event.
func (p *Tab) Mouse(kind string, x, y float64) {
	p.Call(p.Session, "Input.dispatchMouseEvent",
		object{"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1})
}

// Shot keeps a picture of the whole page among the test's artifacts (go test -artifacts).
func (p *Tab) Shot(name string) {
	p.t.Helper()
	if f := flag.Lookup("test.artifacts"); f == nil || f.Value.String() != "true" {
		return
	}
	var r struct{ Data string }
	json.Unmarshal(p.Call(p.Session, "Page.captureScreenshot", object{"format": "png", "captureBeyondViewport": true}), &r)
	b, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil || len(b) < 1000 {
		p.t.Fatalf("no picture: %v", err)
	}
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name+".png"), b, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// wider names the first elements that stand out of the window.
const wider = `[...document.querySelectorAll("body *")]
	.filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll"))
	.slice(0, 5).map((e) => e.tagName + "." + e.className + "#" + e.id).join(" ")`

// Fits fails the test if the page is wider than the window.
func (p *Tab) Fits() {
	p.t.Helper()
	if over := p.Eval(`document.documentElement.scrollWidth - innerWidth`); over.(float64) > 0 {
		p.t.Errorf("the page is %v px wider than the window: %v", over,
			p.Eval(wider))
	}
}

// need installs Chromium where it is missing and the test may.
func need(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err == nil {
		return
	}
	if os.Getuid() != 0 {
		t.Fatal("this test needs chromium: apt-get install chromium")
	}
	if out, err := exec.Command("apt-get", "install", "-y", "--no-install-recommends",
		"chromium").CombinedOutput(); err != nil {
		t.Fatalf("apt-get install chromium: %v\n%s", err, out)
	}
}
