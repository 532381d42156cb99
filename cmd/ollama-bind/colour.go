//go:build !windows

package main

import (
	"cmp"
	"io"
	"strings"
)

// meaning is what a piece of text tells its reader: the code of one of the sixteen
// colours that every terminal has, in the shades its owner chose. All have two digits,
// because text/tabwriter counts them, and columns have to stay straight.
type meaning string

const (
	plain      meaning = ""
	uncoloured meaning = "39" // the terminal's own
	good       meaning = "32"
	careful    meaning = "33"
	bad        meaning = "31"
	detail     meaning = "02" // faint: unlike grey it shows on light and dark backgrounds
)

// stream is stdout or stderr, and what it can show. One with only a Writer is a pipe or
// a file.
type stream struct {
	io.Writer
	colour bool
	ascii  bool // a terminal without UTF-8
	lively bool // a terminal on which one line can replace another
}

// newStream decides. NO_COLOR (no-color.org) overrides FORCE_COLOR (force-color.org)
// and CLICOLOR_FORCE, which override CLICOLOR=0 (bixense.com/clicolors). A terminal
// that does not say what it is counts as dumb.
func newStream(w io.Writer, terminal bool, getenv func(string) string) stream {
	term, force := getenv("TERM"), cmp.Or(getenv("FORCE_COLOR"), getenv("CLICOLOR_FORCE"))
	still := getenv("NO_COLOR") != "" || term == "dumb" || terminal && term == ""
	forced := force != "" && force != "0"
	locale := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	return stream{
		Writer: w,
		colour: !still && (forced || terminal && getenv("CLICOLOR") != "0"),
		ascii:  terminal && !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8"),
		lively: terminal && !still,
	}
}

// tint colours text that is printable.
func (s stream) tint(m meaning, text string) string {
	if !s.colour || m == plain || text == "" {
		return text
	}
	return "\x1b[" + string(m) + "m" + text + "\x1b[0m"
}
