package sampler

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// small are the settings that make a short run of every method.
var small = map[string]string{
	"steps": "3", "inner": "2", "ode-steps": "2", "warmup": "2", "purify-steps": "2",
}

// smallMethod returns a method with few steps.
func smallMethod(t *testing.T, name string, p Problem) (Sampler, error) {
	t.Helper()
	m, err := New(name, p, nil)
	if err != nil {
		return nil, err
	}
	set := map[string]string{}
	for _, q := range Parameters(m) {
		if v, ok := small[q.Name]; ok {
			set[q.Name] = v
		}
	}
	return New(name, p, set)
}

const opSide = 12

func someOperators(t *testing.T) map[string]operator.Operator {
	t.Helper()
	ops := map[string]operator.Operator{}
	for _, task := range []operator.Task{
		{Name: "sr", Scale: 4}, {Name: "inpaint", Mask: "random:0.6"}, {Name: "deblur", Kernel: "gaussian:1"},
		{Name: "deblur", Kernel: "motion:5:30"}, {Name: "colorize"}, {Name: "denoise"}, {Name: "phase"}, {Name: "hdr"},
	} {
		op, _, err := operator.Build(task, opSide, opSide, 1, operator.Files{})
		if err != nil {
			t.Fatal(err)
		}
		ops[op.Name()] = op
	}
	return ops
}

