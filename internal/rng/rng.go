// Package rng draws counter-based random numbers: every stream is addressed by a seed, an image
// index, a step and a purpose, so what one image gets does not depend on the others in its
// batch, on the order of the draws or on the machine.
//
// The generator is Philox 4x32-10. Everything derived from it uses only operations that IEEE 754
// rounds correctly (with fused multiply-adds ruled out by explicit conversions), so the same
// stream gives the same bits on every platform.
package rng

import (
	"math"
	"math/bits"
)

// Purpose keeps the streams of one image and step apart. The values are part of what a seed
// means: they are never renumbered.
type Purpose uint32

const (
	XStart     Purpose = 1 // the sampler's starting state
	Mask       Purpose = 2 // random and box masks
	Kernel     Purpose = 3 // random blur kernels
	Noise      Purpose = 4 // measurement noise
	Sampler    Purpose = 5 // noise injected by a stochastic sampler
	Diagnostic Purpose = 6 // probes that estimate norms and traces
	Resample   Purpose = 7 // resamples and sign flips of statistics
)

// Stream is one sequence of random numbers. The zero value is the stream of New(0, 0, 0, 0).
// A Stream is not safe for concurrent use.
type Stream struct {
	key     [2]uint32
	counter [4]uint32 // block index, image, step, purpose
	block   [4]uint32
	used    int // words of block already given out
	started bool
}

// New returns the stream of a seed, an image index, a step and a purpose. Equal arguments give
// equal streams, and streams whose arguments differ share no block.
func New(seed uint64, image, step uint32, purpose Purpose) *Stream {
	return &Stream{
		key:     [2]uint32{uint32(seed), uint32(seed >> 32)},
		counter: [4]uint32{0, image, step, uint32(purpose)},
	}
}

// Uint32 returns 32 random bits. A stream holds 2^34 of these words; then it repeats.
func (s *Stream) Uint32() uint32 {
	if !s.started || s.used == len(s.block) {
		s.block = philox(s.counter, s.key)
		s.counter[0]++
		s.used, s.started = 0, true
	}
	w := s.block[s.used]
	s.used++
	return w
}

// Uint64 returns 64 random bits, the first word drawn being the high one.
func (s *Stream) Uint64() uint64 {
	hi := s.Uint32()
	return uint64(hi)<<32 | uint64(s.Uint32())
}

// Uniform returns a multiple of 2^-53 in [0,1).
func (s *Stream) Uniform() float64 { return float64(s.Uint64()>>11) * 0x1p-53 }

// open returns a uniform number in (0,1), symmetric about 1/2: (k+1/2) 2^-52.
func (s *Stream) open() float64 { return (float64(s.Uint64()>>12) + 0.5) * 0x1p-52 }

// Between returns a uniform number in [lo,hi).
func (s *Stream) Between(lo, hi float64) float64 { return lo + float64(s.Uniform()*(hi-lo)) }

// Intn returns a uniform integer in [0,n), without bias (Lemire's multiplication with
// rejection). It panics if n < 1.
func (s *Stream) Intn(n int) int {
	if n < 1 {
		panic("rng: Intn of a number below 1")
	}
	bound := uint64(n)
	hi, lo := bits.Mul64(s.Uint64(), bound)
	if lo < bound {
		for reject := -bound % bound; lo < reject; {
			hi, lo = bits.Mul64(s.Uint64(), bound)
		}
	}
	return int(hi)
}

// Sample returns k distinct integers of [0,n), every ordered selection being equally likely. It
// panics unless 0 <= k <= n <= 2^32.
func (s *Stream) Sample(n, k int) []int {
	sample := make([]int, k)
	for i, v := range s.shuffle(n, k) {
		sample[i] = int(v)
	}
	return sample
}

// Others says of every integer of [0,n) whether Sample leaves it out.
func (s *Stream) Others(n, k int) []bool {
	others := make([]bool, n)
	for i := range others {
		others[i] = true
	}
	for _, v := range s.shuffle(n, k) {
		others[v] = false
	}
	return others
}

// shuffle is the first k places of 0, ..., n-1 in random order, by as many exchanges. What is to be exchanged is
// drawn ahead: so the memory need not be waited for, of which every exchange reads another place.
func (s *Stream) shuffle(n, k int) []uint32 {
	if k < 0 || k > n || uint64(n) > 1<<32 {
		panic("rng: Sample of more numbers than there are")
	}
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(i)
	}
	var with [1024]int
	for first := 0; first < k; first += len(with) {
		ahead := with[:min(len(with), k-first)]
		for i := range ahead {
			ahead[i] = first + i + s.Intn(n-first-i)
		}
		for i, j := range ahead {
			all[first+i], all[j] = all[j], all[first+i]
		}
	}
	return all[:k]
}

// Exponential returns a number from the exponential distribution of mean 1.
func (s *Stream) Exponential() float64 { return -log(s.open()) }

// Beta returns a number from the beta distribution of positive whole shapes a and b, as a ratio
// of gamma numbers. It panics on other shapes.
func (s *Stream) Beta(a, b int) float64 {
	if a < 1 || b < 1 {
		panic("rng: Beta of a shape below 1")
	}
	x, y := s.gamma(a), s.gamma(b)
	return x / (x + y)
}

// gamma returns a number from the gamma distribution of whole shape n, as minus the logarithm of a
// product of uniform numbers, 16 at a time so that the product cannot underflow.
func (s *Stream) gamma(n int) float64 {
	sum := 0.0
	for ; n > 0; n -= 16 {
		product := 1.0
		for range min(n, 16) {
			product *= s.open()
		}
		sum -= log(product)
	}
	return sum
}

// Triangular returns a number from the triangular distribution on [lo,hi] with the given mode,
// by inversion. It panics unless lo <= mode <= hi.
func (s *Stream) Triangular(lo, mode, hi float64) float64 {
	if !(lo <= mode && mode <= hi) {
		panic("rng: Triangular with a mode outside its range")
	}
	u := s.Uniform()
	width, left := hi-lo, mode-lo
	if width == 0 {
		return lo
	}
	if float64(u*width) < left {
		return lo + math.Sqrt(float64(u*width)*left)
	}
	return hi - math.Sqrt(float64((1-u)*width)*(hi-mode))
}
