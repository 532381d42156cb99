// Package pictures draws what a terminal shows, as an SVG that needs no fonts of its
// own and has its text as text.
package pictures

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/pty"
)

// The window, in pixels.
const (
	charWidth  = 8.4
	lineHeight = 19
	fontSize   = 14
	margin     = 18
	bar        = 34 // the window's title bar
)

// colours are those of a dark terminal, by their codes.
var colours = map[string]string{
	"":   "#d7dae0",
	"1":  "#ffffff",
	"2":  "#8b919c",
	"31": "#ff7b72",
	"32": "#7ee787",
	"33": "#f2cc60",
}

// SVG draws a window of so many columns.
func SVG(title string, columns int, lines [][]pty.Cell) ([]byte, error) {
	for len(lines) > 0 && len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	width := 2*margin + int(charWidth*float64(columns)+0.5)
	height := bar + len(lines)*lineHeight + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(title))
	// The border keeps it apart from a page that is as dark as it is.
	fmt.Fprintf(&b, `<rect x="0.5" y="0.5" width="%d" height="%d" rx="9" fill="#16181d" stroke="#3d444d"/>`+"\n", width-1, height-1)
	for i, colour := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="17" r="6" fill="%s"/>`+"\n", margin+2+20*i, colour)
	}
	fmt.Fprintf(&b, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="%d">`+"\n", fontSize)
	for i, line := range lines {
		if err := drawLine(&b, bar+fontSize+i*lineHeight, line); err != nil {
			return nil, err
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return []byte(b.String()), nil
}

// drawLine gives each run its place and its width: fonts differ, and the columns have
// to stay below each other.
func drawLine(b *strings.Builder, y int, line []pty.Cell) error {
	for start := 0; start < len(line); {
		end := runEnd(line, start)
		colour, ok := colours[line[start].Code]
		if !ok {
			return fmt.Errorf("no colour for the code %q", line[start].Code)
		}
		if line[start].Rune != ' ' {
			fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f" fill="%s">%s</text>`+"\n",
				margin+charWidth*float64(start), y, charWidth*float64(end-start), colour, escape(textOf(line[start:end])))
		}
		start = end
	}
	return nil
}

// runEnd is where what begins at start ends: with the colour, before spaces other
// than one between two words, and after spaces. An SVG knows no others.
func runEnd(line []pty.Cell, start int) int {
	same := func(i int) bool { return i < len(line) && line[i].Code == line[start].Code }
	blank := func(i int) bool { return line[i].Rune == ' ' }
	end := start + 1
	for same(end) && blank(end) == blank(start) ||
		same(end) && same(end+1) && !blank(start) && !blank(end+1) {
		end++
	}
	return end
}

func textOf(cells []pty.Cell) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteRune(c.Rune)
	}
	return b.String()
}

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
