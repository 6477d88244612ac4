package bench

import (
	"fmt"

	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/report"
)

// Table is what a benchmark comes to. It follows from the plan and the journal alone.
type Table struct {
	Schema    int      `json:"schema"`
	Size      int      `json:"size"`
	Images    []string `json:"images"`
	Seeds     []uint64 `json:"seeds"`
	NFE       int      `json:"nfe,omitempty"` // asked for; 0 for every method's own
	Reference string   `json:"reference"`
	Causes    Causes   `json:"causes"`            // those that all cells share but for Origins
	Origins   []Origin `json:"origins,omitempty"` // of the cells that something else computed
	Columns   []Column `json:"columns"`
	Groups    []Group  `json:"groups"`
	Rules     []string `json:"rules"` // how the numbers are to be read
}

// TableSchema is the version of a table's JSON form.
const TableSchema = 1

// Column is a measure.
type Column struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Unit  string `json:"unit,omitempty"`
	Lower bool   `json:"lower_is_better,omitempty"`
}

// digits after the point.
func (c Column) digits() int {
	if c.Unit == "dB" {
		return 2
	}
	return 4
}

// Group has a row for each method: on one task, or for the mean over all tasks.
type Group struct {
	Task string `json:"task"` // empty for the mean over all
	Rows []Row  `json:"rows"`
}

// Title names a group.
func (g Group) Title(t *Table) string {
	if g.Task == "" {
		return fmt.Sprintf("mean over %d tasks", len(t.Groups)-1)
	}
	return g.Task
}

// Row is what a method comes to. Of the mean over tasks, a run is an image and seed with all tasks.
type Row struct {
	Method       string                `json:"method"`
	Runs         int                   `json:"runs"`
	Finished     int                   `json:"finished"`
	Diverged     int                   `json:"diverged"`
	Inapplicable int                   `json:"inapplicable"`
	Reason       string                `json:"reason,omitempty"` // why the first run that is not finished is not
	Values       map[string]Summary    `json:"values,omitempty"`
	Differences  map[string]Difference `json:"differences,omitempty"` // from the reference
	NFE          Summary               `json:"nfe"`
	// Residual is in units of the noise: above 1 the result does not explain the measurement, below
	// it reproduces the noise. There is none without noise.
	Residual Summary `json:"residual"`
	// Explained is the number of finished runs with a residual of at most 1.1 on every task.
	Explained int            `json:"explained"`
	Success   *Success       `json:"success,omitempty"`  // of tasks with a symmetry
	Settings  map[string]any `json:"settings,omitempty"` // of the first finished run
	Timing    *Timing        `json:"timing,omitempty"`
}

// Summary is the mean and the standard deviation of numbers. Best marks the best mean of a column
// among the methods that finished all their runs.
type Summary struct {
	N    int           `json:"n"`
	Mean report.Number `json:"mean"`
	SD   report.Number `json:"sd"`
	Best bool          `json:"best,omitempty"`
}

func summary(v []float64) Summary {
	mean, sd := meanSD(v)
	return Summary{N: len(v), Mean: report.Number(mean), SD: report.Number(sd)}
}

// Timing is what differs from run to run.
type Timing struct {
	Seconds   Summary       `json:"seconds"`
	PeakBytes int64         `json:"peak_bytes"` // the largest of all runs
	Compile   report.Number `json:"compile_seconds"`
}

// explains is the largest residual, in units of the noise, of a result that explains its measurement.
const explains = 1.1

// unit is an image and seed of a group: the mean over its tasks.
type unit struct {
	ok     bool
	values map[string]float64
}

