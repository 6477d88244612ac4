package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/report"
)

func cell(n int) Cell {
	return Cell{Key: fmt.Sprint("key", n), Label: "a\nb", Status: Finished, Draw: 1<<64 - 1, Values: map[string]report.Number{"psnr": report.Number(n) / 3}}
}

func open(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// TestJournal: cells come back as they were, and a torn end, cut at any byte or holding zeros, is
// dropped and then written over.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cells.jsonl")
	j := open(t, path)
	var ends []int
	size := func() int {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return int(st.Size())
	}
	for n := range 3 {
		if err := j.Append(cell(n)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, size())
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte, want int) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(path)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer j.Close()
		if j.Len() != want || j.Torn() != (len(data) != append([]int{0}, ends...)[want]) {
			t.Fatalf("%s: %d cells, torn %v; want %d", what, j.Len(), j.Torn(), want)
		}
		for n := range want {
			if c, ok := j.Cell(fmt.Sprint("key", n)); !ok || c.Draw != 1<<64-1 || c.Label != "a\nb" || c.Values["psnr"] != report.Number(n)/3 {
				t.Fatalf("%s: cell %d is %+v", what, n, c)
			}
		}
		for n := want; n < 3; n++ {
			if err := j.Append(cell(n)); err != nil {
				t.Fatal(err)
			}
		}
		if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, whole) {
			t.Fatalf("%s: the completed file is %q (%v)", what, again, err)
		}
	}
	check("whole", whole, 3)
	check("empty", nil, 0)
	for n := ends[1]; n < ends[2]; n += 1 + 12*(n%2) {
		check(fmt.Sprint("cut at ", n), whole[:n], 2)
		zeros := append(bytes.Clone(whole[:n]), make([]byte, 500)...)
		check(fmt.Sprint("zeros from ", n), zeros, 2)
		hole := bytes.Clone(whole)
		clear(hole[ends[1] : n+1])
		check(fmt.Sprint("zeros to ", n), hole, 2)
	}
	check("torn first line", whole[:ends[0]-1], 0)

	damaged := bytes.Replace(bytes.Clone(whole), []byte(`"key":"key1"`), []byte(`"key":key1"`), 1)
	if err := os.WriteFile(path, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path); !errors.Is(err, ErrJournal) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("damage in the middle: %v", err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, damaged) {
		t.Errorf("the damaged file was changed")
	}
}

// TestJournalInUse: a second bench of the same folder is refused.
func TestJournalInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cells.jsonl")
	first := open(t, path)
	second, err := OpenJournal(path)
	if err == nil { // a system without locks
		second.Close()
		t.Skip("no locks here")
	}
	if !errors.Is(err, ErrJournal) {
		t.Errorf("error %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// TestKey: every cause changes the key, and the order in which settings were given does not.
func TestKey(t *testing.T) {
	base := Causes{"i", "t", "m", map[string]string{"a": "1", "b": "2"}, 1, "p", "n", []string{"psnr"}, "v", "o", "e", "isa", "f32", "c", 96, "stage"}
	key := func(c Causes) string {
		k, err := c.key()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	want := key(base)
	same := base
	same.Set = map[string]string{"b": "2", "a": "1"}
	if key(same) != want {
		t.Error("the order of settings counts")
	}
	for n, change := range []func(c *Causes){
		func(c *Causes) { c.Image += "x" }, func(c *Causes) { c.Task += "x" }, func(c *Causes) { c.Method += "x" },
		func(c *Causes) { c.Set = map[string]string{"a": "1"} }, func(c *Causes) { c.Seed++ }, func(c *Causes) { c.Prior += "x" },
		func(c *Causes) { c.Network += "x" }, func(c *Causes) { c.Measures = []string{"psnr", "x"} }, func(c *Causes) { c.Program += "x" },
		func(c *Causes) { c.Platform += "x" }, func(c *Causes) { c.Engine += "x" }, func(c *Causes) { c.ISA += "x" },
		func(c *Causes) { c.Precision += "x" }, func(c *Causes) { c.Convolution += "x" }, func(c *Causes) { c.Tile = 0 },
	} {
		c := base
		if change(&c); key(c) == want {
			t.Errorf("change %d leaves the key", n)
		}
	}
}
