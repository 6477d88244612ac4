package sampler

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// nested is a method whose stage has the denoiser twice, one within the other, and takes gradients of
// losses that depend on x through both, through one, and directly.
type nested struct{ Levels }

func (nested) Name() string    { return "nested" }
func (nested) Validate() error { return nil }
func (nested) StepCost() Cost  { return Cost{VJPs: 2} }
func (nested) Stages() []Stage { return []Stage{nestedStep} }

var nestedStep = Stage{
	Name: "step", State: []string{StateX}, Scalars: []string{"sigma"}, Cost: Cost{VJPs: 2},
	Build: func(b *Builder) {
		x, sigma := b.State(StateX), b.Scalar("sigma")
		first := b.Denoise(graph.MulScalar(x, 0.5), graph.MulScalar(sigma, 2))
		second := b.Denoise(graph.Add(x, graph.Mul(first, first)), sigma)
		both := graph.Add(b.misfit(second), dot(x, graph.Mul(first, x)))
		g := b.Gradient(both, x)
		h := b.Gradient(dot(first, second), first)
		none := b.Gradient(b.misfit(x), x)
		b.SetState(StateX, graph.Sub(x, graph.MulScalar(graph.Add(graph.Add(g, h), none), 0.01)))
		b.SetState(StateX0hat, second)
		b.Report("both", both)
	},
}

func (nested) Step(r *Run) error {
	_, err := r.Exec(nestedStep.Name, Scalars{"sigma": r.Sigma()})
	return err
}

// wholeAndTiled runs a method on whole images and in tiles, of a denoiser that makes no difference between the two.
func wholeAndTiled(t *testing.T, m Sampler) (whole, inTiles *Result, tiled *Driver) {
	t.Helper()
	op := someOperators(t)["sr:4"]
	h, w, c := op.MeasurementSize()
	job := Job{Y: normals(60, 0.3, 2, h, w, c), Seed: 3}
	tiled = newTiledDriver(t, pixelwise{}, op, smallTiles(1))
	return mustRun(t, newDriver(t, pixelwise{}, op), m, job), mustRun(t, tiled, m, job), tiled
}

func TestNestedCuts(t *testing.T) {
	want, got, tiled := wholeAndTiled(t, nested{Levels{2, 1, 0.1}})
	for what, pair := range map[string][2]*tensors.Tensor{"x": {got.X, want.X}, "x0hat": {got.X0hat, want.X0hat}} {
		if e := relative(flat(t, pair[0]), double(flat(t, pair[1]))); !(e < 1e-5) {
			t.Errorf("%s moves by %g of its size with tiles", what, e)
		}
	}
	// Two evaluations, the VJPs of both for the first gradient, that of the second for the second
	// gradient, and none for the third.
	for _, p := range tiled.programs {
		if of := []int{-1, -1, 1, 0, 1}; !slices.Equal(p.cut.of, of) {
			t.Errorf("the cuts are %v, want %v", p.cut.of, of)
		}
	}
}

// held is a method whose stage holds values over cuts: an image, one that nothing needs after the next cut, and numbers.
type held struct{ Levels }

func (held) Name() string    { return "held" }
func (held) Validate() error { return nil }
func (held) StepCost() Cost  { return Cost{Forwards: 1, VJPs: 1} }
func (held) Stages() []Stage { return []Stage{heldStep} }

var heldStep = Stage{
	Name: "step", State: []string{StateX}, Scalars: []string{"sigma"}, Cost: Cost{Forwards: 1, VJPs: 1},
	Build: func(b *Builder) {
		x, sigma := b.State(StateX), b.Scalar("sigma")
		first := b.Denoise(graph.MulScalar(x, 0.5), sigma)
		square := b.Hold(graph.StopGradient(graph.Mul(first, first)))
		near := b.Hold(graph.StopGradient(graph.MulScalar(first, 0.1)))
		second := b.Denoise(graph.Add(x, near), sigma)
		loss := b.Hold(b.misfit(second))
		g := b.Gradient(b.misfit(second), x)
		b.SetState(StateX, graph.Sub(x, graph.MulScalar(graph.Add(g, graph.Mul(perImage(loss), square)), 0.01)))
	},
}

func (held) Step(r *Run) error {
	_, err := r.Exec(heldStep.Name, Scalars{"sigma": r.Sigma()})
	return err
}

// TestHold: what is held replaces what it was computed of, where something reads it later, and changes nothing.
func TestHold(t *testing.T) {
	want, got, tiled := wholeAndTiled(t, held{Levels{2, 1, 0.1}})
	if e := relative(flat(t, got.X), double(flat(t, want.X))); !(e < 1e-5) {
		t.Errorf("x moves by %g of its size with tiles", e)
	}
	for _, p := range tiled.programs {
		if !slices.Equal(p.cut.held, []int{0, 2}) {
			t.Errorf("held are %v, want the first and the third", p.cut.held)
		}
		last := p.cut.pieces[len(p.cut.of)].in
		for i, of := range p.cut.of {
			if of < 0 && slices.Contains(last, p.cut.result(i)) {
				t.Errorf("the last part reads %v, among them evaluation %d", last, i)
			}
		}
		if !slices.Contains(last, p.cut.hold(0)) || !slices.Contains(last, p.cut.hold(1)) {
			t.Errorf("the last part reads %v, without what is held", last)
		}
	}
}
