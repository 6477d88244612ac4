package sampler

import (
	"fmt"
	"math"
	"testing"
)

// few are levels for tests: few and moderate.
func few(steps int) Levels { return Levels{steps, 20, 0.05} }

func TestDPSSteps(t *testing.T) {
	for _, clip := range []bool{false, true} {
		m := DPS{few(6), 40, 0.7, clip}
		checkSteps(t, m, nil, 2e-5, func() func(*reference, vec) vec {
			return func(r *reference, x vec) vec {
				x0 := r.denoise(x, r.sigma())
				inside := x0.apply(func(_ int, v float64) float64 { return one(!clip || math.Abs(v) <= 1) })
				if clip {
					x0 = x0.apply(func(_ int, v float64) float64 { return max(-1, min(1, v)) })
				}
				res := r.residual(x0)
				g := r.at(res.scaled(1 / res.norm())).apply(func(i int, v float64) float64 { return v * inside[i] })
				push := 40 * 1000 / 6.0 * math.Sqrt(16.0/65536) * math.Sqrt((1+r.sigma()*r.sigma())*(1+r.next()*r.next()))
				return r.ddim(x0, x, x0, 0.7, r.z(len(x))).plus(-push, r.vjp(g, r.sigma()))
			}
		})
	}
}

func TestPiGDMSteps(t *testing.T) {
	m := PiGDM{few(6), 0.6, 0.05}
	p := newProblem(t, 1)
	for name, factored := range map[string]bool{"conjugate gradients": false, "factors": true} {
		t.Run(name, func(t *testing.T) {
			step := func() func(*reference, vec) vec {
				return func(r *reference, x vec) vec {
					x0, s := r.denoise(x, r.sigma()), r.sigma()
					u := r.solve(r.residual(x0).scaled(-1), 0.05*0.05*(1+s*s)/(s*s))
					return r.ddim(x0, x, x0, 0.6, r.z(len(x))).plus(1, r.vjp(r.at(u), s))
				}
			}
			if factored {
				checkSteps(t, m, factoredOperator{p.op}, 2e-5, step)
			} else {
				checkSteps(t, m, nil, 2e-4, step)
			}
		})
	}
}

func TestDiffPIRSteps(t *testing.T) {
	m := DiffPIR{few(6), 2, 0.3, 0.1, false}
	p := newProblem(t, 1)
	checkSteps(t, m, factoredOperator{p.op}, 2e-5, func() func(*reference, vec) vec {
		return func(r *reference, x vec) vec {
			x0 := r.denoise(x, r.sigma())
			rho := 2 * 0.01 / (r.sigma() * r.sigma())
			x0 = x0.plus(-1, r.at(r.solve(r.residual(x0), rho)))
			e := x.plus(-1, x0).scaled(1 / r.sigma())
			return x0.plus(r.next()*math.Sqrt(0.7), e).plus(r.next()*math.Sqrt(0.3), r.z(len(x)))
		}
	})
}

func TestDDNMSteps(t *testing.T) {
	p := newProblem(t, 1)
	for _, repeats := range []int{1, 3} {
		m := DDNM{few(5), 0.85, repeats}
		res := checkSteps(t, m, factoredOperator{p.op}, 3e-5, func() func(*reference, vec) vec {
			return func(r *reference, x vec) vec {
				for i := range repeats {
					if i > 0 {
						x = x.plus(math.Sqrt(r.sigma()*r.sigma()-r.next()*r.next()), r.z(len(x)))
					}
					x0hat := r.denoise(x, r.sigma())
					x0 := x0hat.plus(-1, r.at(r.solve(r.residual(x0hat), 0)))
					e := x.plus(-1, x0hat).scaled(1 / r.sigma())
					x = x0.plus(r.next()*0.85, r.z(len(x))).plus(r.next()*math.Sqrt(1-0.85*0.85), e)
				}
				return x
			}
		})
		if res.Cost != (Cost{Forwards: 5 * repeats}) {
			t.Errorf("%d repeats cost %+v", repeats, res.Cost)
		}
	}
}

// spectral recomputes a method that works coefficient by coefficient: row gives that of x' where the
// singular value is positive, from those of x0hat, y~ and z.
func spectral(r *reference, x vec, eta, sigmaY float64, row func(level, x0, y, z float64) float64) vec {
	u, s, v := r.op.decompose()
	x0hat, z := r.denoise(x, r.sigma()), r.z(len(x))
	free := x0hat.plus(math.Sqrt(1-eta*eta)*r.next()/r.sigma(), x.plus(-1, x0hat)).plus(eta*r.next(), z)
	c0, cz, cy, cf := times(v.T(), x0hat), times(v.T(), z), times(u.T(), r.y), times(v.T(), free)
	c := make(vec, len(s))
	for i := range s {
		c[i] = row(sigmaY/s[i], c0[i], cy[i]/s[i], cz[i]) - cf[i]
	}
	return free.plus(1, times(v, c))
}

