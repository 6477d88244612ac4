package dynamics

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/seed-0f004ec9/spgd/report"
)

// WriteJSON writes the study, indented and with a final newline.
func (s *Study) WriteJSON(w io.Writer) error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("dynamics: %w", err)
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("dynamics: cannot write: %w", err)
	}
	return nil
}

// Text is the table of results in lines for a terminal.
func (s *Study) Text() string {
	var b strings.Builder
	t := s.results()
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	for _, r := range s.Runs {
		if r.Reason != "" {
			fmt.Fprintf(&b, "%s, seed %d: %s\n", r.Method, r.Seed, r.Reason)
		}
	}
	return b.String()
}

// header names the columns of the CSV form.
var header = []string{
	"method", "seed", "step", "inner", "progress_pct", "stage", "sigma", "step_size", "residual_rms", "sigma_y", "loss",
	"gradient_norm", "direction_norm", "alpha", "angle_prior_likelihood_deg", "angle_likelihood_turn_deg", "angle_prior_turn_deg",
}

// WriteCSV writes a line for every evaluation. What a stage or method does not have is empty.
func (s *Study) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write(header) // an error stays until Flush
	number := func(n report.Number) string {
		if math.IsNaN(float64(n)) {
			return ""
		}
		return strconv.FormatFloat(float64(n), 'g', -1, 64)
	}
	for _, r := range s.Runs {
		for _, p := range r.Points {
			_ = c.Write([]string{
				r.Method, strconv.FormatUint(r.Seed, 10), strconv.Itoa(p.Step), strconv.Itoa(p.Inner), number(p.Progress), p.Stage,
				number(p.Sigma), number(p.StepSize), number(p.ResidualRMS), number(s.Noise.Sigma), number(p.Loss),
				number(p.GradientNorm), number(p.DirectionNorm), number(p.Alpha), number(p.Between), number(p.LikelihoodTurn), number(p.PriorTurn),
			})
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("dynamics: cannot write: %w", err)
	}
	return nil
}
