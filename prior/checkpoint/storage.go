package checkpoint

import (
	"fmt"
	"math"
	"slices"
)

// storage is a run of elements in a PyTorch file that tensors are views of.
type storage struct {
	key   string
	dtype *dtype
	first int64 // within the root storage, for the views of storages in old legacy files
	n     int64 // elements
	root  *storage
	off   int64 // in the file, of the root storage; set once the storage has been found
}

// tensorView is a tensor: element (i, j, ...) is element offset + i strides[0] + j strides[1] + ...
// of its storage.
type tensorView struct {
	storage *storage
	dtype   *dtype
	offset  int64
	shape   []int
	strides []int64
	n       int64 // elements
}

var untypedBytes = &dtype{"bytes", 1, nil}

var storageTypes = map[string]*dtype{
	"DoubleStorage": float64Type, "FloatStorage": float32Type, "HalfStorage": float16Type,
	"BFloat16Storage": bfloat16Type, "LongStorage": int64Type, "IntStorage": int32Type,
	"ShortStorage": int16Type, "CharStorage": int8Type, "ByteStorage": uint8Type,
	"BoolStorage": boolType, "ComplexFloatStorage": {"complex64", 8, nil},
	"ComplexDoubleStorage": {"complex128", 16, nil}, "QInt8Storage": {"qint8", 1, nil},
	"QUInt8Storage": {"quint8", 1, nil}, "QInt32Storage": {"qint32", 4, nil},
	"QUInt4x2Storage": {"quint4x2", 1, nil}, "QUInt2x4Storage": {"quint2x4", 1, nil},
	"UntypedStorage": untypedBytes,
}

var torchTypes = map[string]*dtype{
	"float64": float64Type, "float32": float32Type, "float16": float16Type,
	"bfloat16": bfloat16Type, "uint8": uint8Type, "int8": int8Type, "int16": int16Type,
	"int32": int32Type, "int64": int64Type, "bool": boolType,
	"uint16": {"uint16", 2, nil}, "uint32": {"uint32", 4, nil}, "uint64": {"uint64", 8, nil},
	"complex64": {"complex64", 8, nil}, "complex128": {"complex128", 16, nil},
	"float8_e4m3fn": {"float8_e4m3fn", 1, nil}, "float8_e5m2": {"float8_e5m2", 1, nil},
}

// storageArgs reads the persistent id ("storage", class, key, location, elements, ...).
func storageArgs(id any) (*storage, tuple, error) {
	t, ok := id.(tuple)
	if !ok || len(t) < 5 || t[0] != "storage" {
		return nil, nil, fmt.Errorf("a storage is named by %s of an unknown form: %w", aKind(id), ErrFormat)
	}
	class, ok1 := t[1].(*global)
	key, ok2 := t[2].(string)
	n, ok3 := t[4].(int64)
	if !ok1 || !ok2 || !ok3 {
		return nil, nil, fmt.Errorf("a storage is named by a tuple of an unknown form: %w", ErrFormat)
	}
	var dt *dtype
	switch class.module {
	case "torch", "torch.cuda", "torch.storage":
		dt = storageTypes[class.name]
	}
	if dt == nil {
		return nil, nil, fmt.Errorf("storage %.80q of the class %v: %w", key, class, ErrUnsupported)
	}
	if n < 0 || n > math.MaxInt64/16 {
		return nil, nil, fmt.Errorf("storage %.80q of %d elements: %w", key, n, ErrFormat)
	}
	s := &storage{key: key, dtype: dt, n: n}
	s.root = s
	return s, t[5:], nil
}

// rebuildTensor makes a view from the arguments of torch._utils._rebuild_tensor and its
// successors: storage, offset, shape, strides and, in the third version, after requires_grad and
// the hooks, the element type of an untyped storage.
func rebuildTensor(a tuple) (any, error) {
	bad := func(what string) (any, error) {
		return nil, fmt.Errorf("a tensor with %s: %w", what, ErrFormat)
	}
	if len(a) < 4 {
		return bad("too few arguments")
	}
	s, ok := a[0].(*storage)
	if !ok {
		return bad(aKind(a[0]) + " as storage")
	}
	v := &tensorView{storage: s, dtype: s.dtype}
	if len(a) >= 7 {
		if g, ok := a[6].(*global); ok && g.module == "torch" && torchTypes[g.name] != nil {
			v.dtype = torchTypes[g.name]
		} else {
			return bad(aKind(a[6]) + " as element type")
		}
	}
	limit := s.n
	if v.dtype != s.dtype {
		if s.dtype != untypedBytes {
			return bad(v.dtype.name + " elements in a storage of " + s.dtype.name)
		}
		limit = s.n / v.dtype.size
	}
	if v.offset, ok = a[1].(int64); !ok || v.offset < 0 {
		return bad("a bad offset")
	}
	shape, ok1 := a[2].(tuple)
	strides, ok2 := a[3].(tuple)
	if !ok1 || !ok2 || len(shape) != len(strides) || len(shape) > maxDims {
		return bad("a bad shape or strides")
	}
	for i := range shape {
		d, ok1 := shape[i].(int64)
		st, ok2 := strides[i].(int64)
		if !ok1 || !ok2 || d < 0 || st < 0 || d > math.MaxInt {
			return bad("a bad shape or strides")
		}
		v.shape = append(v.shape, int(d))
		v.strides = append(v.strides, st)
	}
	if v.n, ok = elements(v.shape, math.MaxInt64/16); !ok {
		return bad(fmt.Sprintf("the impossible shape %v", v.shape))
	}
	if v.n > 0 && !v.fits(limit) {
		return bad(fmt.Sprintf("shape %v, strides %v and offset %d in a storage of %d elements",
			v.shape, v.strides, v.offset, limit))
	}
	return v, nil
}

