package bench

import (
	"fmt"
	"strings"

	"github.com/seed-0f004ec9/spgd/sampler"
)

// suite is a set of tasks and methods by name.
type suite struct {
	name, title string
	// tasks for images of a size.
	tasks func(size int) []string
	// methods that are compared if none are given.
	methods []string
	// vary are settings that every method is given in turn.
	vary []string
}

// The tasks of the paper with its noise. Its nonlinear blur needs a network of its own, which this
// program does not have. The box is half the image, 128 pixels of 256. Phase retrieval, which has
// several solutions, gets four starts.
func paperTasks(size int) []string {
	return []string{
		"sr:4@0.01", fmt.Sprintf("inpaint:box:%d@0.05", size/2), "inpaint:random:0.8@0.01",
		"deblur:gaussian:3@0.01", "deblur:motion:random:0.5@0.01", "phase@0.05*4", "hdr@0.05",
	}
}

func linearTasks(size int) []string {
	return []string{
		"sr:4@0.01", "sr:4@0.05", "inpaint:random:0.8@0.01", fmt.Sprintf("inpaint:box:%d@0.05", size/2),
		"deblur:gaussian:3@0.01", "deblur:motion:random:0.5@0.01", "denoise@0.1", "denoise@0.2",
	}
}

func ablationTasks(int) []string {
	return []string{"sr:4@0.01", "inpaint:random:0.8@0.01", "deblur:gaussian:3@0.01", "deblur:motion:random:0.5@0.01"}
}

var suites = []suite{
	{"paper", "the paper's tasks with its noise; SPGD as published and as released", paperTasks, []string{"spgd:preset=paper", "spgd:preset=released"}, nil},
	{"linear", "all linear tasks; every method", linearTasks, sampler.MethodNames(), nil},
	{"ablation-T", "the number of noise levels", ablationTasks, []string{"spgd"}, []string{"steps=5", "steps=10", "steps=20", "steps=50", "steps=100"}},
	{"ablation-N", "the number of likelihood steps at each level", ablationTasks, []string{"spgd"}, []string{"warmup=1", "warmup=2", "warmup=3", "warmup=5", "warmup=10"}},
	{"ablation-beta", "the largest momentum, from none", ablationTasks, []string{"spgd"}, []string{"adm=off", "beta=0.3", "beta=0.5", "beta=0.7", "beta=0.9", "beta=0.99"}},
}

// SuiteNames lists the suites.
func SuiteNames() []string {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	return names
}

// SuiteHelp describes the suites, one a line.
func SuiteHelp() string {
	var b strings.Builder
	for _, s := range suites {
		fmt.Fprintf(&b, "  %-14s %s\n", s.name, s.title)
	}
	return b.String()
}

// apply fills in the tasks and methods that the specification leaves to its suite.
func (s *Spec) apply() error {
	if s.Suite == "" {
		return nil
	}
	for _, u := range suites {
		if u.name != s.Suite {
			continue
		}
		if len(s.Tasks) == 0 {
			s.Tasks = u.tasks(s.Size)
		}
		if len(s.Methods) == 0 {
			for _, text := range u.methods {
				m, err := ParseMethod(text)
				if err != nil {
					return err
				}
				s.Methods = append(s.Methods, m)
			}
		}
		if len(u.vary) == 0 {
			return nil
		}
		var all []Method
		for _, m := range s.Methods {
			for _, setting := range u.vary {
				v, err := m.with(setting)
				if err != nil {
					return err
				}
				all = append(all, v)
			}
		}
		s.Methods = all
		return nil
	}
	return fmt.Errorf("bench: %w: there is no suite %q (%s)", ErrSpec, s.Suite, strings.Join(SuiteNames(), ", "))
}
