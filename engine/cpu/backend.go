// Package cpu is a GoMLX backend in pure Go, registered under the name "spgd".
//
// A graph is recorded by a [Builder] as a list of nodes with inferred shapes; Compile turns it
// into an [Executable]. Every operation has a portable executor, one per family of operations
// in the ops_*.go files, and the table in executors.go lists them all.
//
// Results do not depend on the number of threads: the work of an operation is cut into pieces
// by its shape alone, every piece writes its own outputs, and reductions have a fixed order.
package cpu

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/notimplemented"
	"github.com/gomlx/gomlx/pkg/core/dtypes"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// BackendName is the name under which the backend is registered with GoMLX. The configuration
// string after "spgd:" lists options, separated by commas: "threads=N", "precision=f32" or
// "precision=bf16".
const BackendName = "spgd"

func init() {
	backends.Register(BackendName, func(config string) (backends.Backend, error) {
		o, err := parseConfig(config)
		if err != nil {
			return nil, err
		}
		return New(o)
	})
}

// parseConfig reads options, separated by commas: see BackendName.
func parseConfig(config string) (Options, error) {
	var o Options
	if config == "" {
		return o, nil
	}
	for option := range strings.SplitSeq(config, ",") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "threads":
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				return o, fmt.Errorf("cpu: threads=%q is not a whole number >= 0", value)
			}
			o.Threads = n
		case "precision":
			if value == "" {
				return o, fmt.Errorf("cpu: %w %q (want f32 or bf16)", ErrPrecision, value)
			}
			o.Precision = value
		default:
			return o, fmt.Errorf("cpu: unknown option %q in the configuration %q: there are threads=N and precision=f32 or bf16", key, config)
		}
	}
	return o, nil
}

// MaxThreads bounds Options.Threads, since every thread has memory of its own.
const MaxThreads = 1024

// Options configures a [Backend].
type Options struct {
	// Threads bounds the goroutines that work on one operation, at most MaxThreads; 0 means GOMAXPROCS.
	Threads int
	// Convolution is "direct", "winograd" (for 3x3 convolutions that allow it; its rounding errors
	// are about twice as large) or "auto", whichever is faster. If it is empty, the environment
	// variable SPGD_CONV decides, then "auto".
	Convolution string
	// Precision is "f32" or, on processors with AVX-512 BF16, "bf16": large values between the
	// operations are kept as bfloat16, and convolutions multiply bfloat16 numbers, while
	// everything else is computed in float32. Inputs and outputs stay float32. If it is empty, it is f32.
	Precision string
}

// Backend implements [backends.Backend]. Its methods may be called from several goroutines;
// executions run one after the other.
type Backend struct {
	notimplemented.Backend

	name      string
	algorithm kernel.Algorithm // of convolutions
	precision kernel.Precision // of what they multiply
	narrowing narrowing        // of values between operations

	mu        sync.Mutex // held by an execution; guards pool and finalized
	pool      *pool.Pool
	finalized bool
	arena     []byte // temporary values of the execution in progress
	// arenaBytes is what the largest plan compiled so far needs of it.
	arenaBytes int
	strips     kernel.ScratchMemory // of the convolution in progress
	sums       []float64            // by row, of the step in progress
	latest     *Executable          // that was compiled, unless it is finalized
	packs      []*kernel.Packed     // per worker: a right operand of a product in progress
	fft        fftCache
	recycled   recycler // of buffers; has a lock of its own

	// compile makes what an Executable runs: a plan, except in tests.
	compile func(bd *Builder, outputs []*node) (runner, error)
}

var _ backends.Backend = (*Backend)(nil)

// EnvConvolution is the environment variable with the default of Options.Convolution.
const EnvConvolution = "SPGD_CONV"

// ErrConvolution is wrapped by the error of an unknown Options.Convolution.
var ErrConvolution = errors.New("unknown algorithm")

