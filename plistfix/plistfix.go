// Package plistfix sets or unsets one environment variable in a launchd
// property list and touches no other byte.
//
// It turns bytes into bytes: it opens no file and starts no program.
//
// An XML property list is spliced, never rewritten. Comments, the order of
// the keys, indentation, line endings, the DOCTYPE and the final newline stay;
// only the lines of the one variable change. A new key stands where Homebrew
// would put it: in bytewise order when the keys around it are sorted, else at
// the end. A binary property list stays binary. It is rewritten, with the same
// values, and the edit is an [ErrBinary] where that cannot be done.
//
// Readers of property lists disagree about malformed and unusual documents.
// This package accepts only documents that are read alike everywhere, refuses
// the rest with an [*Error] that says what and where, and writes only shapes
// on which all agree. See [Decode] for the profile.
//
// Every edit is read back. The document before and after is decoded with
// howett.net/plist, a reader that shares no code with the scanner used here,
// and the edit is an error unless the two differ in that one variable alone.
package plistfix

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSize is the size in bytes of the largest document that is accepted. A
// launchd property list is a hundred times smaller.
const MaxSize = 1 << 20

// Agent is what this package reads out of a launchd job's property list. A key
// that is missing or has another type than launchd expects is left empty.
type Agent struct {
	Label                string
	Program              string
	ProgramArguments     []string
	EnvironmentVariables map[string]string
	StandardOutPath      string
	StandardErrorPath    string
}

// Decode reads doc. What it refuses, with an [*Error], SetEnv and UnsetEnv refuse
// too.
//
// The root must be a dict with a Label, a string that is not empty. If there
// are EnvironmentVariables, they must be a dict of strings. No dict may hold a
// key twice, an empty key or the key CF$UID, and no key may look like
// EnvironmentVariables without being it. Nothing may be nested deeper than 128
// levels.
//
// XML must be UTF-8, with or without a byte order mark, hold one plist element
// with one dict in it, and have no attributes but the plist's version, no
// processing instructions, no DOCTYPE with declarations, no comments inside
// values and no text between elements. Numbers, dates and data must be written
// in the forms that all readers know.
//
// Binary must be version 00, with every size, count and offset inside the
// document, no cycles, and nothing shared so often that the document unfolds to
// much more than its size. Of numbers and dates it may hold some that XML may
// not, since there is one way only to read them: integers from 2^63 to 2^64-1
// and fractions of a second.
func Decode(doc []byte) (Agent, error) {
	if _, err := check(doc, ""); err != nil {
		return Agent{}, err
	}
	values, err := decode(doc)
	if err != nil {
		return Agent{}, err
	}
	return newAgent(values), nil
}

// SetEnv returns doc with an environment variable set. It returns doc itself
// when the variable has that value already, however it is spelled.
//
// A name must be visible ASCII without "=" and not CF$UID, a value UTF-8 without
// control characters.
func SetEnv(doc []byte, name, value string) ([]byte, error) { return edit(doc, name, &value) }

// UnsetEnv returns doc without an environment variable. It returns doc itself
// when the variable is not set.
//
// When nothing is left in EnvironmentVariables, not even a comment, the key
// goes too, as Homebrew writes none then. A comment between the variable's key
// and its value is removed with them; one behind the value keeps its place.
//
// UnsetEnv takes back what SetEnv added, in XML byte for byte, with one
// exception: an EnvironmentVariables dict that was there, but empty, is gone
// afterwards. A binary document gets its values back, not its bytes.
func UnsetEnv(doc []byte, name string) ([]byte, error) { return edit(doc, name, nil) }

// edit gives a variable the value that is wanted, or unsets it if that is nil,
// and reads the result back.
func edit(doc []byte, name string, want *string) ([]byte, error) {
	if err := checkArguments(name, want); err != nil {
		return nil, err
	}
	before, err := check(doc, name)
	if err != nil {
		return nil, err
	}
	if equal(before.current(), want) {
		return doc, nil
	}
	after, err := before.edit(want)
	if err == nil {
		err = verify(doc, after, name, want)
	}
	if err != nil && isBinary(doc) {
		err = fmt.Errorf("%w: %w", ErrBinary, err)
	}
	if err != nil {
		return nil, err
	}
	return after, nil
}

// equal reports whether both are nil or both are the same text.
func equal(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// checkArguments refuses what is no sane name of an environment variable, and a
// value that XML or the C library could not carry. It does not print the value,
// which may be a secret.
func checkArguments(name string, value *string) error {
	unfit := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '=' }
	switch {
	case name == "":
		return errors.New("the variable's name is empty")
	case strings.ContainsFunc(name, unfit):
		return fmt.Errorf("%.64q is not the name of an environment variable", name)
	case name == uidKey:
		return fmt.Errorf("a property list cannot hold a variable %q, which marks archives", name)
	case value == nil:
		return nil
	case !utf8.ValidString(*value):
		return errors.New("the variable's value is not valid UTF-8")
	}
	for _, r := range *value {
		if unicode.IsControl(r) || !legal(r) {
			return fmt.Errorf("the variable's value holds the character %U", r)
		}
	}
	return nil
}
