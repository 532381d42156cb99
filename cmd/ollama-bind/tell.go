package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ollama-bind/ollama-bind/internal/bind"
)

// Everything that a person gets to see goes through this file, by these rules:
//
//   - results, and JSON, on stdout; errors, hints, warnings, progress on stderr;
//   - what goes to stderr starts with the program's name, in lower case, without
//     a full stop; a hint is a line of its own with something to paste;
//   - the home directory is written ~ in messages, because they get pasted;
//   - nothing that comes from a file or another program reaches the terminal
//     with control characters in it;
//   - colours, marks and folding are for terminals (screen.go, fold.go, table.go):
//     what goes elsewhere has no control byte but tabs in a diff and line ends;
//   - what moves (spinner.go) is on stderr, and is gone before a result is written.

type teller struct {
	out    io.Writer
	err    io.Writer
	screen screen // what out can show
	aside  screen // what err can
	home   string
}

func newTeller(stdout, stderr io.Writer) teller {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // nothing gets shortened then
	}
	return teller{stdout, stderr, screenOf(stdout, os.Getenv), screenOf(stderr, os.Getenv), home}
}

// plain is for --json: there are only programs to read it.
func (t teller) plain() teller {
	t.screen, t.aside = screen{}, screen{}
	return t
}

// printf writes a line of a result.
func (t teller) printf(format string, args ...any) { t.say(plain, format, args...) }

// say is printf in the colour of a meaning.
func (t teller) say(m meaning, format string, args ...any) {
	t.line(0, piece{m, fmt.Sprintf(format, args...)})
}

// line writes a line that stands so many spaces to the right.
func (t teller) line(indent int, text ...piece) {
	t.screen.put(t.out, max(indent, 2), append([]piece{spaces(indent)}, text...)...)
}

// paste writes something to paste, behind what it is for or below that.
func (t teller) paste(label, text string) {
	if !t.screen.holds(columns(label + text)) {
		t.say(detail, "%s", strings.TrimRight(label, " "))
		label = "  "
	}
	t.whole(piece{detail, label}, piece{plain, text})
}

// whole writes a line that nobody but the terminal may break.
func (t teller) whole(text ...piece) { t.screen.write(t.out, text...) }

// diff writes a unified diff, which brings its own line ends and tabs. It is not
// folded: its lines are those of a file.
func (t teller) diff(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i := range fields {
			fields[i] = printable(fields[i])
		}
		fmt.Fprintln(t.out, t.screen.tint(diffMeaning(line), strings.Join(fields, "\t")))
	}
}

func diffMeaning(line string) meaning {
	switch {
	case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "@@ "):
		return detail
	case strings.HasPrefix(line, "+"):
		return good
	case strings.HasPrefix(line, "-"):
		return bad
	}
	return plain
}

// kinds are what a note may be, where it is more than a detail.
var kinds = map[string]meaning{"error": bad, "warning": careful}

// note writes a line to stderr.
func (t teller) note(kind, text string) {
	m, ok := kinds[kind]
	if !ok {
		m = detail
	}
	line := []piece{{detail, name + ": "}, {m, kind + ":"}, {plain, " " + strings.ReplaceAll(text, "\n", "; ")}}
	if kind == "hint" { // there to be pasted
		t.aside.write(t.err, line...)
		return
	}
	t.aside.put(t.err, 2, line...)
}

// json writes the one object of --json.
func (t teller) json(v any) {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(v) // fails only if stdout is gone, and nobody is left to tell
}

func (t teller) warnings(all []warning) {
	for _, w := range all {
		t.note("warning", t.tilde(w.Message))
	}
}

func (t teller) waiting(pid int) {
	who := "another run"
	if pid > 0 {
		who = fmt.Sprintf("another run (pid %d)", pid)
	}
	t.note("note", "waiting for "+who+" to finish")
}

// error says what went wrong and what to type next.
func (t teller) error(err error) {
	if errors.Is(err, errNotWanted) {
		return // the answer is on stdout
	}
	t.note("error", t.tilde(plainWords(err.Error())))
	var p *bind.Problem
	if errors.As(err, &p) {
		for _, line := range p.Log {
			t.note("log", line)
		}
	}
	if hint := hintOf(err); hint != "" {
		t.note("hint", hint)
	}
}

// plainWords replaces what Go's libraries say by what a person would.
func plainWords(text string) string {
	return strings.NewReplacer(
		"context deadline exceeded", "not done in the time that --timeout allows",
		"EvalSymlinks: too many links", "too many links in a row",
		"$HOME is not defined", "HOME is not set",
	).Replace(text)
}

func hintOf(err error) string {
	var usage *usageError
	var p *bind.Problem
	switch {
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &p):
		return p.Hint
	}
	return ""
}

// tilde shortens the home directory in a message, but not in quotes, where no
// shell would make it long again.
func (t teller) tilde(text string) string {
	if t.home == "" || t.home == "/" {
		return text
	}
	parts := strings.Split(text, t.home+"/")
	short := parts[0]
	for _, part := range parts[1:] {
		if strings.HasSuffix(short, "'") {
			short += t.home + "/" + part
		} else {
			short += "~/" + part
		}
	}
	return short
}

// printable escapes what a terminal would act upon: control characters and
// characters that turn the direction of text.
func printable(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, text[i]) // a byte that is no UTF-8
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
