package sampler

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// dpsReference is a step of DPS with a push along a gradient that grad gives for x0hat.
func dpsReference(r *reference, x vec, eta, push float64, grad func(x0 vec) vec) vec {
	x0 := r.denoise(x, r.sigma())
	z := r.z(len(x)) // the DDIM noise comes first
	push *= math.Sqrt(16.0/65536) * math.Sqrt((1+r.sigma()*r.sigma())*(1+r.next()*r.next()))
	return r.ddim(x0, x, x0, eta, z).plus(-push, r.vjp(grad(x0), r.sigma()))
}

// normGradient is the gradient of ||y - A x||.
func (r *reference) normGradient(x vec) vec {
	res := r.residual(x)
	return r.at(res.scaled(1 / res.norm()))
}

func TestMCGSteps(t *testing.T) {
	m := MCG{DPS{few(5), 3, 1, false}}
	p := newProblem(t, 1)
	checkSteps(t, m, factoredOperator{p.op}, 3e-5, func() func(*reference, vec) vec {
		return func(r *reference, x vec) vec {
			x = dpsReference(r, x, 1, 3*1000/5.0, r.normGradient)
			off := r.y.plus(r.next(), r.a(r.z(len(x)))).plus(-1, r.a(x))
			return x.plus(1, r.at(r.solve(off, 0)))
		}
	})
}

func TestLGDSteps(t *testing.T) {
	m := LGD{DPS{few(5), 3, 0.8, false}, 4}
	checkSteps(t, m, nil, 2e-5, func() func(*reference, vec) vec {
		return func(r *reference, x vec) vec {
			return dpsReference(r, x, 0.8, 3*1000/5.0, func(x0 vec) vec {
				spread, mean, loss := r.sigma()/math.Sqrt(1+r.sigma()*r.sigma()), make(vec, 20), 0.0
				for range 4 {
					res := r.residual(x0.plus(spread, r.z(len(x))))
					mean, loss = mean.plus(0.25, res), loss+res.dot(res)/4
				}
				return r.at(mean).scaled(2 / math.Sqrt(loss))
			})
		}
	})
}

func TestDSGSteps(t *testing.T) {
	for _, interval := range []int{1, 2} {
		m := DSG{few(6), 0.3, interval, false}
		checkSteps(t, m, nil, 2e-5, func() func(*reference, vec) vec {
			return func(r *reference, x vec) vec {
				x0 := r.denoise(x, r.sigma())
				z := r.z(len(x))
				if r.k%interval != 0 {
					return r.ddim(x0, x, x0, 1, z)
				}
				mean := r.ddim(x0, x, x0, 1, make(vec, len(x)))
				s := r.next() * math.Sqrt(1-math.Pow(r.next()/r.sigma(), 2))
				if s == 0 {
					return mean
				}
				g := r.vjp(r.normGradient(x0), r.sigma())
				radius := s * math.Sqrt(float64(len(x)))
				d := z.scaled(s)
				turned := d.scaled(0.7).plus(-0.3*radius/g.norm(), g)
				return mean.plus(radius/turned.norm(), turned)
			}
		})
	}
}

func TestMPGDSteps(t *testing.T) {
	m := MPGD{few(6), 20, 0.5, false}
	checkSteps(t, m, nil, 2e-5, func() func(*reference, vec) vec {
		return func(r *reference, x vec) vec {
			x0hat := r.denoise(x, r.sigma())
			c := 20 * 50 / 6.0 * math.Sqrt(16.0/65536) * math.Sqrt(1+r.next()*r.next())
			return r.ddim(x0hat.plus(-c, r.normGradient(x0hat)), x, x0hat, 0.5, r.z(len(x)))
		}
	})
}

func TestAdamDPSSteps(t *testing.T) {
	m := AdamDPS{few(8), 0.01, 0.9, 0.99, 0.5, false}
	checkSteps(t, m, nil, 2e-5, func() func(*reference, vec) vec {
		var a adamReference
		return func(r *reference, x vec) vec {
			x0 := r.denoise(x, r.sigma())
			g := r.vjp(r.normGradient(x0), r.sigma()).scaled(math.Sqrt(1 + r.sigma()*r.sigma()))
			lr := 0.01 * 100 / 8 * math.Sqrt(1+r.next()*r.next())
			return r.ddim(x0, x, x0, 0.5, r.z(len(x))).plus(-lr, a.direction(g, 0.9, 0.99))
		}
	})
}

func TestFPSSteps(t *testing.T) {
	m := FPS{few(6), 0.7, 0.1, false}
	p := newProblem(t, 1)
	checkSteps(t, m, factoredOperator{p.op}, 3e-5, func() func(*reference, vec) vec {
		var eps vec
		return func(r *reference, x vec) vec {
			if eps == nil {
				eps = x.scaled(1 / r.sigma())
			}
			x0, z, zy := r.denoise(x, r.sigma()), r.z(len(x)), r.z(20)
			s := 0.7 * r.next() * math.Sqrt(1-math.Pow(r.next()/r.sigma(), 2))
			driven := eps.scaled(math.Sqrt(r.next()*r.next()-s*s)).plus(s, z)
			eps = driven.scaled(1 / max(r.next(), 1e-6))
			from := r.ddim(x0, x, x0, 0.7, z)
			y := r.y.plus(1, r.a(driven)).plus(0.1, zy)
			rho := math.Pow(0.1/max(s, 1e-6), 2)
			return from.plus(1, r.at(r.solve(y.plus(-1, r.a(from)), rho)))
		}
	})
}

