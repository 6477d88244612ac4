//go:build cgo && linux && (amd64 || arm64)

package pjrttest

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/dtypes/bfloat16"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
)

// program is a StableHLO program, compiled for this program's CPU backend.
type program struct {
	backend         *cpu.Backend
	executable      backends.Executable
	inputs, outputs []shapes.Shape
}

// translation is a program while it is read.
type translation struct {
	backends.Builder
	values map[string]backends.Op
}

// compile reads a program and compiles it.
func compile(text string) (*program, error) {
	parameters, body, err := parse(text)
	if err != nil {
		return nil, err
	}
	b, err := cpu.New(cpu.Options{})
	if err != nil {
		return nil, err
	}
	p := &program{backend: b}
	t := &translation{b.Builder("plugin"), map[string]backends.Op{}}
	for _, s := range parameters {
		op, err := t.Parameter(s.outputs[0][1:], s.types[0], nil)
		if err != nil {
			return nil, err
		}
		t.values[s.outputs[0]] = op
		p.inputs = append(p.inputs, s.types[0])
	}
	for _, s := range body {
		var in []backends.Op
		for _, name := range s.operands {
			op, ok := t.values[name]
			if !ok {
				return nil, fmt.Errorf("%s reads %s, which there is not", s.op, name)
			}
			in = append(in, op)
		}
		if s.op == "return" {
			for _, op := range in {
				shape, err := t.OpShape(op)
				if err != nil {
					return nil, err
				}
				p.outputs = append(p.outputs, shape)
			}
			p.executable, err = t.Compile(in, nil)
			return p, err
		}
		op, err := t.translate(&s, in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.op, err)
		}
		shape, err := t.OpShape(op)
		if err != nil {
			return nil, err
		}
		if len(s.types) != 1 || !shape.Equal(s.types[0]) {
			return nil, fmt.Errorf("%s has shape %s, and the program says %s", s.op, shape, s.types)
		}
		t.values[s.outputs[0]] = op
	}
	return nil, fmt.Errorf("the program returns nothing")
}

// translate adds the operation of a statement.
func (t *translation) translate(s *statement, in []backends.Op) (backends.Op, error) {
	if f, ok := map[string]func(backends.Op) (backends.Op, error){
		"abs": t.Abs, "cosine": t.Cos, "exponential": t.Exp, "floor": t.Floor, "imag": t.Imag, "log": t.Log, "log_plus_one": t.Log1p, "logistic": t.Logistic,
		"negate": t.Neg, "not": t.LogicalNot, "real": t.Real, "rsqrt": t.Rsqrt, "sign": t.Sign, "sine": t.Sin, "sqrt": t.Sqrt, "tanh": t.Tanh,
	}[s.op]; ok {
		return f(in[0])
	}
	if f, ok := map[string]func(x, y backends.Op) (backends.Op, error){
		"add": t.Add, "and": t.LogicalAnd, "complex": t.Complex, "divide": t.Div, "maximum": t.Max, "minimum": t.Min, "multiply": t.Mul, "or": t.LogicalOr,
		"power": t.Pow, "subtract": t.Sub,
	}[s.op]; ok {
		return f(in[0], in[1])
	}
	shape := s.types[0]
	switch s.op {
	case "broadcast_in_dim":
		return t.BroadcastInDim(in[0], shape, s.ints("broadcast_dimensions"))
	case "clamp":
		return t.Clamp(in[0], in[1], in[2])
	case "compare":
		return t.compare(s, in)
	case "concatenate":
		return t.Concatenate(s.ints("dimension")[0], in...)
	case "constant":
		return t.constant(s)
	case "convert":
		return t.ConvertDType(in[0], shape.DType)
	case "convolution":
		return t.convolution(s, in)
	case "dot_general":
		return t.DotGeneral(in[0], s.ints("lhs_contracting_dimensions"), s.ints("lhs_batching_dimensions"), in[1], s.ints("rhs_contracting_dimensions"), s.ints("rhs_batching_dimensions"))
	case "fft":
		for kind, name := range map[backends.FFTType]string{backends.FFTForward: " FFT>", backends.FFTInverse: " IFFT>", backends.FFTForwardReal: " RFFT>", backends.FFTInverseReal: " IRFFT>"} {
			if strings.Contains(s.attribute("fft_type")+">", name) {
				return t.FFT(in[0], kind, s.ints("fft_length"))
			}
		}
	case "iota":
		return t.Iota(shape, s.ints("iota_dimension")[0])
	case "pad":
		var axes []backends.PadAxis
		low, high, interior := s.ints("edge_padding_low"), s.ints("edge_padding_high"), s.ints("interior_padding")
		for i := range low {
			axes = append(axes, backends.PadAxis{Start: low[i], End: high[i], Interior: interior[i]})
		}
		return t.Pad(in[0], in[1], axes...)
	case "reduce":
		switch s.inner {
		case "add":
			return t.ReduceSum(in[0], s.ints("dimensions")...)
		case "maximum":
			return t.ReduceMax(in[0], s.ints("dimensions")...)
		case "minimum":
			return t.ReduceMin(in[0], s.ints("dimensions")...)
		}
	case "reshape":
		return t.Reshape(in[0], shape.Dimensions...)
	case "reverse":
		return t.Reverse(in[0], s.ints("dimensions")...)
	case "select":
		return t.Where(in[0], in[1], in[2])
	case "slice":
		return t.Slice(in[0], s.ints("start_indices"), s.ints("limit_indices"), s.ints("strides"))
	case "transpose":
		return t.Transpose(in[0], s.ints("permutation")...)
	}
	return nil, fmt.Errorf("the plugin for tests does not know %s %s {%s}", s.op, s.inner, s.attrs)
}

