package bench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report/html"
	"github.com/seed-0f004ec9/spgd/report/plot"
)

// Page makes the table's report, with the plan's images. restored, if not nil, returns the restored
// image of a cell, nil if it is not there: those of the first image and seed are shown.
func (t *Table) Page(p *Plan, restored func(Cell) (*imageio.Image, error)) (*html.Page, error) {
	page := &html.Page{
		Kind: "Comparison of methods", Title: t.title(p), Subtitle: t.caption(),
		Facts: []html.Fact{
			{Name: "Methods", Value: strconv.Itoa(len(p.Spec.Methods))}, {Name: "Tasks", Value: strconv.Itoa(len(p.Tasks))},
			{Name: "Images", Value: strconv.Itoa(len(p.Images))}, {Name: "Seeds", Value: strconv.Itoa(len(p.Spec.Seeds))},
			{Name: "Restorations", Value: strconv.Itoa(p.Cells())},
		},
		Warnings: t.failures(),
	}
	images := html.Section{Title: "Images"}
	for _, i := range p.Images {
		img, err := html.Embed(i.Pixels, html.ThumbnailSide, i.Name)
		if err != nil {
			return nil, err
		}
		images.Images = append(images.Images, html.Figure{Image: img, Caption: i.Name})
	}
	pictures, err := t.pictures(p, restored)
	if err != nil {
		return nil, err
	}
	for _, g := range t.Groups {
		values := html.Section{Title: g.Title(t), Table: t.values(g).table("", false)}
		if trade := t.trade(g); trade != nil {
			values.Plots = []*plot.Plot{trade}
		}
		page.Sections = append(page.Sections, values)
		if len(g.Rows) > 1 {
			page.Sections = append(page.Sections, html.Section{Table: t.differences(g).table("Differences from "+t.Reference, false)})
		}
		if s := t.timing(g); len(s.rows) > 1 {
			page.Sections = append(page.Sections, html.Section{Table: s.table("Time and memory", true)})
		}
		if list := pictures[g.Task]; len(list) > 0 {
			page.Sections = append(page.Sections, html.Section{Images: list})
		}
	}
	page.Sections = append(page.Sections, html.Section{Title: "How to read it", Text: strings.Join(t.Rules, " ")}, images,
		html.Section{Title: "Settings", Settings: t.settings()})
	return page, nil
}

// pictures are the restored images of the first image and seed, by task.
func (t *Table) pictures(p *Plan, restored func(Cell) (*imageio.Image, error)) (map[string][]html.Figure, error) {
	list := map[string][]html.Figure{}
	if restored == nil {
		return list, nil
	}
	err := p.places(func(at place) error {
		if at.i > 0 || at.s > 0 {
			return nil
		}
		c, err := at.start(t.Causes)
		if err != nil {
			return err
		}
		m, err := restored(c)
		if err != nil || m == nil {
			return err
		}
		img, err := html.Embed(m, html.ThumbnailSide, at.image.Name+" by "+at.method.Label)
		list[at.task.Name] = append(list[at.task.Name], html.Figure{Image: img, Caption: at.method.Label})
		return err
	})
	return list, err
}

func (t *Table) title(p *Plan) string {
	if p.Spec.Suite != "" {
		return "Suite " + p.Spec.Suite
	}
	if len(p.Tasks) == 1 {
		return p.Tasks[0].Name
	}
	return fmt.Sprintf("%d tasks", len(p.Tasks))
}

// table makes the sheet a table of a page.
func (s sheet) table(title string, collapsed bool) *html.Table {
	h := &html.Table{Title: title, Head: s.rows[0], First: true, Collapsed: collapsed}
	for i, row := range s.rows[1:] {
		row = slices.Clone(row)
		for k := range row {
			if s.bold[[2]int{i + 1, k}] {
				row[k] += " *"
			}
		}
		h.Rows = append(h.Rows, row)
	}
	return h
}

// trade plots the first measure against the evaluations of the prior, where there are points to tell
// apart.
func (t *Table) trade(g Group) *plot.Plot {
	if len(t.Columns) == 0 {
		return nil
	}
	c := t.Columns[0]
	p := &plot.Plot{Title: "Quality against cost", X: plot.Axis{Label: "evaluations of the prior", Log: true}, Y: plot.Axis{Label: c.heading()}}
	costs := map[float64]bool{}
	for _, r := range g.Rows {
		v, ok := r.Values[c.Name]
		if !ok || r.NFE.N == 0 {
			continue
		}
		costs[float64(r.NFE.Mean)] = true
		p.Series = append(p.Series, plot.Series{Name: r.Method, X: []float64{float64(r.NFE.Mean)}, Y: []float64{float64(v.Mean)}, Points: true})
	}
	if len(costs) < 2 || len(p.Series) > plot.Colours {
		return nil
	}
	return p
}

// settings are those of every method on the first task that it finished, and what all cells share.
func (t *Table) settings() []html.Group {
	var groups []html.Group
	seen := map[string]bool{}
	for _, g := range t.Groups {
		for _, r := range g.Rows {
			if r.Settings == nil || seen[r.Method] {
				continue
			}
			seen[r.Method] = true
			group := html.Group{Name: r.Method + ", " + g.Title(t)}
			for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
				group.Items = append(group.Items, html.Fact{Name: name, Value: fmt.Sprint(r.Settings[name])})
			}
			groups = append(groups, group)
		}
	}
	shared := html.Group{Name: "Prior, program and engine"}
	for _, f := range []html.Fact{
		{Name: "Prior SHA-256", Value: t.Causes.Prior}, {Name: "Program", Value: t.Causes.Program}, {Name: "Platform", Value: t.Causes.Platform},
		{Name: "Engine", Value: t.Causes.Engine}, {Name: "Instruction set", Value: t.Causes.ISA}, {Name: "Precision", Value: t.Causes.Precision},
		{Name: "Measures", Value: strings.Join(t.Causes.Measures, ", ")},
	} {
		if f.Value != "" {
			shared.Items = append(shared.Items, f)
		}
	}
	return append(groups, shared)
}
