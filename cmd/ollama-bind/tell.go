//go:build !windows

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/ollama-bind/ollama-bind/internal/backup"
)

// Everything that people see goes through this file, by these rules:
//
//   - results, and JSON, on stdout; errors, hints, warnings, progress on stderr;
//   - what goes to stderr starts with the program's name, in lower case, without
//     a full stop; a hint is a line of its own with something to paste;
//   - the home directory is written ~ in messages, because they get pasted;
//   - nothing that comes from a file or another program reaches the terminal
//     with control characters in it: see printable;
//   - colours and ASCII marks are for terminals (colour.go): what goes elsewhere
//     has no control byte but tabs in a diff and line ends. Terminals wrap;
//   - what moves (spinner.go) is on stderr, and is gone before a result is written.

type teller struct {
	out, err stream
	home     string
	log      *runLog
}

func newTeller(stdout, stderr io.Writer) teller {
	home, _ := os.UserHomeDir()
	if home != "" { // without one, nothing is shortened
		home = backup.Clean(home)
	}
	return teller{
		out:  newStream(stdout, isTerminal(stdout), os.Getenv),
		err:  newStream(stderr, isTerminal(stderr), os.Getenv),
		home: home,
		log:  &runLog{began: time.Now()},
	}
}

// isTerminal reports whether w has a size, which only a terminal has.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// plain is for --json, which only programs read.
func (t teller) plain() teller {
	t.out, t.err = stream{Writer: t.out.Writer}, stream{Writer: t.err.Writer}
	return t
}

// piece is some text and what it means.
type piece struct {
	meaning meaning
	text    string
}

// The marks tell rows apart at a glance.
var (
	markGood    = piece{good, "✓"}
	markCareful = piece{careful, "!"}
	markBad     = piece{bad, "✗"}
	markNone    = piece{detail, "–"}
	markUnknown = piece{careful, "?"}

	asciiMarks = strings.NewReplacer("✓", "+", "✗", "x", "–", "-")
)

// paint makes a piece fit for the stream. It escapes what could steer a terminal before
// it adds the colour.
func (s stream) paint(p piece) string {
	text := printable(p.text)
	if s.ascii {
		text = asciiMarks.Replace(text)
	}
	return s.tint(p.meaning, text)
}

func (s stream) line(text ...piece) {
	var b strings.Builder
	for _, p := range text {
		b.WriteString(s.paint(p))
	}
	fmt.Fprintln(s, b.String()) // the stream's owner remembers failures
}

// printf writes a line of a result.
func (t teller) printf(format string, args ...any) { t.say(plain, format, args...) }

// say is printf in the colour of a meaning, and bold: it is for verdicts.
func (t teller) say(m meaning, format string, args ...any) {
	if m == good || m == careful || m == bad {
		m = "1;" + m
	}
	t.out.line(piece{m, fmt.Sprintf(format, args...)})
}

// paste writes something to paste, after what it is for.
func (t teller) paste(label, text string) { t.out.line(piece{detail, label}, piece{plain, text}) }

// hint writes what to do next.
func (t teller) hint(text string) { t.paste("hint: ", t.tilde(text)) }

// row is a line of a table: a mark, if it has one, and its cells.
type row struct {
	mark  piece
	cells []piece
}

// rows writes aligned columns. If one cell has a colour, all need one: tabwriter counts
// the codes.
func (t teller) rows(rows []row) {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		var cells []string
		for _, p := range r.cells {
			cells = append(cells, t.out.paint(piece{cmp.Or(p.meaning, uncoloured), p.text}))
		}
		line := strings.TrimRight(strings.Join(cells, "\t"), "\t")
		if r.mark.text != "" {
			line = t.out.paint(r.mark) + " " + line
		}
		fmt.Fprintln(w, "  "+line)
	}
	w.Flush()
}

// diff writes a unified diff, which has its own line ends and tabs.
func (t teller) diff(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i := range fields {
			fields[i] = printable(fields[i])
		}
		fmt.Fprintln(t.out, t.out.tint(diffMeaning(line), strings.Join(fields, "\t")))
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

// kinds are notes that stand out.
var kinds = map[string]meaning{"error": bad, "warning": careful}

// note writes a line to stderr.
func (t teller) note(kind, text string) {
	m := cmp.Or(kinds[kind], detail)
	t.err.line(piece{detail, name + ": "}, piece{m, kind + ":"}, piece{plain, " " + strings.ReplaceAll(text, "\n", "; ")})
}

// json writes the one object of --json.
func (t teller) json(v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(v)                                // cannot fail: these are our own types
	io.WriteString(t.out, escaped(b.String())) // fails only if stdout is gone
}

// escaped writes \u escapes for what printable would escape: a program reads the same
// text, and a terminal does nothing.
func escaped(doc string) string {
	var b strings.Builder
	for _, r := range doc {
		if unicode.IsPrint(r) || r == '\n' {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// warnings leaves out what the advice has said, and says what has one cause in one
// line.
func (t teller) warnings(all []warning, said *adviceObject) {
	var lines []string
	for i, w := range all {
		switch {
		case said != nil && said.ID == w.ID:
		case i > 0 && w.ID == suspicious && all[i-1].ID == notLasting && len(lines) > 0:
			lines[len(lines)-1] += "; " + w.Message
		default:
			lines = append(lines, w.Message)
		}
	}
	for _, line := range lines {
		t.note("warning", t.tilde(line))
	}
}

// otherRun says that another run has to end first; its process is 0 if unknown.
func otherRun(pid int) string {
	if pid > 0 {
		return fmt.Sprintf("waiting for another run (pid %d) to finish", pid)
	}
	return "waiting for another run to finish"
}

// error says what went wrong and what to type next.
func (t teller) error(err error) {
	if err == nil || errors.Is(err, errNotWanted) {
		return // the answer is on stdout
	}
	o := newErrorObject(t, err)
	t.note("error", o.Message)
	for _, line := range o.Log {
		t.note("log", line)
	}
	if o.Hint != "" {
		t.note("hint", o.Hint)
	}
}

// plainWords replaces the words of Go's libraries with plainer ones.
func plainWords(text string) string {
	return strings.NewReplacer(
		"context deadline exceeded", "not done in the time that --timeout allows",
		"EvalSymlinks: too many links", "too many links in a row",
		"$HOME is not defined", "HOME is not set",
	).Replace(text)
}

// tilde shortens the home folder in a message, but not within quotes, where no shell
// would expand it.
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

// printable escapes what a terminal would act on: control characters, and those that
// change the direction of text.
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
