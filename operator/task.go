package operator

import (
	"fmt"
	"strconv"
	"strings"
)

// Names of the tasks.
const (
	TaskSuperResolution = "sr"
	TaskInpaint         = "inpaint"
	TaskDeblur          = "deblur"
	TaskDenoise         = "denoise"
	TaskColorize        = "colorize"
	TaskPhase           = "phase"
	TaskHDR             = "hdr"
)

// TaskNames lists the tasks.
func TaskNames() []string {
	return []string{TaskSuperResolution, TaskInpaint, TaskDeblur, TaskDenoise, TaskColorize, TaskPhase, TaskHDR}
}

// Task says which operator is meant, in the words of the command line.
type Task struct {
	// Name is one of TaskNames.
	Name string
	// Scale is the factor of super-resolution, 2 to MaxScale.
	Scale int
	// Mask, for inpainting, is "random:FRACTION" (the fraction of pixels dropped), "box:SIZE" (the
	// side in pixels) or a picture's path.
	Mask string
	// InvertMask makes a mask keep what it would have dropped.
	InvertMask bool
	// Kernel, for deblurring, is "gaussian:STD", "motion:LENGTH:ANGLE",
	// "motion:random:INTENSITY" or a picture's path.
	Kernel string
}

// Validate says what is unknown, missing, out of range or of no use to the task, as an
// ErrTask. It opens no file.
func (t Task) Validate() error {
	_, err := t.plan()
	return err
}

// OperatorName is the canonical name that Build gives to the task's operator.
func (t Task) OperatorName() (string, error) {
	p, err := t.plan()
	if err != nil {
		return "", err
	}
	return p.name, nil
}

// MaskFile is the path of the picture that Build needs as Files.Mask, if it needs one.
func (t Task) MaskFile() (path string, needed bool) {
	p, err := t.plan()
	return t.Mask, err == nil && t.Name == TaskInpaint && p.kind == fromFile
}

// KernelFile is the path of the picture that Build needs as Files.Kernel, if it needs one.
func (t Task) KernelFile() (path string, needed bool) {
	p, err := t.plan()
	return t.Kernel, err == nil && t.Name == TaskDeblur && p.kind == fromFile
}

// Drawn says whether the operator depends on the seed.
func (t Task) Drawn() bool {
	p, err := t.plan()
	return err == nil && (p.kind == randomMask || p.kind == boxMask || p.kind == randomMotion)
}

// kind is how a mask or kernel is made.
type kind int

const (
	noKind kind = iota
	fromFile
	randomMask   // numbers: fraction
	boxMask      // numbers: side
	gaussian     // numbers: std
	motionLine   // numbers: length, angle
	randomMotion // numbers: intensity
)

// plan is a task that has been understood.
type plan struct {
	kind    kind
	numbers []float64
	name    string // the operator's canonical name
}

func (t Task) plan() (plan, error) {
	fail := func(format string, args ...any) (plan, error) {
		return plan{}, fmt.Errorf("operator: "+format+": %w", append(args, ErrTask)...)
	}
	if t.Name != TaskSuperResolution && t.Scale != 0 {
		return fail("task %q takes no scale", t.Name)
	}
	if t.Name != TaskInpaint && (t.Mask != "" || t.InvertMask) {
		return fail("task %q takes no mask", t.Name)
	}
	if t.Name != TaskDeblur && t.Kernel != "" {
		return fail("task %q takes no kernel", t.Name)
	}
	switch t.Name {
	case TaskSuperResolution:
		return plan{name: fmt.Sprintf("sr:%d", t.Scale)}, checkScale(t.Scale)
	case TaskInpaint:
		if t.Mask == "" {
			return fail("task %q needs a mask: a file, random:FRACTION or box:SIZE", t.Name)
		}
		p, err := maskPlan(t.Mask)
		if t.InvertMask {
			p.name += ":inverted"
		}
		return p, err
	case TaskDeblur:
		if t.Kernel == "" {
			return fail("task %q needs a kernel: a file, gaussian:STD, motion:LENGTH:ANGLE or motion:random:INTENSITY", t.Name)
		}
		return kernelPlan(t.Kernel)
	case TaskDenoise, TaskColorize, TaskPhase, TaskHDR:
		return plan{name: t.Name}, nil
	case "":
		return fail("no task given (one of %s)", strings.Join(TaskNames(), ", "))
	}
	return fail("unknown task %q (one of %s)", t.Name, strings.Join(TaskNames(), ", "))
}

func maskPlan(spec string) (plan, error) {
	what, rest, colon := strings.Cut(spec, ":")
	if !colon {
		return plan{fromFile, nil, "inpaint:mask"}, nil
	}
	switch what {
	case "random":
		fraction, err := parseNumber("mask", spec, rest)
		if err != nil {
			return plan{}, err
		}
		return plan{randomMask, []float64{fraction}, "inpaint:random:" + formatNumber(fraction)}, checkFraction(fraction)
	case "box":
		side, err := strconv.Atoi(rest)
		if err != nil || side < 1 {
			return plan{}, fmt.Errorf("operator: mask %q: %w: the side must be a whole number of pixels, at least 1", spec, ErrTask)
		}
		return plan{boxMask, []float64{float64(side)}, fmt.Sprintf("inpaint:box:%d", side)}, nil
	}
	return plan{fromFile, nil, "inpaint:mask"}, nil
}

func kernelPlan(spec string) (plan, error) {
	what, rest, colon := strings.Cut(spec, ":")
	if !colon {
		return plan{fromFile, nil, "deblur:kernel"}, nil
	}
	var p plan
	var words []string
	switch first, second, two := strings.Cut(rest, ":"); {
	case what == "gaussian":
		p, words = plan{kind: gaussian, name: "deblur:gaussian"}, []string{rest}
	case what == "motion" && first == "random":
		p, words = plan{kind: randomMotion, name: "deblur:motion:random"}, []string{second}
	case what == "motion" && two:
		p, words = plan{kind: motionLine, name: "deblur:motion"}, []string{first, second}
	case what == "motion":
		return plan{}, fmt.Errorf("operator: kernel %q: %w: write motion:LENGTH:ANGLE or motion:random:INTENSITY", spec, ErrTask)
	default:
		return plan{fromFile, nil, "deblur:kernel"}, nil
	}
	for _, word := range words {
		v, err := parseNumber("kernel", spec, word)
		if err != nil {
			return plan{}, err
		}
		p.numbers = append(p.numbers, v)
		p.name += ":" + formatNumber(v)
	}
	var err error
	switch p.kind {
	case gaussian:
		err = checkStd(p.numbers[0])
	case motionLine:
		err = checkMotion(p.numbers[0], p.numbers[1])
	case randomMotion:
		err = checkIntensity(p.numbers[0])
	}
	return p, err
}

func parseNumber(what, spec, word string) (float64, error) {
	v, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return 0, fmt.Errorf("operator: %s %q: %w: %q is not a number", what, spec, ErrTask, word)
	}
	return v, nil
}

// formatNumber is the shortest decimal that reads back as the same number.
func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
