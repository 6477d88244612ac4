package bench

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/seed-0f004ec9/spgd/report"
)

// WriteCSV writes a line for every task, method and measure, the number of evaluations, times and
// success rates among them.
func (t *Table) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	records := [][]string{{"task", "method", "measure", "runs", "finished", "diverged", "inapplicable", "n", "mean", "sd", "best",
		"pairs", "units", "difference", "low", "high", "p", "p_holm", "mark"}}
	number := func(v report.Number) string {
		if math.IsNaN(float64(v)) {
			return ""
		}
		return strconv.FormatFloat(float64(v), 'g', -1, 64)
	}
	for _, g := range t.Groups {
		task := g.Task
		if task == "" {
			task = "mean"
		}
		for _, r := range g.Rows {
			line := func(measure string, s Summary, d *Difference) {
				rec := []string{task, r.Method, measure, strconv.Itoa(r.Runs), strconv.Itoa(r.Finished), strconv.Itoa(r.Diverged), strconv.Itoa(r.Inapplicable),
					strconv.Itoa(s.N), number(s.Mean), number(s.SD), strconv.FormatBool(s.Best)}
				if d == nil {
					rec = append(rec, make([]string, 8)...)
				} else {
					rec = append(rec, strconv.Itoa(d.Pairs), strconv.Itoa(d.Units), number(d.Mean), number(d.Low), number(d.High), number(d.P), number(d.PHolm), d.Mark)
				}
				records = append(records, rec)
			}
			for _, col := range t.Columns {
				var d *Difference
				if v, ok := r.Differences[col.Name]; ok {
					d = &v
				}
				line(col.Name, r.Values[col.Name].orNaN(), d)
			}
			line("nfe", r.NFE, nil)
			line("residual", r.Residual, nil)
			if s := r.Success; s != nil {
				line("success", rate(s.Successes, s.Runs), nil)
				line("success_of_starts", rate(s.StartSuccesses, s.Starts), nil)
			}
			if r.Timing != nil {
				line("seconds", r.Timing.Seconds, nil)
				line("peak_bytes", Summary{N: r.Finished, Mean: report.Number(r.Timing.PeakBytes), SD: report.Number(math.NaN())}, nil)
			}
		}
	}
	if err := c.WriteAll(records); err != nil {
		return fmt.Errorf("bench: cannot write: %w", err)
	}
	return nil
}

// orNaN is the summary of no numbers where there is none.
func (s Summary) orNaN() Summary {
	if s.N == 0 {
		return summary(nil)
	}
	return s
}

// WriteJSON writes the table as one JSON object.
func (t *Table) WriteJSON(w io.Writer) error {
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return write(w, string(b)+"\n")
}
