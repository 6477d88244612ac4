package engine

import (
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// own returns the tensor itself, or a copy of it if it lives on another engine's backend: GoMLX
// ties a tensor to the first backend that uses it, and a prior's weights may serve several
// engines, one after the other or at once. Copies are kept until the engine closes, so that
// weights are copied once; a tensor that is on another engine must no longer change.
func (e *Engine) own(t *tensors.Tensor) (*tensors.Tensor, error) {
	b, err := t.Backend()
	if err != nil || b == e.backend {
		return t, nil // on no backend yet, or on this one
	}
	if c, ok := e.copies[t]; ok {
		return c, nil
	}
	c, err := t.LocalClone()
	if err != nil {
		return nil, fmt.Errorf("engine: copying a tensor of another engine: %w", err)
	}
	if e.copies == nil {
		e.copies = map[*tensors.Tensor]*tensors.Tensor{}
	}
	e.copies[t] = c
	return c, nil
}
