package plistfix

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrBinary is the error of an edit that would change more of a binary property
// list than the one variable: it holds what howett.net/plist does not write again,
// or not the same. As XML ("plutil -convert xml1 FILE") it can be edited.
var ErrBinary = errors.New("this binary property list cannot be written again unchanged")

// Error says why a document is refused and where.
type Error struct {
	// Reason is what is wrong, in lower case and without a full stop. It names
	// keys where that helps, and never shows their values.
	Reason string
	// Line and Column tell where in an XML document, both from 1. A column is a
	// character, not a byte. Both are 0 when the document as a whole is meant.
	Line, Column int
	// Offset tells where in a binary document. It is -1 for all others.
	Offset int64
}

// Error returns the place and the reason.
func (e *Error) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
	case e.Offset >= 0:
		return fmt.Sprintf("offset %#x: %s", e.Offset, e.Reason)
	}
	return e.Reason
}

// refuse refuses a document as a whole.
func refuse(format string, args ...any) error { return refuseBinary(-1, format, args...) }

// refuseBinary refuses a binary document for what stands at a byte offset.
func refuseBinary(at int, format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...), Offset: int64(at)}
}

// refuseXML refuses an XML document for what stands at a byte offset. A line ends
// with LF, CRLF or CR; a byte order mark takes no column.
func refuseXML(doc string, at int, format string, args ...any) error {
	before := lineEnds.Replace(strings.TrimPrefix(doc[:at], bom))
	return &Error{
		Reason: fmt.Sprintf(format, args...),
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
		Offset: -1,
	}
}