func TestDCDPSteps(t *testing.T) {
	m := DCDP{3, 7, 4, 0.1, 0.4}
	checkSteps(t, m, nil, 2e-5, func() func(*reference, vec) vec {
		return func(r *reference, u vec) vec {
			buffer := make(vec, len(u))
			_, singular, _ := r.op.decompose()
			for range 7 {
				buffer = buffer.scaled(0.9).plus(2, r.at(r.residual(u)))
				u = u.plus(-0.05/(singular[0]*singular[0]), buffer)
			}
			x := u.plus(r.sigma(), r.z(len(u)))
			levels := Poly7(4, r.sigma(), 0.01)
			for i, s := range levels[:4] {
				x = x.plus(-(1 - levels[i+1]/s), x.plus(-1, r.denoise(x, s)))
			}
			return x
		}
	})
}

func TestSITCOMSteps(t *testing.T) {
	for _, sigmaY := range []float64{0.001, 0.15} { // never and sometimes reached
		m := SITCOM{few(4), 8, 0.05, 0.3, sigmaY}
		stopped := 0
		res := checkSteps(t, m, nil, 5e-5, func() func(*reference, vec) vec {
			return func(r *reference, x vec) vec {
				var a adamReference
				v, unit := x, math.Sqrt(1+r.sigma()*r.sigma())
				x0 := r.denoise(v, r.sigma())
				for j := 0; ; j++ {
					res := r.residual(x0)
					if res.dot(res) < (sigmaY+0.001)*(sigmaY+0.001)*20 {
						stopped++
						break
					}
					if j == 8 {
						break
					}
					g := r.vjp(r.at(res).scaled(2), r.sigma()).plus(2*0.3/(unit*unit), v.plus(-1, x)).scaled(unit)
					v = v.plus(-0.05*unit, a.direction(g, 0.9, 0.999))
					x0 = r.denoise(v, r.sigma())
				}
				return x0.plus(r.next(), r.z(len(x)))
			}
		})
		if (sigmaY > 0.1) != (stopped > 0) {
			t.Errorf("sigma_y %g: %d of 8 levels stopped early", sigmaY, stopped)
		}
		if most := (Cost{Forwards: 4, VJPs: 32}); sigmaY < 0.1 && res.Cost != most {
			t.Errorf("cost %+v, want %+v", res.Cost, most)
		}
	}
}

// The filter against projections from the eigenvectors of X X^T and X^T X.
func TestDiffStateGradSteps(t *testing.T) {
	const cutoff = 0.9
	ranks := map[int]int{}
	filter := func(x, g vec) vec {
		out := make(vec, len(g))
		for c := range 3 {
			X, G := mat.NewDense(4, 4, nil), mat.NewDense(4, 4, nil)
			for i := range 16 {
				X.Set(i/4, i%4, x[3*i+c])
				G.Set(i/4, i%4, g[3*i+c])
			}
			project := func(a mat.Matrix) *mat.Dense {
				var s mat.SymDense
				s.SymOuterK(1, a)
				var e mat.EigenSym
				e.Factorize(&s, true)
				var vectors, p mat.Dense
				e.VectorsTo(&vectors)
				l := e.Values(nil)
				rank, sum := 0, 0.0
				for sum < cutoff*(l[0]+l[1]+l[2]+l[3]) {
					sum += l[3-rank]
					rank++
				}
				ranks[rank]++
				kept := vectors.Slice(0, 4, 4-rank, 4)
				p.Mul(kept, kept.T())
				return &p
			}
			var filtered mat.Dense
			filtered.Mul(project(X), G)
			filtered.Mul(&filtered, project(X.T()))
			for i := range 16 {
				out[3*i+c] = filtered.At(i/4, i%4)
			}
		}
		return out
	}
	for _, period := range []int{1, 2} {
		t.Run(fmt.Sprint("period ", period), func(t *testing.T) {
			m := DiffStateGrad{DPS{few(5), 40, 1, false}, cutoff, period}
			checkSteps(t, m, nil, 5e-5, func() func(*reference, vec) vec {
				var state vec
				return func(r *reference, x vec) vec {
					if r.k%period == 0 {
						state = x
					}
					x0, z := r.denoise(x, r.sigma()), r.z(len(x))
					push := 40 * 1000 / 5.0 * math.Sqrt(16.0/65536) * math.Sqrt((1+r.sigma()*r.sigma())*(1+r.next()*r.next()))
					return r.ddim(x0, x, x0, 1, z).plus(-push, filter(state, r.vjp(r.normGradient(x0), r.sigma())))
				}
			})
		})
	}
	if len(ranks) < 2 || ranks[4] == ranks[1]+ranks[2]+ranks[3]+ranks[4] {
		t.Errorf("ranks %v: the test needs some below 4", ranks)
	}
}
