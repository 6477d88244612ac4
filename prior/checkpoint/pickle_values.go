package checkpoint

import (
	"fmt"
	"math/big"
	"strings"
)

// Pickled values are nil, bool, int64, *big.Int, float64, string, []byte and these.
type (
	tuple []any
	list  struct{ items []any }
	// dict keeps its items in the order of the file; a key may appear more than once.
	dict struct{ items []item }
	item struct{ key, value any }
	// global is a Python class or function by name. It stands for the name and nothing else.
	global struct{ module, name string }
	// opaque is an object of a class, or the result of a function, that this package does not
	// know. Nothing was called and nothing of its state is kept.
	opaque struct{ global }
)

func (g global) String() string { return fmt.Sprintf("%.80s.%.80s", g.module, g.name) }

// stepObject handles the opcodes that name, construct and fill objects.
func (u *unpickler) stepObject(op byte) error {
	switch op {
	case opGlobal:
		module, err := u.line()
		if err != nil {
			return err
		}
		name, err := u.line()
		return u.pushOr(&global{module, name}, err)
	case opStackGlobal:
		second, err := u.pop()
		if err != nil {
			return err
		}
		first, err := u.pop()
		if err != nil {
			return err
		}
		module, ok1 := first.(string)
		name, ok2 := second.(string)
		if !ok1 || !ok2 {
			return fmt.Errorf("a class without a name in the pickle: %w", ErrFormat)
		}
		return u.push(&global{module, name})
	case opBuild:
		// The state of a dict subclass (the _metadata of a module's state) or of an opaque value.
		if _, err := u.pop(); err != nil {
			return err
		}
		_, err := u.top()
		return err
	}
	if op == opNewObjEx {
		if _, err := u.pop(); err != nil { // keyword arguments
			return err
		}
	}
	args, err := u.pop()
	if err != nil {
		return err
	}
	callee, err := u.pop()
	if err != nil {
		return err
	}
	v, err := construct(callee, args)
	if err != nil {
		return err
	}
	cost := int64(64)
	switch v := v.(type) {
	case *dict:
		cost += 64 * int64(len(v.items))
	case *tensorView:
		cost += 128 + 16*int64(len(v.shape))
	}
	if err := u.spend(cost); err != nil {
		return err
	}
	return u.push(v)
}

// construct stands in for calling callee with args: it knows how the objects that make up a state
// dictionary are put together, and turns everything else into an opaque value.
func construct(callee, args any) (any, error) {
	g, ok := callee.(*global)
	if !ok {
		if o, ok := callee.(*opaque); ok {
			return o, nil
		}
		return nil, fmt.Errorf("the pickle constructs an object from %s: %w", aKind(callee), ErrFormat)
	}
	a, ok := args.(tuple)
	if !ok {
		return nil, fmt.Errorf("%v with %s as arguments: %w", g, aKind(args), ErrFormat)
	}
	switch *g {
	case global{"collections", "OrderedDict"}:
		return newDict(a)
	case global{"collections", "defaultdict"}, global{"builtins", "dict"}, global{"__builtin__", "dict"}:
		return new(dict), nil
	case global{"torch", "Size"}:
		if len(a) == 1 {
			return a[0], nil
		}
	case global{"torch._utils", "_rebuild_tensor"}, global{"torch._utils", "_rebuild_tensor_v2"},
		global{"torch._utils", "_rebuild_tensor_v3"}:
		return rebuildTensor(a)
	case global{"torch._utils", "_rebuild_parameter"}, global{"torch._utils", "_rebuild_parameter_with_state"}:
		if len(a) > 0 {
			return a[0], nil
		}
	case global{"torch._tensor", "_rebuild_from_type_v2"}:
		// A tensor with attributes, or of a subclass: (rebuild function, class, its arguments, state).
		if len(a) == 4 {
			if f, ok := a[0].(*global); ok && f.module == "torch._utils" {
				return construct(f, a[2])
			}
		}
	}
	return &opaque{*g}, nil
}

