package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// console is where a command writes: results to stdout, everything else to stderr.
type console struct {
	stdout, stderr io.Writer
	json           bool // results as one JSON object
	lines          bool // a JSON object in a line, because there are several
	quiet          bool // neither progress nor the lines of logf
	terminal       bool // stderr is one

	args []string // the command line, for what a user is told to run

	mu            sync.Mutex // of lines, which a signal may add to
	progressShown bool       // the terminal's current line is a progress line
}

func newConsole(stdout, stderr io.Writer) *console {
	c := &console{stdout: stdout, stderr: stderr}
	if f, ok := stderr.(*os.File); ok {
		c.terminal = term.IsTerminal(int(f.Fd()))
	}
	return c
}

// printf writes a part of the result.
func (c *console) printf(format string, args ...any) error {
	if _, err := fmt.Fprintf(c.stdout, format, args...); err != nil {
		return as(errOutput, fmt.Errorf("cannot write the result: %w", err))
	}
	return nil
}

// printJSON writes a result as indented JSON, or in one line if there are several.
func (c *console) printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if c.lines {
		data, err = json.Marshal(v)
	}
	if err != nil {
		return fmt.Errorf("cannot encode the result: %w", err)
	}
	return c.printf("%s\n", data)
}

// logf writes a line about what the program does or has decided.
func (c *console) logf(format string, args ...any) {
	if !c.quiet {
		c.line(fmt.Sprintf(format, args...))
	}
}

// warningPrefix begins the lines of warnings.
const warningPrefix = "spgd: warning: "

// warn writes a warning.
func (c *console) warn(text string) { c.line(warningPrefix + text) }

// fail writes the error that ends the program. With --json it goes to stdout too, so that
// there is an object to parse whatever happens.
func (c *console) fail(err error) int {
	code, text := exitCode(err), message(err)
	c.line("spgd: " + text)
	if c.json {
		var v struct {
			Error struct {
				Code    int    `json:"code"`
				Message string `json:"message"`
			} `json:"error"`
		}
		v.Error.Code, v.Error.Message = code, text
		_ = c.printJSON(v) // stdout may be what has failed
	}
	return code
}

// line writes a line to stderr, below a progress line if there is one.
func (c *console) line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wipe()
	fmt.Fprintln(c.stderr, text)
}

// progressLine replaces the progress line of a terminal.
func (c *console) progressLine(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.stderr, "\r\x1b[K%s", text)
	c.progressShown = true
}

// endProgress wipes the progress line.
func (c *console) endProgress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wipe()
}

func (c *console) wipe() {
	if c.progressShown {
		fmt.Fprint(c.stderr, "\r\x1b[K")
		c.progressShown = false
	}
}
