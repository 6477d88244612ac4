package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/seed-0f004ec9/spgd/report"
)

// What became of a picture.
const (
	statusDone    = "done"
	statusSkipped = "skipped"
	statusFailed  = "failed"
)

// batchEntry is a line of the log: what became of a picture.
type batchEntry struct {
	Input    string         `json:"input"`
	Output   string         `json:"output"`
	Status   string         `json:"status"`
	Reason   string         `json:"reason,omitempty"`
	Code     int            `json:"code,omitempty"` // what the exit status of a restoration of this picture alone would be
	Seconds  report.Number  `json:"seconds"`
	Residual *report.Number `json:"residual_rms,omitempty"`
	Settings string         `json:"settings_sha256,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
}

// complete adds what the record of a result says.
func (e *batchEntry) complete(r *report.Run) error {
	if r.DataFit != nil {
		e.Residual = &r.DataFit.ResidualRMS
	}
	var err error
	e.Settings, err = r.SettingsHash()
	return err
}

// jsonLog is a file in JSON Lines that grows by a line at a time.
type jsonLog struct{ file *os.File }

// openLog opens a log to add to. A last line that a killed process has left incomplete is removed; a
// file that cannot be a log is an error.
func openLog(path string) (*jsonLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, as(errOutput, fmt.Errorf("log: %w", err))
	}
	if err := repairLog(f); err != nil {
		f.Close()
		return nil, as(errOutput, fmt.Errorf("log %s: %w", path, err))
	}
	return &jsonLog{f}, nil
}

// maxLogLine bounds the lines that repairLog looks at.
const maxLogLine = 1 << 20

// repairLog removes an incomplete last line.
func repairLog(f *os.File) error {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() == 0 {
		return err
	}
	start := max(0, st.Size()-maxLogLine)
	tail, err := io.ReadAll(io.NewSectionReader(f, start, st.Size()-start))
	if err != nil {
		return err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	last := tail[end:]
	if len(last) == 0 {
		return nil
	}
	if last[0] != '{' || end == 0 && start > 0 {
		return fmt.Errorf("it is not a file of JSON lines, and is left alone")
	}
	if json.Valid(last) {
		_, err = f.Write([]byte("\n"))
		return err
	}
	return f.Truncate(start + int64(end))
}

// add writes an entry in one piece, as far as the system does, and on the disk.
func (l *jsonLog) add(e batchEntry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("cannot encode the log: %w", err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return as(errOutput, fmt.Errorf("log: %w", err))
	}
	_ = l.file.Sync() // pipes and devices have no disk
	return nil
}

func (l *jsonLog) Close() error { return l.file.Close() }
