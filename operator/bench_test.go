package operator

import "testing"

// The cost of each operator and its VJP at 256x256.
func BenchmarkOperators(b *testing.B) {
	for _, task := range []Task{
		{Name: "sr", Scale: 4},
		{Name: "inpaint", Mask: "random:0.8"},
		{Name: "deblur", Kernel: "gaussian:3"},
		{Name: "deblur", Kernel: "motion:15:30"},
		{Name: "deblur", Kernel: "motion:random:0.5"},
		{Name: "colorize"},
		{Name: "phase"},
		{Name: "hdr"},
	} {
		op := build(b, task, 256, 256)
		b.Run(op.Name(), func(b *testing.B) {
			mh, mw, mc := op.MeasurementSize()
			a := compile(b, op, 1)
			x, v := random(256*256*imageChannels, 1), random(mh*mw*mc, 2)
			a.run(x, v)
			for b.Loop() {
				a.run(x, v)
			}
		})
	}
}
