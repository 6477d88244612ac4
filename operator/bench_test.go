package operator

import (
	"fmt"
	"testing"
)

var benchmarkTasks = []Task{
	{Name: "sr", Scale: 4},
	{Name: "inpaint", Mask: "random:0.8"},
	{Name: "deblur", Kernel: "gaussian:3"},
	{Name: "deblur", Kernel: "motion:15:30"},
	{Name: "deblur", Kernel: "motion:61:30"},
	{Name: "deblur", Kernel: "motion:random:0.5"},
	{Name: "colorize"},
	{Name: "phase"},
	{Name: "hdr"},
}

// The same for a photograph of 24 megapixels.
func BenchmarkLargeOperators(b *testing.B) {
	for _, task := range benchmarkTasks {
		benchmark(b, build(b, task, 4000, 6000))
	}
}

// The cost of each operator and its VJP, on data that the engine has already. That of
// inpainting is close to what any program costs, for its inputs and outputs.
func BenchmarkOperators(b *testing.B) {
	dense := must(NewKernel(61, 61, disc(61)))(b)
	for _, side := range []int{256, 512} {
		for _, task := range benchmarkTasks {
			benchmark(b, build(b, task, side, side))
		}
		benchmark(b, must[Operator](NewBlur("deblur:disc", side, side, dense))(b))
	}
}

func benchmark(b *testing.B, op Operator) {
	h, w := op.ImageSize()
	b.Run(fmt.Sprintf("%s/%d", op.Name(), h), func(b *testing.B) {
		mh, mw, mc := op.MeasurementSize()
		a := compile(b, op, 1)
		in := a.inputs(random(h*w*imageChannels, 1), random(mh*mw*mc, 2))
		run := func() {
			out, err := a.program.Run(in...)
			if err != nil {
				b.Fatal(err)
			}
			for _, x := range out {
				x.MustFinalizeAll()
			}
		}
		run()
		for b.Loop() {
			run()
		}
	})
}

// disc is the blur of a lens out of focus, of the given diameter: it has weights almost everywhere
// and is no product of two lines.
func disc(side int) []float64 {
	w := make([]float64, side*side)
	for i := range w {
		y, x := float64(i/side)-float64(side/2), float64(i%side)-float64(side/2)
		if 4*(x*x+y*y) <= float64(side*side) {
			w[i] = 1
		}
	}
	return w
}
