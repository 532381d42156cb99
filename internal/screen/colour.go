// Package screen writes what people read: in colour where that is possible, in straight
// columns, and without a byte that could steer a terminal.
package screen

import (
	"cmp"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Meaning is what a piece of text tells its reader: the code of one of the sixteen
// colours that every terminal has, in the shades its owner chose. All have two digits,
// because text/tabwriter counts them, and columns have to stay straight.
type Meaning string

// The meanings.
const (
	Plain      Meaning = ""
	uncoloured Meaning = "39" // the terminal's own
	Good       Meaning = "32"
	Careful    Meaning = "33"
	Bad        Meaning = "31"
	Detail     Meaning = "02" // faint: unlike grey it shows on light and dark backgrounds
)

// Stream is stdout or stderr, and what it can show. One with only a Writer is a pipe or
// a file: nothing but tabs in a diff and line ends is a control byte there.
type Stream struct {
	io.Writer
	colour bool
	ascii  bool // a terminal without UTF-8
	Lively bool // a terminal on which one line can replace another
}

// New is w and what it can show. NO_COLOR (no-color.org) overrides FORCE_COLOR
// (force-color.org) and CLICOLOR_FORCE, which override CLICOLOR=0
// (bixense.com/clicolors). A terminal that does not say what it is counts as dumb.
func New(w io.Writer, getenv func(string) string) Stream {
	return newStream(w, isTerminal(w), getenv)
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

func newStream(w io.Writer, terminal bool, getenv func(string) string) Stream {
	term, force := getenv("TERM"), cmp.Or(getenv("FORCE_COLOR"), getenv("CLICOLOR_FORCE"))
	still := getenv("NO_COLOR") != "" || term == "dumb" || terminal && term == ""
	forced := force != "" && force != "0"
	locale := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	return Stream{
		Writer: w,
		colour: !still && (forced || terminal && getenv("CLICOLOR") != "0"),
		ascii:  terminal && !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8"),
		Lively: terminal && !still,
	}
}

// tint colours text that is printable.
func (s Stream) tint(m Meaning, text string) string {
	if !s.colour || m == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(m) + "m" + text + "\x1b[0m"
}
