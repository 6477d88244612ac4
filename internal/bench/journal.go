package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed-0f004ec9/spgd/internal/atomicfile"
)

// Journal keeps the cells that have been computed: a file of JSON Lines, one cell a line, to which
// every finished cell is appended and flushed to the disk at once. A process that is killed, or a
// machine that loses its power, leaves at most one torn line at the end, which the next one drops.
type Journal struct {
	file  *os.File // nil if nothing is kept
	path  string
	cells map[string]Cell
	lent  map[string]Cell // of other journals, by their Causes.anywhere
	torn  bool
}

// OpenJournal opens a journal, or makes one. With an empty path nothing is kept. Errors wrap
// ErrJournal where the file is damaged before its last line, or another process has it open.
func OpenJournal(path string) (*Journal, error) {
	j := &Journal{path: path, cells: map[string]Cell{}}
	if path == "" {
		return j, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	j.file = f
	if err := j.load(); err != nil {
		f.Close()
		return nil, err
	}
	// The file's name reaches the disk with its folder, where that can be flushed.
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		dir.Close()
	}
	return j, nil
}

// load reads the file, drops its torn end and goes to where the next line belongs.
func (j *Journal) load() error {
	if !atomicfile.Lock(j.file) {
		return fmt.Errorf("bench: %s: %w: another process is writing it", j.path, ErrJournal)
	}
	data, err := io.ReadAll(j.file)
	if err != nil {
		return fmt.Errorf("bench: reading %s: %w", j.path, err)
	}
	whole, err := j.read(data)
	if err != nil {
		return err
	}
	if j.torn = whole < len(data); j.torn {
		if err := j.file.Truncate(int64(whole)); err != nil {
			return fmt.Errorf("bench: dropping the torn end of %s: %w", j.path, err)
		}
	}
	if _, err := j.file.Seek(int64(whole), io.SeekStart); err != nil {
		return fmt.Errorf("bench: %s: %w", j.path, err)
	}
	return nil
}

// read takes the cells of the file.
func (j *Journal) read(data []byte) (whole int, err error) {
	return cells(j.path, data, func(c Cell) error {
		if _, known := j.cells[c.Key]; !known {
			j.cells[c.Key] = c
		}
		return nil
	})
}

// cells visits the cells of a file's lines and returns the length of those that are whole. Only the
// last line may be torn: it may lack its end, or (where the disk kept a part of it) hold anything.
func cells(path string, data []byte, visit func(Cell) error) (whole int, err error) {
	for n := 1; whole < len(data); n++ {
		line := data[whole:]
		end := bytes.IndexByte(line, '\n')
		if end < 0 {
			return whole, nil
		}
		var c Cell
		if err := json.Unmarshal(line[:end], &c); err != nil || c.Key == "" {
			if whole+end+1 == len(data) {
				return whole, nil
			}
			return 0, fmt.Errorf("bench: %s: %w: line %d is not a cell, and not the last line: remove it by hand to go on", path, ErrJournal, n)
		}
		if err := visit(c); err != nil {
			return 0, err
		}
		whole += end + 1
	}
	return whole, nil
}

// Len is the number of cells.
func (j *Journal) Len() int { return len(j.cells) }

// Torn says whether a torn line was dropped when the journal was opened.
func (j *Journal) Torn() bool { return j.torn }

// Cell returns the cell with a key.
func (j *Journal) Cell(key string) (Cell, bool) {
	c, ok := j.cells[key]
	return c, ok
}

// Append keeps a cell. When it returns nil, the cell is on the disk.
func (j *Journal) Append(c Cell) error {
	if j.file != nil {
		line, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		if _, err := j.file.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("bench: writing %s: %w", j.path, err)
		}
		if err := j.file.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("bench: writing %s: %w", j.path, err)
		}
	}
	j.cells[c.Key] = c
	return nil
}

// Close closes the file.
func (j *Journal) Close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
