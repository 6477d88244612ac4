//go:build cgo && linux && (amd64 || arm64)

package pjrttest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// statement is an operation of a program in the generic form of StableHLO.
type statement struct {
	outputs  []string // names of values, with %
	op       string   // without stablehlo.
	operands []string
	inner    string // the operation within a region, of a reduction
	attrs    string
	types    []shapes.Shape // of the outputs
}

// scanner takes a text apart.
type scanner struct{ rest string }

// take removes what a text begins with.
func (s *scanner) take(what string) bool {
	s.rest = strings.TrimLeft(s.rest, " \t\n")
	rest, ok := strings.CutPrefix(s.rest, what)
	if ok {
		s.rest = rest
	}
	return ok
}

// until removes and returns what stands before a text, which is removed too.
func (s *scanner) until(what string) string {
	before, after, _ := strings.Cut(s.rest, what)
	s.rest = after
	return before
}

// balanced removes and returns what stands before the closing partner of a bracket that was removed.
func (s *scanner) balanced(open, close byte) string {
	depth := 1
	for i := range len(s.rest) {
		switch s.rest[i] {
		case open:
			depth++
		case close:
			if depth--; depth == 0 {
				inside := s.rest[:i]
				s.rest = s.rest[i+1:]
				return inside
			}
		}
	}
	inside := s.rest
	s.rest = ""
	return inside
}

// names finds the names of values.
var names = regexp.MustCompile(`%[A-Za-z0-9_]+`)

// parse reads a module with one function: its parameters, and its statements up to the return.
func parse(text string) (parameters []statement, body []statement, err error) {
	s := &scanner{text}
	s.until("func.func @main(")
	header := &scanner{s.balanced('(', ')')}
	for header.take("%") {
		name := "%" + header.until(":")
		header.take("tensor<")
		shape, err := parseType(header.until(">"))
		if err != nil {
			return nil, nil, err
		}
		parameters = append(parameters, statement{outputs: []string{name}, types: []shapes.Shape{shape}})
		if header.take("{") {
			header.balanced('{', '}')
		}
		header.take(",")
	}
	s.until("{\n")
	for {
		var t statement
		if s.take("%") {
			t.outputs = names.FindAllString("%"+s.until("="), -1)
		}
		if !s.take(`"stablehlo.`) {
			return nil, nil, fmt.Errorf("no statement: %.80q", s.rest)
		}
		t.op = s.until(`"`)
		s.take("(")
		t.operands = names.FindAllString(s.balanced('(', ')'), -1)
		if s.take("({") {
			region := s.balanced('{', '}')
			s.take(")")
			inner := &scanner{region}
			inner.until(`"stablehlo.`)
			t.inner = inner.until(`"`)
		}
		if s.take("{") {
			t.attrs = s.balanced('{', '}')
		}
		if !s.take(": (") {
			return nil, nil, fmt.Errorf("%s has no type: %.80q", t.op, s.rest)
		}
		s.balanced('(', ')')
		s.take("->")
		types := &scanner{s.until("\n")}
		for types.until("tensor<"); types.rest != ""; types.until("tensor<") {
			shape, err := parseType(types.until(">"))
			if err != nil {
				return nil, nil, err
			}
			t.types = append(t.types, shape)
		}
		body = append(body, t)
		if t.op == "return" {
			return parameters, body, nil
		}
	}
}

// elementTypes are the element types by their names in StableHLO.
var elementTypes = map[string]dtypes.DType{
	"f32": dtypes.Float32, "f64": dtypes.Float64, "bf16": dtypes.BFloat16, "i1": dtypes.Bool, "i32": dtypes.Int32, "i64": dtypes.Int64,
	"ui8": dtypes.Uint8, "complex<f32": dtypes.Complex64,
}

// parseType reads what stands between the brackets of tensor<1x2xf32>.
func parseType(s string) (shapes.Shape, error) {
	parts := strings.Split(s, "x")
	if i := strings.Index(s, "complex<"); i >= 0 {
		parts = append(strings.Split(strings.TrimSuffix(s[:i], "x"), "x"), s[i:])
	}
	element, ok := elementTypes[parts[len(parts)-1]]
	if !ok {
		return shapes.Shape{}, fmt.Errorf("unknown type %q", s)
	}
	var dims []int
	for _, p := range parts[:len(parts)-1] {
		if p == "" {
			continue
		}
		d, err := strconv.Atoi(p)
		if err != nil {
			return shapes.Shape{}, fmt.Errorf("unknown type %q: %w", s, err)
		}
		dims = append(dims, d)
	}
	return shapes.Make(element, dims...), nil
}

// attribute returns the value of an attribute, "" if there is none.
func (t *statement) attribute(name string) string {
	at := 0
	for {
		i := strings.Index(t.attrs[at:], name+" = ")
		if i < 0 {
			return ""
		}
		if i += at; i == 0 || strings.ContainsRune(" \n,<", rune(t.attrs[i-1])) {
			s := &scanner{t.attrs[i+len(name)+3:]}
			for _, open := range []string{"array<i64", "dense<", "#stablehlo.conv<", "["} {
				if s.take(open) {
					if open == "[" {
						return s.balanced('[', ']')
					}
					if open == "#stablehlo.conv<" {
						return s.until("]>")
					}
					return s.balanced('<', '>')
				}
			}
			line, _, _ := strings.Cut(s.rest, "\n")
			return strings.TrimRight(line, ", ")
		}
		at = i + 1
	}
}

// integers finds whole numbers.
var integers = regexp.MustCompile(`-?\d+`)

// ints returns the whole numbers of an attribute.
func (t *statement) ints(name string) []int {
	var list []int
	value, _, _ := strings.Cut(t.attribute(name), " : i")
	for _, word := range integers.FindAllString(value, -1) {
		n, _ := strconv.Atoi(word)
		list = append(list, n)
	}
	return list
}
