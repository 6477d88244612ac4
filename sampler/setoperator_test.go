package sampler

import (
	"errors"
	"slices"
	"testing"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// A driver that is given another mask gives what one made for it gives, to the bit, by every method, whole and in tiles, and
// compiles nothing for it.
func TestSetOperator(t *testing.T) {
	const side = 32
	var ops []operator.Operator
	for seed := range uint64(2) {
		keep, err := operator.RandomMask(side, side, 0.3+0.4*float64(seed), seed)
		if err != nil {
			t.Fatal(err)
		}
		op, err := operator.NewInpaint("", side, side, keep)
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	denoiser, err := prior.Load("natural-small", prior.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	driver := func(op operator.Operator, options ...Option) *Driver {
		d, err := NewDriver(e, denoiser, op, options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	job := Job{Y: normals(5, 0.3, 1, side, side, 3), Seed: 2}
	for _, name := range MethodNames() {
		t.Run(name, func(t *testing.T) {
			method := func(op operator.Operator) Sampler {
				s, err := New(name, Problem{op, 0.05}, map[string]string{"steps": "2"})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			options := [][]Option{nil}
			if name == "spgd" {
				options = append(options, []Option{WithTiles(Tiles{Side: 16, Overlap: 4})}, []Option{WithPrograms(ProgramsStep)})
			}
			for i, o := range options {
				want := mustRun(t, driver(ops[1], o...), method(ops[1]), job)
				d := driver(ops[0], o...)
				first := mustRun(t, d, method(ops[0]), job)
				programs := len(d.programs)
				if err := d.SetOperator(ops[1]); err != nil {
					t.Fatal(err)
				}
				got := mustRun(t, d, method(ops[1]), job)
				if !slices.Equal(flat(t, got.X), flat(t, want.X)) || slices.Equal(flat(t, first.X), flat(t, want.X)) {
					t.Errorf("%d: the result is that of another mask", i)
				}
				if n := len(d.programs) - programs; n != 0 {
					t.Errorf("%d: %d programs were compiled for another mask", i, n)
				}
			}
		})
	}
	other, err := operator.NewDenoise(side, side)
	if err != nil {
		t.Fatal(err)
	}
	if err := driver(ops[0]).SetOperator(other); !errors.Is(err, ErrProblem) {
		t.Errorf("%v, want ErrProblem", err)
	}
}
