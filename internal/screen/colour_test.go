package screen

import (
	"bytes"
	"strings"
	"testing"
)

func TestNewStream(t *testing.T) {
	const utf8 = "LANG=en_US.UTF-8"
	for _, test := range []struct {
		name     string
		terminal bool
		env      string
		want     Stream
	}{
		{"a terminal", true, "TERM=xterm " + utf8, Stream{colour: true, Lively: true}},
		{"a pipe", false, "TERM=xterm " + utf8, Stream{}},
		{"NO_COLOR", true, "TERM=xterm NO_COLOR=0 " + utf8, Stream{}},
		{"NO_COLOR is empty", true, "TERM=xterm NO_COLOR= " + utf8, Stream{colour: true, Lively: true}},
		{"dumb", true, "TERM=dumb " + utf8, Stream{}},
		{"no TERM", true, utf8, Stream{}},
		{"CLICOLOR=0", true, "TERM=xterm CLICOLOR=0 " + utf8, Stream{Lively: true}},
		{"CLICOLOR=1", false, "TERM=xterm CLICOLOR=1 " + utf8, Stream{}},
		{"forced", false, "CLICOLOR_FORCE=1", Stream{colour: true}},
		{"forced the other way", false, "FORCE_COLOR=1 CLICOLOR_FORCE=0", Stream{colour: true}},
		{"forced with 0", false, "TERM=xterm CLICOLOR_FORCE=0", Stream{}},
		{"forced and CLICOLOR=0", false, "CLICOLOR_FORCE=1 CLICOLOR=0", Stream{colour: true}},
		{"forced and NO_COLOR", false, "CLICOLOR_FORCE=1 NO_COLOR=1", Stream{}},
		{"forced and dumb", false, "CLICOLOR_FORCE=1 TERM=dumb", Stream{}},
		{"no locale", true, "TERM=xterm", Stream{colour: true, Lively: true, ascii: true}},
		{"LC_ALL first", true, "TERM=xterm LC_ALL=C " + utf8, Stream{colour: true, Lively: true, ascii: true}},
		{"LC_CTYPE before LANG", true, "TERM=xterm LC_CTYPE=UTF-8 LANG=C", Stream{colour: true, Lively: true}},
		{"utf8", true, "TERM=xterm LANG=de_DE.utf8", Stream{colour: true, Lively: true}},
		{"a pipe without locale", false, "LANG=C", Stream{}},
	} {
		if got := newStream(nil, test.terminal, environ(test.env)); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

// environ looks variables up in "A=B C=D".
func environ(text string) func(string) string {
	return func(key string) string {
		for _, pair := range strings.Fields(text) {
			if value, ok := strings.CutPrefix(pair, key+"="); ok {
				return value
			}
		}
		return ""
	}
}

// TestPaint is about the order of things: the text is made harmless first.
func TestPaint(t *testing.T) {
	text := "a\x1b[0mb"
	for m, want := range map[Meaning]string{
		Plain:   `a\x1b[0mb`,
		Good:    "\x1b[32m" + `a\x1b[0mb` + "\x1b[0m",
		Careful: "\x1b[33m" + `a\x1b[0mb` + "\x1b[0m",
		Bad:     "\x1b[31m" + `a\x1b[0mb` + "\x1b[0m",
		Detail:  "\x1b[02m" + `a\x1b[0mb` + "\x1b[0m",
	} {
		if got := (Stream{colour: true}).paint(m.Text(text)); got != want {
			t.Errorf("%q: %q, want %q", m, got, want)
		}
		if got := (Stream{}).paint(m.Text(text)); got != `a\x1b[0mb` {
			t.Errorf("without colour: %q", got)
		}
	}
}

func TestDiffColours(t *testing.T) {
	var out bytes.Buffer
	Stream{Writer: &out, colour: true}.Diff("--- a\n+++ b\n@@ -1 +1 @@\n same\n-\told\x1b\n+\tnew\r\n")
	want := "\x1b[02m--- a\x1b[0m\n\x1b[02m+++ b\x1b[0m\n\x1b[02m@@ -1 +1 @@\x1b[0m\n same\n" +
		"\x1b[31m-\told" + `\x1b` + "\x1b[0m\n\x1b[32m+\tnew\\r\x1b[0m\n"
	if got := out.String(); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}
