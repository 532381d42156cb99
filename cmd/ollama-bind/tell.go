package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
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
//     with control characters in it.

type teller struct {
	out  io.Writer
	err  io.Writer
	home string
}

func newTeller(stdout, stderr io.Writer) teller {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // nothing gets shortened then
	}
	return teller{out: stdout, err: stderr, home: home}
}

// printf writes a line of a result.
func (t teller) printf(format string, args ...any) {
	fmt.Fprintln(t.out, printable(fmt.Sprintf(format, args...)))
}

// diff writes a unified diff, which brings its own line ends and tabs.
func (t teller) diff(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i := range fields {
			fields[i] = printable(fields[i])
		}
		fmt.Fprintln(t.out, strings.Join(fields, "\t"))
	}
}

// note writes a line to stderr.
func (t teller) note(kind, text string) {
	fmt.Fprintf(t.err, "%s: %s: %s\n", name, kind, printable(strings.ReplaceAll(text, "\n", "; ")))
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

// rows writes aligned columns.
func (t teller) rows(rows [][]string) {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i := range row {
			cells[i] = printable(row[i])
		}
		fmt.Fprintln(w, "  "+strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	w.Flush()
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
