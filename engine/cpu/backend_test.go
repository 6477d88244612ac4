package cpu

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/notimplemented"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

func TestRegistered(t *testing.T) {
	for config, threads := range map[string]int{"spgd:threads=3": 3, "spgd:threads=1": 1, "spgd:precision=f32,threads=2": 2} {
		b, err := backends.NewWithConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		if b.Name() != "spgd" || b.String() != "spgd" || b.NumDevices() != 1 || b.HasSharedBuffers() {
			t.Errorf("%s: %s, %d devices", config, b.Name(), b.NumDevices())
		}
		if n := b.(*Backend).pool.Workers(); n != threads {
			t.Errorf("%s: %d threads", config, n)
		}
		if b.IsFinalized() {
			t.Error("finalized at the start")
		}
		b.Finalize()
		b.Finalize()
		if !b.IsFinalized() {
			t.Error("not finalized")
		}
	}
	for _, config := range []string{"spgd:threads=x", "spgd:threads=-1", "spgd:speed=9", "spgd:threads", "spgd:precision=f64", "spgd:precision", "spgd:threads=1,"} {
		if _, err := backends.NewWithConfig(config); err == nil {
			t.Errorf("%q is accepted", config)
		}
	}
	if _, err := New(Options{Threads: MaxThreads + 1}); err == nil {
		t.Errorf("%d threads were accepted", MaxThreads+1)
	}
	if _, err := New(Options{Threads: -1}); err == nil {
		t.Error("-1 threads are accepted")
	}
	if _, err := New(Options{Convolution: "fft"}); !errors.Is(err, ErrConvolution) {
		t.Errorf("an unknown convolution: got %v, want ErrConvolution", err)
	}
	t.Setenv(EnvConvolution, "fft")
	if _, err := New(Options{}); !errors.Is(err, ErrConvolution) {
		t.Errorf("%s=fft: got %v, want ErrConvolution", EnvConvolution, err)
	}
	if b, err := New(Options{Convolution: "direct"}); err != nil {
		t.Errorf("an option does not override %s: %v", EnvConvolution, err)
	} else {
		b.Finalize()
	}
}

// TestCapabilities checks that everything in GoMLX's list is there, except what several devices
// are needed for, and what no builder method makes.
func TestCapabilities(t *testing.T) {
	c := newTestBackend(t, 1).Capabilities()
	missing := map[backends.OpType]bool{
		backends.OpTypeBroadcast: true, backends.OpTypeSelectAndScatterSum: true,
		backends.OpTypeAllReduce: true, backends.OpTypeCollectiveBroadcast: true, backends.OpTypeAllGather: true,
	}
	for o := backends.OpTypeInvalid + 1; o < backends.OpTypeLast; o++ {
		if c.Operations[o] == missing[o] {
			t.Errorf("%s: supported is %v", o, c.Operations[o])
		}
	}
	if len(c.DTypes) != 15 || !c.DTypes[dtypes.BFloat16] || c.DTypes[dtypes.S4] {
		t.Errorf("data types %v", c.DTypes)
	}
}

