package pty

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Cell is one character on a screen, with the codes of its colour ("31", "" for
// none).
type Cell struct {
	Rune rune
	Code string
}

// Screen is what a terminal shows after it got some bytes, line by line. Lines are as
// long as they are. It knows the few controls that a program with manners needs, and
// gives an error for any other.
func Screen(seen []byte) ([][]Cell, error) {
	s := screen{lines: [][]Cell{nil}}
	for len(seen) > 0 {
		n, err := s.take(seen)
		if err != nil {
			return nil, err
		}
		seen = seen[n:]
	}
	return s.lines, nil
}

type screen struct {
	lines  [][]Cell
	column int // on the last line
	code   string
}

var control = regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`)

// take acts upon the first character or control, and says how long it was.
func (s *screen) take(seen []byte) (n int, err error) {
	line := &s.lines[len(s.lines)-1]
	r, n := utf8.DecodeRune(seen)
	switch {
	case r == '\r':
		s.column = 0
	case r == '\n':
		s.lines = append(s.lines, nil)
	case r == '\t':
		s.put(' ')
		for s.column%8 != 0 {
			s.put(' ')
		}
	case r == '\x1b':
		m := control.FindSubmatch(seen)
		if m == nil {
			return 0, fmt.Errorf("an escape sequence that is none: %.10q", seen)
		}
		return len(m[0]), s.obey(string(m[1]), string(m[2]), line)
	case r < ' ' || r == 0x7f || r == utf8.RuneError:
		return 0, fmt.Errorf("not to be shown: %.10q", seen)
	default:
		s.put(r)
	}
	return n, nil
}

func (s *screen) put(r rune) {
	line := &s.lines[len(s.lines)-1]
	for len(*line) <= s.column {
		*line = append(*line, Cell{Rune: ' '})
	}
	(*line)[s.column] = Cell{r, s.code}
	s.column++
}

func (s *screen) obey(argument, verb string, line *[]Cell) error {
	switch {
	case verb == "m":
		s.code = strings.TrimPrefix(argument, "0")
	case verb == "K" && argument == "":
		*line = (*line)[:min(s.column, len(*line))]
	default:
		return fmt.Errorf("an unknown escape sequence: %s%s", argument, verb)
	}
	return nil
}

// Text is a screen without its colours.
func Text(lines [][]Cell) string {
	var b bytes.Buffer
	for _, line := range lines {
		for _, c := range line {
			b.WriteRune(c.Rune)
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