func (t *translation) compare(s *statement, in []backends.Op) (backends.Op, error) {
	for name, f := range map[string]func(x, y backends.Op) (backends.Op, error){
		" EQ": t.Equal, " NE": t.NotEqual, " GT": t.GreaterThan, " GE": t.GreaterOrEqual, " LT": t.LessThan, " LE": t.LessOrEqual,
	} {
		if strings.Contains(s.attribute("comparison_direction"), name) {
			return f(in[0], in[1])
		}
	}
	return nil, fmt.Errorf("unknown comparison {%s}", s.attrs)
}

// convolution reads the axes, as in [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f].
func (t *translation) convolution(s *statement, in []backends.Op) (backends.Op, error) {
	lists := regexp.MustCompile(`\[([^\[\]]*)(\]|$)`).FindAllStringSubmatch(s.attribute("dimension_numbers"), -1)
	if len(lists) != 3 {
		return nil, fmt.Errorf("unknown axes %q", s.attribute("dimension_numbers"))
	}
	var special [3]map[string]int
	var spatial [3][]int
	for i, list := range lists {
		words := strings.Split(list[1], ", ")
		special[i], spatial[i] = map[string]int{}, make([]int, len(words)-2)
		for axis, word := range words {
			if n, err := strconv.Atoi(word); err == nil {
				spatial[i][n] = axis
			} else {
				special[i][word] = axis
			}
		}
	}
	axes := backends.ConvolveAxesConfig{
		InputBatch: special[0]["b"], InputChannels: special[0]["f"], InputSpatial: spatial[0],
		KernelInputChannels: special[1]["i"], KernelOutputChannels: special[1]["o"], KernelSpatial: spatial[1],
		OutputBatch: special[2]["b"], OutputChannels: special[2]["f"], OutputSpatial: spatial[2],
	}
	var paddings [][2]int
	for pair := range slices.Chunk(s.ints("padding"), 2) {
		paddings = append(paddings, [2]int{pair[0], pair[1]})
	}
	return t.ConvGeneral(in[0], in[1], axes, s.ints("window_strides"), paddings, s.ints("lhs_dilation"), s.ints("rhs_dilation"),
		s.ints("feature_group_count")[0], s.ints("batch_group_count")[0])
}

// numerals finds the elements of a constant. Numbers that are not finite are written as their bits.
var numerals = regexp.MustCompile(`0x[0-9a-fA-F]+|true|false|[-+]?[0-9][-+.0-9eE]*`)

func (t *translation) constant(s *statement) (backends.Op, error) {
	shape := s.types[0]
	words := numerals.FindAllString(s.attribute("value"), -1)
	flat := reflect.MakeSlice(reflect.SliceOf(shape.DType.GoType()), shape.Size(), shape.Size())
	for i := range shape.Size() {
		word := words[min(i, len(words)-1)]
		if len(words) != 1 && len(words) != shape.Size() {
			return nil, fmt.Errorf("%d elements for %s", len(words), shape)
		}
		e := flat.Index(i)
		bits, hexError := strconv.ParseUint(strings.TrimPrefix(word, "0x"), 16, 64)
		number, err := strconv.ParseFloat(word, 64)
		if strings.HasPrefix(word, "0x") && hexError == nil {
			if shape.DType != dtypes.Float32 {
				return nil, fmt.Errorf("bits of %s", shape)
			}
			number, err = float64(math.Float32frombits(uint32(bits))), nil
		}
		switch {
		case shape.DType == dtypes.Bool:
			e.SetBool(word == "true")
			continue
		case err != nil:
			return nil, err
		case shape.DType == dtypes.BFloat16:
			e.Set(reflect.ValueOf(bfloat16.FromFloat32(float32(number))))
		case e.CanFloat():
			e.SetFloat(number)
		case e.CanInt():
			e.SetInt(int64(number))
		default:
			return nil, fmt.Errorf("a constant of %s", shape)
		}
	}
	return t.Constant(flat.Interface(), shape.Dimensions...)
}

// bytesOf is the memory of a slice of numbers.
func bytesOf(flat any) []byte {
	v := reflect.ValueOf(flat)
	return unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*int(v.Type().Elem().Size()))
}

// bytes is the size of the arguments and results.
func (p *program) bytes() (n int) {
	for _, s := range append(p.inputs[:len(p.inputs):len(p.inputs)], p.outputs...) {
		n += int(s.Memory())
	}
	return n
}

// run computes the program for arrays that are given and returned as their bytes.
func (p *program) run(args [][]byte) ([][]byte, error) {
	if len(args) != len(p.inputs) {
		return nil, fmt.Errorf("%d arguments, want %d", len(args), len(p.inputs))
	}
	numbers := func(s shapes.Shape) any {
		return reflect.MakeSlice(reflect.SliceOf(s.DType.GoType()), s.Size(), s.Size()).Interface()
	}
	var in []backends.Buffer
	for i, s := range p.inputs {
		flat := numbers(s)
		if copy(bytesOf(flat), args[i]) != len(args[i]) || len(args[i]) != int(s.Memory()) {
			return nil, fmt.Errorf("argument %d has %d bytes, want %s", i, len(args[i]), s)
		}
		b, err := p.backend.BufferFromFlatData(0, flat, s)
		if err != nil {
			return nil, err
		}
		in = append(in, b)
	}
	out, err := p.executable.Execute(in, nil, 0)
	if err != nil {
		return nil, err
	}
	var results [][]byte
	for i, b := range out {
		flat := numbers(p.outputs[i])
		if err := p.backend.BufferToFlatData(b, flat); err != nil {
			return nil, err
		}
		results = append(results, bytesOf(flat))
		if err := p.backend.BufferFinalize(b); err != nil {
			return nil, err
		}
	}
	return results, nil
}
