package bench

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Origin is what computed cells.
type Origin struct {
	Program  string   `json:"program"`
	Platform string   `json:"platform"`
	Engine   string   `json:"engine"`
	ISA      string   `json:"isa"`
	Cells    int      `json:"cells"`
	Methods  []string `json:"methods"` // that these are of, by their labels
}

// anywhere is the key of cells of the same input and settings, whatever computed them.
func (c Causes) anywhere() (string, error) {
	c.Program, c.Platform, c.Engine, c.ISA = "", "", "", ""
	return c.key()
}

// Lend adds the cells of another journal, which is not changed, for Find. Of two cells of the same
// input and settings the one that was lent first counts. Errors wrap ErrJournal where the file is damaged before its
// last line.
func (j *Journal) Lend(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if j.lent == nil {
		j.lent = map[string]Cell{}
	}
	_, err = cells(path, data, func(c Cell) error {
		key, err := c.Causes.anywhere()
		if _, known := j.lent[key]; err == nil && !known {
			j.lent[key] = c
		}
		return err
	})
	return err
}

// Find returns the cell that a cell that is not computed yet comes to: the journal's own, or else one that was lent and
// that another build or machine computed from the same input and settings.
func (j *Journal) Find(start Cell) (c Cell, known bool, err error) {
	if c, known = j.cells[start.Key]; known || len(j.lent) == 0 {
		return c, known, nil
	}
	key, err := start.Causes.anywhere()
	c, known = j.lent[key]
	return c, known, err
}

// origins counts by what computed it every cell that base's program, engine and machine have not computed, those
// with most cells first.
func origins(base Causes, cells [][][][]Cell, methods []Method) []Origin {
	var list []Origin
	for _, task := range cells {
		for m, of := range task {
			for _, c := range slices.Concat(of...) {
				o := c.Causes.origin()
				if o.same(base.origin()) {
					continue
				}
				k := slices.IndexFunc(list, o.same)
				if k < 0 {
					k, list = len(list), append(list, o)
				}
				list[k].Cells++
				if label := methods[m].Label; !slices.Contains(list[k].Methods, label) {
					list[k].Methods = append(list[k].Methods, label)
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Origin) int { return cmp.Compare(b.Cells, a.Cells) })
	return list
}

func (c Causes) origin() Origin {
	return Origin{Program: c.Program, Platform: c.Platform, Engine: c.Engine, ISA: c.ISA}
}

func (o Origin) same(other Origin) bool {
	return o.Program == other.Program && o.Platform == other.Platform && o.Engine == other.Engine && o.ISA == other.ISA
}

// rule says where cells are from.
func (o Origin) rule() string {
	return fmt.Sprintf("Computed by another build or machine (program %s, %s, %s, %s), whose times, and whose results as far as programs differ, are not this one's: %s of %s.",
		o.Program, o.Platform, o.Engine, o.ISA, plural(o.Cells, "cell"), strings.Join(o.Methods, ", "))
}
