package plistfix

import (
	"bytes"
	"fmt"
)

// maxDepth is how deep dicts and arrays may be nested. Apple's reader stops at
// 512, libxml2 at 256.
const maxDepth = 128

// The keys with a meaning here.
const (
	labelKey = "Label"
	envKey   = "EnvironmentVariables"
	uidKey   = "CF$UID" // howett.net/plist and Apple turn a dict with it into something else
)

// bom is the byte order mark of UTF-8.
var bom = []byte("\xef\xbb\xbf")

// editor writes a document that passed the check anew, with one variable set or
// unset that was not so before. It reads nothing back.
type editor interface {
	set(value string) []byte
	unset() []byte
}

// finding is the result of a check.
type finding struct {
	editor
	value string // of the variable that was asked for
	ok    bool   // whether the document sets it
}

// is reports whether the variable has the value that is wanted, or is not set if
// that is nil.
func (f finding) is(want *string) bool {
	if want == nil {
		return !f.ok
	}
	return f.ok && f.value == *want
}

// edit sets the variable, or unsets it if no value is wanted.
func (f finding) edit(want *string) []byte {
	if want == nil {
		return f.unset()
	}
	return f.set(*want)
}

// checkSized is check with the limit on the size, for what strangers hand in.
func checkSized(doc []byte, name string) (finding, error) {
	if err := checkSize(doc); err != nil {
		return finding{}, err
	}
	return check(doc, name)
}

// checkSize refuses documents of more than MaxSize bytes.
func checkSize(doc []byte) error {
	if len(doc) > MaxSize {
		return refuse("%d bytes, more than the %d that are accepted", len(doc), MaxSize)
	}
	return nil
}

// check holds a document against the profile. It looks for the variable called
// name, if that is not empty. Time and memory are linear in the size.
func check(doc []byte, name string) (finding, error) {
	switch start := bytes.TrimLeft(bytes.TrimPrefix(doc, bom), " \t\r\n"); {
	case format(doc) == Binary:
		b, err := checkBinary(doc, name)
		if err != nil {
			return finding{}, err
		}
		return finding{b, b.value, b.variable >= 0}, nil
	case isUTF16(doc):
		return finding{}, refuse("encoded in UTF-16, not in UTF-8")
	case len(start) > 1 && start[0] == '<' && (isLetter(start[1]) || start[1] == '?' || start[1] == '!'):
		x, err := scan(doc, name)
		if err != nil {
			return finding{}, err
		}
		return finding{x, x.current, x.env.match.exists()}, nil
	}
	// Not even howett.net/plist may see this: it would read it as an OpenStep
	// property list, where an empty file is an empty dict.
	return finding{}, refuse("neither an XML nor a binary property list")
}

// format tells the encoding of a document from its first bytes.
func format(doc []byte) Format {
	if bytes.HasPrefix(doc, []byte("bplist")) {
		return Binary
	}
	return XML
}

// isUTF16 reports whether a document starts as XML in UTF-16 does.
func isUTF16(doc []byte) bool {
	for _, start := range []string{"\xff\xfe", "\xfe\xff", "<\x00", "\x00<"} {
		if bytes.HasPrefix(doc, []byte(start)) {
			return true
		}
	}
	return false
}

// role is what a value is for.
type role int

const (
	other    role = iota
	rootDict      // the whole document
	label         // the job's name
	envDict       // its environment
	variable      // one value in its environment
)

// child returns the role of the value that belongs to a key.
func (r role) child(key []byte) role {
	switch {
	case r == rootDict && string(key) == labelKey:
		return label
	case r == rootDict && string(key) == envKey:
		return envDict
	case r == envDict:
		return variable
	}
	return other
}

// keyProblem says why a dict may not hold a key, or "". The variable that is
// looked for is called name.
func (r role) keyProblem(key []byte, name string) string {
	switch {
	case len(key) == 0:
		return "empty key"
	case string(key) == uidKey:
		return fmt.Sprintf("key %q, which marks archives", uidKey)
	case r == rootDict && mistakable(key, envKey):
		return fmt.Sprintf("key %.64q could be taken for %q", key, envKey)
	case r == envDict && mistakable(key, name):
		return fmt.Sprintf("variable %.64q could be taken for %q", key, name)
	}
	return ""
}

// mistakable reports whether a key is not the wanted one, but differs from it in
// case and blanks only. launchd compares keys without case.
func mistakable(key []byte, wanted string) bool {
	return string(key) != wanted && wanted != "" && bytes.EqualFold(bytes.TrimSpace(key), []byte(wanted))
}

// typeProblem says why a value of that role may not be of a type, or "".
func (r role) typeProblem(key []byte, isType string) string {
	switch {
	case r == label && isType != "string":
		return fmt.Sprintf("%q is of type %q, not a string", labelKey, isType)
	case r == envDict && isType != "dict":
		return fmt.Sprintf("%q is of type %q, not a dict", envKey, isType)
	case r == variable && isType != "string":
		return fmt.Sprintf("variable %.64q is of type %q, not a string", key, isType)
	}
	return ""
}

// nameSet finds keys that a dict holds twice.
type nameSet struct {
	names [][]byte            // while they ascend, which rules out that one repeats
	seen  map[string]struct{} // from the first one on that does not
}

// add reports whether the name is new.
func (s *nameSet) add(name []byte) bool {
	if s.seen == nil {
		if s.names == nil {
			s.names = make([][]byte, 0, 16)
		}
		if n := len(s.names); n == 0 || bytes.Compare(s.names[n-1], name) < 0 {
			s.names = append(s.names, name)
			return true
		}
		s.seen = make(map[string]struct{}, 2*len(s.names))
		for _, n := range s.names {
			s.seen[string(n)] = struct{}{}
		}
	}
	before := len(s.seen)
	s.seen[string(name)] = struct{}{}
	return len(s.seen) > before
}

// sorted reports whether the names came in bytewise order.
func (s *nameSet) sorted() bool { return s.seen == nil }

// reset empties the set for the next dict.
func (s *nameSet) reset() { s.names, s.seen = s.names[:0], nil }
