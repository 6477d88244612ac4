package dynamics

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/report/html"
)

// Page is the study as a page.
func (s *Study) Page() (*html.Page, error) {
	p := &html.Page{
		Kind: "Gradient dynamics", Title: filepath.Base(s.Image.Path), Wide: true,
		Subtitle: s.Task + ", prior " + s.Prior.Name,
		Facts: []html.Fact{
			{Name: "Picture", Value: fmt.Sprintf("%d × %d", s.Image.Width, s.Image.Height), Note: "central square"},
			{Name: "Methods", Value: strconv.Itoa(len(s.Methods))},
			{Name: "Seeds", Value: strconv.Itoa(len(s.Seeds)), Note: "of mask, kernel, noise and start"},
		},
		Footer: "Made by spgd " + s.Program.Version + ".",
	}
	if s.Noise.Sigma > 0 {
		p.Facts = append(p.Facts, html.Fact{Name: "Noise", Value: "σ = " + digits(s.Noise.Sigma, 3), Note: s.Noise.Model})
	}
	for _, r := range s.Runs {
		if r.Reason != "" {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s, seed %d: %s", r.Method, r.Seed, r.Reason))
		}
	}
	p.Sections = append(p.Sections, html.Section{
		Title: "Results", Table: s.results(),
		Text: "Medians over the seeds, in brackets the smallest and the largest. The residual is the RMS of A(x) − y of the result; 1 σ is what the noise alone leaves.",
	})
	plots, err := s.plotSections()
	if err != nil {
		return nil, err
	}
	p.Sections = append(p.Sections, plots...)
	pictures, err := s.pictures()
	if err != nil {
		return nil, err
	}
	p.Sections = append(append(p.Sections, pictures...), html.Section{Title: "Settings", Settings: s.settings()})
	return p, nil
}

func (s *Study) plotSections() (list []html.Section, err error) {
	angles, err := s.angles()
	if err != nil {
		return nil, err
	}
	if len(angles) > 0 {
		list = append(list, html.Section{
			Title: "Angles", Plots: angles,
			Text: "Between the two terms that move the state: the prior’s direction x − x0hat and the gradient of the likelihood, both of which are subtracted. At 0° they agree, at 90° neither disturbs the other, " +
				"at 180° each undoes the other. The other curves compare each with itself at the evaluation before: a likelihood that turns by more than 90° goes back on its last step. Lines are medians over the seeds, bands reach from the smallest to the largest.",
		})
	}
	sizes, err := s.sizes()
	if err != nil {
		return nil, err
	}
	if len(sizes) > 0 {
		list = append(list, html.Section{
			Title: "Residual and sizes", Plots: sizes,
			Text: "Of every evaluation of the prior. The residual should come down to the noise and stay there: below it, the method fits the noise.",
		})
	}
	return list, nil
}

// results is the table of what the methods came to.
func (s *Study) results() *html.Table {
	t := &html.Table{Head: []string{"Method", "PSNR, dB", "Residual", "Evaluations", "Runs"}, First: true}
	unit, name := 1.0, ""
	if s.Noise.Sigma > 0 {
		unit, name = float64(s.Noise.Sigma), " σ"
	}
	for _, m := range s.Methods {
		var psnr, residual []float64
		nfe, runs := 0, 0
		for _, r := range s.Runs {
			if r.Method == m.Label && r.Reason == "" {
				psnr, residual = append(psnr, float64(r.PSNR)), append(residual, float64(r.Residual)/unit)
				nfe = r.NFE
				runs++
			}
		}
		t.Rows = append(t.Rows, []string{m.Label, spread(psnr, 2, ""), spread(residual, 2, name), strconv.Itoa(nfe), strconv.Itoa(runs)})
	}
	return t
}

// spread is the median of some numbers with their ends.
func spread(v []float64, decimals int, unit string) string {
	if len(v) == 0 {
		return "–"
	}
	f := func(x float64) string { return strconv.FormatFloat(x, 'f', decimals, 64) }
	slices.Sort(v)
	text := f(median(v)) + unit
	if len(v) > 1 {
		text += " (" + f(v[0]) + " to " + f(v[len(v)-1]) + ")"
	}
	return text
}

// pictures are the result and the estimates on the way of every method, under the first seed.
func (s *Study) pictures() (list []html.Section, err error) {
	for _, m := range s.Methods {
		i := slices.IndexFunc(s.Runs, func(r Run) bool { return r.Method == m.Label && r.after != nil })
		if i < 0 {
			continue
		}
		r := s.Runs[i]
		compare, err := html.Pictures(r.before, r.after)
		if err != nil {
			return nil, err
		}
		compare.Title = m.Label
		compare.Text = "Result and estimates x0hat on the way, seed " + strconv.FormatUint(r.Seed, 10) + "."
		way, err := html.Trajectory(r.trajectory)
		if err != nil {
			return nil, err
		}
		compare.Images = append(compare.Images, way...)
		list = append(list, *compare)
	}
	return list, nil
}

func (s *Study) settings() []html.Group {
	groups := []html.Group{
		{Name: "Problem", Items: []html.Fact{{Name: "Task", Value: s.Task}, {Name: "Seeds", Value: fmt.Sprint(s.Seeds)}, {Name: "Image SHA-256", Value: short(s.Image.SHA256)}}},
		{Name: "Prior and engine", Items: []html.Fact{
			{Name: "Prior", Value: s.Prior.Name}, {Name: "SHA-256", Value: short(s.Prior.SHA256)}, {Name: "Instruction set", Value: s.Engine.ISA}, {Name: "Precision", Value: s.Engine.Precision},
		}},
	}
	for _, m := range s.Methods {
		g := html.Group{Name: m.Label, Items: []html.Fact{{Name: "method", Value: m.Name}}}
		for _, name := range slices.Sorted(maps.Keys(m.Settings)) {
			value := fmt.Sprint(m.Settings[name])
			if f, ok := m.Settings[name].(float64); ok {
				value = digits(report.Number(f), 6)
			}
			g.Items = append(g.Items, html.Fact{Name: name, Value: value})
		}
		groups = append(groups, g)
	}
	return groups
}

func short(hash string) string { return hash[:min(len(hash), 16)] }

// digits writes a number in so many significant digits.
func digits(n report.Number, count int) string {
	if math.IsNaN(float64(n)) {
		return "–"
	}
	return strconv.FormatFloat(float64(n), 'g', count, 64)
}