// NewTable makes the table. It returns an error if the journal has no cell, of its own or lent, for a place of the plan. Without
// timing, it is the same bytes for cells computed at another time.
func NewTable(p *Plan, base Causes, measures []metric.Measure, j *Journal, timing bool) (*Table, error) {
	cells := make([][][][]Cell, len(p.Tasks)) // task, method, image, seed
	for t := range cells {
		cells[t] = make([][][]Cell, len(p.Spec.Methods))
		for m := range cells[t] {
			cells[t][m] = make([][]Cell, len(p.Images))
			for i := range cells[t][m] {
				cells[t][m][i] = make([]Cell, len(p.Spec.Seeds))
			}
		}
	}
	measured, anyFinished := map[string]bool{}, false
	err := p.places(func(at place) error {
		c, err := at.start(base)
		if err != nil {
			return err
		}
		known, ok, err := j.Find(c)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("bench: no cell for %s, %s, %s, seed %d", c.Image, c.Causes.Task, c.Label, c.Causes.Seed)
		}
		cells[at.t][at.m][at.i][at.s] = known
		anyFinished = anyFinished || known.Status == Finished
		for name := range known.Values {
			measured[name] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &Table{
		Schema: TableSchema, Size: p.Spec.Size, Seeds: p.Spec.Seeds, NFE: p.Spec.NFE, Reference: p.Spec.Reference,
		Causes: base,
	}
	for _, i := range p.Images {
		t.Images = append(t.Images, i.Name)
	}
	var without []string
	for _, m := range measures {
		if measured[m.Name] || !anyFinished {
			t.Columns = append(t.Columns, Column{m.Name, m.Title, m.Unit, m.Lower})
		} else {
			without = append(without, m.Title)
		}
	}
	t.Rules = rules(p, without, base.Tile)
	t.Origins = origins(base, cells, p.Spec.Methods)
	for _, o := range t.Origins {
		t.Rules = append(t.Rules, o.rule())
	}
	s := newStatistician()
	for k, task := range p.Tasks {
		t.Groups = append(t.Groups, t.group(p, s, task.Name, p.Tasks[k:k+1], cells[k:k+1], timing))
	}
	if len(p.Tasks) > 1 {
		t.Groups = append(t.Groups, t.group(p, s, "", p.Tasks, cells, timing))
	}
	return t, nil
}

// group makes the rows for some tasks.
func (t *Table) group(p *Plan, s *statistician, name string, tasks []Task, cells [][][][]Cell, timing bool) Group {
	g := Group{Task: name}
	units := make([][][]unit, len(p.Spec.Methods)) // method, image, seed
	for m, method := range p.Spec.Methods {
		row := Row{Method: method.Label, Values: map[string]Summary{}}
		var nfe, residual, seconds []float64
		times := Timing{}
		values := map[string][]float64{}
		units[m] = make([][]unit, len(p.Images))
		for i := range p.Images {
			for k := range p.Spec.Seeds {
				of := make([]Cell, len(cells))
				for j := range cells {
					of[j] = cells[j][m][i][k]
				}
				u := row.count(of)
				units[m][i] = append(units[m][i], u)
				if !u.ok {
					continue
				}
				for _, c := range t.Columns {
					if v, ok := u.values[c.Name]; ok {
						values[c.Name] = append(values[c.Name], v)
					}
				}
				explained := true
				for j, c := range of {
					if row.Settings == nil && name != "" {
						row.Settings = c.Settings
					}
					if sigma := tasks[j].Noise.Sigma; sigma > 0 {
						residual = append(residual, float64(c.Residual)/sigma)
						explained = explained && float64(c.Residual) <= explains*sigma
					}
					nfe = append(nfe, float64(c.NFE))
					seconds = append(seconds, float64(c.Seconds))
					times.PeakBytes = max(times.PeakBytes, c.PeakBytes)
					times.Compile += c.Compile
				}
				if explained {
					row.Explained++
				}
			}
		}
		for name, v := range values {
			row.Values[name] = summary(v)
		}
		row.NFE, row.Residual = summary(nfe), summary(residual)
		if symmetric(tasks) {
			row.Success = success(cells, m)
		}
		if timing && row.Finished > 0 {
			times.Seconds = summary(seconds)
			row.Timing = &times
		}
		g.Rows = append(g.Rows, row)
	}
	t.best(g.Rows)
	for _, c := range t.Columns {
		differences(p, s, g.Rows, units, c)
	}
	return g
}

// count enters the cells of one image and seed, and returns their mean values.
func (r *Row) count(of []Cell) unit {
	r.Runs++
	u := unit{ok: true, values: map[string]float64{}}
	counts := map[string]int{}
	for _, c := range of {
		if c.Status != Finished {
			if u.ok {
				if r.Reason == "" {
					r.Reason = c.Reason
				}
				if c.Status == Diverged {
					r.Diverged++
				} else {
					r.Inapplicable++
				}
			}
			u.ok = false
			continue
		}
		for name, v := range c.Values {
			u.values[name] += float64(v) / float64(len(of))
			counts[name]++
		}
	}
	for name, n := range counts {
		if n < len(of) {
			delete(u.values, name)
		}
	}
	if u.ok {
		r.Finished++
	}
	return u
}
