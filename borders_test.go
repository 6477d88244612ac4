package spgd_test

import (
	"context"
	"math"
	"testing"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
)

// TestBorders enlarges a smooth picture, of which everything is known but what the prior makes of its borders: what the
// measurement leaves open there must not be filled with lines.
func TestBorders(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates the network for five seconds")
	}
	const side = 256
	picture := imageio.New(side, side, 3)
	for y := range side {
		for x := range side {
			for c := range 3 {
				picture.Pix[(y*side+x)*3+c] = float32(0.3*math.Sin(float64(x+2*y)/90+float64(c)/2) - 0.1)
			}
		}
	}
	d, err := spgd.LoadPrior("natural-small")
	if err != nil {
		t.Fatal(err)
	}
	ctx, e := context.Background(), newEngine(t)
	m, err := spgd.Degrade(ctx, e, operator.Task{Name: operator.TaskSuperResolution, Scale: 4}, picture, measurement.Noise{Sigma: 0.01}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := spgd.DefaultSettings()
	s.Steps = 4
	res, err := spgd.Restore(ctx, e, d, m, s, spgd.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	const border = 4
	var sum [2]float64
	var n [2]int
	for y := range side {
		for x := range side {
			at := 0
			if min(x, y, side-1-x, side-1-y) < border {
				at = 1
			}
			for c := range 3 {
				k := (y*side+x)*3 + c
				d := float64(res.Images[0].Pix[k] - picture.Pix[k])
				sum[at] += d * d
				n[at]++
			}
		}
	}
	inside, outside := math.Sqrt(sum[0]/float64(n[0])), math.Sqrt(sum[1]/float64(n[1]))
	t.Logf("error %.4f inside, %.4f along the borders", inside, outside)
	if !(outside <= 2*inside) {
		t.Errorf("the error is %.4f inside and %.4f in the %d pixels along the borders", inside, outside, border)
	}
}