// newDict makes an OrderedDict, which old pickles build from a list of pairs.
func newDict(args tuple) (any, error) {
	d := new(dict)
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*list)
	if !ok {
		return nil, fmt.Errorf("an OrderedDict of %s: %w", aKind(args[0]), ErrFormat)
	}
	for _, p := range pairs.items {
		var pair []any
		switch p := p.(type) {
		case tuple:
			pair = p
		case *list:
			pair = p.items
		}
		if len(pair) != 2 {
			return nil, fmt.Errorf("an OrderedDict of something other than pairs: %w", ErrFormat)
		}
		d.items = append(d.items, item{pair[0], pair[1]})
	}
	return d, nil
}

// stepContainer handles the opcodes that make and fill tuples, lists, dicts and sets.
func (u *unpickler) stepContainer(op byte) error {
	switch op {
	case opEmptyList:
		return u.pushNew(new(list))
	case opEmptyDict:
		return u.pushNew(new(dict))
	case opEmptySet:
		return u.pushNew(&opaque{global{"builtins", "set"}})
	case opEmptyTuple:
		return u.push(tuple(nil))
	case opTuple1, opTuple2, opTuple3:
		n := int(op-opTuple1) + 1
		if len(u.stack)-u.floor() < n {
			return fmt.Errorf("a tuple of %d values that the pickle has not made: %w", n, ErrFormat)
		}
		at := len(u.stack) - n
		values := u.stack[at:]
		u.stack = u.stack[:at]
		return u.pushTuple(values)
	case opAppend:
		v, err := u.pop()
		if err != nil {
			return err
		}
		return u.appendTo([]any{v})
	case opSetItem:
		v, err := u.pop()
		if err != nil {
			return err
		}
		k, err := u.pop()
		if err != nil {
			return err
		}
		return u.setItems([]any{k, v})
	}
	values, err := u.popMark()
	if err != nil {
		return err
	}
	switch op {
	case opTuple:
		return u.pushTuple(values)
	case opFrozenSet:
		return u.pushNew(&opaque{global{"builtins", "frozenset"}})
	case opSetItems:
		return u.setItems(values)
	}
	return u.appendTo(values)
}

func (u *unpickler) pushNew(v any) error {
	if err := u.spend(64); err != nil {
		return err
	}
	return u.push(v)
}

func (u *unpickler) pushTuple(values []any) error {
	if err := u.spend(32 + 16*int64(len(values))); err != nil {
		return err
	}
	return u.push(append(tuple(nil), values...))
}

// appendTo adds values to the list on top of the stack.
func (u *unpickler) appendTo(values []any) error {
	target, err := u.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *list:
		t.items = append(t.items, values...)
		return u.spend(32 * int64(len(values)))
	case *opaque:
		return nil
	}
	return fmt.Errorf("the pickle appends to %s: %w", aKind(target), ErrFormat)
}

// setItems adds alternating keys and values to the dict on top of the stack.
func (u *unpickler) setItems(values []any) error {
	target, err := u.top()
	if err != nil {
		return err
	}
	if len(values)%2 != 0 {
		return fmt.Errorf("a key without a value in the pickle: %w", ErrFormat)
	}
	switch t := target.(type) {
	case *dict:
		for i := 0; i < len(values); i += 2 {
			t.items = append(t.items, item{values[i], values[i+1]})
		}
		return u.spend(32 * int64(len(values)))
	case *opaque:
		return nil
	}
	return fmt.Errorf("the pickle sets an item of %s: %w", aKind(target), ErrFormat)
}

// aKind is kind with its article.
func aKind(v any) string {
	k := kind(v)
	switch {
	case v == nil:
		return k
	case strings.ContainsRune("aeiou", rune(k[0])):
		return "an " + k
	}
	return "a " + k
}

// kind names the type of a pickled value for messages.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []byte:
		return "bytes"
	case tuple:
		return "tuple"
	case *list:
		return "list"
	case *dict:
		return "dict"
	case *storage:
		return "storage"
	case *tensorView:
		return v.dtype.name + " tensor"
	case *opaque:
		return v.String() + " object"
	case *global:
		return "reference to " + v.String()
	}
	return fmt.Sprintf("%T", v)
}
