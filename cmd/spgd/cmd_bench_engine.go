package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/internal/rng"
	"github.com/seed-0f004ec9/spgd/prior"
)

type benchEngineOptions struct {
	engineOptions
	priorOptions
	size, batch, runs int
	step, stepOnly    bool
}

// AddFlags adds them.
func (o *benchEngineOptions) AddFlags(f *pflag.FlagSet) {
	o.priorOptions.AddFlags(f)
	f.IntVar(&o.size, "size", 256, "side of the square images in `PIXELS`, a multiple of the network's (16 for the embedded prior)")
	f.IntVar(&o.batch, "batch", 1, "`NUMBER` of images")
	f.IntVar(&o.runs, "runs", 5, "`NUMBER` of timed runs, after one that is not timed")
	f.BoolVar(&o.step, "step", false, "also time the warm-up step of SPGD, with all that it needs beside the network")
	f.BoolVar(&o.stepOnly, "step-only", false, "time that alone, which spares the compiling of the evaluations")
	o.engineOptions.AddFlags(f)
	o.addDevice(f)
}

func newBenchEngineCommand(c *console) *cobra.Command {
	var o benchEngineOptions
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Time the prior's denoiser and its vector-Jacobian product",
		Long: `Time one evaluation of the denoiser, and one with its vector-Jacobian product with
respect to the image: what a restoration consists of. --network without --prior takes
that architecture with random weights.

With --json: forward_s and vjp_s are medians over the runs in seconds (vjp_s includes the
forward pass), forward_min_s and vjp_min_s the fastest runs; compile_s is what compiling
both took, first_s the first evaluation; gflops is the arithmetic of the direct method a
second of vjp_s; peak_gflops what the processor does in registers; peak_bytes the largest
memory of the process (0 where the system does not say). With --step, step_s is the time of one
warm-up step of SPGD (forward, VJP, ADM, update and what the driver does), the mean over a run of
as many outer steps as --runs, of 5 each, after one that compiles, which took step_compile_s;
that run took run_s for its evaluations: --runs 100 is a restoration with --preset released. With --step-only the
times of single evaluations are 0, and gflops is of step_s. With an accelerator, device is its name and
device_bytes what its memory had more at the end than at the start, of all its users.

` + exitStatusHelp(exitCheckpoint, exitMemory, exitOutput, exitDevice, exitInterrupted),
		Example: "  spgd bench engine --size 512\n  spgd bench engine --network ffhq256 --json",
		Args:    exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBenchEngine(cmd.Context(), c, &o, cmd.Flags().Changed("prior"))
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

// Bounds of the flags. What lies within them and does not fit is for the engine to say.
const (
	maxBenchSize  = 16384
	maxBenchBatch = 1024
	maxBenchRuns  = 1_000_000
)

// engineTimes is the JSON form of the result.
type engineTimes struct {
	Prior      string  `json:"prior"`
	ISA        string  `json:"isa"`
	Precision  string  `json:"precision"`
	Threads    int     `json:"threads"`
	Size       int     `json:"size"`
	Batch      int     `json:"batch"`
	Runs       int     `json:"runs"`
	Compile    float64 `json:"compile_s"`
	First      float64 `json:"first_s"`
	Forward    float64 `json:"forward_s"`
	ForwardMin float64 `json:"forward_min_s"`
	VJP        float64 `json:"vjp_s"`
	VJPMin     float64 `json:"vjp_min_s"`
	GFLOPS     float64 `json:"gflops"`
	PeakGFLOPS float64 `json:"peak_gflops"`
	PeakBytes  int64   `json:"peak_bytes"`

	Step        float64 `json:"step_s,omitempty"`
	StepCompile float64 `json:"step_compile_s,omitempty"`
	Run         float64 `json:"run_s,omitempty"`
	Evaluations int     `json:"evaluations,omitempty"`
	Device      string  `json:"device,omitempty"`
	DeviceBytes int64   `json:"device_bytes,omitempty"`
}

func (o *benchEngineOptions) model(priorGiven bool) (*prior.Model, error) {
	if o.network != "" && !priorGiven {
		config, err := prior.Network(o.network)
		if err != nil {
			return nil, err
		}
		return prior.Random(o.network, config, 1)
	}
	m, err := prior.Load(o.prior, prior.LoadOptions{Network: o.network})
	return m, as(errCheckpoint, err)
}

func runBenchEngine(ctx context.Context, c *console, o *benchEngineOptions, priorGiven bool) error {
	if o.size < 1 || o.batch < 1 || o.runs < 1 {
		return usagef("--size %d, --batch %d, --runs %d: all must be at least 1", o.size, o.batch, o.runs)
	}
	o.step = o.step || o.stepOnly
	if o.programs != programsAuto && !o.step {
		return usagef("--programs is for --step")
	}
	if o.size > maxBenchSize || o.batch > maxBenchBatch || o.runs > maxBenchRuns {
		return usagef("--size %d, --batch %d, --runs %d: at most %d, %d and %d are taken", o.size, o.batch, o.runs, maxBenchSize, maxBenchBatch, maxBenchRuns)
	}
	m, err := o.model(priorGiven)
	if err != nil {
		return err
	}
	if k := m.SizeMultiple(); o.size%k != 0 {
		return usagef("--size %d: %s takes multiples of %d", o.size, m.Name(), k)
	}
	before := usedMemory()
	e, err := o.start()
	if err != nil {
		return err
	}
	defer e.Close()
	announce(c, e)
	if err := e.Share(m.Weights()...); err != nil {
		return err
	}
	t := newEngineTimes(e, m, o)
	if !o.stepOnly {
		if err := t.timeEvaluations(ctx, e, m, o); err != nil {
			return err
		}
	}
	if o.step {
		if err := t.timeStep(ctx, e, m, o); err != nil {
			return err
		}
	}
	if err := t.rate(e, m); err != nil {
		return err
	}
	if a := e.Accelerator(); a != nil {
		t.Device, t.DeviceBytes = a.Name, usedMemory()-before
	}
	if c.json {
		return c.printJSON(t)
	}
	return c.printf("%s", t.text())
}

// text is the form for people.
func (t *engineTimes) text() string {
	where := fmt.Sprintf("%d threads, %s", t.Threads, t.ISA)
	if t.Device != "" {
		where = t.Device
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d x %dx%d, %s, %s\n", t.Prior, t.Batch, t.Size, t.Size, t.Precision, where)
	if t.VJP > 0 {
		fmt.Fprintf(&b, "forward        %8.3f s (fastest %.3f)\nforward + VJP  %8.3f s (fastest %.3f)\ncompile        %8.3f s\n",
			t.Forward, t.ForwardMin, t.VJP, t.VJPMin, t.Compile)
	}
	if t.Step > 0 {
		fmt.Fprintf(&b, "step of SPGD   %8.3f s (compiled in %.3f, %d in %.3f)\n", t.Step, t.StepCompile, t.Evaluations, t.Run)
	}
	fmt.Fprintf(&b, "arithmetic     %8.0f GFLOP/s", t.GFLOPS)
	if t.PeakGFLOPS > 0 {
		fmt.Fprintf(&b, " of %.0f", t.PeakGFLOPS)
	}
	fmt.Fprintf(&b, "\nmemory         %8.0f MiB\n", float64(t.PeakBytes)/(1<<20))
	if t.DeviceBytes > 0 {
		fmt.Fprintf(&b, "on the device  %8.0f MiB\n", float64(t.DeviceBytes)/(1<<20))
	}
	return b.String()
}

// newEngineTimes says what is to be timed.
func newEngineTimes(e *engine.Engine, m *prior.Model, o *benchEngineOptions) *engineTimes {
	r := o.record(e)
	return &engineTimes{Prior: m.Name(), ISA: r.ISA, Precision: r.Precision, Threads: r.Threads, Size: o.size, Batch: o.batch, Runs: o.runs}
}

// rate says how fast the arithmetic was, and what memory it took.
func (t *engineTimes) rate(e *engine.Engine, m *prior.Model) (err error) {
	config := m.Config()
	t.GFLOPS = 2 * config.GFLOP(t.Size, t.Size) * float64(t.Batch) / cmp.Or(t.VJP, t.Step) // the VJP repeats the forward's products
	if b, ok := e.Backend().(*cpu.Backend); ok {
		t.PeakGFLOPS, err = b.PeakGFLOPS(200 * time.Millisecond)
	}
	t.PeakBytes = peakBytes()
	return err
}

// timeEvaluations compiles and runs both programs in turn.
func (t *engineTimes) timeEvaluations(ctx context.Context, e *engine.Engine, m *prior.Model, o *benchEngineOptions) error {
	image, sigma := shapes.Make(dtypes.Float32, o.batch, o.size, o.size, m.Channels()), shapes.Make(dtypes.Float32, o.batch)
	in := []shapes.Shape{image, image, sigma}
	for _, w := range m.Weights() {
		in = append(in, w.Shape())
	}
	start := time.Now()
	forward, err := e.Compile("forward", in, func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{m.Denoise(in[3:], in[0], in[2])}
	})
	if err != nil {
		return err
	}
	vjp, err := e.Compile("forward and VJP", in, func(in []*graph.Node) []*graph.Node {
		x0hat := m.Denoise(in[3:], in[0], in[2])
		return []*graph.Node{x0hat, graph.Gradient(graph.ReduceAllSum(graph.Mul(x0hat, in[1])), in[0])[0]}
	})
	if err != nil {
		return err
	}
	t.Compile = time.Since(start).Seconds()

	noise := func(step uint32) *tensors.Tensor {
		a := make([]float32, image.Size())
		rng.New(1, 0, step, rng.Diagnostic).FillNormal(a)
		return tensors.FromFlatDataAndDimensions(a, image.Dimensions...)
	}
	levels := make([]float32, o.batch)
	for i := range levels {
		levels[i] = 1
	}
	args := append([]*tensors.Tensor{noise(0), noise(1), tensors.FromFlatDataAndDimensions(levels, o.batch)}, m.Weights()...)
	run := func(p *engine.Program) (float64, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		out, err := p.Run(args...)
		if err != nil {
			return 0, err
		}
		d := time.Since(start).Seconds()
		for _, x := range out {
			if err := x.FinalizeAll(); err != nil {
				return 0, fmt.Errorf("cannot release a result: %w", err)
			}
		}
		return d, nil
	}
	times := make(map[*engine.Program][]float64)
	for i := range o.runs + 1 {
		for _, p := range []*engine.Program{forward, vjp} {
			d, err := run(p)
			if err != nil {
				return err
			}
			if i > 0 {
				times[p] = append(times[p], d)
			} else if p == forward {
				t.First = d
			}
		}
	}
	t.Forward, t.ForwardMin = median(times[forward])
	t.VJP, t.VJPMin = median(times[vjp])
	return nil
}

// median returns the median and the least of x, which it sorts.
func median(x []float64) (mid, least float64) {
	slices.Sort(x)
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2, x[0]
}
