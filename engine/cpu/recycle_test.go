package cpu

import (
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// compileExecutable compiles a graph of parameters of one shape.
func compileExecutable(b *Backend, shape shapes.Shape, parameters int, build func(in []*Node) []*Node) *Executable {
	var e *Executable
	compile := b.compile
	b.compile = func(bd *Builder, outputs []*node) (runner, error) {
		r, err := compile(bd, outputs)
		e = &Executable{backend: b, parameters: bd.parameters, outputs: outputs, runner: r}
		return r, err
	}
	defer func() { b.compile = compile }()
	g := NewGraph(b, "")
	var in []*Node
	for i := range parameters {
		in = append(in, Parameter(g, string(rune('a'+i)), shape))
	}
	g.Compile(build(in)...)
	return e
}

func ramp(t *testing.T, b *Backend, shape shapes.Shape, slope float32) *Buffer {
	t.Helper()
	buf, f, err := b.NewBuffer(shape)
	if err != nil {
		t.Fatal(err)
	}
	for i := range f {
		f[i] = slope * float32(i%97)
	}
	return buf
}

func address(b *Buffer) *float32 { return unsafe.SliceData(b.flat.([]float32)) }

// update is a step of a sampler in small: each state is read, some as a whole, and most are replaced.
func update(in []*Node) []*Node {
	x, m, y := in[0], in[1], in[2]
	g := Mul(Sub(x, y), ReduceAndKeep(Mul(m, m), ReduceSum, 0))
	smooth := Add(MulScalar(m, 0.5), g)
	return []*Node{Sub(x, MulScalar(smooth, 0.01)), smooth, Reverse(y, 0), ReduceAllSum(smooth)}
}

// TestDonatedInputs: a run whose inputs are donated, wholly or in part, gives the bits of one that
// leaves them alone, and their memory becomes that of the outputs.
func TestDonatedInputs(t *testing.T) {
	shape := shapes.Make(dtypes.Float32, 64, 40)
	b := newTestBackend(t, 2)
	e := compileExecutable(b, shape, 3, update)
	inputs := func() []backends.Buffer {
		return []backends.Buffer{ramp(t, b, shape, 0.01), ramp(t, b, shape, -0.002), ramp(t, b, shape, 0.03)}
	}
	in := inputs()
	want, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range in {
		if in[i].(*Buffer).flat == nil {
			t.Fatalf("input %d, which was not donated, is gone", i)
		}
	}
	for _, donate := range [][]bool{{true, true, true}, {true, false, false}, {false, true, false}, {true, true, false}, {false, false, true}} {
		for range 3 {
			in := inputs()
			var places []*float32
			for i := range in {
				places = append(places, address(in[i].(*Buffer)))
			}
			out, err := e.Execute(in, donate, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !slices.Equal(out[i].(*Buffer).flat.([]float32), want[i].(*Buffer).flat.([]float32)) {
					t.Errorf("donated %v: output %d differs", donate, i)
				}
			}
			for i := range in {
				if gone := in[i].(*Buffer).flat == nil; gone != donate[i] {
					t.Errorf("donated %v: input %d is gone: %v", donate, i, gone)
				}
			}
			if donate[0] && donate[1] && (!slices.Contains(places, address(out[0].(*Buffer))) || !slices.Contains(places, address(out[1].(*Buffer)))) {
				t.Errorf("donated %v: x and the momentum are not replaced where they are", donate)
			}
			for _, o := range out {
				if err := b.BufferFinalize(o); err != nil {
					t.Fatal(err)
				}
			}
		}
	}

	// A buffer that is passed twice is read twice, and one of the host's never written to.
	x := ramp(t, b, shape, 0.01)
	twice, err := e.Execute([]backends.Buffer{x, x, in[2]}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Execute([]backends.Buffer{x, x, in[2]}, []bool{true, false, false}, 0)
	if err != nil {
		t.Fatal(err)
	}
	host := slices.Clone(in[0].(*Buffer).flat.([]float32))
	borrowed, err := b.BufferOfHost(host, shape)
	if err != nil {
		t.Fatal(err)
	}
	lent, err := e.Execute([]backends.Buffer{borrowed, in[1], in[2]}, []bool{true, false, false}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !slices.Equal(again[i].(*Buffer).flat.([]float32), twice[i].(*Buffer).flat.([]float32)) {
			t.Errorf("output %d of a buffer that is passed twice and donated once differs", i)
		}
		if !slices.Equal(lent[i].(*Buffer).flat.([]float32), want[i].(*Buffer).flat.([]float32)) {
			t.Errorf("output %d of memory of the host's differs", i)
		}
	}
	if !slices.Equal(host, in[0].(*Buffer).flat.([]float32)) {
		t.Error("memory of the host's was written to")
	}
}

// TestRecycling: the memory of buffers that are gone serves those to come, of any type, within the
// limit, and is never the host's, nor that of a buffer that still lives.
func TestRecycling(t *testing.T) {
	shape := shapes.Make(dtypes.Float32, 64, 40)
	b := newTestBackend(t, 1)
	e := compileExecutable(b, shape, 3, update)
	in := []backends.Buffer{ramp(t, b, shape, 0.01), ramp(t, b, shape, -0.002), ramp(t, b, shape, 0.03)}
	first, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	live := map[*float32]bool{}
	for _, x := range in {
		live[address(x.(*Buffer))] = true
	}
	old := map[*float32]bool{}
	for _, o := range first[:3] {
		old[address(o.(*Buffer))] = true
		if err := b.BufferFinalize(o); err != nil {
			t.Fatal(err)
		}
	}
	second, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range second[:3] {
		if at := address(o.(*Buffer)); !old[at] || live[at] {
			t.Errorf("output %d has memory of its own, or that of an input", i)
		}
	}

	at := address(second[0].(*Buffer))
	if err := b.BufferFinalize(second[0]); err != nil {
		t.Fatal(err)
	}
	z, err := b.BufferFromFlatData(0, make([]complex64, 64*20), shapes.Make(dtypes.Complex64, 64, 20))
	if err != nil {
		t.Fatal(err)
	}
	if c := z.(*Buffer).flat.([]complex64); unsafe.Pointer(unsafe.SliceData(c)) != unsafe.Pointer(at) || c[5] != 0 {
		t.Error("complex numbers of the same size do not take the memory over")
	}

	host := make([]float32, shape.Size())
	borrowed, err := b.BufferOfHost(host, shape)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.BufferFinalize(borrowed); err != nil {
		t.Fatal(err)
	}
	if n := b.recycled.bytes; n != 0 {
		t.Errorf("%d bytes are kept after memory of the host's is finalized, want 0", n)
	}

	var many []*Buffer
	for range 10 {
		many = append(many, ramp(t, b, shape, 1))
	}
	for _, x := range many {
		if err := b.BufferFinalize(x); err != nil {
			t.Fatal(err)
		}
	}
	if n, limit := b.recycled.bytes, 3*int(shape.Memory())+4; n > limit || n < limit-int(shape.Memory()) {
		t.Errorf("%d bytes are kept, want at most the %d of a run's outputs, and no less than fit", n, limit)
	}
	b.Trim()
	if n := b.recycled.bytes; n != 0 || b.arena != nil {
		t.Errorf("%d bytes are kept after Trim", n)
	}
	if err := b.BufferFinalize(ramp(t, b, shape, 1)); err != nil {
		t.Fatal(err)
	}
	b.Finalize()
	if n := b.recycled.bytes; n != 0 {
		t.Errorf("%d bytes are kept after Finalize", n)
	}
}

// TestMemory: what an executable says that it takes is what it makes: outputs beside donated inputs, or
// in their place.
func TestMemory(t *testing.T) {
	shape := shapes.Make(dtypes.Float32, 64, 40)
	b := newTestBackend(t, 1)
	e := compileExecutable(b, shape, 3, update)
	const image = 4 * 64 * 40
	for _, test := range []struct {
		donated []bool
		outputs int
	}{
		{nil, 3*image + 4},
		{[]bool{true, true, false}, image + 4},  // x and the momentum are overwritten
		{[]bool{false, false, true}, 3 * image}, // y goes before the sum, which is smaller, comes
		{[]bool{true, false, false}, 2*image + 4},
	} {
		m := e.Memory(test.donated)
		if m.Outputs != test.outputs || m.Packed != 0 {
			t.Errorf("donated %v: %+v, want %d for the outputs and nothing packed", test.donated, m, test.outputs)
		}
		in := []backends.Buffer{ramp(t, b, shape, 0.01), ramp(t, b, shape, -0.002), ramp(t, b, shape, 0.03)}
		b.Trim()
		before := map[*float32]bool{}
		for _, x := range in {
			before[address(x.(*Buffer))] = true
		}
		out, err := e.Execute(in, test.donated, 0)
		if err != nil {
			t.Fatal(err)
		}
		fresh := 0
		for _, o := range out {
			if !before[address(o.(*Buffer))] {
				fresh += int(o.(*Buffer).shape.Memory())
			}
		}
		if fresh > m.Outputs+4 || m.Temporary < e.runner.(*plan).arenaBytes {
			t.Errorf("donated %v: a run makes %d bytes, %+v were announced", test.donated, fresh, m)
		}
	}
	e.Finalize()
	if m := e.Memory(nil); m != (Memory{}) {
		t.Errorf("a finalized executable takes %+v", m)
	}
}

// TestDirtyMemory: no step expects zeros where it writes: runs whose outputs lie in memory full of
// NaN give the bits of runs in fresh memory.
func TestDirtyMemory(t *testing.T) {
	shape := shapes.Make(dtypes.Float32, 2, 32, 32, 3)
	b := newTestBackend(t, 2)
	e := compileExecutable(b, shape, 1, func(in []*Node) []*Node {
		x := in[0]
		wide := Concatenate([]*Node{x, Neg(x)}, 1)
		return []*Node{
			wide, Pad(x, ScalarZero(x.Graph(), dtypes.Float32), PadAxis{}, PadAxis{Start: 1, End: 2}, PadAxis{Interior: 1}),
			Real(InverseFFT(FFT(ConvertDType(TransposeAllAxes(x, 0, 3, 1, 2), dtypes.Complex64)))),
			Scatter(Const(x.Graph(), [][]int32{{1}, {0}}), OnePlus(x), shape, true, false),
			DotGeneral(x, []int{1}, []int{0}, x, []int{1}, []int{0}), ReduceSum(x, 1, 2), Where(GreaterThan(x, Exp(Neg(x))), x, Neg(x)),
		}
	})
	in := []backends.Buffer{ramp(t, b, shape, 0.01)}
	want, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range want {
		s := o.(*Buffer).shape
		dirty, f, err := b.NewBuffer(s)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f {
			f[i] = float32(math.NaN())
		}
		at := address(dirty)
		if err := b.BufferFinalize(dirty); err != nil {
			t.Fatal(err)
		}
		if s.Memory() >= minRecycled && !slices.ContainsFunc(b.recycled.kept, func(f any) bool { return unsafe.SliceData(f.([]float32)) == at }) {
			t.Fatalf("the dirty memory of shape %s is not kept", s)
		}
	}
	got, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !slices.Equal(got[i].(*Buffer).flat.([]float32), want[i].(*Buffer).flat.([]float32)) {
			t.Errorf("output %d in dirty memory differs", i)
		}
	}
}
