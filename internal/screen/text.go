package screen

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Piece is some text and what it means.
type Piece struct {
	Meaning Meaning
	text    string
}

// Text is a piece of text that means m.
func (m Meaning) Text(text string) Piece { return Piece{m, text} }

// The marks tell rows apart at a glance.
var (
	MarkGood    = Good.Text("✓")
	MarkCareful = Careful.Text("!")
	MarkBad     = Bad.Text("✗")
	MarkNone    = Detail.Text(None)
	MarkUnknown = Careful.Text("?")
)

// None stands for no value.
const None = "–"

var asciiMarks = strings.NewReplacer("✓", "+", "✗", "x", None, "-")

// paint makes a piece fit for the stream. It escapes what could steer a terminal before
// it adds the colour.
func (s Stream) paint(p Piece) string {
	text := Printable(p.text)
	if s.ascii {
		text = asciiMarks.Replace(text)
	}
	return s.tint(p.Meaning, text)
}

// Line writes a line.
func (s Stream) Line(text ...Piece) {
	var b strings.Builder
	for _, p := range text {
		b.WriteString(s.paint(p))
	}
	fmt.Fprintln(s, b.String()) // the stream's owner remembers failures
}

// Say writes a line in the colour of m, and bold: it is for verdicts.
func (s Stream) Say(m Meaning, format string, args ...any) {
	if m == Good || m == Careful || m == Bad {
		m = "1;" + m
	}
	s.Line(m.Text(fmt.Sprintf(format, args...)))
}

// Row is a line of a table: a mark, if it has one, and its cells.
type Row struct {
	Mark  Piece
	Cells []Piece
}

// Rows writes aligned columns. If one cell has a colour, all need one: tabwriter counts
// the codes.
func (s Stream) Rows(rows []Row) {
	w := tabwriter.NewWriter(s, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		var cells []string
		for _, p := range r.Cells {
			cells = append(cells, s.paint(cmp.Or(p.Meaning, uncoloured).Text(p.text)))
		}
		line := strings.TrimRight(strings.Join(cells, "\t"), "\t")
		if r.Mark.text != "" {
			line = s.paint(r.Mark) + " " + line
		}
		fmt.Fprintln(w, "  "+line)
	}
	w.Flush()
}

// Diff writes a unified diff, which has its own line ends and tabs.
func (s Stream) Diff(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i := range fields {
			fields[i] = Printable(fields[i])
		}
		fmt.Fprintln(s, s.tint(diffMeaning(line), strings.Join(fields, "\t")))
	}
}

func diffMeaning(line string) Meaning {
	switch {
	case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "@@ "):
		return Detail
	case strings.HasPrefix(line, "+"):
		return Good
	case strings.HasPrefix(line, "-"):
		return Bad
	}
	return Plain
}

// JSON writes v, of a type that encoding/json takes, for programs to read.
func (s Stream) JSON(v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(v)                            // cannot fail: these are our own types
	io.WriteString(s, escaped(b.String())) // fails only if stdout is gone
}

// escaped writes \u escapes for what Printable would escape: a program reads the same
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

// Printable escapes what a terminal would act on: control characters, and those that
// change the direction of text.
func Printable(text string) string {
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
