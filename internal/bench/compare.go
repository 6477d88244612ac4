package bench

import (
	"math"

	"github.com/seed-0f004ec9/spgd/report"
)

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
