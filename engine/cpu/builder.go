package cpu

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/notimplemented"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// Builder implements [backends.Builder]: it records the operations of one computation. It must
// be used by one goroutine at a time.
type Builder struct {
	notimplemented.Builder

	backend  *Backend
	name     string
	compiled bool

	nodes      []*node // in topological order
	parameters []*node
}

var _ backends.Builder = (*Builder)(nil)

type parameterAttr struct {
	name  string
	index int // position among the parameters
}

type constantAttr struct {
	flat any // []T of the node's data type
}

// Name of the computation.
func (bd *Builder) Name() string { return bd.name }

// OpShape returns the shape of a node's result.
func (bd *Builder) OpShape(op backends.Op) (shapes.Shape, error) {
	in, err := bd.check("OpShape", op)
	if err != nil {
		return shapes.Invalid(), err
	}
	return in[0].shape, nil
}

// check returns the nodes behind operands, which must come from this builder.
func (bd *Builder) check(what string, ops ...backends.Op) ([]*node, error) {
	if bd.compiled {
		return nil, fmt.Errorf("cpu: %s: the computation %q is already compiled", what, bd.name)
	}
	nodes := make([]*node, len(ops))
	for i, op := range ops {
		n, ok := op.(*node)
		if !ok || n == nil {
			return nil, fmt.Errorf("cpu: %s: operand %d of type %T does not belong to this backend", what, i, op)
		}
		if n.builder != bd {
			return nil, fmt.Errorf("cpu: %s: operand %d belongs to another computation, %q", what, i, n.builder.name)
		}
		if n.results != nil {
			return nil, fmt.Errorf("cpu: %s: operand %d stands for the several results of %s", what, i, n.op)
		}
		nodes[i] = n
	}
	return nodes, nil
}

// add appends a node.
func (bd *Builder) add(op backends.OpType, shape shapes.Shape, attr any, inputs ...*node) *node {
	n := &node{builder: bd, id: len(bd.nodes), op: op, shape: shape, attr: attr, inputs: inputs}
	bd.nodes = append(bd.nodes, n)
	return n
}

// addMulti appends a node with several results and the nodes that stand for them.
func (bd *Builder) addMulti(op backends.OpType, results []shapes.Shape, attr any, inputs ...*node) *node {
	n := bd.add(op, shapes.Invalid(), attr, inputs...)
	for i, s := range results {
		r := bd.add(backends.OpTypeInvalid, s, nil)
		r.from, r.index = n, i
		n.results = append(n.results, r)
	}
	return n
}

// Parameter adds an input of the computation.
func (bd *Builder) Parameter(name string, shape shapes.Shape, sharding *backends.ShardingSpec) (backends.Op, error) {
	if _, err := bd.check("Parameter"); err != nil {
		return nil, err
	}
	if sharding != nil {
		return nil, fmt.Errorf("cpu: parameter %q: sharding is not supported", name)
	}
	if err := checkShape("Parameter", shape); err != nil {
		return nil, err
	}
	n := bd.add(backends.OpTypeParameter, shape.Clone(), &parameterAttr{name: name, index: len(bd.parameters)})
	bd.parameters = append(bd.parameters, n)
	return n, nil
}

// Constant adds a constant with a copy of the values in flat.
func (bd *Builder) Constant(flat any, dims ...int) (backends.Op, error) {
	if _, err := bd.check("Constant"); err != nil {
		return nil, err
	}
	t := reflect.TypeOf(flat)
	if t == nil || t.Kind() != reflect.Slice {
		return nil, fmt.Errorf("cpu: Constant: data of type %T is not a slice of numbers", flat)
	}
	shape := shapes.Shape{DType: dtypes.FromGoType(t.Elem()), Dimensions: append([]int(nil), dims...)}
	if err := checkShape("Constant", shape); err != nil {
		return nil, err
	}
	if err := checkFlat(flat, shape); err != nil {
		return nil, fmt.Errorf("cpu: Constant: %w", err)
	}
	c := makeFlat(shape.DType, shape.Size())
	copyFlat(c, flat)
	return bd.add(backends.OpTypeConstant, shape, &constantAttr{flat: c}), nil
}

// Identity adds a node whose result is its operand.
func (bd *Builder) Identity(x backends.Op) (backends.Op, error) {
	in, err := bd.check("Identity", x)
	if err != nil {
		return nil, err
	}
	return bd.add(backends.OpTypeIdentity, in[0].shape, nil, in...), nil
}

// DistributedSPMD always fails: there is one device.
func (bd *Builder) DistributedSPMD(n int) error {
	return fmt.Errorf("cpu: distribution over %d devices is not supported", n)
}

// DistributedAutoSharding always fails: there is one device.
func (bd *Builder) DistributedAutoSharding(...backends.Mesh) error {
	return errors.New("cpu: automatic sharding is not supported")
}

// DeviceAssignment accepts device 0 only.
func (bd *Builder) DeviceAssignment(devices ...backends.DeviceNum) error {
	if len(devices) != 1 {
		return fmt.Errorf("cpu: an assignment to %d devices is not supported", len(devices))
	}
	return checkDevice(devices[0])
}

// Compile ends the computation with its outputs.
func (bd *Builder) Compile(outputs []backends.Op, shardings []*backends.ShardingSpec) (backends.Executable, error) {
	for _, s := range shardings {
		if s != nil {
			return nil, errors.New("cpu: Compile: sharding is not supported")
		}
	}
	nodes, err := bd.check("Compile", outputs...)
	if err != nil {
		return nil, err
	}
	bd.compiled = true
	e, err := newExecutable(bd, nodes)
	if err != nil {
		return nil, fmt.Errorf("%w (to run %q)", err, bd.name)
	}
	return e, nil
}
