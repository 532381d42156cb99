// Package text reads text from outside, such as a container's environment: web
// addresses, and what can be shown.
package text

import (
	"regexp"
	"strings"
	"unicode"
)

// Limits on text from outside, in bytes.
const (
	MaxValue  = 4 << 10
	MaxDetail = 200
)

// Printable makes text from outside safe for a line on a terminal: without characters
// that move the cursor or hide something, and no longer than limit.
func Printable(text string, limit int) string {
	text = strings.TrimSpace(text)
	text = strings.ToValidUTF8(text[:min(len(text), limit)], "?")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '?'
	}, text))
}

var longID = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`)

// Reason is the first line of a program's output that is more than a notice. It cuts
// IDs to the 12 digits that people know.
func Reason(said string) string {
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		notice := line == "" || strings.HasPrefix(line, "WARN") || strings.Contains(line, "level=warning") ||
			strings.HasPrefix(line, "Emulate Docker CLI")
		if !notice {
			return Printable(longID.ReplaceAllString(line, "$1"), MaxValue)
		}
	}
	return "no reason given"
}
