package cpu

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// ErrFinalized is wrapped by the errors about a buffer that was finalized or donated.
var ErrFinalized = errors.New("buffer was finalized or donated")

// Buffer is a tensor on the backend, in row-major order. Once an execution or
// BufferFromFlatData has returned it, its data never changes.
type Buffer struct {
	shape shapes.Shape
	flat  any  // []T of the shape's data type; nil once finalized
	owned bool // nobody else holds the data, so that its memory may be used again

	packed map[packedForm]*kernel.Packed // forms of the data that executions have made and kept
}

// newBuffer allocates a buffer of zeros.
func newBuffer(shape shapes.Shape) (*Buffer, error) {
	flat := makeFlat(shape.DType, shape.Size())
	if flat == nil {
		return nil, fmt.Errorf("cpu: data type %s is not supported", shape.DType)
	}
	return &Buffer{shape: shape, flat: flat}, nil
}

// flatOf is the buffer's data as a typed slice; T must be the type of the shape's DType.
func flatOf[T any](b *Buffer) []T { return b.flat.([]T) }

// checkBuffer returns the live buffer behind an opaque one.
func checkBuffer(buffer backends.Buffer) (*Buffer, error) {
	buf, ok := buffer.(*Buffer)
	if !ok || buf == nil {
		return nil, fmt.Errorf("cpu: a buffer of type %T does not belong to this backend", buffer)
	}
	if buf.flat == nil {
		return nil, fmt.Errorf("cpu: %w (shape %s)", ErrFinalized, buf.shape)
	}
	return buf, nil
}

func checkDevice(d backends.DeviceNum) error {
	if d != 0 {
		return fmt.Errorf("cpu: device %d does not exist: the backend has device 0 only", d)
	}
	return nil
}

// allocate makes a buffer with any content, in the memory of an earlier one if there is one.
func (b *Backend) allocate(shape shapes.Shape) (*Buffer, error) {
	if flat := b.recycled.take(shape); flat != nil {
		return &Buffer{shape: shape, flat: flat, owned: true}, nil
	}
	buf, err := newBuffer(shape)
	if err == nil {
		buf.owned = true
	}
	return buf, err
}

// BufferFinalize drops the buffer's data and what was made of it. It waits for an execution in
// progress, which may be reading it: later ones may use the memory again.
func (b *Backend) BufferFinalize(buffer backends.Buffer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	buf, err := checkBuffer(buffer)
	if err != nil {
		return err
	}
	b.drop(buf)
	return nil
}

// drop lets a buffer's data go, and the packed forms with it.
func (b *Backend) drop(buf *Buffer) {
	if buf.owned && !b.finalized {
		b.recycled.give(buf.flat)
	}
	buf.flat, buf.packed, buf.owned = nil, nil, false
}

// Held is the memory that Trim would let go of, in bytes.
func (b *Backend) Held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.recycled.size() + len(b.arena) + b.strips.Bytes() + 8*len(b.sums)
}

// Trim lets go of the memory that the backend keeps for executions to come, of what it can make again.
// It waits for an execution in progress.
func (b *Backend) Trim() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drain()
}

// drain is Trim; b.mu is held.
func (b *Backend) drain() {
	b.recycled.clear()
	b.arena, b.strips, b.sums = nil, kernel.ScratchMemory{}, nil
	b.arenaBytes = 0 // the next one is for what runs from now on, as memory that was in use before is cleared, and so touched
}

// BufferShape returns the shape of a buffer that was not finalized.
func (b *Backend) BufferShape(buffer backends.Buffer) (shapes.Shape, error) {
	buf, err := checkBuffer(buffer)
	if err != nil {
		return shapes.Invalid(), err
	}
	return buf.shape, nil
}

// BufferDeviceNum is always 0.
func (b *Backend) BufferDeviceNum(buffer backends.Buffer) (backends.DeviceNum, error) {
	_, err := checkBuffer(buffer)
	return 0, err
}

// BufferToFlatData copies the buffer's elements to flat, a slice of the right type and length.
func (b *Backend) BufferToFlatData(buffer backends.Buffer, flat any) error {
	buf, err := checkBuffer(buffer)
	if err != nil {
		return err
	}
	if err := checkFlat(flat, buf.shape); err != nil {
		return err
	}
	copyFlat(flat, buf.flat)
	return nil
}

// BufferFromFlatData makes a buffer with a copy of the elements in flat.
func (b *Backend) BufferFromFlatData(d backends.DeviceNum, flat any, shape shapes.Shape) (backends.Buffer, error) {
	if err := checkDevice(d); err != nil {
		return nil, err
	}
	if err := checkFlat(flat, shape); err != nil {
		return nil, err
	}
	buf, err := b.allocate(shape.Clone())
	if err != nil {
		return nil, err
	}
	copyFlat(buf.flat, flat)
	return buf, nil
}

// BufferOfHost makes a buffer of the elements in flat themselves, which must never change again: it
// takes no memory of its own, where BufferFromFlatData copies.
func (b *Backend) BufferOfHost(flat any, shape shapes.Shape) (*Buffer, error) {
	if err := checkFlat(flat, shape); err != nil {
		return nil, err
	}
	return &Buffer{shape: shape.Clone(), flat: flat}, nil
}

// NewBuffer makes a buffer of float32 numbers that the caller writes, to data, before it is first used.
// What data holds until then is undefined.
func (b *Backend) NewBuffer(shape shapes.Shape) (buffer *Buffer, data []float32, err error) {
	if !isFloat32(shape) {
		return nil, nil, fmt.Errorf("cpu: NewBuffer: the shape is %s, want float32", shape)
	}
	if buffer, err = b.allocate(shape.Clone()); err != nil {
		return nil, nil, err
	}
	return buffer, flatOf[float32](buffer), nil
}

// Data is the buffer's data, a slice of its shape's type that must not be changed; nil once it is
// finalized.
func (b *Buffer) Data() any { return b.flat }

// checkFlat tells whether flat is a slice of the shape's elements.
func checkFlat(flat any, shape shapes.Shape) error {
	t := reflect.TypeOf(flat)
	if t == nil || t.Kind() != reflect.Slice {
		return fmt.Errorf("cpu: data of type %T is not a slice of numbers", flat)
	}
	if d := dtypes.FromGoType(t.Elem()); d != shape.DType {
		return fmt.Errorf("cpu: data of type %T does not fit the shape %s", flat, shape)
	}
	if n := reflect.ValueOf(flat).Len(); n != shape.Size() {
		return fmt.Errorf("cpu: %d elements do not fit the shape %s of %d", n, shape, shape.Size())
	}
	return nil
}

// HasSharedBuffers is false: a buffer's data is immutable, so that what is derived from it, such
// as packed weights, can be kept.
func (b *Backend) HasSharedBuffers() bool { return false }

// NewSharedBuffer always fails; see HasSharedBuffers.
func (b *Backend) NewSharedBuffer(backends.DeviceNum, shapes.Shape) (backends.Buffer, any, error) {
	return nil, nil, errors.New("cpu: shared buffers are not supported")
}

// BufferData always fails; see HasSharedBuffers.
func (b *Backend) BufferData(backends.Buffer) (any, error) {
	return nil, errors.New("cpu: shared buffers are not supported")
}

// BufferCopyToDevice always fails: there is only one device.
func (b *Backend) BufferCopyToDevice(_ backends.Buffer, d backends.DeviceNum) (backends.Buffer, error) {
	if err := checkDevice(d); err != nil {
		return nil, err
	}
	return nil, errors.New("cpu: the buffer is already on device 0, the only one")
}
