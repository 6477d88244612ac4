package spgd_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// gradient is a small picture: a ramp of light from the left to the right.
func gradient(height, width int) *imageio.Image {
	img := imageio.New(height, width, 3)
	for i := range img.Pix {
		img.Pix[i] = float32(i/3%width)/float32(width)*1.6 - 0.8
	}
	return img
}

// Restore a picture of which half the pixels are missing, with the embedded prior. A real run
// takes the default settings; this one is cut short.
func Example() {
	ctx := context.Background()
	e, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	p, err := spgd.LoadPrior("natural-small")
	if err != nil {
		log.Fatal(err)
	}
	task := operator.Task{Name: operator.TaskInpaint, Mask: "random:0.5"}
	m, err := spgd.Degrade(ctx, e, task, gradient(16, 24), measurement.Noise{Sigma: 0.01}, 1)
	if err != nil {
		log.Fatal(err)
	}

	s := spgd.DefaultSettings()
	s.Steps, s.Warmup, s.SigmaMax = 2, 1, 1
	res, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	img := res.Images[0]
	fmt.Printf("%s: %dx%d, from sigma %g, %d network evaluations\n",
		m.Operator.Name(), img.Width, img.Height, res.Settings.SigmaMax, res.Run.Cost.NFE())
	// Output:
	// inpaint:random:0.5: 24x16, from sigma 1, 2 network evaluations
}

// Watch a run: the angle between what the prior and the measurement pull at.
func ExampleRestore_observer() {
	ctx := context.Background()
	e, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	// The exact denoiser of independent normal pixels stands in for a network.
	const h, w = 4, 4
	variance := make([]float64, h*w*3)
	for i := range variance {
		variance[i] = 0.25
	}
	p, err := prior.NewDiagonalGaussian(make([]float64, h*w*3), variance, h, w, 3)
	if err != nil {
		log.Fatal(err)
	}
	m, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskColorize}, gradient(h, w), measurement.Noise{Sigma: 0.1}, 1)
	if err != nil {
		log.Fatal(err)
	}

	s := spgd.DefaultSettings()
	s.Steps, s.SigmaMax = 3, 2
	watch := sampler.ObserverFunc(func(snap *sampler.Snapshot) error {
		angle := snap.Angles.DenoiseLikelihood[0]
		fmt.Printf("step %d: sigma %.1f, an angle: %t\n", snap.K, snap.Sigma, angle >= 0 && angle <= 180)
		return nil
	})
	if _, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Observers: []sampler.Observer{watch}}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// step 0: sigma 1.0, an angle: true
	// step 1: sigma 0.4, an angle: true
	// step 2: sigma 0.1, an angle: true
}

// Keep a run in a file, and go on after an interruption. A program that is killed at any moment finds
// the file as whole as one that is asked to stop, as here.
func ExampleRestore_resume() {
	ctx := context.Background()
	e, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	const h, w = 4, 4
	variance := make([]float64, h*w*3)
	for i := range variance {
		variance[i] = 0.25
	}
	p, err := prior.NewDiagonalGaussian(make([]float64, h*w*3), variance, h, w, 3)
	if err != nil {
		log.Fatal(err)
	}
	m, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskColorize}, gradient(h, w), measurement.Noise{Sigma: 0.1}, 1)
	if err != nil {
		log.Fatal(err)
	}
	s := spgd.DefaultSettings()
	s.Steps, s.SigmaMax = 3, 2
	undisturbed, err := spgd.Restore(ctx, e, p, m, s, spgd.Options{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}

	dir, err := os.MkdirTemp("", "spgd")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "picture.checkpoint")

	// The same call begins a run and goes on with one. It writes a checkpoint every minute, and one
	// when stop is closed, as a program does when it is interrupted.
	restore := func(stop chan struct{}) (*spgd.Result, error) {
		keeper := &resume.Keeper{Path: path, Record: resume.Record(e), Stop: stop}
		o := spgd.Options{Seed: 1, Observers: []sampler.Observer{keeper}}
		file, err := resume.Load(path)
		if err == nil {
			if err := file.Check(keeper.Record); err != nil {
				return nil, err
			}
			fmt.Println("going on after step", file.Run.Step)
			o.Resume = file.Run
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		res, err := spgd.Restore(ctx, e, p, m, s, o)
		if err != nil {
			return nil, err
		}
		return res, resume.Remove(path) // once the result is safe
	}
	stop := make(chan struct{})
	close(stop)
	_, err = restore(stop)
	fmt.Println(errors.Is(err, resume.ErrStopped), err)
	res, err := restore(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the same picture:", slices.Equal(res.Images[0].Pix, undisturbed.Images[0].Pix))
	// Output:
	// true resume: stopped after step 1 of 3
	// going on after step 1
	// the same picture: true
}

// Errors say what to change.
func ExampleSettings() {
	s := spgd.DefaultSettings()
	s.StepSize = math.NaN()
	err := s.Validate()
	fmt.Println(errors.Is(err, spgd.ErrSettings))
	fmt.Println(err)
	// Output:
	// true
	// sampler: invalid sampler settings: the step size is NaN, want a positive finite number
}

// pairs is a measurement operator of one's own: a sensor that sees the sums of neighbouring columns, in units of its
// own. All that a restoration needs of an operator is its graph; gradients, norm and inverse follow from it.
type pairs struct{ height, width int }

func (pairs) Name() string                            { return "pairs" }
func (pairs) Linear() bool                            { return true }
func (pairs) Data() []*tensors.Tensor                 { return nil }
func (o pairs) ImageSize() (height, width int)        { return o.height, o.width }
func (o pairs) MeasurementSize() (h, w, channels int) { return o.height, o.width / 2, 3 }

func (o pairs) Apply(_ []*graph.Node, x *graph.Node) *graph.Node {
	columns := graph.Reshape(x, -1, o.height, o.width/2, 2, 3)
	return graph.MulScalar(graph.ReduceSum(columns, 3), 100)
}

// Restore with an operator of one's own.
func ExampleRestore_operator() {
	ctx := context.Background()
	e, err := engine.New(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	// The exact denoiser of independent normal pixels stands in for a network.
	const h, w = 8, 8
	variance := make([]float64, h*w*3)
	for i := range variance {
		variance[i] = 0.25
	}
	p, err := prior.NewDiagonalGaussian(make([]float64, h*w*3), variance, h, w, 3)
	if err != nil {
		log.Fatal(err)
	}
	op := pairs{h, w}
	m, err := measurement.Simulate(ctx, e, []*imageio.Image{gradient(h, w)}, op, operator.Task{Name: op.Name()}, measurement.Noise{Sigma: 2}, 1)
	if err != nil {
		log.Fatal(err)
	}
	res, err := spgd.Restore(ctx, e, p, m, spgd.DefaultSettings(), spgd.Options{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	sums, entries, err := spgd.Residual(ctx, e, m, res.Images)
	if err != nil {
		log.Fatal(err)
	}
	left, right := res.Images[0].Pix[0], res.Images[0].Pix[(w-1)*3]
	fmt.Printf("the largest eigenvalue of A^T A is %.0f\n", operator.NormSquared(op))
	fmt.Println("as near to the measurement as its noise:", math.Sqrt(sums[0]/float64(entries)) < 1.2*m.Noise.Sigma)
	fmt.Println("dark on the left, light on the right:", left < -0.5 && right > 0.3)
	// Output:
	// the largest eigenvalue of A^T A is 20000
	// as near to the measurement as its noise: true
	// dark on the left, light on the right: true
}
