package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-0f004ec9/spgd/report"
)

// sheet is a table as text: a heading, and rows of which the first names the columns.
type sheet struct {
	title string
	rows  [][]string
	bold  map[[2]int]bool // row and column
}

func (s *sheet) add(words ...string) { s.rows = append(s.rows, words) }

// dash stands for a number that there is not.
const dash = "-"

func fixed(v report.Number, digits int) string {
	if math.IsNaN(float64(v)) {
		return dash
	}
	return strconv.FormatFloat(float64(v), 'f', digits, 64)
}

// signed is fixed with a plus sign.
func signed(v report.Number, digits int) string {
	text := fixed(v, digits)
	if v >= 0 {
		text = "+" + text
	}
	return text
}

// spread is mean ± standard deviation.
func (s Summary) spread(digits int) string {
	if s.N == 0 {
		return dash
	}
	text := fixed(s.Mean, digits)
	if !math.IsNaN(float64(s.SD)) {
		text += " ± " + fixed(s.SD, digits)
	}
	return text
}

func (c Column) heading() string {
	if c.Unit != "" {
		return c.Title + " " + c.Unit
	}
	return c.Title
}

// runs says how many runs there were, and what became of those that are not finished.
func (r Row) runs() string {
	switch {
	case r.Finished == r.Runs:
		return strconv.Itoa(r.Runs)
	case r.Inapplicable == r.Runs:
		return "does not apply"
	}
	text := fmt.Sprintf("%d of %d", r.Finished, r.Runs)
	if r.Diverged > 0 {
		text += fmt.Sprintf(", %d diverged", r.Diverged)
	}
	if r.Inapplicable > 0 {
		text += fmt.Sprintf(", %d do not apply", r.Inapplicable)
	}
	return text
}

// sheets are the parts of the table: values and differences of every group, then times.
func (t *Table) sheets() []sheet {
	var list []sheet
	for _, g := range t.Groups {
		list = append(list, t.values(g))
		if len(g.Rows) > 1 {
			list = append(list, t.differences(g))
		}
	}
	for _, g := range t.Groups {
		if s := t.timing(g); len(s.rows) > 1 {
			list = append(list, s)
		}
	}
	return list
}

func (t *Table) values(g Group) sheet {
	s := sheet{title: g.Title(t), bold: map[[2]int]bool{}}
	head := []string{"method", "runs"}
	for _, c := range t.Columns {
		head = append(head, c.heading())
	}
	rates := slices.ContainsFunc(g.Rows, func(r Row) bool { return r.Success != nil })
	if rates {
		head = append(head, "success", "single starts")
	}
	s.add(append(head, "residual", "explained", "NFE")...)
	for _, r := range g.Rows {
		words := []string{r.Method, r.runs()}
		for k, c := range t.Columns {
			v := r.Values[c.Name]
			words = append(words, v.spread(c.digits()))
			if v.Best {
				s.bold[[2]int{len(s.rows), k + 2}] = true
			}
		}
		if rates {
			words = append(words, r.Success.words()...)
		}
		explained := dash
		if r.Residual.N > 0 {
			explained = fmt.Sprintf("%d of %d", r.Explained, r.Runs)
		}
		words = append(words, r.Residual.spread(2), explained)
		nfe := dash
		if r.NFE.N > 0 {
			nfe = strconv.FormatFloat(math.Round(float64(r.NFE.Mean)*10)/10, 'f', -1, 64)
		}
		s.add(append(words, nfe)...)
	}
	return s
}

