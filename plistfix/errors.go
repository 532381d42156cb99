package plistfix

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

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
func refuse(format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...), Offset: -1}
}

// refuseXML refuses an XML document for what stands at a byte offset.
func refuseXML(doc []byte, at int, reason string) error {
	line, column := position(doc, at)
	return &Error{Reason: reason, Line: line, Column: column, Offset: -1}
}

// refuseBinary refuses a binary document for what stands at a byte offset.
func refuseBinary(at int, format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...), Offset: int64(at)}
}

// position turns a byte offset into a line and a column. A line ends with LF,
// CRLF or CR; a byte order mark takes no column, and no offset lies in it.
func position(doc []byte, at int) (line, column int) {
	line, start := 1, 0
	if bytes.HasPrefix(doc, bom) {
		start = len(bom)
	}
	for i, c := range doc[:at] {
		if c == '\n' || c == '\r' && (i+1 == len(doc) || doc[i+1] != '\n') {
			line, start = line+1, i+1
		}
	}
	return line, utf8.RuneCount(doc[start:at]) + 1
}
