package sampler

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Parameter is a setting of a method.
type Parameter struct {
	Name  string
	Value any // int, float64, bool or string
}

// String is NAME=VALUE, as New reads it.
func (p Parameter) String() string {
	if f, ok := p.Value.(float64); ok && p.Name == "step-size" && f == AutoStep {
		return p.Name + "=" + autoWord
	} else if ok {
		return p.Name + "=" + strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(p.Name, "=", p.Value)
}

// autoWord stands for AutoStep.
const autoWord = "auto"

// Parameters lists the settings of a method, those that have a "set" tag.
func Parameters(s Sampler) []Parameter {
	var list []Parameter
	fields(reflect.ValueOf(s), func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Int:
			list = append(list, Parameter{name, int(v.Int())})
		case reflect.Float64:
			list = append(list, Parameter{name, v.Float()})
		case reflect.Bool:
			list = append(list, Parameter{name, v.Bool()})
		default:
			list = append(list, Parameter{name, v.String()})
		}
	})
	return list
}

// fields visits the tagged fields of a struct and of the structs in it.
func fields(v reflect.Value, visit func(name string, v reflect.Value)) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if name, ok := f.Tag.Lookup("set"); ok {
			visit(name, v.Field(i))
		} else if f.Anonymous {
			fields(v.Field(i), visit)
		}
	}
}

// assign returns a copy of a method with other values of some settings.
func assign(s Sampler, set map[string]string) (Sampler, error) {
	if len(set) == 0 {
		return s, nil
	}
	c := reflect.New(reflect.TypeOf(s)).Elem()
	c.Set(reflect.ValueOf(s))
	var known []string
	var failed error
	used := 0
	fields(c, func(name string, v reflect.Value) {
		known = append(known, name)
		text, ok := set[name]
		if !ok {
			return
		}
		used++
		if err := parse(v, text); err != nil && failed == nil {
			failed = fmt.Errorf("sampler: %w: %s of %s is %q, want %s", ErrSettings, name, s.Name(), text, kindNames[v.Kind()])
		}
	})
	if failed != nil {
		return nil, failed
	}
	if used < len(set) {
		for name := range set {
			if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+name+" ") {
				return nil, fmt.Errorf("sampler: %w: %s has no setting %q, it has %s", ErrSettings, s.Name(), name, strings.Join(known, ", "))
			}
		}
	}
	return c.Interface().(Sampler), nil
}

var kindNames = map[reflect.Kind]string{
	reflect.Int: "a whole number", reflect.Float64: "a number", reflect.Bool: "true or false", reflect.String: "a word",
}

// parse gives a field the value that a text stands for.
func parse(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		if text == autoWord {
			v.SetFloat(AutoStep)
			break
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		v.SetFloat(f)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return err
		}
		v.SetBool(b)
	default:
		v.SetString(text)
	}
	return nil
}