func (t *Table) differences(g Group) sheet {
	s := sheet{title: g.Title(t) + ", differences from " + t.Reference}
	head := []string{"method", "pairs"}
	for _, c := range t.Columns {
		head = append(head, c.heading())
	}
	s.add(head...)
	for _, r := range g.Rows {
		if r.Method == t.Reference {
			continue
		}
		pairs := 0
		words := []string{r.Method, ""}
		for _, c := range t.Columns {
			d, ok := r.Differences[c.Name]
			if !ok {
				words = append(words, dash)
				continue
			}
			pairs = max(pairs, d.Pairs)
			text := signed(d.Mean, c.digits())
			if !math.IsNaN(float64(d.Low)) {
				text += fmt.Sprintf(" [%s, %s]", signed(d.Low, c.digits()), signed(d.High, c.digits()))
			}
			words = append(words, text+" "+d.Mark)
		}
		words[1] = strconv.Itoa(pairs)
		s.add(words...)
	}
	return s
}

func (t *Table) timing(g Group) sheet {
	s := sheet{title: g.Title(t) + ", time and memory"}
	s.add("method", "seconds", "compiling s", "peak MiB")
	for _, r := range g.Rows {
		if r.Timing == nil {
			continue
		}
		peak := dash
		if r.Timing.PeakBytes > 0 {
			peak = strconv.FormatInt(r.Timing.PeakBytes>>20, 10)
		}
		s.add(r.Method, r.Timing.Seconds.spread(2), fixed(r.Timing.Compile, 2), peak)
	}
	return s
}

// caption says what was compared.
func (t *Table) caption() string {
	text := fmt.Sprintf("%s of %d pixels (%s), %s", plural(len(t.Images), "image"), t.Size, strings.Join(t.Images, ", "), plural(len(t.Seeds), "seed"))
	if t.NFE > 0 {
		text += fmt.Sprintf(", each method at about %d evaluations of the prior", t.NFE)
	}
	return text + "."
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// failures are the reasons of runs that are not finished, a line for each row.
func (t *Table) failures() []string {
	var list []string
	for _, g := range t.Groups {
		for _, r := range g.Rows {
			if r.Reason != "" && g.Task != "" {
				list = append(list, fmt.Sprintf("%s, %s: %s.", g.Task, r.Method, r.Reason))
			}
		}
	}
	return list
}

// WriteText writes the table for a terminal.
func (t *Table) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, t.caption())
	for _, s := range t.sheets() {
		fmt.Fprintf(&b, "\n%s\n", s.title)
		width := make([]int, len(s.rows[0]))
		for i := range s.rows {
			for k := range s.rows[i] {
				if s.bold[[2]int{i, k}] {
					s.rows[i][k] += "*"
				}
				width[k] = max(width[k], utf8.RuneCountInString(s.rows[i][k]))
			}
		}
		for _, row := range s.rows {
			var line strings.Builder
			for k, word := range row {
				line.WriteString(word)
				line.WriteString(strings.Repeat(" ", width[k]-utf8.RuneCountInString(word)+2))
			}
			b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
	b.WriteString("\n")
	for _, line := range append(t.failures(), t.Rules...) {
		fmt.Fprintln(&b, line)
	}
	return write(w, b.String())
}

// WriteMarkdown writes the table as Markdown; the best values are bold.
func (t *Table) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, escape(t.caption()))
	for _, s := range t.sheets() {
		fmt.Fprintf(&b, "\n### %s\n\n", escape(s.title))
		for i, row := range s.rows {
			b.WriteString("|")
			for k, word := range row {
				word = escape(word)
				if s.bold[[2]int{i, k}] {
					word = "**" + word + "**"
				}
				b.WriteString(" " + word + " |")
			}
			b.WriteString("\n")
			if i == 0 {
				b.WriteString("|---|" + strings.Repeat("---:|", len(row)-1) + "\n")
			}
		}
	}
	b.WriteString("\n")
	for _, line := range t.failures() {
		fmt.Fprintf(&b, "- %s\n", escape(line))
	}
	for _, line := range t.Rules {
		fmt.Fprintf(&b, "- %s\n", escape(strings.Replace(line, "* marks", "bold marks", 1)))
	}
	return write(w, b.String())
}

// escape keeps Markdown from taking characters of names for its own.
func escape(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;").Replace(text)
}

func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("bench: cannot write: %w", err)
	}
	return nil
}
