package engine

import (
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/engine/xla"
)

// Make returns a float32 tensor on the backend whose elements fill has written, in row-major order.
// What data holds before is undefined. On the CPU backend data is the tensor's own memory, which is
// written once and copied nowhere; fill must not keep it.
func (e *Engine) Make(fill func(data []float32) error, dims ...int) (*tensors.Tensor, error) {
	shape := shapes.Make(dtypes.Float32, dims...)
	b, ok := e.backend.(*cpu.Backend)
	if !ok {
		data := make([]float32, shape.Size())
		if err := fill(data); err != nil {
			return nil, err
		}
		buffer, err := e.backend.BufferFromFlatData(0, data, shape)
		if err != nil {
			return nil, fmt.Errorf("engine: making a tensor of shape %s: %w", shape, xla.Explain(err))
		}
		return tensors.FromBuffer(e.backend, buffer)
	}
	buffer, data, err := b.NewBuffer(shape)
	if err != nil {
		return nil, fmt.Errorf("engine: making a tensor of shape %s: %w", shape, err)
	}
	if err := fill(data); err != nil {
		_ = b.BufferFinalize(buffer) // it exists
		return nil, err
	}
	return tensors.FromBuffer(b, buffer)
}

// Borrow returns a tensor on the backend whose elements are those of data, in row-major order, which
// must not change as long as the tensor lives. On the CPU backend nothing is copied; the memory stays
// the caller's.
func (e *Engine) Borrow(data []float32, dims ...int) (*tensors.Tensor, error) {
	shape := shapes.Make(dtypes.Float32, dims...)
	b, ok := e.backend.(*cpu.Backend)
	if !ok {
		return e.Make(func(to []float32) error {
			if len(data) != len(to) {
				return fmt.Errorf("engine: %d elements for a tensor of shape %s", len(data), shape)
			}
			copy(to, data)
			return nil
		}, dims...)
	}
	buffer, err := b.BufferOfHost(data, shape)
	if err != nil {
		return nil, fmt.Errorf("engine: borrowing memory: %w", err)
	}
	return tensors.FromBuffer(b, buffer)
}

// View calls f with the elements of a float32 tensor, which f must neither change nor keep. A tensor
// of the CPU backend is read where it lies. Unlike ConstFlatData, which leaves the tensor with a copy
// in the host's memory for as long as it lives, View leaves nothing behind.
func (e *Engine) View(t *tensors.Tensor, f func(data []float32) error) error {
	fail := func(err error) error {
		return fmt.Errorf("engine: reading a tensor of shape %s: %w", t.Shape(), xla.Explain(err))
	}
	if !t.Ok() || t.DType() != dtypes.Float32 {
		return fail(fmt.Errorf("want a live one of %s", dtypes.Float32))
	}
	if t.HasLocal() {
		var err error
		if readErr := t.ConstFlatData(func(flat any) { err = f(flat.([]float32)) }); readErr != nil {
			return fail(readErr)
		}
		return err
	}
	backend, err := t.Backend()
	if err != nil {
		return fail(err)
	}
	buffer, err := t.Buffer(backend, 0)
	if err != nil {
		return fail(err)
	}
	if b, ok := buffer.(*cpu.Buffer); ok {
		data, ok := b.Data().([]float32)
		if !ok {
			return fail(cpu.ErrFinalized)
		}
		return f(data)
	}
	data := make([]float32, t.Size())
	if err := backend.BufferToFlatData(buffer, data); err != nil {
		return fail(err)
	}
	return f(data)
}
