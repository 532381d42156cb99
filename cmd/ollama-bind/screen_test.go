package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestNewScreen(t *testing.T) {
	const utf8 = "LANG=en_US.UTF-8"
	for _, test := range []struct {
		name     string
		terminal bool
		env      string
		want     screen
	}{
		{"a terminal", true, "TERM=xterm " + utf8, screen{colour: true, lively: true}},
		{"a pipe", false, "TERM=xterm " + utf8, screen{}},
		{"NO_COLOR", true, "TERM=xterm NO_COLOR=0 " + utf8, screen{}},
		{"NO_COLOR is empty", true, "TERM=xterm NO_COLOR= " + utf8, screen{colour: true, lively: true}},
		{"dumb", true, "TERM=dumb " + utf8, screen{}},
		{"no TERM", true, utf8, screen{}},
		{"CLICOLOR=0", true, "TERM=xterm CLICOLOR=0 " + utf8, screen{lively: true}},
		{"CLICOLOR=1", false, "TERM=xterm CLICOLOR=1 " + utf8, screen{}},
		{"forced", false, "CLICOLOR_FORCE=1", screen{colour: true}},
		{"forced with 0", false, "TERM=xterm CLICOLOR_FORCE=0", screen{}},
		{"forced and CLICOLOR=0", false, "CLICOLOR_FORCE=1 CLICOLOR=0", screen{colour: true}},
		{"forced and NO_COLOR", false, "CLICOLOR_FORCE=1 NO_COLOR=1", screen{}},
		{"forced and dumb", false, "CLICOLOR_FORCE=1 TERM=dumb", screen{}},
		{"no locale", true, "TERM=xterm", screen{colour: true, lively: true, ascii: true}},
		{"LC_ALL first", true, "TERM=xterm LC_ALL=C " + utf8, screen{colour: true, lively: true, ascii: true}},
		{"LC_CTYPE before LANG", true, "TERM=xterm LC_CTYPE=UTF-8 LANG=C", screen{colour: true, lively: true}},
		{"utf8", true, "TERM=xterm LANG=de_DE.utf8", screen{colour: true, lively: true}},
		{"a pipe without locale", false, "LANG=C", screen{}},
	} {
		if got := newScreen(test.terminal, 0, environ(test.env)); got != test.want {
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

func TestScreenOf(t *testing.T) {
	forced := environ("CLICOLOR_FORCE=1")
	if got := screenOf(new(bytes.Buffer), forced); got != (screen{colour: true}) {
		t.Errorf("%+v", got)
	}
}

// TestPaint is about the order of things: the text is made harmless first.
func TestPaint(t *testing.T) {
	text := "a\x1b[0mb"
	for m, want := range map[meaning]string{
		plain:   `a\x1b[0mb`,
		good:    "\x1b[32m" + `a\x1b[0mb` + "\x1b[0m",
		careful: "\x1b[33m" + `a\x1b[0mb` + "\x1b[0m",
		bad:     "\x1b[31m" + `a\x1b[0mb` + "\x1b[0m",
		detail:  "\x1b[2m" + `a\x1b[0mb` + "\x1b[0m",
	} {
		if got := (screen{colour: true}).paint(piece{m, text}); got != want {
			t.Errorf("%d: %q, want %q", m, got, want)
		}
		if got := (screen{}).paint(piece{m, text}); got != `a\x1b[0mb` {
			t.Errorf("without colour: %q", got)
		}
	}
	if got := (screen{colour: true}).paint(piece{good, ""}); got != "" {
		t.Errorf("nothing is painted as %q", got)
	}
}

func TestDiffColours(t *testing.T) {
	var out bytes.Buffer
	teller{out: &out, screen: screen{colour: true}}.diff("--- a\n+++ b\n@@ -1 +1 @@\n same\n-\told\x1b\n+\tnew\n")
	want := "\x1b[2m--- a\x1b[0m\n\x1b[2m+++ b\x1b[0m\n\x1b[2m@@ -1 +1 @@\x1b[0m\n same\n" +
		"\x1b[31m-\told" + `\x1b` + "\x1b[0m\n\x1b[32m+\tnew\x1b[0m\n"
	if got := out.String(); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}
