//go:build !windows

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/masked"
	"github.com/ollama-bind/ollama-bind/internal/screen"
)

// Everything that people see goes through this file, by these rules:
//
//   - results, and JSON, on stdout; errors, hints, warnings, progress on stderr;
//   - what goes to stderr starts with the program's name, in lower case, without
//     a full stop; a hint is a line of its own with something to paste;
//   - the home directory is written ~ in messages, because they get pasted;
//   - package screen keeps a terminal from being steered. Terminals wrap;
//   - what moves is on stderr, and is gone before a result is written.

type teller struct {
	out, err screen.Stream
	home     string
	log      *runLog
}

func newTeller(stdout, stderr io.Writer) teller {
	home, _ := os.UserHomeDir()
	if home != "" { // without one, nothing is shortened
		home = backup.Clean(home)
	}
	return teller{
		out:  screen.New(stdout, os.Getenv),
		err:  screen.New(stderr, os.Getenv),
		home: home,
		log:  &runLog{Runs: masked.NewRuns()},
	}
}

// plain is for --json, which only programs read.
func (t teller) plain() teller {
	t.out, t.err = screen.Stream{Writer: t.out.Writer}, screen.Stream{Writer: t.err.Writer}
	return t
}

// spin shows what is being done, unless --verbose shows each program.
func (t teller) spin(doing string) (say func(text string), done func()) {
	if t.verbose() {
		return screen.Stream{}.Spin(doing)
	}
	return t.err.Spin(doing)
}

// printf writes a line of a result.
func (t teller) printf(format string, args ...any) { t.out.Say(screen.Plain, format, args...) }

// paste writes something to paste, after what it is for.
func (t teller) paste(label, text string) {
	t.out.Line(screen.Detail.Text(label), screen.Plain.Text(text))
}

// hint writes what to do next.
func (t teller) hint(text string) { t.paste("hint: ", t.tilde(text)) }

// kinds are notes that stand out.
var kinds = map[string]screen.Meaning{"error": screen.Bad, "warning": screen.Careful}

// note writes a line to stderr.
func (t teller) note(kind, text string) {
	m := cmp.Or(kinds[kind], screen.Detail)
	t.err.Line(screen.Detail.Text(name+": "), m.Text(kind+":"), screen.Plain.Text(" "+strings.ReplaceAll(text, "\n", "; ")))
}

// warnings leaves out what the advice has said.
func (t teller) warnings(all []answer.Warning, said *answer.Advice) {
	for _, line := range answer.Lines(all, said) {
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
