package bench

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestLend: a table takes the cells that another program has computed, computes the others, and says which are whose.
func TestLend(t *testing.T) {
	folder := t.TempDir()
	tasks := []string{"denoise@0.1", "sr:2@0.05"}
	earlier := runner(t)
	earlier.Base = Causes{Program: "one", Platform: "plan9/386", Engine: "cpu", ISA: "sse2"}
	earlier.Journal = open(t, filepath.Join(folder, "earlier"))
	kept(t, earlier, plan(t, tasks, "ddnm+", "ddrm"))
	if err := earlier.Journal.Close(); err != nil {
		t.Fatal(err)
	}

	all := plan(t, tasks, "ddnm+", "diffpir")
	var tables [2]*Table
	for i := range tables {
		r := runner(t)
		r.Base = Causes{Program: "two", Platform: "linux/amd64", Engine: "cpu", ISA: "avx512"}
		r.Journal = open(t, filepath.Join(folder, "own"))
		want := 16
		if i == 0 {
			if err := r.Journal.Lend(filepath.Join(folder, "earlier")); err != nil {
				t.Fatal(err)
			}
			want = 8
		} else {
			want -= 8 // what the run before has computed
		}
		if n, err := r.Missing(all); n != want || err != nil {
			t.Errorf("table %d: %d cells are missing (%v), want %d", i, n, err, want)
		}
		if err := r.Run(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		var err error
		if tables[i], err = NewTable(all, r.Base, r.Measures, r.Journal, false); err != nil {
			t.Fatal(err)
		}
		if n := r.Journal.Len(); n != 8*(i+1) {
			t.Errorf("table %d: the journal has %d cells, want %d: lent ones stay where they are", i, n, 8*(i+1))
		}
		if err := r.Journal.Close(); err != nil {
			t.Fatal(err)
		}
	}
	both, own := tables[0], tables[1]
	if want := []Origin{{"one", "plan9/386", "cpu", "sse2", 8, []string{"ddnm+"}}}; !reflect.DeepEqual(both.Origins, want) || own.Origins != nil {
		t.Errorf("origins %+v and %+v, want %+v and none", both.Origins, own.Origins, want)
	}
	if !slices.ContainsFunc(both.Rules, func(rule string) bool {
		return strings.Contains(rule, "sse2") && strings.Contains(rule, "8 cells of ddnm+")
	}) {
		t.Errorf("the rules do not say it: %q", both.Rules)
	}
	both.Origins, both.Rules = nil, own.Rules
	var texts [2]strings.Builder // settings that a file held are float64
	for i, table := range tables {
		if err := table.WriteJSON(&texts[i]); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := texts[0].String(), texts[1].String(); got != want {
		t.Errorf("the table of lent cells is\n%s\nwant\n%s", got, want)
	}
}

// Other input, settings or measures are other cells; what cannot be read is an error.
func TestLendOthers(t *testing.T) {
	folder := t.TempDir()
	lender := open(t, filepath.Join(folder, "lender"))
	start := Cell{Causes: Causes{Image: "a", Task: "sr:2", Method: "dps", Seed: 1, Precision: "f32", Program: "one"}}
	lent := start
	lent.Key, lent.NFE = "lent", 7
	later := lent
	later.Key, later.NFE = "later", 8
	for _, c := range []Cell{lent, later} {
		if err := lender.Append(c); err != nil {
			t.Fatal(err)
		}
	}
	j := open(t, "")
	if err := j.Lend(lender.path); err != nil {
		t.Fatal(err)
	}
	start.Key, start.Causes.Program = "own", "two"
	if c, ok, err := j.Find(start); !ok || err != nil || c.NFE != 7 {
		t.Errorf("%+v, %v, %v, want the cell lent first", c, ok, err)
	}
	for name, change := range map[string]func(*Causes){
		"image": func(c *Causes) { c.Image = "b" }, "task": func(c *Causes) { c.Task = "sr:3" }, "seed": func(c *Causes) { c.Seed++ },
		"precision": func(c *Causes) { c.Precision = "bf16" }, "settings": func(c *Causes) { c.Set = map[string]string{"scale": "2"} },
		"measures": func(c *Causes) { c.Measures = []string{"lpips"} }, "prior": func(c *Causes) { c.Prior = "c" }, "tiling": func(c *Causes) { c.Tile = 256 },
	} {
		other := start
		change(&other.Causes)
		if _, ok, err := j.Find(other); ok || err != nil {
			t.Errorf("a cell of another %s is taken (%v)", name, err)
		}
	}
	own := start
	own.NFE = 9
	if err := j.Append(own); err != nil {
		t.Fatal(err)
	}
	if c, ok, _ := j.Find(start); !ok || c.NFE != 9 {
		t.Errorf("%+v, want the journal's own cell", c)
	}
	if err := j.Lend(filepath.Join(folder, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a journal that is not there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "damaged"), []byte("{}\n{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := j.Lend(filepath.Join(folder, "damaged")); !errors.Is(err, ErrJournal) {
		t.Errorf("a damaged journal: %v", err)
	}
}
