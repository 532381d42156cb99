package screen

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestPrintable is about text from files and other programs: none of it may control the
// terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain, with ünïcödé ✓":   "plain, with ünïcödé ✓",
		"\x1b[31mred\x1b[0m":      `\x1b[31mred\x1b[0m`,
		"bell\a, back\b, cr\r":    `bell\a, back\b, cr\r`,
		"turned \u202e around":    `turned \u202e around`,
		"c1 \u009b31m":            `c1 \u009b31m`,
		"two\nlines and a\ttab":   `two\nlines and a\ttab`,
		"no UTF-8: " + "\xff\xfe": `no UTF-8: \xff\xfe`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestEscaped is the same for JSON, which has its own escapes: every reader sees the
// same text.
func TestEscaped(t *testing.T) {
	for text, want := range map[string]string{
		`"plain ünïcödé ✓ \n"`:     `"plain ünïcödé ✓ \n"`,
		"\"c1 \u009b31m \x7f\"":    `"c1 \u009b31m \u007f"`,
		"\"turned \u202e \u2066\"": `"turned \u202e \u2066"`,
		"\"beyond \U000e0041\"":    `"beyond \udb40\udc41"`,
	} {
		if got := escaped(text); got != want {
			t.Errorf("escaped(%q) = %s, want %s", text, got, want)
		}
	}
}

// TestRows: columns are straight, with colour too, whatever a cell holds.
func TestRows(t *testing.T) {
	rows := []Row{
		{MarkGood, []Piece{Plain.Text("a"), Detail.Text("one\ttab"), Detail.Text("é")}},
		{MarkBad, []Piece{Bad.Text("é"), Plain.Text("c\nd"), Plain.Text("e")}},
		{MarkNone, []Piece{Plain.Text("long name"), Plain.Text("b"), Detail.Text("")}},
	}
	want := "  %s a          one\\ttab  é\n  %s é          c\\nd      e\n  %s long name  b\n"
	for _, test := range []struct {
		stream Stream
		marks  []any
	}{
		{Stream{}, []any{"✓", "✗", "–"}},
		{Stream{colour: true}, []any{"✓", "✗", "–"}},
		{Stream{ascii: true}, []any{"+", "x", "-"}},
	} {
		var out bytes.Buffer
		test.stream.Writer = &out
		test.stream.Rows(rows)
		shown := codes.ReplaceAllString(out.String(), "")
		if want := fmt.Sprintf(want, test.marks...); shown != want || shown != out.String() && !test.stream.colour {
			t.Errorf("%+v: %q\nwant %q", test.stream, out.String(), want)
		}
	}
}

// TestSpinner: the spinner shows the total time, not that of the last step, and leaves
// nothing behind.
func TestSpinner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		say, done := (Stream{Writer: &out, Lively: true}).Spin("looking")
		for _, step := range []string{"stopping", "starting", "waiting"} {
			time.Sleep(1100 * time.Millisecond)
			say(step)
		}
		time.Sleep(3 * spinEvery)
		done()
		text := out.String()
		if want := `(?s)looking, 0 s\x1b\[K.*looking, 1 s.*stopping, 1 s.*starting, 2 s.*waiting, 3 s`; !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%q is not like %s", text, want)
		}
		if !strings.HasSuffix(text, "\r\x1b[K") {
			t.Errorf("%q", text)
		}
		time.Sleep(2 * spinEvery)
		if out.String() != text {
			t.Errorf("it goes on: %q", out.String())
		}
	})
}

// stuck is a stopped terminal: it accepts nothing.
type stuck struct{ free chan struct{} }

func (s stuck) Write(b []byte) (int, error) { <-s.free; return len(b), nil }

// TestSpinnerHoldsNobodyUp: a stopped terminal does not stop the work.
func TestSpinnerHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal := stuck{make(chan struct{})}
		say, done := Stream{Writer: terminal, Lively: true}.Spin("looking")
		time.Sleep(spinAfter + 2*spinEvery) // it is writing by now
		said := make(chan struct{})
		go func() {
			say("stopping")
			say("starting")
			close(said)
		}()
		select {
		case <-said:
		case <-time.After(5 * time.Second):
			t.Error("a step waits for the terminal")
		}
		close(terminal.free)
		done()
	})
}

// codes are how a terminal is told a colour.
var codes = regexp.MustCompile(`\x1b\[\d*m`)