func TestBuffers(t *testing.T) {
	b := newTestBackend(t, 1)
	r := newRand()
	for _, dtype := range supportedDTypes {
		for _, dims := range [][]int{{}, {2, 3}, {0, 4}} {
			a := fill(r, dtype, dims...)
			buf, err := b.BufferFromFlatData(0, a.flat, a.shape())
			if err != nil {
				t.Fatal(err)
			}
			s, err := b.BufferShape(buf)
			if err != nil || !s.Equal(a.shape()) {
				t.Errorf("shape %s, %v", s, err)
			}
			want := numbers(a.flat)
			copyFlat(a.flat, makeFlat(dtype, product(dims))) // the buffer has its own copy
			out := makeFlat(dtype, product(dims))
			if err := b.BufferToFlatData(buf, out); err != nil {
				t.Fatal(err)
			}
			near(t, numbers(out), want, 0)
			if err := b.BufferFinalize(buf); err != nil {
				t.Fatal(err)
			}
			_, errShape := b.BufferShape(buf)
			_, errDevice := b.BufferDeviceNum(buf)
			for _, err := range []error{errShape, errDevice, b.BufferToFlatData(buf, out), b.BufferFinalize(buf)} {
				if !errors.Is(err, ErrFinalized) {
					t.Errorf("a finalized buffer gives the error %v", err)
				}
			}
		}
	}
	// GoMLX counts int as Int64.
	buf, err := b.BufferFromFlatData(0, []int{5, -6}, shapes.Make(dtypes.Int64, 2))
	if err != nil {
		t.Fatal(err)
	}
	near(t, values(buf.(*Buffer)), []complex128{5, -6}, 0)

	two := shapes.Make(dtypes.Float32, 2)
	for name, f := range map[string]func() error{
		"wrong type":     func() error { _, err := b.BufferFromFlatData(0, []float64{1, 2}, two); return err },
		"wrong length":   func() error { _, err := b.BufferFromFlatData(0, []float32{1}, two); return err },
		"no slice":       func() error { _, err := b.BufferFromFlatData(0, 7, two); return err },
		"nil":            func() error { _, err := b.BufferFromFlatData(0, nil, two); return err },
		"host data":      func() error { _, err := b.BufferOfHost([]float32{1}, two); return err },
		"wrong device":   func() error { _, err := b.BufferFromFlatData(1, []float32{1, 2}, two); return err },
		"strange buffer": func() error { return b.BufferToFlatData("x", []float32{1}) },
		"nil buffer":     func() error { return b.BufferFinalize((*Buffer)(nil)) },
		"short target":   func() error { return b.BufferToFlatData(buf, []int64{1}) },
		"other target":   func() error { return b.BufferToFlatData(buf, []float32{1, 2}) },
		"shared":         func() error { _, _, err := b.NewSharedBuffer(0, two); return err },
		"data":           func() error { _, err := b.BufferData(buf); return err },
		"copy":           func() error { _, err := b.BufferCopyToDevice(buf, 0); return err },
	} {
		if err := f(); err == nil || !strings.HasPrefix(err.Error(), "cpu: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// compileSum compiles x+y, x, x, a constant.
func compileSum(t *testing.T, b *Backend) backends.Executable {
	t.Helper()
	bd := b.Builder("sum").(*Builder)
	s := shapes.Make(dtypes.Float32, 2)
	x, y := op(bd.Parameter("x", s, nil)), op(bd.Parameter("y", s, nil))
	flat := []float32{7, 8}
	c := op(bd.Constant(flat, 2))
	flat[0] = 0 // the constant is a copy
	sum := op(bd.Add(x, y))
	op(bd.Exp(y)) // dead
	e, err := bd.Compile([]backends.Op{sum, x, x, c, sum}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bd.Add(x, y); err == nil {
		t.Error("the builder can be used after Compile")
	}
	return e
}

func TestExecute(t *testing.T) {
	b := newTestBackend(t, 2)
	e := compileSum(t, b)
	names, in := e.Inputs()
	if !slices.Equal(names, []string{"x", "y"}) || len(in) != 2 || len(e.Outputs()) != 5 {
		t.Errorf("inputs %v %v, outputs %v", names, in, e.Outputs())
	}
	s := shapes.Make(dtypes.Float32, 2)
	upload := func(flat ...float32) backends.Buffer {
		buf, err := b.BufferFromFlatData(0, flat, s)
		if err != nil {
			t.Fatal(err)
		}
		return buf
	}
	x, y := upload(1, 2), upload(10, 20)
	out, err := e.Execute([]backends.Buffer{x, y}, []bool{false, true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]complex128{{11, 22}, {1, 2}, {1, 2}, {7, 8}, {11, 22}}
	seen := map[any]bool{x: true}
	for i, o := range out {
		if seen[o] {
			t.Errorf("output %d shares its buffer", i)
		}
		seen[o] = true
		near(t, values(o.(*Buffer)), want[i], 0)
	}
	// Outputs are independent of each other, of the inputs and of the program.
	for i, o := range out {
		clear(flatOf[float32](o.(*Buffer)))
		for j, p := range out[i+1:] {
			near(t, values(p.(*Buffer)), want[i+1+j], 0)
		}
	}
	near(t, values(x.(*Buffer)), []complex128{1, 2}, 0)

	other, _ := b.BufferFromFlatData(0, []float32{1}, shapes.Make(dtypes.Float32, 1))
	for name, f := range map[string]func() error{
		"donated": func() error {
			_, err := e.Execute([]backends.Buffer{x, y}, nil, 0)
			if !errors.Is(err, ErrFinalized) {
				t.Errorf("a donated input gives the error %v", err)
			}
			return err
		},
		"too few":      func() error { _, err := e.Execute([]backends.Buffer{x}, nil, 0); return err },
		"wrong shape":  func() error { _, err := e.Execute([]backends.Buffer{x, other}, nil, 0); return err },
		"wrong flags":  func() error { _, err := e.Execute([]backends.Buffer{x, x}, []bool{true}, 0); return err },
		"wrong device": func() error { _, err := e.Execute([]backends.Buffer{x, x}, nil, 1); return err },
		"strange":      func() error { _, err := e.Execute([]backends.Buffer{x, 3}, nil, 0); return err },
	} {
		if err := f(); err == nil || !strings.HasPrefix(err.Error(), "cpu: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	e.Finalize()
	if _, err := e.Execute([]backends.Buffer{x, x}, nil, 0); err == nil {
		t.Error("a finalized executable runs")
	}
}

// TestBufferOfHost: the buffer is the host's memory, which nothing that happens to the buffer touches.
func TestBufferOfHost(t *testing.T) {
	b := newTestBackend(t, 1)
	e := compileSum(t, b)
	host := []float32{1, 2}
	open := func() *Buffer {
		t.Helper()
		buf, err := b.BufferOfHost(host, shapes.Make(dtypes.Float32, 2))
		if err != nil {
			t.Fatal(err)
		}
		return buf
	}
	x, y := open(), open()
	if &flatOf[float32](x)[0] != &host[0] {
		t.Error("the data was copied")
	}
	out, err := e.Execute([]backends.Buffer{x, y}, []bool{true, false}, 0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, values(out[0].(*Buffer)), []complex128{2, 4}, 0)
	if _, err := e.Execute([]backends.Buffer{x, y}, nil, 0); !errors.Is(err, ErrFinalized) {
		t.Errorf("a donated buffer gives the error %v", err)
	}
	if err := b.BufferFinalize(y); err != nil {
		t.Fatal(err)
	}
	near(t, numbers(host), []complex128{1, 2}, 0)
	if _, err := e.Execute([]backends.Buffer{open(), open()}, nil, 0); err != nil {
		t.Errorf("another buffer of the same memory: %v", err)
	}
}

// TestConcurrentExecutions also runs under the race detector.
func TestConcurrentExecutions(t *testing.T) {
	b := newTestBackend(t, 3)
	e := compileSum(t, b)
	x, err := b.BufferFromFlatData(0, []float32{1, 2}, shapes.Make(dtypes.Float32, 2))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				out, err := e.Execute([]backends.Buffer{x, x}, nil, 0)
				if err != nil || flatOf[float32](out[0].(*Buffer))[1] != 4 {
					t.Error("wrong result", err)
				}
			}
		})
	}
	wg.Wait()
}

// TestRejected checks that bad nodes are errors that say what is wrong.
func TestRejected(t *testing.T) {
	b := newTestBackend(t, 1)
	bd := b.Builder("rejected").(*Builder)
	param := func(t dtypes.DType, dims ...int) backends.Op {
		return op(bd.Parameter("", shapes.Make(t, dims...), nil))
	}
	f23, f32, f4 := param(dtypes.Float32, 2, 3), param(dtypes.Float32, 3, 2), param(dtypes.Float32, 4)
	i23, bool23, c23 := param(dtypes.Int32, 2, 3), param(dtypes.Bool, 2, 3), param(dtypes.Complex64, 2, 3)
	scalar, state := param(dtypes.Float32), param(dtypes.Uint64, 3)
	foreign := op(b.Builder("other").(*Builder).Parameter("", shapes.Make(dtypes.Float32), nil))
	axes := backends.ConvolveAxesConfig{InputBatch: 0, InputChannels: 2, InputSpatial: []int{1},
		KernelInputChannels: 1, KernelOutputChannels: 2, KernelSpatial: []int{0}, OutputBatch: 0, OutputChannels: 2, OutputSpatial: []int{1}}
	cases := map[string]func() (backends.Op, error){
		"foreign node":    func() (backends.Op, error) { return bd.Add(scalar, foreign) },
		"no node":         func() (backends.Op, error) { return bd.Add(scalar, nil) },
		"dtypes":          func() (backends.Op, error) { return bd.Add(f23, i23) },
		"dimensions":      func() (backends.Op, error) { return bd.Add(f23, f32) },
		"ranks":           func() (backends.Op, error) { return bd.Add(f23, f4) },
		"add bools":       func() (backends.Op, error) { return bd.Add(bool23, bool23) },
		"or floats":       func() (backends.Op, error) { return bd.BitwiseOr(f23, f23) },
		"exp ints":        func() (backends.Op, error) { return bd.Exp(i23) },
		"order complex":   func() (backends.Op, error) { return bd.LessThan(c23, c23) },
		"where":           func() (backends.Op, error) { return bd.Where(f23, f23, f23) },
		"where types":     func() (backends.Op, error) { return bd.Where(bool23, f23, i23) },
		"clamp":           func() (backends.Op, error) { return bd.Clamp(f4, f23, scalar) },
		"complex":         func() (backends.Op, error) { return bd.Complex(i23, i23) },
		"conj":            func() (backends.Op, error) { return bd.Conj(f23) },
		"reshape":         func() (backends.Op, error) { return bd.Reshape(f23, 5) },
		"negative":        func() (backends.Op, error) { return bd.Reshape(f23, -2, -3) },
		"transpose":       func() (backends.Op, error) { return bd.Transpose(f23, 0) },
		"transpose twice": func() (backends.Op, error) { return bd.Transpose(f23, 1, 1) },
		"broadcast": func() (backends.Op, error) {
			return bd.BroadcastInDim(f23, shapes.Make(dtypes.Float32, 2, 4), []int{0, 1})
		},
		"broadcast back": func() (backends.Op, error) {
			return bd.BroadcastInDim(f23, shapes.Make(dtypes.Float32, 3, 2), []int{1, 0})
		},
		"slice":            func() (backends.Op, error) { return bd.Slice(f23, []int{0, 0}, []int{2, 4}, nil) },
		"slice steps":      func() (backends.Op, error) { return bd.Slice(f23, []int{0, 0}, []int{2, 3}, []int{1, 0}) },
		"concatenate":      func() (backends.Op, error) { return bd.Concatenate(0, f23, f32) },
		"concatenate none": func() (backends.Op, error) { return bd.Concatenate(0) },
		"reverse":          func() (backends.Op, error) { return bd.Reverse(f23, 2) },
		"pad value":        func() (backends.Op, error) { return bd.Pad(f23, f4) },
		"pad interior":     func() (backends.Op, error) { return bd.Pad(f23, scalar, backends.PadAxis{Interior: -1}) },
		"pad to nothing":   func() (backends.Op, error) { return bd.Pad(f23, scalar, backends.PadAxis{Start: -3}) },
		"reduce":           func() (backends.Op, error) { return bd.ReduceSum(f23, 2) },
		"reduce twice":     func() (backends.Op, error) { return bd.ReduceSum(f23, 1, 1) },
		"reduce bool":      func() (backends.Op, error) { return bd.ReduceSum(bool23) },
		"window": func() (backends.Op, error) {
			return bd.ReduceWindow(f23, backends.ReduceOpSum, []int{2}, nil, nil, nil, nil)
		},
		"window kind": func() (backends.Op, error) {
			return bd.ReduceWindow(f23, backends.ReduceOpUndefined, []int{1, 1}, nil, nil, nil, nil)
		},
		"arg axis":    func() (backends.Op, error) { return bd.ArgMinMax(f23, 5, dtypes.Int32, true) },
		"arg type":    func() (backends.Op, error) { return bd.ArgMinMax(f23, 1, dtypes.Float32, true) },
		"dot":         func() (backends.Op, error) { return bd.Dot(f23, f23) },
		"dot scalar":  func() (backends.Op, error) { return bd.Dot(scalar, f23) },
		"dot axes":    func() (backends.Op, error) { return bd.DotGeneral(f23, []int{0}, nil, f23, nil, nil) },
		"convolution": func() (backends.Op, error) { return bd.ConvGeneral(f23, f23, axes, nil, nil, nil, nil, 1, 1) },
		"gather": func() (backends.Op, error) {
			return bd.Gather(f23, f4, 0, nil, []int{0, 1}, []int{0}, []int{1, 1}, false)
		},
		"gather sizes": func() (backends.Op, error) {
			return bd.Gather(f23, i23, 1, []int{1}, []int{0}, []int{0, 1, 0}, []int{1, 9}, false)
		},
		"scatter":       func() (backends.Op, error) { return bd.ScatterSum(f23, i23, i23, 1, nil, nil, nil, false, false) },
		"dynamic":       func() (backends.Op, error) { return bd.DynamicSlice(f23, []backends.Op{scalar, scalar}, []int{1, 1}) },
		"fft of reals":  func() (backends.Op, error) { return bd.FFT(f23, backends.FFTForward, []int{3}) },
		"fft length":    func() (backends.Op, error) { return bd.FFT(c23, backends.FFTForward, []int{4}) },
		"fft kind":      func() (backends.Op, error) { return bd.FFT(c23, 9, []int{3}) },
		"iota":          func() (backends.Op, error) { return bd.Iota(shapes.Make(dtypes.Float32, 2), 1) },
		"iota type":     func() (backends.Op, error) { return bd.Iota(shapes.Make(dtypes.Bool, 2), 0) },
		"convert":       func() (backends.Op, error) { return bd.ConvertDType(f23, dtypes.F8E5M2) },
		"bitcast":       func() (backends.Op, error) { return bd.Bitcast(f23, dtypes.Float64) },
		"bitcast bool":  func() (backends.Op, error) { return bd.Bitcast(bool23, dtypes.Uint8) },
		"constant":      func() (backends.Op, error) { return bd.Constant([]float32{1, 2}, 3) },
		"constant type": func() (backends.Op, error) { return bd.Constant([]string{"a"}, 1) },
		"parameter":     func() (backends.Op, error) { return bd.Parameter("", shapes.Make(dtypes.S4, 1), nil) },
		"sharded": func() (backends.Op, error) {
			return bd.Parameter("", shapes.Make(dtypes.Int8, 1), &backends.ShardingSpec{})
		},
		"batch norm": func() (backends.Op, error) { return bd.BatchNormForInference(f23, f4, f4, f4, f4, 0, 1) },
		"random state": func() (backends.Op, error) {
			_, v, err := bd.RNGBitGenerator(f23, shapes.Make(dtypes.Uint8, 1))
			return v, err
		},
		"random bools": func() (backends.Op, error) {
			_, v, err := bd.RNGBitGenerator(state, shapes.Make(dtypes.Bool, 1))
			return v, err
		},
		"collective": func() (backends.Op, error) {
			_, err := bd.AllReduce([]backends.Op{f23}, backends.ReduceOpSum, nil)
			if !errors.Is(err, notimplemented.NotImplementedError) {
				t.Errorf("AllReduce gives the error %v", err)
			}
			return nil, err
		},
		"devices":    func() (backends.Op, error) { return nil, bd.DistributedSPMD(2) },
		"assignment": func() (backends.Op, error) { return nil, bd.DeviceAssignment(1) },
		"sharding":   func() (backends.Op, error) { return nil, bd.DistributedAutoSharding() },
		"compile": func() (backends.Op, error) {
			_, err := bd.Compile([]backends.Op{foreign}, nil)
			return nil, err
		},
	}
	for name, f := range cases {
		if _, err := f(); err == nil || !strings.HasPrefix(err.Error(), "cpu: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
