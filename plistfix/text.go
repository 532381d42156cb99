package plistfix

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// illegal returns the offset of the first byte that may not be in an XML 1.0
// document in UTF-8, or -1.
func illegal(text []byte) int {
	for i := 0; i < len(text); {
		n := character(text[i:])
		if n == 0 {
			return i
		}
		i += n
	}
	return -1
}

// character returns the length of the character at the start of text, or 0 if it
// may not be in an XML 1.0 document in UTF-8.
func character(text []byte) int {
	r, n := utf8.DecodeRune(text)
	if r == utf8.RuneError && n <= 1 || !legal(r) {
		return 0
	}
	return n
}

// illegalReason says what is wrong with the character at the start of text.
func illegalReason(text []byte) string {
	r, n := utf8.DecodeRune(text)
	if r == utf8.RuneError && n == 1 {
		return "invalid UTF-8"
	}
	return fmt.Sprintf("character %U, which XML does not allow", r)
}

// legal reports whether XML 1.0 allows a character.
func legal(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case 0xd800 <= r && r < 0xe000:
		return false
	}
	return r != 0xfffe && r != 0xffff && r <= utf8.MaxRune
}

// references are the five entities that XML knows without a DOCTYPE.
var references = []struct {
	name  string
	value rune
}{{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}

// maxReference is the length of &#x0010ffff; with room for leading zeros.
const maxReference = 16

// reference reads the reference at the start of text. Its length is 0 when it
// is none that all readers know.
func reference(text []byte) (value rune, length int) {
	for _, known := range references {
		if bytes.HasPrefix(text, []byte(known.name)) {
			return known.value, len(known.name)
		}
	}
	end := bytes.IndexByte(text[:min(len(text), maxReference)], ';')
	if end < 0 || !bytes.HasPrefix(text, []byte("&#")) {
		return 0, 0
	}
	digits, base := string(text[2:end]), 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	if err != nil || !legal(rune(n)) {
		return 0, 0
	}
	return rune(n), end + 1
}

// referenceLength returns the length of the reference at the start of text.
func referenceLength(text []byte) int {
	_, n := reference(text)
	return n
}

// unescape returns the value of text that was checked before: references and
// CDATA resolved, and each line ended by LF, as XML wants it.
func unescape(text []byte) []byte {
	value := make([]byte, 0, len(text))
	for len(text) > 0 {
		switch {
		case text[0] == '&':
			r, n := reference(text)
			value, text = utf8.AppendRune(value, r), text[n:]
		case bytes.HasPrefix(text, []byte("<![CDATA[")):
			inside, rest, _ := bytes.Cut(text[len("<![CDATA["):], []byte("]]>"))
			value, text = appendLines(value, inside), rest
		default:
			n := bytes.IndexAny(text, "&<")
			if n < 0 {
				n = len(text)
			}
			value, text = appendLines(value, text[:n]), text[n:]
		}
	}
	return value
}

// appendLines appends text with CRLF and CR turned into LF.
func appendLines(value, text []byte) []byte {
	for i, c := range text {
		switch {
		case c != '\r':
			value = append(value, c)
		case i+1 == len(text) || text[i+1] != '\n':
			value = append(value, '\n')
		}
	}
	return value
}

// escape returns the spelling of a value in XML, escaped as Homebrew's plist
// library does.
func escape(value string) string {
	if !strings.ContainsAny(value, "&<>\"'") {
		return value
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(value)
}

// formProblem says how an element must be written so that all readers take it for
// the same value, or "" when it is. Strings may be written in any way.
func formProblem(element, text []byte) string {
	switch name := string(element); {
	case name == "integer" && !isInteger(text):
		return "decimal digits with or without a minus sign, no leading zero, no blanks, at most 64 bits with sign"
	case name == "real" && !isReal(text):
		return "a decimal fraction such as -1.5 or 2e9, no blanks, at most 64 bits, or nan, NaN, inf, -inf"
	case name == "date" && !isDate(text):
		return "one such as 2026-12-31T23:59:59Z, from the year 1583 on"
	case name == "data" && !isData(text):
		return "base64 with its padding"
	}
	return ""
}

// isInteger accepts decimal numbers of 64 bits with sign. No leading zero: one
// reader takes it for octal. No hexadecimals: another reads 0.
func isInteger(text []byte) bool {
	digits := bytes.TrimPrefix(text, []byte("-"))
	if len(digits) == 0 || !isDigit(digits[0]) || digits[0] == '0' && len(digits) > 1 {
		return false
	}
	_, err := strconv.ParseInt(string(text), 10, 64)
	return err == nil
}

// isReal accepts decimal fractions, infinity and not-a-number.
func isReal(text []byte) bool {
	switch string(text) {
	case "nan", "NaN", "inf", "-inf":
		return true
	}
	if !isFraction(text) {
		return false
	}
	_, err := strconv.ParseFloat(string(text), 64)
	return err == nil
}

// isFraction accepts -?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?
func isFraction(text []byte) bool {
	text, ok := cutDigits(bytes.TrimPrefix(text, []byte("-")))
	if ok && bytes.HasPrefix(text, []byte(".")) {
		text, ok = cutDigits(text[1:])
	}
	if ok && len(text) > 1 && (text[0] == 'e' || text[0] == 'E') {
		if text[1] == '-' || text[1] == '+' {
			text = text[1:]
		}
		text, ok = cutDigits(text[1:])
	}
	return ok && len(text) == 0
}

// cutDigits returns what follows the digits at the start of text, and whether
// there are any.
func cutDigits(text []byte) (rest []byte, ok bool) {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return text[n:], n > 0
}

// firstYear is the first whole year of the Gregorian calendar. Readers disagree
// about earlier dates.
const firstYear = 1583

// isDate accepts whole seconds in UTC.
func isDate(text []byte) bool {
	const layout = "2006-01-02T15:04:05Z"
	t, err := time.Parse(layout, string(text))
	return err == nil && len(text) == len(layout) && t.Year() >= firstYear
}

// isData accepts padded base64, broken into lines anywhere.
func isData(text []byte) bool {
	digits, padding := 0, 0
	for _, c := range text {
		switch {
		case isSpace(c):
		case c == '=':
			padding++
		case padding == 0 && (isLetter(c) || isDigit(c) || c == '+' || c == '/'):
			digits++
		default:
			return false
		}
	}
	return padding <= 2 && (digits+padding)%4 == 0
}