func smallPrior(t *testing.T) *prior.Gaussian {
	t.Helper()
	n := opSide * opSide * 3
	mean, variance := make([]float64, n), make([]float64, n)
	for i := range variance {
		variance[i] = 0.25
	}
	p, err := prior.NewDiagonalGaussian(mean, variance, opSide, opSide, 3)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every method restores the measurements of every operator that it does not refuse, gives an image the
// same bits in any batch, and takes the evaluations that it says.
func TestEveryMethodOnEveryOperator(t *testing.T) {
	refused := map[string][]string{}
	d := smallPrior(t)
	for opName, op := range someOperators(t) {
		t.Run(opName, func(t *testing.T) {
			h, w, c := op.MeasurementSize()
			y := normals(60, 0.3, 2, h, w, c)
			driver := newDriver(t, d, op)
			for _, name := range append(MethodNames(), "dps"+FilterSuffix, "spgd"+FilterSuffix, "daps"+FilterSuffix) {
				m, err := smallMethod(t, name, Problem{op, 0.05})
				if errors.Is(err, ErrOperator) {
					refused[name] = append(refused[name], opName)
					if text := err.Error(); !strings.Contains(text, opName) {
						t.Errorf("%s: the error %q does not name %s", name, text, opName)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				res, err := driver.Run(context.Background(), m, Job{Y: y, Seed: 3, Images: []uint32{5, 2}})
				if err != nil {
					t.Errorf("%s on %s: %v", name, opName, err)
					continue
				}
				if c := m.StepCost(); res.Cost.Forwards > 3*c.Forwards || res.Cost.VJPs > 3*c.VJPs || res.Cost.NFE() == 0 {
					t.Errorf("%s: cost %+v in 3 steps of %+v", name, res.Cost, c)
				}
				if opName != "sr:4" && opName != "hdr" {
					continue
				}
				for i, image := range []uint32{5, 2} {
					one := mustRun(t, driver, m, Job{Y: slice(t, y, i), Seed: 3, Images: []uint32{image}})
					if !slices.Equal(flat(t, one.X), flat(t, slice(t, res.X, i))) || !slices.Equal(flat(t, one.X0hat), flat(t, slice(t, res.X0hat, i))) {
						t.Errorf("%s on %s: image %d depends on its batch", name, opName, i)
					}
				}
				if other := mustRun(t, driver, m, Job{Y: y, Seed: 4, Images: []uint32{5, 2}}); slices.Equal(flat(t, other.X), flat(t, res.X)) {
					t.Errorf("%s on %s: another seed gives the same image", name, opName)
				}
			}
		})
	}
	for name, want := range map[string]int{"ddrm": 3, "ddnm": 2, "ddnm+": 2, "diffpir": 2, "pigdm": 2, "mcg": 2, "fps": 2,
		"dps": 0, "daps": 0, "red-diff": 0, "spgd": 0, "lgd-mc": 0, "dsg": 0, "sitcom": 0, "adam-dps": 0, "mpgd": 0, "dcdp": 0} {
		if len(refused[name]) != want {
			t.Errorf("%s refuses %v, want %d operators", name, refused[name], want)
		}
	}
}

// A measurement that is far too large for the method's settings is said to diverge or gives finite
// numbers: NaN never comes out.
func TestMethodsNeverReturnNaN(t *testing.T) {
	op, err := operator.NewDenoise(opSide, opSide)
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float32, opSide*opSide*3)
	for i := range y {
		y[i] = 1e30
	}
	driver := newDriver(t, smallPrior(t), op)
	for _, name := range MethodNames() {
		m, err := smallMethod(t, name, Problem{op, 0.05})
		if err != nil {
			t.Fatal(err)
		}
		res, err := driver.Run(context.Background(), m, Job{Y: tensors.FromFlatDataAndDimensions(slices.Clone(y), 1, opSide, opSide, 3)})
		if err != nil {
			if !errors.Is(err, ErrDiverged) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		for _, v := range flat(t, res.X) {
			if v-v != 0 {
				t.Fatalf("%s returns %g", name, v)
			}
		}
	}
}

func TestNewMethod(t *testing.T) {
	op, err := operator.NewDenoise(8, 8)
	if err != nil {
		t.Fatal(err)
	}
	p := Problem{op, 0.1}
	for _, c := range []struct {
		name string
		set  map[string]string
		want string // in the message
	}{
		{"dsp", nil, `unknown method "dsp"`},
		{"dps", map[string]string{"zeta": "1"}, `no setting "zeta"`},
		{"dps", map[string]string{"steps": "0"}, "steps of dps is 0"},
		{"dps", map[string]string{"steps": "many"}, `steps of dps is "many", want a whole number`},
		{"dps", map[string]string{"scale": "-1"}, "scale of dps is -1"},
		{"dps", map[string]string{"eta": "NaN"}, "eta of dps is NaN"},
		{"dps", map[string]string{"clip": "perhaps"}, "want true or false"},
		{"dps", map[string]string{"sigma-min": "200"}, "sigma-min of dps is 200"},
		{"spgd", map[string]string{"beta": "2"}, "beta is 2"},
		{"mcg", map[string]string{"scale": "-1"}, "scale of mcg is -1"},
		{"ddrm+diffstategrad", nil, "ddrm has no gradients"},
		{"dps+diffstategrad", map[string]string{"cutoff": "2"}, "cutoff of dps+diffstategrad is 2"},
		{"dps+diffstategrad", map[string]string{"period": "0"}, "period of dps+diffstategrad is 0"},
		{"dps+diffstategrad", map[string]string{"scale": "x"}, "want a number"},
	} {
		if _, err := New(c.name, p, c.set); !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, want ErrSettings and %q", c.name, c.set, err, c.want)
		}
	}
	if _, err := New("dps", Problem{op, math.NaN()}, nil); !errors.Is(err, ErrSettings) {
		t.Errorf("noise NaN: %v", err)
	}
	for _, name := range append(MethodNames(), "daps"+FilterSuffix) {
		m, err := New(name, p, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Name() != name {
			t.Errorf("%s calls itself %s", name, m.Name())
		}
		// What Parameters says makes the same method.
		set := map[string]string{}
		for _, q := range Parameters(m) {
			key, value, _ := strings.Cut(q.String(), "=")
			set[key] = value
		}
		again, err := New(name, p, set)
		if err != nil || again != m {
			t.Errorf("%s: %v read back is %+v (%v), want %+v", name, set, again, err, m)
		}
	}
	m, err := New("dps", p, map[string]string{"steps": "50", "scale": "0.25", "clip": "false"})
	if want := (DPS{Levels{50, 100, 0.01}, 0.25, 1, false}); err != nil || m != want {
		t.Errorf("%+v (%v), want %+v", m, err, want)
	}
}

func TestVPSchedule(t *testing.T) {
	// Noise levels and times (of 1000) that the variance-preserving preconditioning pairs.
	for _, c := range [][2]float64{{100, 956.1}, {10, 675.4}, {1, 258.7}, {0.1, 26.97}, {0.01, 0.92}} {
		if got := 999 * vpTime(c[0]); math.Abs(got-c[1]) > 0.06 {
			t.Errorf("time of sigma %g is %g, want %g", c[0], got, c[1])
		}
		if back := vpSigma(vpTime(c[0])); math.Abs(back-c[0]) > 1e-9*c[0] {
			t.Errorf("sigma %g comes back as %g", c[0], back)
		}
	}
	for name, s := range map[string][]float64{"VP": VP(11, 100, 0.01), "VPQuadratic": VPQuadratic(11, 100, 0.01)} {
		if len(s) != 12 || math.Abs(s[0]-100) > 1e-9 || math.Abs(s[10]-0.01) > 1e-9 || s[11] != 0 {
			t.Errorf("%s: %v", name, s)
		}
		power := map[string]float64{"VP": 1, "VPQuadratic": 2}[name]
		at := func(i int) float64 { return math.Pow(vpTime(s[i]), power) }
		for i := range 9 {
			if a, b := at(i)-at(i+1), at(i+1)-at(i+2); math.Abs(a-b) > 1e-9 {
				t.Errorf("%s: steps of %g and %g", name, a, b)
			}
		}
	}
	if VP(0, 1, 0.1) != nil || len(VP(1, 1, 0.1)) != 2 {
		t.Error("VP of 0 and 1 steps")
	}
}
