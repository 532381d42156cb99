package homebrew

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SetEnvLine returns an env file with a variable set. It returns data itself
// when the file has that value for it already.
//
// Of several lines with the name only the last is changed, as that is the one
// that counts, and of this line only the value. A new line goes to the end,
// with the line ending of the line before it. A file without a final line
// ending gets none, so that UnsetEnvLine restores it.
//
// A name is letters, digits and "_". A value that Homebrew would not read back
// as it is, or that a person would read as a comment, is an error, as is a file
// that ParseEnv refuses.
func SetEnvLine(data []byte, name, value string) ([]byte, error) {
	if err := checkEdit(name, value); err != nil {
		return nil, err
	}
	before, err := ParseEnv(data)
	if err != nil {
		return nil, err
	}
	if old, ok := before[name]; ok && old == value {
		return data, nil
	}
	want := maps.Clone(before)
	want[name] = value
	return readBack(setLine(data, name, value), want)
}

// UnsetEnvLine returns an env file without a variable: without every line that
// sets it, as the last but one would count when the last is gone. It returns
// data itself when there is none, and fails for a file that ParseEnv refuses.
//
// It takes back what SetEnvLine added, byte for byte.
func UnsetEnvLine(data []byte, name string) ([]byte, error) {
	before, err := ParseEnv(data)
	if err != nil {
		return nil, err
	}
	if _, ok := before[name]; !ok {
		return data, nil
	}
	want := maps.Clone(before)
	delete(want, name)
	return readBack(unsetLines(data, name), want)
}

func setLine(data []byte, name, value string) []byte {
	start, end, ok := findValue(data, name)
	if !ok {
		return appendLine(data, name+"="+value)
	}
	return slices.Concat(data[:start], []byte(value), data[end:])
}

// findValue finds the value that counts.
func findValue(data []byte, name string) (start, end int, ok bool) {
	at := 0
	for line := range bytes.Lines(data) {
		if s, isSetting := parseLine(line); isSetting && s.name == name {
			start, end, ok = at+s.start, at+s.end, true
		}
		at += len(line)
	}
	return start, end, ok
}

func appendLine(data []byte, line string) []byte {
	ending := lineEnding(data)
	if unfinished(data) {
		return slices.Concat(data, []byte(ending+line))
	}
	return slices.Concat(data, []byte(line+ending))
}

// unfinished reports whether the last line has no line ending.
func unfinished(data []byte) bool {
	return len(data) > 0 && data[len(data)-1] != '\n'
}

// lineEnding is the ending of the last line that has one. A file that ends with
// a lone CR gets CRLF behind it: UnsetEnvLine would take CR and LF for one.
func lineEnding(data []byte) string {
	upto := bytes.LastIndexByte(data, '\n')
	if unfinished(data) && bytes.HasSuffix(data, []byte("\r")) || upto > 0 && data[upto-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

func unsetLines(data []byte, name string) []byte {
	kept := []byte{} // not nil: a file without lines is still a file
	for line := range bytes.Lines(data) {
		if s, ok := parseLine(line); !ok || s.name != name {
			kept = append(kept, line...)
		}
	}
	// A file without a final line ending stays one: if the last line went, so
	// does the line ending in front of it.
	if unfinished(data) && !unfinished(kept) {
		kept = bytes.TrimSuffix(bytes.TrimSuffix(kept, []byte("\n")), []byte("\r"))
	}
	return kept
}

// readBack refuses an edit that does not read back as wanted. The only known case is a
// file that becomes too large; but the file decides whether the service starts.
func readBack(edited []byte, want map[string]string) ([]byte, error) {
	got, err := ParseEnv(edited)
	if err != nil {
		return nil, fmt.Errorf("reading the edit back: %w", err)
	}
	if !maps.Equal(got, want) {
		return nil, errors.New("reading the edit back: it changes more than the one variable")
	}
	return edited, nil
}

// checkEdit refuses what Homebrew would read back differently. It does not print the
// value, which may be secret.
func checkEdit(name, value string) error {
	switch {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }):
		return fmt.Errorf("%.64q is not the name of an environment variable", name)
	case !utf8.ValidString(value):
		return errors.New("the variable's value is not valid UTF-8")
	case strings.Trim(value, blanks) != value:
		return errors.New("the variable's value has blanks around it, which Homebrew drops")
	case strings.Contains(value, "#"):
		return errors.New("the variable's value holds a #, which looks like a comment, but not to Homebrew")
	case strings.ContainsFunc(value, unicode.IsControl) || strings.ContainsFunc(value, unfit):
		return errors.New("the variable's value holds a control character")
	}
	return nil
}

func isNameRune(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
