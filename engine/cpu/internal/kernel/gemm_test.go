package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// matmulTolerance bounds |got - want| / sum of |terms| for k terms in float32.
func matmulTolerance(k int) float64 { return 1e-7 * (4 + math.Sqrt(float64(k))) }

func TestGemm(t *testing.T) {
	p := pool.New(3)
	defer p.Close()
	shapes := [][3]int{ // m, k, n
		{1, 1, 1}, {1, 7, 33}, {2, 3, 4}, {3, 5, 8}, {5, 16, 9}, {6, 17, 16}, {7, 31, 17}, {12, 64, 32},
		{13, 1, 47}, {25, 40, 48}, {31, 33, 31}, {47, 100, 65}, {11, 0, 5}, {100, 1537, 40}, {9, 3200, 24},
		{110, 1024, 35}, {0, 4, 4}, {4, 4, 0}, {200, 64, 100},
	}
	eachISA(t, func(t *testing.T, s isa) {
		for _, sh := range shapes {
			m, k, n := sh[0], sh[1], sh[2]
			r := newRand(uint64(m*1000000 + k*1000 + n))
			lda, ldd := k+m%2, n+k%4
			a := guardedCopy(random(r, m*lda))
			b := random(r, k*n)
			bias := guardedCopy(random(r, n))
			add := guardedCopy(random(r, m*ldd))
			for variant := range 4 {
				var ep Epilogue
				if variant&1 != 0 {
					ep.Bias = bias
				}
				if variant&2 != 0 {
					ep.Add = add
				}
				// B as it is, and the same matrix stored transposed and backwards.
				packed := packMatrix(s, nil, k, n, b, 0, n, 1)
				if variant == 3 {
					bt := make([]float32, k*n)
					for i := range k {
						for j := range n {
							bt[(n-1-j)*k+k-1-i] = b[i*n+j]
						}
					}
					packed = packMatrix(s, packed, k, n, bt, max(0, k*n-1), -1, -k)
				}
				serial, parallel := newGuarded(m*ldd), newGuarded(m*ldd)
				GemmSerial(serial.data, ldd, a, lda, m, packed, ep)
				Gemm(p, parallel.data, ldd, a, lda, m, packed, ep)
				serial.check(t)
				parallel.check(t)
				if !sameBits(serial.data, parallel.data) {
					t.Fatalf("%v: threads change the result", sh)
				}
				for i := range m {
					for j := range ldd {
						got := serial.data[i*ldd+j]
						if j >= n {
							if math.Float32bits(got) != guardBits {
								t.Fatalf("%v: write between rows", sh)
							}
							continue
						}
						want, scale := 0.0, 0.0
						for x := range k {
							v := float64(a[i*lda+x]) * float64(b[x*n+j])
							want += v
							scale += math.Abs(v)
						}
						if ep.Bias != nil {
							want += float64(bias[j])
							scale++
						}
						if ep.Add != nil {
							want += float64(add[i*ldd+j])
							scale++
						}
						if d := math.Abs(float64(got) - want); !(d <= matmulTolerance(k)*scale) {
							t.Fatalf("%v variant %d: element %d,%d is %v, want %v", sh, variant, i, j, got, want)
						}
					}
				}
			}
		}
	})
}

// TestGemmRows checks that a row has the same bits whatever rows are computed with it.
func TestGemmRows(t *testing.T) {
	eachISA(t, func(t *testing.T, s isa) {
		const m, k = 29, 1700
		for _, n := range []int{5, 12, 33} {
			r := newRand(uint64(n))
			a := random(r, m*k)
			b := packMatrix(s, nil, k, n, random(r, k*n), 0, n, 1)
			all := make([]float32, m*n)
			GemmSerial(all, n, a, k, m, b, Epilogue{})
			for rows := 1; rows < m; rows++ {
				some := make([]float32, rows*n)
				GemmSerial(some, n, a[(m-rows)*k:], k, rows, b, Epilogue{})
				if !sameBits(some, all[(m-rows)*n:]) {
					t.Fatalf("n=%d: rows differ when %d are computed together", n, rows)
				}
			}
		}
	})
}

// TestGemmAcrossISA holds every instruction set to the portable one.
func TestGemmAcrossISA(t *testing.T) {
	const m, k, n = 37, 300, 75
	r := newRand(1)
	a, b := random(r, m*k), random(r, k*n)
	want := make([]float32, m*n)
	GemmSerial(want, n, a, k, m, packMatrix(isaPortable, nil, k, n, b, 0, n, 1), Epilogue{})
	var fused []float32
	eachISA(t, func(t *testing.T, s isa) {
		got := make([]float32, m*n)
		GemmSerial(got, n, a, k, m, packMatrix(s, nil, k, n, b, 0, n, 1), Epilogue{})
		for i := range got {
			if math.Abs(float64(got[i]-want[i])) > 1e-5*math.Sqrt(k) {
				t.Fatalf("element %d: %v, portable %v", i, got[i], want[i])
			}
		}
		if s == isaPortable {
			return
		}
		if fused != nil && !sameBits(got, fused) {
			t.Error("two instruction sets with fused multiply-add differ")
		}
		fused = got
	})
}

func TestGemmPanics(t *testing.T) {
	b := PackMatrix(nil, 4, 4, make([]float32, 16), 0, 4, 1)
	full := make([]float32, 16)
	for name, f := range map[string]func(){
		"dst":  func() { GemmSerial(full[:15], 4, full, 4, 4, b, Epilogue{}) },
		"a":    func() { GemmSerial(full, 4, full[:15], 4, 4, b, Epilogue{}) },
		"bias": func() { GemmSerial(full, 4, full, 4, 4, b, Epilogue{Bias: full[:3]}) },
		"add":  func() { GemmSerial(full, 4, full, 4, 4, b, Epilogue{Add: full[:3]}) },
		"ldd":  func() { GemmSerial(full, 3, full, 4, 4, b, Epilogue{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestPackedReuse(t *testing.T) {
	p := PackMatrix(nil, 10, 40, make([]float32, 400), 0, 40, 1)
	bytes := p.Bytes()
	if q := PackMatrix(p, 3, 5, make([]float32, 15), 0, 5, 1); q != p || q.Bytes() >= bytes || q.K() != 3 || q.N() != 5 {
		t.Errorf("repacked as %d x %d with %d bytes", q.K(), q.N(), q.Bytes())
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, sh := range [][3]int{{1024, 1024, 1024}, {256, 288, 32}, {4096, 64, 64}} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%dx%dx%d/threads=%d", sh[0], sh[1], sh[2], threads), func(b *testing.B) {
				m, k, n := sh[0], sh[1], sh[2]
				p := pool.New(threads)
				defer p.Close()
				r := newRand(1)
				x, dst := random(r, m*k), make([]float32, m*n)
				w := PackMatrix(nil, k, n, random(r, k*n), 0, n, 1)
				b.ResetTimer()
				for b.Loop() {
					Gemm(p, dst, n, x, k, m, w, Epilogue{})
				}
				reportGFLOPS(b, 2*float64(m)*float64(k)*float64(n))
			})
		}
	}
}

func reportGFLOPS(b *testing.B, flopsPerOp float64) {
	b.ReportMetric(flopsPerOp*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(0, "ns/op")
}
