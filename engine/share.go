package engine

import (
	"fmt"
	"weak"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
)

// standIns are the tensors that an engine has in the place of others. They last as long as those,
// so that a prior that is no longer used takes its weights along.
type standIns map[weak.Pointer[tensors.Tensor]]*tensors.Tensor

// Share lets the engine read tensors where they lie in the host's memory: the weights of a network,
// which it would otherwise copy. They must never change again. Engines may share the same tensors,
// and closing one does not touch them. A tensor that is nowhere in the host's memory, or a backend
// that cannot share it, is no error: the engine then uploads it as it does all inputs.
func (e *Engine) Share(ts ...*tensors.Tensor) error {
	b, ok := e.backend.(*cpu.Backend)
	if !ok {
		return nil
	}
	e.forget()
	for _, t := range ts {
		if _, ok := e.standIns[weak.Make(t)]; ok || !t.HasLocal() {
			continue
		}
		var buffer *cpu.Buffer
		var err error
		readErr := t.ConstFlatData(func(flat any) { buffer, err = b.BufferOfHost(flat, t.Shape()) })
		if readErr != nil {
			err = readErr
		}
		if err != nil {
			return fmt.Errorf("engine: sharing a tensor of shape %s: %w", t.Shape(), err)
		}
		s, err := tensors.FromBuffer(b, buffer)
		if err != nil {
			return fmt.Errorf("engine: sharing a tensor of shape %s: %w", t.Shape(), err)
		}
		e.standIns[weak.Make(t)] = s
	}
	return nil
}

// input returns the tensor itself, or what stands for it: the memory that the engine shares, or a
// copy if the tensor lives on another engine's backend. GoMLX ties a tensor to the first backend
// that uses it, and a prior's weights may serve several engines, one after the other or at once.
// Copies are kept, so that weights are copied once; a tensor that is on another engine must no
// longer change.
func (e *Engine) input(t *tensors.Tensor) (*tensors.Tensor, error) {
	if s, ok := e.standIns[weak.Make(t)]; ok {
		return s, nil
	}
	b, err := t.Backend()
	if err != nil || b == e.backend {
		return t, nil // on no backend yet, or on this one
	}
	c, err := t.LocalClone()
	if err != nil {
		return nil, fmt.Errorf("engine: copying a tensor of another engine: %w", err)
	}
	e.forget()
	e.standIns[weak.Make(t)] = c
	return c, nil
}

// forget drops what stands for tensors that nobody has any more.
func (e *Engine) forget() {
	for p := range e.standIns {
		if p.Value() == nil {
			delete(e.standIns, p)
		}
	}
}
