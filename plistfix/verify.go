package plistfix

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"howett.net/plist"
)

// decode reads a document with howett.net/plist. Only documents that passed the
// check may come here: others can make the library allocate without bound,
// overflow the stack or read the document as OpenStep.
func decode(doc []byte) (values map[string]any, err error) {
	defer caught(&err)
	var v any
	is, err := plist.Unmarshal(doc, &v)
	if err != nil {
		return nil, fmt.Errorf("howett.net/plist: %w", err)
	}
	values, ok := v.(map[string]any)
	if !ok || is != plist.XMLFormat && is != plist.BinaryFormat {
		return nil, fmt.Errorf("howett.net/plist: read %T in format %s", v, plist.FormatNames[is])
	}
	return values, nil
}

// caught turns a panic of the library into an error. The check should leave no
// cause for one.
func caught(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("howett.net/plist: panic: %v", r)
	}
}

// newAgent picks what an Agent holds out of the values of a property list.
func newAgent(values map[string]any) Agent {
	text := func(key string) string { s, _ := values[key].(string); return s }
	a := Agent{
		Label:             text(labelKey),
		Program:           text("Program"),
		StandardOutPath:   text("StandardOutPath"),
		StandardErrorPath: text("StandardErrorPath"),
	}
	arguments, _ := values["ProgramArguments"].([]any)
	for _, v := range arguments {
		s, ok := v.(string)
		if !ok {
			a.ProgramArguments = nil
			break
		}
		a.ProgramArguments = append(a.ProgramArguments, s)
	}
	if env, ok := values[envKey].(map[string]any); ok {
		a.EnvironmentVariables = make(map[string]string, len(env))
		for name, v := range env {
			a.EnvironmentVariables[name], _ = v.(string)
		}
	}
	return a
}

// verify reads the result of an edit back. It must pass the check, and
// howett.net/plist must find the variable as wanted, or gone if that is nil, and
// no other difference.
func verify(before, after []byte, name string, want *string) error {
	found, err := check(after, name)
	if err != nil {
		return fmt.Errorf("after the edit: %w", err)
	}
	if !equal(found.current(), want) {
		return fmt.Errorf("variable %q is not as wanted after the edit", name)
	}
	return compare(before, after, name, want)
}

// compare decodes two documents with howett.net/plist and requires that they
// differ in one variable alone, which is to have the value that is wanted
// afterwards, or to be gone if that is nil. An environment that holds nothing
// else counts as part of the variable.
func compare(before, after []byte, name string, want *string) error {
	old, err := decode(before)
	if err != nil {
		return err
	}
	edited, err := decode(after)
	if err != nil {
		return err
	}
	takeVariable(old, name)
	got := takeVariable(edited, name)
	if want == nil && got != nil || want != nil && got != any(*want) {
		return fmt.Errorf("howett.net/plist: variable %q is not as wanted after the edit", name)
	}
	for key, v := range old {
		if w, ok := edited[key]; !ok || !same(v, w) {
			return fmt.Errorf("howett.net/plist: the edit would change key %.64q", key)
		}
	}
	if len(edited) != len(old) {
		return fmt.Errorf("howett.net/plist: the edit would add a key")
	}
	return nil
}

// takeVariable removes a variable from the values of a property list, with the
// environment if that is empty then, and returns what it was.
func takeVariable(values map[string]any, name string) any {
	env, ok := values[envKey].(map[string]any)
	if !ok {
		return nil
	}
	v := env[name]
	delete(env, name)
	if len(env) == 0 {
		delete(values, envKey)
	}
	return v
}

// same reports whether two values are equal. Unlike reflect.DeepEqual it
// compares fractions bit by bit: not-a-number is equal to itself, and zero is
// different from minus zero.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case float32:
		b, ok := b.(float32)
		return ok && math.Float32bits(a) == math.Float32bits(b)
	}
	return a == b
}
