package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

// What is wider than the terminal is folded here, between words. Nothing is left
// out, and what gets pasted, a command or a URL, is never broken: the terminal
// breaks it itself where it has to, and knows when it is copied that it did.

// leastWidth is what is folded to where a terminal has less.
const leastWidth = 20

// columns is how wide text is on the terminal.
func columns(text string) int { return utf8.RuneCountInString(printable(text)) }

func widthOf(text []piece) int {
	n := 0
	for _, p := range text {
		n += columns(p.text)
	}
	return n
}

// holds reports whether a line of so many columns stays one.
func (s screen) holds(n int) bool { return s.width == 0 || n <= s.width }

// put writes a line. If it takes more than one, the others begin with spaces, so
// many as hang.
func (s screen) put(w io.Writer, hang int, text ...piece) {
	if s.holds(widthOf(text)) {
		s.write(w, text...)
		return
	}
	for _, line := range fold(text, max(s.width, leastWidth), hang) {
		s.write(w, line...)
	}
}

// write writes one line as it is.
func (s screen) write(w io.Writer, text ...piece) {
	var b strings.Builder
	for _, p := range text {
		b.WriteString(s.paint(p))
	}
	io.WriteString(w, b.String()+"\n") // who owns the stream remembers what failed
}

func spaces(n int) piece { return piece{plain, strings.Repeat(" ", max(n, 0))} }

// fold breaks text into lines of no more than width columns.
func fold(text []piece, width, hang int) [][]piece {
	var lines [][]piece
	var line []piece
	used := 0
	for _, word := range words(text, width-hang) {
		if used > hang && used+columns(bare(word.text)) > width {
			lines = append(lines, trimmed(line))
			line, used = []piece{spaces(hang)}, hang
		}
		line = join(line, word)
		used += columns(word.text)
	}
	return append(lines, trimmed(line))
}

// bare is a word without the space behind it, which may stick out.
func bare(word string) string { return strings.TrimRight(word, " ") }

func trimmed(line []piece) []piece {
	for i := len(line) - 1; i >= 0; i-- {
		if line[i].text = bare(line[i].text); line[i].text != "" {
			return line[:i+1]
		}
	}
	return nil
}

// words splits text behind each space, and paths that are too long for a line
// behind each slash.
func words(text []piece, width int) []piece {
	var all []piece
	for _, p := range text {
		for word := range strings.SplitAfterSeq(p.text, " ") {
			if columns(bare(word)) <= width || strings.Contains(word, "://") {
				all = append(all, piece{p.meaning, word})
				continue
			}
			for part := range strings.SplitAfterSeq(word, "/") {
				all = append(all, piece{p.meaning, part})
			}
		}
	}
	return all
}

// join adds a word to a line, which stays one piece where the meaning is the same.
func join(line []piece, word piece) []piece {
	if n := len(line); n > 0 && line[n-1].meaning == word.meaning {
		line[n-1].text += word.text
		return line
	}
	return append(line, word)
}
