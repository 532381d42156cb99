package plistfix

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// space is what XML takes for white space, blanks what does not end a line.
const space, blanks = " \t\r\n", " \t"

// isNameByte reports whether a byte can be part of a name.
func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == ':' || c == '_' || c == '-' || c == '.' || c >= utf8.RuneSelf
}

// lineEnds turns the line breaks CRLF and CR into LF.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// escape gives a value the spelling in XML that Homebrew's plist library gives it.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// illegal finds the first byte that may not be in an XML 1.0 document in UTF-8, and
// says why. The reason is "" when there is none.
func illegal(text string) (at int, reason string) {
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			return i, "invalid UTF-8"
		case !legal(r):
			return i, fmt.Sprintf("character %U, which XML does not allow", r)
		}
	}
	return 0, ""
}

// legal reports whether XML 1.0 allows a character.
func legal(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || ' ' <= r && r <= 0xd7ff ||
		0xe000 <= r && r <= 0xfffd || 0x10000 <= r && r <= utf8.MaxRune
}

// references are the five entities that XML knows without a DOCTYPE.
var references = map[string]rune{"&amp;": '&', "&lt;": '<', "&gt;": '>', "&quot;": '"', "&apos;": '\''}

// maxReference is the length of &#x0010ffff; with room for leading zeros.
const maxReference = 16

// reference reads the reference at the start of text. Its length is 0 when it
// is none that all readers know.
func reference(text string) (value rune, length int) {
	length = strings.IndexByte(text[:min(len(text), maxReference)], ';') + 1
	if r, known := references[text[:length]]; known {
		return r, length
	}
	if length == 0 || !strings.HasPrefix(text, "&#") {
		return 0, 0
	}
	digits, base := text[2:length-1], 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	if err != nil || !legal(rune(n)) {
		return 0, 0
	}
	return rune(n), length
}

// formProblem says how an element must be written so that all readers take it for
// the same value, or "" when it is. Strings may be written in any way.
func formProblem(element, text string) string {
	switch {
	case element == "integer" && !isInteger(text):
		return "decimal digits with or without a minus sign, no leading zero, no blanks, at most 64 bits with sign"
	case element == "real" && !isReal(text):
		return "a decimal fraction such as -1.5 or 2e9, no blanks, at most 64 bits, or nan, NaN, inf, -inf"
	case element == "date" && !isDate(text):
		return "one such as 2026-12-31T23:59:59Z, from the year 1583 on"
	case element == "data" && !isData(text):
		return "base64 with its padding"
	}
	return ""
}

// isInteger accepts decimal numbers of 64 bits with sign. No leading zero: one
// reader takes it for octal. No hexadecimals: another reads 0.
func isInteger(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	digits := strings.TrimPrefix(text, "-")
	return err == nil && digits[0] != '+' && (digits[0] != '0' || digits == "0")
}

var fraction = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// isReal accepts decimal fractions, infinity and not-a-number.
func isReal(text string) bool {
	switch text {
	case "nan", "NaN", "inf", "-inf":
		return true
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil && fraction.MatchString(text)
}

// firstYear is the first whole year of the Gregorian calendar. Readers disagree
// about earlier dates.
const firstYear = 1583

// isDate accepts whole seconds in UTC.
func isDate(text string) bool {
	const layout = "2006-01-02T15:04:05Z"
	t, err := time.Parse(layout, text)
	return err == nil && len(text) == len(layout) && t.Year() >= firstYear
}

// isData accepts padded base64, broken into lines anywhere.
func isData(text string) bool {
	_, err := base64.StdEncoding.DecodeString(noBlanks.Replace(text))
	return err == nil
}
