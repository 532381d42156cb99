package main

import (
	"cmp"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// screen is what one of the two streams can show. The zero value is a pipe or a
// file: plain text, in lines as long as they are.
type screen struct {
	colour bool
	ascii  bool // marks in ASCII only
	lively bool // a line can be replaced by another one
	width  int  // in columns; 0 where nothing is folded
}

// screenOf looks at a stream. Only a terminal has a size.
func screenOf(w io.Writer, getenv func(string) string) screen {
	f, ok := w.(*os.File)
	if !ok {
		return newScreen(false, 0, getenv)
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return newScreen(false, 0, getenv)
	}
	return newScreen(true, int(size.Col), getenv)
}

// newScreen decides. NO_COLOR (no-color.org) goes before CLICOLOR_FORCE, which
// goes before CLICOLOR=0 (bixense.com/clicolors). A terminal that has not said
// what it is counts as a dumb one.
func newScreen(terminal bool, width int, getenv func(string) string) screen {
	term, force := getenv("TERM"), getenv("CLICOLOR_FORCE")
	still := getenv("NO_COLOR") != "" || term == "dumb" || terminal && term == ""
	forced := force != "" && force != "0"
	return screen{
		colour: !still && (forced || terminal && getenv("CLICOLOR") != "0"),
		ascii:  terminal && !speaksUTF8(getenv),
		lively: terminal && !still,
		width:  width,
	}
}

// speaksUTF8 asks the variables in the order in which a C library does.
func speaksUTF8(getenv func(string) string) bool {
	locale := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
}

// meaning is what a piece of text is worth to its reader. There are colours for
// nothing else.
type meaning int

const (
	plain meaning = iota
	good
	careful
	bad
	detail // that most readers can do without
)

// codes are of the sixteen colours that every terminal has, in the shades that its
// owner chose, and "faint", which unlike grey shows on light and dark alike.
var codes = map[meaning]string{good: "32", careful: "33", bad: "31", detail: "2"}

// piece is a bit of text, and what it means.
type piece struct {
	meaning meaning
	text    string
}

// paint makes a piece fit for the stream. The colour comes after everything that
// could steer a terminal is gone from the text.
func (s screen) paint(p piece) string { return s.tint(p.meaning, printable(p.text)) }

// tint colours text that is printable.
func (s screen) tint(m meaning, text string) string {
	code, ok := codes[m]
	if !ok || !s.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// mark shows at a glance what a line is about.
type mark struct {
	meaning meaning
	sign    string
	ascii   string
}

var (
	markGood    = mark{good, "✓", "+"}
	markCareful = mark{careful, "!", "!"}
	markBad     = mark{bad, "✗", "x"}
	markNone    = mark{detail, "–", "-"}
	markUnknown = mark{careful, "?", "?"}
)

func (s screen) mark(m mark) piece {
	if s.ascii {
		return piece{m.meaning, m.ascii}
	}
	return piece{m.meaning, m.sign}
}
