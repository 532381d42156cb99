package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/service"
)

// TestPrintable is about text from files and other programs: none of it may control the
// terminal.
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

// TestEscaped is the same for JSON, which has its own escapes: every reader sees the
// same text.
func TestEscaped(t *testing.T) {
	for text, want := range map[string]string{
		`"plain ünïcödé ✓ \n"`:     `"plain ünïcödé ✓ \n"`,
		"\"c1 \u009b31m \x7f\"":    `"c1 \u009b31m \u007f"`,
		"\"turned \u202e \u2066\"": `"turned \u202e \u2066"`,
		"\"beyond \U000e0041\"":    `"beyond \udb40\udc41"`,
	} {
		if got := escaped(text); got != want {
			t.Errorf("escaped(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestTellError(t *testing.T) {
	var out, err bytes.Buffer
	tell := teller{out: stream{Writer: &out}, err: stream{Writer: &err}, log: &runLog{}, home: "/Users/alice"}
	tell.error(&service.Error{
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

// TestTellRows: columns are straight, with colour too, whatever a cell holds.
func TestTellRows(t *testing.T) {
	rows := []row{
		{markGood, []piece{{plain, "a"}, {detail, "one\ttab"}, {detail, "é"}}},
		{markBad, []piece{{bad, "é"}, {plain, "c\nd"}, {plain, "e"}}},
		{markNone, []piece{{plain, "long name"}, {plain, "b"}, {detail, ""}}},
	}
	want := "  %s a          one\\ttab  é\n  %s é          c\\nd      e\n  %s long name  b\n"
	for _, test := range []struct {
		stream stream
		marks  []any
	}{
		{stream{}, []any{"✓", "✗", "–"}},
		{stream{colour: true}, []any{"✓", "✗", "–"}},
		{stream{ascii: true}, []any{"+", "x", "-"}},
	} {
		var out bytes.Buffer
		test.stream.Writer = &out
		teller{out: test.stream}.rows(rows)
		shown := erased.ReplaceAllString(out.String(), "")
		if want := fmt.Sprintf(want, test.marks...); shown != want || shown != out.String() && !test.stream.colour {
			t.Errorf("%+v: %q\nwant %q", test.stream, out.String(), want)
		}
	}
}