// New starts a backend. It returns an error for a number of threads that is negative or too large, an ErrISA, an
// ErrConvolution, an ErrPrecision, and an ErrNoBF16.
func New(o Options) (*Backend, error) {
	if err := CheckISA(); err != nil {
		return nil, err
	}
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads: the number cannot be negative", o.Threads)
	}
	if o.Threads > MaxThreads {
		return nil, fmt.Errorf("cpu: %d threads: there can be at most %d", o.Threads, MaxThreads)
	}
	name := cmp.Or(o.Convolution, os.Getenv(EnvConvolution), kernel.Auto.String())
	algorithm, err := kernel.ParseAlgorithm(name)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w: convolution %q (want auto, direct or winograd; %s sets the default)", ErrConvolution, name, EnvConvolution)
	}
	precision, err := parsePrecision(o.Precision)
	if err != nil {
		return nil, err
	}
	b := &Backend{name: BackendName, algorithm: algorithm, precision: precision, pool: pool.New(o.Threads)}
	if precision == kernel.BF16 {
		b.narrowing = featureMaps
	}
	b.packs = make([]*kernel.Packed, b.pool.Workers())
	b.compile = func(bd *Builder, outputs []*node) (runner, error) {
		p := newPlan(b, bd, outputs)
		if err := b.checkMemory(p); err != nil {
			return nil, err
		}
		b.arenaBytes = max(b.arenaBytes, p.arenaBytes)
		return p, nil
	}
	return b, nil
}

// Name returns "spgd".
func (b *Backend) Name() string { return b.name }

// String returns the same as Name.
func (b *Backend) String() string { return b.name }

// Description says what the backend is and how many threads it uses.
func (b *Backend) Description() string {
	return fmt.Sprintf("spgd CPU backend (%d threads)", b.pool.Workers())
}

// Precision is that of the backend's options, "f32" or "bf16".
func (b *Backend) Precision() string { return b.precision.String() }

// Convolution is the algorithm that the options or the environment chose.
func (b *Backend) Convolution() string { return b.algorithm.String() }

// NumDevices is 1: the host's processor.
func (b *Backend) NumDevices() int { return 1 }

// DeviceDescription names the one device.
func (b *Backend) DeviceDescription(backends.DeviceNum) string { return "cpu" }

// Capabilities lists the operations and data types that have executors.
func (b *Backend) Capabilities() backends.Capabilities {
	c := backends.Capabilities{
		Operations: map[backends.OpType]bool{
			backends.OpTypeParameter: true,
			backends.OpTypeConstant:  true,
		},
		DTypes: make(map[dtypes.DType]bool),
	}
	for op, e := range executors {
		if e != nil {
			c.Operations[backends.OpType(op)] = true
		}
	}
	for _, t := range supportedDTypes {
		c.DTypes[t] = true
	}
	return c
}

// Builder starts a new computation.
func (b *Backend) Builder(name string) backends.Builder {
	bd := &Builder{backend: b, name: name}
	bd.ErrFn = func(op backends.OpType) error {
		return fmt.Errorf("cpu: operation %s is not supported: %w", op, notimplemented.NotImplementedError)
	}
	return bd
}

// Finalize ends the worker goroutines. The backend must not be used afterwards.
func (b *Backend) Finalize() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.finalized {
		return
	}
	b.finalized = true
	b.pool.Close()
	b.packs = nil
	b.drain()
}

// IsFinalized tells whether Finalize was called.
func (b *Backend) IsFinalized() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.finalized
}

// grain is the number of cheap scalar operations worth handing to a worker.
const grain = 1 << 14

// parallel calls f(lo, hi) over consecutive ranges that cover [0, n). cost is the number of
// scalar operations of one item. The ranges depend only on n and cost, so f may even reduce
// over its range.
func (b *Backend) parallel(n, cost int, f func(lo, hi int)) {
	step := max(1, grain/max(1, cost))
	pieces := (n + step - 1) / step
	b.pool.Run(pieces, func(_, piece int) {
		lo := piece * step
		f(lo, min(n, lo+step))
	})
}
