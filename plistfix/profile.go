package plistfix

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
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
const bom = "\ufeff"

// document is a property list that passed the check.
type document interface {
	// current returns the value of the variable that was looked for, nil if it is
	// not set.
	current() *string
	// edit returns the document with that variable set, or unset if no value is
	// wanted. It must not be so already. Nothing is read back.
	edit(want *string) ([]byte, error)
}

// check holds a document against the profile. It looks for the variable called
// name, if that is not empty.
func check(doc []byte, name string) (document, error) {
	switch {
	case len(doc) > MaxSize:
		return nil, refuse("%d bytes, more than the %d that are accepted", len(doc), MaxSize)
	case isBinary(doc):
		return checkBinary(doc, name)
	case isUTF16(doc):
		return nil, refuse("encoded in UTF-16, not in UTF-8")
	case startsXML.Match(doc):
		return scan(doc, name)
	}
	// Not even howett.net/plist may see this: it would read it as an OpenStep
	// property list, where an empty file is an empty dict.
	return nil, refuse("neither an XML nor a binary property list")
}

// isBinary tells binary documents from those in XML.
func isBinary(doc []byte) bool { return bytes.HasPrefix(doc, []byte("bplist")) }

// startsXML matches the start of an XML document, and no OpenStep data (<00ff>).
var startsXML = regexp.MustCompile(`^\x{FEFF}?[ \t\r\n]*<[a-zA-Z?!]`)

// isUTF16 reports whether a document starts as XML in UTF-16 does.
func isUTF16(doc []byte) bool {
	starts := []string{"\xff\xfe", "\xfe\xff", "<\x00", "\x00<"}
	return len(doc) > 1 && slices.Contains(starts, string(doc[:2]))
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
func (r role) child(key string) role {
	switch {
	case r == rootDict && key == labelKey:
		return label
	case r == rootDict && key == envKey:
		return envDict
	case r == envDict:
		return variable
	}
	return other
}

// keyProblem says why a dict that holds the seen keys may not hold one more, or
// "", and then that has been seen. The variable that is looked for is called name.
func (r role) keyProblem(key, name string, seen map[string]bool) string {
	switch {
	case key == "":
		return "empty key"
	case key == uidKey:
		return fmt.Sprintf("key %q, which marks archives", uidKey)
	case r == rootDict && mistakable(key, envKey):
		return fmt.Sprintf("key %.64q could be taken for %q", key, envKey)
	case r == envDict && mistakable(key, name):
		return fmt.Sprintf("variable %.64q could be taken for %q", key, name)
	case seen[key]:
		return fmt.Sprintf("duplicate key %.64q", key)
	}
	seen[key] = true
	return ""
}

// mistakable reports whether a key is not the wanted one, but differs from it in
// case and blanks only. launchd compares keys without case.
func mistakable(key, wanted string) bool {
	return key != wanted && wanted != "" && strings.EqualFold(strings.TrimSpace(key), wanted)
}

// typeProblem says why a value of that role may not be of a type, or "".
func (r role) typeProblem(key, isType string) string {
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
