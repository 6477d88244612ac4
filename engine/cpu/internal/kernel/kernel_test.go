package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// eachISA runs f for every instruction set of this machine.
func eachISA(t *testing.T, f func(t *testing.T, s isa)) {
	for s := range isa(len(isaNames)) {
		if s.supported() {
			t.Run(s.String(), func(t *testing.T) { f(t, s) })
		}
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// random returns n values in [-1, 1).
func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x
}

// guarded is a slice with words on either side that must not change.
type guarded struct {
	all  []float32
	data []float32
}

const (
	guardWords = 40
	guardBits  = 0x7fc0beef // a NaN, so that reading it shows too
)

func newGuarded(n int) *guarded {
	all := make([]float32, n+2*guardWords)
	for i := range all {
		all[i] = math.Float32frombits(guardBits)
	}
	return &guarded{all, all[guardWords : guardWords+n : guardWords+n]}
}

// check fails if a word around the data has changed.
func (g *guarded) check(t *testing.T) {
	t.Helper()
	for i, v := range g.all {
		if (i < guardWords || i >= guardWords+len(g.data)) && math.Float32bits(v) != guardBits {
			t.Fatalf("write outside of dst at %d of %d: %v", i-guardWords, len(g.data), v)
		}
	}
}

func guardedCopy(x []float32) []float32 {
	g := newGuarded(len(x))
	copy(g.data, x)
	return g.data
}

func sameBits(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestISA(t *testing.T) {
	for _, name := range isaNames {
		want, _ := parseISA(name)
		got, err := chooseISA(name)
		if want.supported() {
			if err != nil || got != want {
				t.Errorf("%s: got %v, %v", name, got, err)
			}
		} else if err == nil {
			t.Errorf("%s: no error on a processor without it", name)
		}
		if !got.supported() {
			t.Errorf("%s: chose %v, which the processor lacks", name, got)
		}
	}
	if _, err := chooseISA("sse9"); err == nil {
		t.Error("an unknown name was accepted")
	}
	if s, err := chooseISA(""); err != nil || s.String() != ISAs()[len(ISAs())-1] {
		t.Errorf("default is %v, %v; want the last of %v", s, err, ISAs())
	}
}
