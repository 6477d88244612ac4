package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"

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
	Causes    Causes   `json:"causes"` // those that all cells share
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

// Difference is that of a method from the reference in the runs that both finished.
type Difference struct {
	Pairs int           `json:"pairs"`
	Units int           `json:"units"` // images, or seeds if there is one image
	Mean  report.Number `json:"mean"`
	Low   report.Number `json:"low"`
	High  report.Number `json:"high"`
	P     report.Number `json:"p"`
	PHolm report.Number `json:"p_holm"`
	// Mark is "+" if the method is significantly better, "-" if worse, and "=" otherwise.
	Mark string `json:"mark"`
}

// Timing is what differs from run to run.
type Timing struct {
	Seconds   Summary       `json:"seconds"`
	PeakBytes int64         `json:"peak_bytes"` // the largest of all runs
	Compile   report.Number `json:"compile_seconds"`
}

// rules are how the numbers are to be read. without are the measures that no image is large enough
// for.
func rules(p *Plan, without []string) []string {
	n, unit, units := len(p.Images), "images", "images, each with the mean over its seeds"
	if n == 1 {
		n, unit, units = len(p.Spec.Seeds), "seeds", "seeds of the one image, so that intervals and marks say nothing about others"
	}
	list := []string{
		"Values are mean ± standard deviation over images and seeds; * marks the best mean of the methods that finished every run.",
		fmt.Sprintf("Differences are method - reference over the runs that both finished, with %.0f %% intervals (bias-corrected accelerated bootstrap, %d resamples of %s).", 100*confidence, resamples, units),
		fmt.Sprintf("+ and - mark methods that are significantly better and worse than the reference (two-sided sign-flip test on the same units, p < %g after Holm's correction for the methods of the table's column); = marks the rest.", level),
	}
	if math.Pow(2, float64(1-n)) >= level {
		list = append(list, fmt.Sprintf("With %d %s no difference can be significant: that takes 6 or more, and intervals of so few numbers are too short.", n, unit))
	}
	list = append(list, fmt.Sprintf("The residual is the root mean square of A(x) - y in units of the noise: above 1 the result does not explain the measurement, below it reproduces the noise. Explained are the runs with at most %g.", explains))
	if slices.ContainsFunc(p.Tasks, func(t Task) bool { return t.Starts > 1 }) {
		list = append(list, "Of a task with *K the best of K starts counts, chosen by its residual, and evaluations and times are those of all K.")
	}
	if len(without) > 0 {
		list = append(list, fmt.Sprintf("The images are too small for %s.", strings.Join(without, ", ")))
	}
	return list
}

// explains is the largest residual, in units of the noise, of a result that explains its measurement.
const explains = 1.1

// unit is an image and seed of a group: the mean over its tasks.
type unit struct {
	ok     bool
	values map[string]float64
}

// NewTable makes the table. It returns an error if the journal lacks a cell of the plan. Without
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
		known, ok := j.Cell(c.Key)
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
	t.Rules = rules(p, without)
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

// best marks the best mean of every column.
func (t *Table) best(rows []Row) {
	for _, c := range t.Columns {
		best := math.NaN()
		each := func(visit func(r *Row, v float64)) {
			for i := range rows {
				s, ok := rows[i].Values[c.Name]
				if v := float64(s.Mean); ok && rows[i].Finished == rows[i].Runs && !math.IsNaN(v) {
					visit(&rows[i], v)
				}
			}
		}
		each(func(_ *Row, v float64) {
			if math.IsNaN(best) || v > best != c.Lower && v != best {
				best = v
			}
		})
		each(func(r *Row, v float64) {
			if v == best {
				s := r.Values[c.Name]
				s.Best = true
				r.Values[c.Name] = s
			}
		})
	}
}

// differences compares all methods with the reference on one measure.
func differences(p *Plan, s *statistician, rows []Row, units [][][]unit, c Column) {
	reference := 0
	for m := range rows {
		if rows[m].Method == p.Spec.Reference {
			reference = m
		}
	}
	found := make([]*Difference, len(rows))
	pvalues := make([]float64, len(rows))
	for m := range rows {
		pvalues[m] = math.NaN()
		if m == reference {
			continue
		}
		var perImage, all []float64
		for i := range p.Images {
			var d []float64
			for k := range p.Spec.Seeds {
				a, ok1 := units[m][i][k].get(c.Name)
				b, ok2 := units[reference][i][k].get(c.Name)
				if v := a - b; ok1 && ok2 && !math.IsNaN(v) && !math.IsInf(v, 0) {
					d = append(d, v)
				}
			}
			all = append(all, d...)
			if len(d) > 0 {
				mean, _ := meanSD(d)
				perImage = append(perImage, mean)
			}
		}
		if len(all) == 0 {
			continue
		}
		if len(p.Images) == 1 {
			perImage = all
		}
		mean, _ := meanSD(perImage)
		low, high := s.interval(perImage)
		pvalues[m] = s.test(perImage)
		found[m] = &Difference{Pairs: len(all), Units: len(perImage), Mean: report.Number(mean), Low: report.Number(low), High: report.Number(high), P: report.Number(pvalues[m])}
	}
	adjusted := holm(pvalues)
	for m, d := range found {
		if d == nil {
			continue
		}
		d.PHolm, d.Mark = report.Number(adjusted[m]), "="
		if adjusted[m] < level && d.Mean != 0 {
			d.Mark = "+"
			if d.Mean > 0 == c.Lower {
				d.Mark = "-"
			}
		}
		if rows[m].Differences == nil {
			rows[m].Differences = map[string]Difference{}
		}
		rows[m].Differences[c.Name] = *d
	}
}

func (u unit) get(name string) (float64, bool) {
	v, ok := u.values[name]
	return v, ok && u.ok
}
