package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/priors"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// defaultPrior is embedded in the program.
const defaultPrior = "natural-small"

// engineOptions say what computes.
type engineOptions struct {
	threads   int
	precision string
	device    string
	programs  string
}

// deviceCPU is the value of --device for the processor.
const deviceCPU = "cpu"

// programsAuto is the value of --programs beside sampler.Programs.
const programsAuto = "auto"

// AddFlags adds those that every command has which computes.
func (o *engineOptions) AddFlags(f *pflag.FlagSet) {
	f.IntVar(&o.threads, "threads", 0, "`NUMBER` of processor threads, which does not change the result (default all)")
}

// addDevice adds the flags of the commands that evaluate a network.
func (o *engineOptions) addDevice(f *pflag.FlagSet) {
	f.StringVar(&o.device, "device", deviceCPU, "`DEVICE` that computes: "+engine.Devices+", see spgd devices;\nauto is cuda where that can be used, otherwise cpu")
	addChoice(f, &o.precision, "precision", "precision", cpu.PrecisionF32,
		"precision of the network's arithmetic; bf16 is faster and coarser, and on the CPU needs\na processor with AVX-512 BF16; tf32 is for GPUs", xla.Precisions)
	addChoice(f, &o.programs, "programs", "form of programs", programsAuto,
		"what is one program on an accelerator: with step a noise level of spgd, which saves launches,\n"+
			"with stage each of its steps, which compiles in a fraction of the time; auto is step, or stage\n"+
			"where the memory does not suffice", []string{programsAuto, string(sampler.ProgramsStep), string(sampler.ProgramsStage)})
}

func (o *engineOptions) start() (*engine.Engine, error) {
	if o.threads < 0 {
		return nil, usagef("--threads %d: the number of threads cannot be negative", o.threads)
	}
	if o.threads > cpu.MaxThreads {
		return nil, usagef("--threads %d: there can be at most %d", o.threads, cpu.MaxThreads)
	}
	var device engine.Device
	if o.device != "" { // which commands without the flag have
		var err error
		if device, err = engine.ParseDevice(o.device); err != nil {
			return nil, as(errUsage, fmt.Errorf("--device: %w", err))
		}
	}
	if device.CPU() && o.precision == xla.PrecisionTF32 {
		return nil, usagef("--precision %s is for GPUs (--device cuda)", o.precision)
	}
	if device.CPU() && o.programs == string(sampler.ProgramsStep) {
		return nil, usagef("--programs %s is for accelerators (--device)", o.programs)
	}
	e, err := engine.New(engine.Options{Device: device, Threads: o.threads, Precision: o.precision})
	if errors.Is(err, cpu.ErrNoBF16) || errors.Is(err, cpu.ErrPrecision) {
		return nil, as(errUsage, err)
	}
	return e, err
}

// programsOn is what is one program. Of the CPU each stage is, for which its memory is planned.
func (o *engineOptions) programsOn(e *engine.Engine) sampler.Programs {
	if e.Accelerator() == nil || o.programs == programsAuto {
		return sampler.ProgramsAuto
	}
	return sampler.Programs(o.programs)
}

// announce says which device computes where that is not plain from the flags.
func announce(c *console, e *engine.Engine) {
	if a := e.Accelerator(); a != nil {
		c.logf("computing on %s", a.Name)
	} else if why := e.Fallback(); why != nil {
		c.logf("computing on the CPU: %s", message(why))
	}
}

// record describes what computes.
func (o *engineOptions) record(e *engine.Engine) report.Engine {
	if a := e.Accelerator(); a != nil {
		r := report.Engine{Name: e.Backend().Name(), Precision: e.Precision(), Device: a.Name}
		if p := o.programsOn(e); p == sampler.ProgramsStage {
			r.Programs = string(p)
		}
		return r
	}
	threads := o.threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	r := report.Engine{Name: cpu.BackendName, ISA: cpu.ISA(), Precision: o.precision, Threads: threads}
	if conv := os.Getenv(cpu.EnvConvolution); conv != "auto" {
		r.Convolution = conv
	}
	return r
}

// priorOptions say which prior is used.
type priorOptions struct{ prior, network string }

// AddFlags adds them.
func (o *priorOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.prior, "prior", defaultPrior, "`PRIOR`: a name that spgd priors lists as embedded, or a checkpoint file\n(.safetensors or a PyTorch file)")
	addChoice(f, &o.network, "network", "network", "", "architecture of a checkpoint that does not describe its network", prior.Networks())
}

// load loads the prior and describes it.
func (o *priorOptions) load() (prior.Denoiser, *report.Prior, error) {
	m, err := prior.Load(o.prior, prior.LoadOptions{Network: o.network})
	switch {
	case errors.Is(err, prior.ErrNoConfig):
		return nil, nil, as(errCheckpoint, fmt.Errorf("%w, with --network", err))
	case errors.Is(err, fs.ErrNotExist):
		var names []string
		for _, c := range prior.List() {
			if c.Name == o.prior {
				return nil, nil, as(errCheckpoint, fmt.Errorf("prior %s is not embedded: give the path of its file, %s", c.Name, c.File))
			}
			if c.Embedded {
				names = append(names, c.Name)
			}
		}
		return nil, nil, as(errCheckpoint, fmt.Errorf("prior %q is neither embedded (see spgd priors) nor a file%s", o.prior, didYouMean(o.prior, names)))
	case err != nil:
		return nil, nil, as(errCheckpoint, err)
	}
	config := m.Config()
	r := &report.Prior{Name: m.Name(), Parameters: int64(config.Parameters()), Network: o.network}
	if file, size, ok := priors.Open(o.prior); ok {
		r.SHA256, err = report.Hash(io.NewSectionReader(file, 0, size))
	} else {
		r.File = o.prior
		r.SHA256, err = report.HashFile(o.prior)
	}
	if err != nil {
		return nil, nil, as(errCheckpoint, err)
	}
	return m, r, nil
}
