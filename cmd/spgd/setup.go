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
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/priors"
	"github.com/seed-0f004ec9/spgd/report"
)

// defaultPrior is embedded in the program.
const defaultPrior = "natural-small"

// engineOptions say what computes.
type engineOptions struct {
	threads   int
	precision string
}

// AddFlags adds those that every command has which computes.
func (o *engineOptions) AddFlags(f *pflag.FlagSet) {
	f.IntVar(&o.threads, "threads", 0, "`NUMBER` of processor threads, which does not change the result (default all)")
}

// addPrecision adds the flag of the commands that evaluate a network.
func (o *engineOptions) addPrecision(f *pflag.FlagSet) {
	addChoice(f, &o.precision, "precision", "precision", cpu.PrecisionF32,
		"precision of the network's arithmetic; bf16 is faster and coarser, and needs a processor\nwith AVX-512 BF16", []string{cpu.PrecisionF32, cpu.PrecisionBF16})
}

func (o *engineOptions) start() (*engine.Engine, error) {
	if o.threads < 0 {
		return nil, usagef("--threads %d: the number of threads cannot be negative", o.threads)
	}
	if o.threads > cpu.MaxThreads {
		return nil, usagef("--threads %d: there can be at most %d", o.threads, cpu.MaxThreads)
	}
	e, err := engine.New(engine.Options{Threads: o.threads, Precision: o.precision})
	if errors.Is(err, cpu.ErrNoBF16) {
		return nil, as(errUsage, err)
	}
	return e, err
}

func (o *engineOptions) record() report.Engine {
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