func TestDDRMSteps(t *testing.T) {
	p := newProblem(t, 1)
	const eta, etaB, sigmaY = 0.8, 0.9, 0.3 // the noise lies between levels
	m := DDRM{few(7), eta, etaB, sigmaY}
	low, high := 0, 0
	checkSteps(t, m, factoredOperator{p.op}, 3e-5, func() func(*reference, vec) vec {
		return func(r *reference, x vec) vec {
			return spectral(r, x, eta, sigmaY, func(level, x0, y, z float64) float64 {
				if n := r.next(); n < level {
					low++
					return x0 + math.Sqrt(1-eta*eta)*n*(y-x0)/level + eta*n*z
				}
				high++
				return (1-etaB)*x0 + etaB*y + math.Sqrt(r.next()*r.next()-etaB*etaB*level*level)*z
			})
		}
	})
	if low == 0 || high == 0 {
		t.Errorf("%d coefficients below and %d above the noise: the test needs both", low, high)
	}
}

func TestDDNMPlusSteps(t *testing.T) {
	p := newProblem(t, 1)
	const eta, sigmaY = 0.8, 0.3
	m := DDNMPlus{DDNM{few(7), eta, 1}, sigmaY}
	t.Run("factors", func(t *testing.T) {
		checkSteps(t, m, factoredOperator{p.op}, 3e-5, func() func(*reference, vec) vec {
			return func(r *reference, x vec) vec {
				return spectral(r, x, eta, sigmaY, func(level, x0, y, z float64) float64 {
					if n := r.next(); n < level {
						return x0 + n/level*(y-x0)
					}
					return y + math.Sqrt(r.next()*r.next()-level*level)*z
				})
			}
		})
	})
	t.Run("conjugate gradients", func(t *testing.T) {
		checkSteps(t, m, nil, 3e-4, func() func(*reference, vec) vec {
			return func(r *reference, x vec) vec {
				x0hat := r.denoise(x, r.sigma())
				rho := max(math.Pow(sigmaY/max(r.next(), 1e-6), 2), pinvScale(p.op))
				x0 := x0hat.plus(-1, r.at(r.solve(r.residual(x0hat), rho)))
				e := x.plus(-1, x0hat).scaled(1 / r.sigma())
				return x0.plus(r.next()*eta, r.z(len(x))).plus(r.next()*math.Sqrt(1-eta*eta), e)
			}
		})
	})
}

// adamReference is Adam as its paper writes it.
type adamReference struct {
	m, v vec
	t    int
}

func (a *adamReference) direction(g vec, beta1, beta2 float64) vec {
	if a.m == nil {
		a.m, a.v = make(vec, len(g)), make(vec, len(g))
	}
	a.t++
	a.m = a.m.scaled(beta1).plus(1-beta1, g)
	a.v = a.v.scaled(beta2).plus(1-beta2, g.apply(func(_ int, v float64) float64 { return v * v }))
	c1, c2 := 1-math.Pow(beta1, float64(a.t)), 1-math.Pow(beta2, float64(a.t))
	return a.m.apply(func(i int, m float64) float64 { return m / c1 / (math.Sqrt(a.v[i]/c2) + 1e-8) })
}

func TestREDDiffSteps(t *testing.T) {
	m := REDDiff{few(8), 0.25, 2, 0.1}
	checkSteps(t, m, nil, 2e-5, func() func(*reference, vec) vec {
		var a adamReference
		return func(r *reference, mu vec) vec {
			z := r.z(len(mu))
			xt := mu.plus(r.sigma(), z)
			eps := xt.plus(-1, r.denoise(xt, r.sigma())).scaled(1 / r.sigma())
			g := eps.plus(-1, z).scaled(0.25 * r.sigma() / 48)
			g = g.plus(2.0/20, r.at(r.residual(mu)))
			return mu.plus(-0.1, a.direction(g, 0.9, 0.99))
		}
	})
}

func TestDAPSSteps(t *testing.T) {
	m := DAPS{Levels{4, 10, 0.1}, 3, 6, 2e-3, 0.2}
	res := checkSteps(t, m, nil, 2e-5, func() func(*reference, vec) vec {
		return func(r *reference, x vec) vec {
			levels := Poly7(3, r.sigma(), 0.01)
			for i, s := range levels[:3] {
				x = x.plus(-(1 - levels[i+1]/s), x.plus(-1, r.denoise(x, s)))
			}
			u := x
			h := min(2e-3*(1-0.99*float64(r.k)/4), 1.9/(2/0.04+1/(r.sigma()*r.sigma())))
			for range 6 {
				g := r.at(r.residual(u)).scaled(-2/0.04).plus(1/(r.sigma()*r.sigma()), x.plus(-1, u))
				u = u.plus(h, g).plus(math.Sqrt(2*h), r.z(len(x)))
			}
			return u.plus(r.next(), r.z(len(x)))
		}
	})
	if want := (Cost{Forwards: 12}); res.Cost != want {
		t.Errorf("cost %+v, want %+v", res.Cost, want)
	}
	for _, rec := range res.Records {
		if rec.Loss == nil {
			t.Error(fmt.Sprint("no loss at step ", rec.K))
		}
	}
}
