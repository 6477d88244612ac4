package html

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// chromium is a browser without a window, which is spoken to in its DevTools protocol over a pair of
// pipes.
type chromium struct {
	t       *testing.T
	ctx     context.Context
	in      *os.File
	answers chan message
	events  []message // that have come in
	session string
	id      int
}

// message is a command, its answer or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// requireChromium is the variable that makes a missing browser an error.
const requireChromium = "SPGD_REQUIRE_CHROMIUM"

// startChromium opens an empty page. The test is skipped where there is no browser.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("processes get no further descriptors here")
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv(requireChromium) != "" {
			t.Fatal("no chromium")
		}
		t.Skip("no chromium")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--disable-background-networking", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir())
	childIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{childIn, childOut} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	childIn.Close()
	childOut.Close()
	c := &chromium{t: t, ctx: ctx, in: in, answers: make(chan message, 256)}
	go func() {
		defer close(c.answers)
		for r := bufio.NewReader(out); ; {
			text, err := r.ReadBytes(0)
			if err != nil {
				return
			}
			var m message
			if json.Unmarshal(text[:len(text)-1], &m) == nil {
				c.answers <- m
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.send("Browser.close", nil)
		for range c.answers { // until the browser has closed its end
		}
		_ = cmd.Wait()
		in.Close()
		out.Close()
	})
	var target struct{ TargetID, SessionID string }
	c.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	c.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		c.call(domain+".enable", nil, nil)
	}
	return c
}

func (c *chromium) send(method string, params any) error {
	c.id++
	m := message{ID: c.id, Session: c.session, Method: method}
	if params != nil {
		text, err := json.Marshal(params)
		if err != nil {
			return err
		}
		m.Params = text
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = c.in.Write(append(text, 0))
	return err
}

// next returns the next message, and keeps those that are events.
func (c *chromium) next() (message, error) {
	select {
	case m, ok := <-c.answers:
		if !ok {
			return m, errors.New("the browser has gone")
		}
		if m.Method != "" {
			c.events = append(c.events, m)
		}
		return m, nil
	case <-c.ctx.Done():
		return message{}, c.ctx.Err()
	}
}

// call runs a command and reads its result.
func (c *chromium) call(method string, params, result any) {
	c.t.Helper()
	if err := c.send(method, params); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
	for {
		m, err := c.next()
		switch {
		case err != nil:
			c.t.Fatalf("%s: %v", method, err)
		case m.ID != c.id || m.Method != "":
			continue
		case m.Error != nil:
			c.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				c.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

// open loads a page and waits for it.
func (c *chromium) open(url string) {
	c.t.Helper()
	c.call("Page.navigate", map[string]any{"url": url}, nil)
	for seen := 0; ; {
		for ; seen < len(c.events); seen++ {
			if c.events[seen].Method == "Page.loadEventFired" {
				return
			}
		}
		if _, err := c.next(); err != nil {
			c.t.Fatalf("%s is not loaded: %v", url, err)
		}
	}
}

// evaluate reads the value of an expression.
func (c *chromium) evaluate(expression string, value any) {
	c.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Text string }
	}
	c.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		c.t.Fatalf("%s: %s", expression, r.ExceptionDetails.Text)
	}
	if err := json.Unmarshal(r.Result.Value, value); err != nil {
		c.t.Fatalf("%s: %v", expression, err)
	}
}

// mouse moves, presses or releases the pointer's button.
func (c *chromium) mouse(kind string, x, y float64) {
	c.t.Helper()
	c.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}, nil)
}

// key presses and releases a key.
func (c *chromium) key(name string, code, modifiers int) {
	c.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		c.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}, nil)
	}
}

// screenshot returns a PNG of the page, from its top, in this size.
func (c *chromium) screenshot(width, height float64) []byte {
	c.t.Helper()
	var r struct{ Data []byte }
	c.call("Page.captureScreenshot", map[string]any{
		"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
	}, &r)
	return r.Data
}

// complaints are the errors and warnings that the page has caused: of scripts, of the console, of
// the page's policy.
func (c *chromium) complaints() (list []string) {
	for _, e := range c.events {
		var p struct {
			Type, Text string
			Entry      struct{ Level, Text, URL string }
			Exception  struct{ Text string } `json:"exceptionDetails"`
			Args       []struct{ Value, Description any }
		}
		if json.Unmarshal(e.Params, &p) != nil {
			continue
		}
		switch {
		case e.Method == "Runtime.exceptionThrown":
			list = append(list, "exception: "+p.Exception.Text)
		case e.Method == "Runtime.consoleAPICalled" && (p.Type == "error" || p.Type == "warning" || p.Type == "assert"):
			list = append(list, fmt.Sprint("console: ", p.Args))
		case e.Method == "Log.entryAdded" && (p.Entry.Level == "error" || p.Entry.Level == "warning"):
			list = append(list, "log: "+p.Entry.Text+" "+p.Entry.URL)
		}
	}
	return list
}

// requests are the addresses that the page has asked for, without those inside it.
func (c *chromium) requests() (list []string) {
	for _, e := range c.events {
		var p struct{ Request struct{ URL string } }
		if e.Method == "Network.requestWillBeSent" && json.Unmarshal(e.Params, &p) == nil && !strings.HasPrefix(p.Request.URL, "data:") {
			list = append(list, p.Request.URL)
		}
	}
	return list
}