// fits reports whether the last element lies before limit.
func (v *tensorView) fits(limit int64) bool {
	last := v.offset
	if last >= limit {
		return false
	}
	for i, d := range v.shape {
		if d == 1 || v.strides[i] == 0 {
			continue
		}
		if int64(d-1) > limit/v.strides[i] {
			return false
		}
		// Both terms are at most limit, which is far below overflow.
		if last += int64(d-1) * v.strides[i]; last >= limit {
			return false
		}
	}
	return true
}

// dense reports whether the elements lie one after another.
func (v *tensorView) dense() bool {
	step := int64(1)
	for i := len(v.shape) - 1; i >= 0; i-- {
		if v.shape[i] == 1 {
			continue
		}
		if v.strides[i] != step {
			return false
		}
		step *= int64(v.shape[i])
	}
	return true
}

// read fills dst with the tensor in row-major order.
func (v *tensorView) read(s *source, dst []float32) error {
	if len(dst) == 0 {
		return nil
	}
	base := v.storage.root.off + (v.storage.first+v.offset)*v.dtype.size
	if v.dense() {
		return s.readDense(dst, v.dtype, base)
	}
	return v.gather(s, dst, base)
}

// axis is one dimension of a view: its length, and its strides in the file and in the result.
type axis struct{ n, from, to int64 }

// gather reads a view that is not dense. It walks the elements in the order of the file, whatever
// the order of the dimensions, so that a small window that moves forward is enough, and scatters
// them into dst.
func (v *tensorView) gather(s *source, dst []float32, base int64) error {
	axes := make([]axis, 0, len(v.shape))
	to := int64(1)
	var last int64
	for i := len(v.shape) - 1; i >= 0; i-- {
		n := int64(v.shape[i])
		if n > 1 {
			axes = append(axes, axis{n, v.strides[i], to})
			last += (n - 1) * v.strides[i]
		}
		to *= n
	}
	slices.SortStableFunc(axes, func(a, b axis) int { return int(min(max(b.from-a.from, -1), 1)) })

	size := v.dtype.size
	w := window{s: s, end: base + (last+1)*size}
	index := make([]int64, len(axes))
	var from, k int64
	inner := len(axes) - 1
	for {
		for range axes[inner].n {
			p, err := w.at(base+from*size, size)
			if err != nil {
				return err
			}
			if v.dtype.convert(dst[k:k+1], p) >= 0 {
				return notFinite(int(k))
			}
			from += axes[inner].from
			k += axes[inner].to
		}
		from -= axes[inner].n * axes[inner].from
		k -= axes[inner].n * axes[inner].to
		d := inner - 1
		for ; d >= 0; d-- {
			a := axes[d]
			from += a.from
			k += a.to
			if index[d]++; index[d] < a.n {
				break
			}
			index[d] = 0
			from -= a.n * a.from
			k -= a.n * a.to
		}
		if d < 0 {
			return nil
		}
	}
}

// window is a part of the file in memory. It grows while it moves on without jumps.
type window struct {
	s   *source
	off int64
	buf []byte
	end int64 // of what may be wanted
}

const smallWindow = 4096

// at returns the bytes of one element.
func (w *window) at(off, size int64) ([]byte, error) {
	if i := off - w.off; i >= 0 && i+size <= int64(len(w.buf)) {
		return w.buf[i:], nil
	}
	n := int64(smallWindow)
	if next := w.off + int64(len(w.buf)); off >= next && off-next < smallWindow && len(w.buf) > 0 {
		n = min(2*int64(len(w.buf)), chunkSize)
	}
	n = min(n, w.end-off)
	w.buf = w.s.chunk(n)[:n]
	w.off = off
	return w.buf, w.s.readFull(w.buf, off)
}
