package operator

import (
	"fmt"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// Files are the pictures that a task refers to, read by the caller: see Task.MaskFile and
// Task.KernelFile.
type Files struct {
	Mask, Kernel *imageio.Image
}

// Build makes the operator of a task for images of height x width. Masks and kernels that are
// drawn come from the seed. warnings are one sentence each, for the user.
func Build(task Task, height, width int, seed uint64, files Files) (op Operator, warnings []string, err error) {
	p, err := task.plan()
	if err != nil {
		return nil, nil, err
	}
	switch task.Name {
	case TaskSuperResolution:
		op, err = built(NewSuperResolution(height, width, task.Scale))
	case TaskInpaint:
		keep, warning, maskErr := p.mask(height, width, seed, files)
		if maskErr != nil {
			return nil, nil, maskErr
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
		if task.InvertMask {
			for i, k := range keep {
				keep[i] = !k
			}
		}
		op, err = built(NewInpaint(p.name, height, width, keep))
	case TaskDeblur:
		kernel, kernelErr := p.kernel(seed, files)
		if kernelErr != nil {
			return nil, nil, kernelErr
		}
		op, err = built(NewBlur(p.name, height, width, kernel))
	case TaskDenoise:
		op, err = built(NewDenoise(height, width))
	case TaskColorize:
		op, err = built(NewColorize(height, width))
	case TaskPhase:
		op, err = built(NewPhaseRetrieval(height, width))
	case TaskHDR:
		op, err = built(NewHighDynamicRange(height, width))
	}
	return op, warnings, err
}

// built keeps a nil pointer from becoming an operator that is not nil.
func built[O Operator](op O, err error) (Operator, error) {
	if err != nil {
		return nil, err
	}
	return op, nil
}

func (p plan) mask(height, width int, seed uint64, files Files) (keep []bool, warning string, err error) {
	switch p.kind {
	case randomMask:
		keep, err = RandomMask(height, width, p.numbers[0], seed)
	case boxMask:
		keep, err = BoxMask(height, width, int(p.numbers[0]), seed)
	default:
		if files.Mask == nil {
			return nil, "", fmt.Errorf("operator: no picture given for the mask: %w", ErrMask)
		}
		keep, warning, err = MaskFromImage(files.Mask, height, width)
	}
	return keep, warning, err
}

func (p plan) kernel(seed uint64, files Files) (*Kernel, error) {
	switch p.kind {
	case gaussian:
		return GaussianKernel(p.numbers[0])
	case motionLine:
		return MotionKernel(p.numbers[0], p.numbers[1])
	case randomMotion:
		return RandomMotionKernel(p.numbers[0], seed)
	}
	if files.Kernel == nil {
		return nil, fmt.Errorf("operator: no picture given for the kernel: %w", ErrKernel)
	}
	return KernelFromImage(files.Kernel)
}
