package bench

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/report"
)

// filled is a plan of six images, two tasks, three methods and two seeds with a journal: psnr is
// 20 + image + seed/10, plus 1 for the second method; the third diverges once on the first task and does not
// apply to the second.
func filled(t *testing.T) (*Plan, *Journal) {
	t.Helper()
	spec := Spec{
		Images: []string{"suite.go", "cell.go", "doc.go", "run.go", "plan.go", "task.go"}, Size: 16, Seeds: Seeds{0, 1},
		Tasks:   []string{"denoise@0.1", "hdr"},
		Methods: []Method{{"spgd", "spgd", nil}, {"b|et*r", "dps", nil}, {"ddnm", "ddnm", nil}},
	}
	p, err := NewPlan(spec, func(path string) (*imageio.Image, error) { return photo(16, 16, int(path[0])+len(path)*31), nil })
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, "")
	err = p.places(func(at place) error {
		c, err := at.start(Causes{})
		if err != nil {
			return err
		}
		c.Status, c.NFE, c.Seconds, c.PeakBytes = Finished, 10, report.Number(at.n), 5<<20
		v := 20 + float64(at.i) + float64(at.s)/10
		if at.m == 1 {
			v++
		}
		c.Values = map[string]report.Number{"psnr": report.Number(v), "mdsi": report.Number(v / 100)}
		if at.m == 2 && at.t == 0 && at.i == 1 && at.s == 1 {
			c.Status, c.Reason = Diverged, "too far"
		}
		if at.m == 2 && at.t == 1 {
			c.Status, c.Reason = Inapplicable, "not linear"
		}
		return j.Append(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, j
}

func TestTable(t *testing.T) {
	p, j := filled(t)
	table, err := NewTable(p, Causes{}, metric.Measures(), j, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Groups) != 3 || len(table.Columns) != 2 {
		t.Fatalf("%d groups, columns %v", len(table.Groups), table.Columns)
	}
	near := func(what string, got report.Number, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	rows := table.Groups[0].Rows
	// 20 to 25, each with +0 and +0.1: mean 22.55, squares 12 (0.05^2) + 2 (2.5^2+1.5^2+0.5^2) 2 = 35.03.
	near("mean", rows[0].Values["psnr"].Mean, 22.55)
	near("deviation", rows[0].Values["psnr"].SD, math.Sqrt(35.03/11))
	d := rows[1].Differences["psnr"]
	near("difference", d.Mean, 1)
	near("low", d.Low, 1)
	near("p", d.P, 2.0/64)
	near("p of two", d.PHolm, 4.0/64) // the third method is compared too
	if d.Mark != "=" || d.Pairs != 12 || d.Units != 6 {
		t.Errorf("%+v", d)
	}
	if third := rows[2]; third.Finished != 11 || third.Diverged != 1 || third.Reason != "too far" || third.Differences["psnr"].Pairs != 11 || third.Differences["psnr"].Mark != "=" {
		t.Errorf("%+v", third)
	}
	if !rows[1].Values["psnr"].Best || rows[0].Values["psnr"].Best || rows[1].Values["mdsi"].Best || !rows[0].Values["mdsi"].Best {
		t.Error("the best are not marked")
	}
	// On the second task one method is compared alone.
	second := table.Groups[1].Rows
	if d := second[1].Differences["psnr"]; d.Mark != "+" || float64(d.PHolm) != 2.0/64 {
		t.Errorf("%+v", d)
	}
	if d := second[1].Differences["mdsi"]; d.Mark != "-" {
		t.Errorf("%+v", d)
	}
	if second[2].Inapplicable != 12 || second[2].Finished != 0 {
		t.Errorf("%+v", second[2])
	}
	mean := table.Groups[2].Rows
	near("mean over tasks", mean[1].Values["psnr"].Mean, 23.55)
	if mean[2].Finished != 0 || mean[2].Runs != 12 {
		t.Errorf("%+v", mean[2])
	}
	if last := table.Rules[len(table.Rules)-1]; !strings.Contains(last, "SSIM, MS-SSIM, HaarPSI") {
		t.Errorf("rules %q", table.Rules)
	}
}

// TestWrite: all forms hold what they should, and without timing they do not depend on it.
func TestWrite(t *testing.T) {
	p, j := filled(t)
	forms := map[string]string{}
	for _, timing := range []bool{true, false} {
		table, err := NewTable(p, Causes{}, metric.Measures(), j, timing)
		if err != nil {
			t.Fatal(err)
		}
		var text, md, c, js bytes.Buffer
		for _, err := range []error{table.WriteText(&text), table.WriteMarkdown(&md), table.WriteCSV(&c), table.WriteJSON(&js)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for name, s := range map[string]string{"text": text.String(), "md": md.String(), "csv": c.String(), "json": js.String()} {
			if has := strings.Contains(s, "peak"); has != timing {
				t.Errorf("%s: times are there: %v, want %v", name, has, timing)
			}
			forms[name] = s
		}
	}
	for _, want := range []string{"b|et*r  12", "23.55 ± 1.78*", "+1.00 [+1.00, +1.00] +", "11 of 12, 1 diverged", "does not apply", "mean over 2 tasks", "hdr, ddnm: not linear."} {
		if !strings.Contains(forms["text"], want) {
			t.Errorf("the text lacks %q:\n%s", want, forms["text"])
		}
	}
	for _, want := range []string{`| b\|et\*r | 12 | **23.55 ± 1.78** |`, "|---|---:|---:|", "### hdr\n"} {
		if !strings.Contains(forms["md"], want) {
			t.Errorf("the Markdown lacks %q:\n%s", want, forms["md"])
		}
	}
	records, err := csv.NewReader(strings.NewReader(forms["csv"])).ReadAll()
	if err != nil || len(records) != 1+3*3*4 {
		t.Errorf("%d records (%v)", len(records), err)
	}
	var back Table
	if err := json.Unmarshal([]byte(forms["json"]), &back); err != nil || back.Schema != TableSchema || len(back.Groups) != 3 {
		t.Errorf("%+v (%v)", back, err)
	}
}

// TestPage: the page holds the tables, marks and images, and names cannot become markup.
func TestPage(t *testing.T) {
	p, j := filled(t)
	p.Spec.Methods[1].Label, p.Methods[0][1].Label, p.Methods[1][1].Label = "<b>", "<b>", "<b>"
	if _, err := NewTable(p, Causes{Prior: "abc"}, metric.Measures(), j, true); err == nil {
		t.Error("the cells of another prior serve")
	}
	table, err := NewTable(p, Causes{}, metric.Measures(), j, true)
	if err != nil {
		t.Fatal(err)
	}
	page, err := table.Page(p, func(c Cell) (*imageio.Image, error) {
		if c.Label == "ddnm" {
			return nil, nil
		}
		if known, ok := j.Cell(c.Key); !ok || known.Causes.Task != c.Causes.Task {
			t.Errorf("asked for an unknown cell %+v", c)
		}
		return photo(16, 16, 1), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"mean over 2 tasks", "23.55 ± 1.78 *", "&lt;b&gt;", "does not apply", "Differences from spgd", "Time and memory"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "<b>") || strings.Count(text, "data:image/") != 6+2*2 {
		t.Errorf("the page has markup of a name, or %d images", strings.Count(text, "data:image/"))
	}
}

// A task with a symmetry has success rates: over all runs, one that diverged being none, and over all starts.
func TestSuccess(t *testing.T) {
	spec := Spec{
		Images: []string{"suite.go", "cell.go"}, Size: 16, Seeds: Seeds{0, 1}, Tasks: []string{"phase@0.05*2", "hdr"},
		Methods: []Method{{"spgd", "spgd", nil}, {"dps", "dps", nil}},
	}
	p, err := NewPlan(spec, func(path string) (*imageio.Image, error) { return photo(16, 16, len(path)), nil })
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, "")
	err = p.places(func(at place) error {
		c, err := at.start(Causes{})
		if err != nil {
			return err
		}
		c.Status = Finished
		v := report.Number(30)
		if at.m == 0 && at.s == 0 {
			v = 19.9
		}
		c.Values = map[string]report.Number{"psnr": v}
		if at.t == 0 {
			c.Symmetry, c.PSNRs = halfTurn, []report.Number{v, 12}
			if at.m == 1 && at.i == 1 && at.s == 1 {
				c.Status, c.Values, c.PSNRs = Diverged, nil, nil
			}
		}
		return j.Append(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	table, err := NewTable(p, Causes{}, metric.Measures(), j, false)
	if err != nil {
		t.Fatal(err)
	}
	for m, want := range []Success{{4, 2, succeeds, 8, 2}, {4, 3, succeeds, 6, 3}} {
		if got := table.Groups[0].Rows[m].Success; got == nil || *got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		for _, g := range table.Groups[1:] { // hdr, and the mean with it
			if s := g.Rows[m].Success; s != nil {
				t.Errorf("%s has a success rate, %+v", g.Title(table), s)
			}
		}
	}
	forms := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{"text": table.WriteText, "md": table.WriteMarkdown, "csv": table.WriteCSV, "json": table.WriteJSON} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		forms[name] = strings.Join(strings.Fields(b.String()), " ")
	}
	for _, want := range [][2]string{
		{"text", "PSNR dB success single starts"}, {"text", "3 of 4 3 of 6"}, {"text", "at least 20 dB"}, {"text", "turned by 180 degrees"},
		{"md", "| 2 of 4 | 2 of 8 |"}, {"md", "| PSNR dB | success | single starts |"},
		{"csv", "phase@0.05*2,dps,success,4,3,1,0,4,0.75,"}, {"csv", "phase@0.05*2,spgd,success_of_starts,4,4,0,0,8,0.25,"},
		{"json", `"success": { "runs": 4, "successes": 3, "psnr": 20, "starts": 6, "start_successes": 3 }`},
	} {
		if !strings.Contains(forms[want[0]], want[1]) {
			t.Errorf("the %s lacks %q:\n%s", want[0], want[1], forms[want[0]])
		}
	}
	if strings.Count(forms["csv"], "success") != 4 {
		t.Errorf("other tasks have success rates:\n%s", forms["csv"])
	}
}

func TestFileName(t *testing.T) {
	c := Cell{Key: "0123456789abcdef", Image: "../a b", Label: "spgd:x=é", Causes: Causes{Task: "sr:4@0.01*2", Seed: 7}}
	if got, want := c.FileName(), "_a_b_sr_4_0.01_2_spgd_x=__7_0123456789ab"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTableIncomplete(t *testing.T) {
	p, _ := filled(t)
	if _, err := NewTable(p, Causes{}, metric.Measures(), open(t, ""), true); err == nil {
		t.Error("a table without cells")
	}
}
