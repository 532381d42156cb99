package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/bind"
)

// TestPrintable is about what comes from files and other programs: none of it
// may steer the terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain, with ünïcödé ✓":   "plain, with ünïcödé ✓",
		"\x1b[31mred\x1b[0m":      `\x1b[31mred\x1b[0m`,
		"bell\a, back\b, cr\r":    `bell\a, back\b, cr\r`,
		"turned \u202e around":    `turned \u202e around`,
		"c1 \u009b31m":            `c1 \u009b31m`,
		"two\nlines and a\ttab":   `two\nlines and a\ttab`,
		"no UTF-8: " + "\xff\xfe": `no UTF-8: \xff\xfe`,
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTellError(t *testing.T) {
	var out, err bytes.Buffer
	tell := teller{out: &out, err: &err, home: "/Users/alice"}
	tell.error(&bind.Problem{
		Err:  errors.New("reading /Users/alice/a.plist: \x1b]0;x\a denied"),
		Hint: "chmod u+r '/Users/alice/a.plist'",
		Log:  []string{"a\x1b[2Jb"},
	})
	want := `ollama-bind: error: reading ~/a.plist: \x1b]0;x\a denied
ollama-bind: log: a\x1b[2Jb
ollama-bind: hint: chmod u+r '/Users/alice/a.plist'
`
	if err.String() != want || out.Len() > 0 {
		t.Errorf("stderr:\n%s\nwant:\n%s\nstdout: %q", err.String(), want, out.String())
	}
}

func TestTellDiff(t *testing.T) {
	var out bytes.Buffer
	tell := teller{out: &out}
	tell.diff("--- a\n+++ b\n+\t<key>x</key>\r\n+\x1b[2J\n")
	want := "--- a\n+++ b\n+\t<key>x</key>\\r\n+\\x1b[2J\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestTellRows(t *testing.T) {
	var out bytes.Buffer
	tell := teller{out: &out}
	tell.rows([]row{
		{markGood, []piece{{plain, "a"}, {plain, "one\ttab"}, {plain, ""}}},
		{markBad, []piece{{plain, "long name"}, {plain, "b"}, {plain, "c\nd"}}},
	})
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3 || lines[0] != `  ✓ a          one\ttab` || lines[1] != `  ✗ long name  b  c\nd` {
		t.Errorf("got %q", lines)
	}
}
