package pictures

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/pty"
)

func TestSVG(t *testing.T) {
	lines, err := pty.Screen([]byte("\x1b[32m✓\x1b[0m a <b> & c  d  \n\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := SVG("a & b", 20, lines)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<title>a &amp; b</title>",
		`viewBox="0 0 204 71"`, // one line high
		`<text x="18.0" y="48" textLength="8.4" fill="#7ee787">✓</text>`,
		`<text x="34.8" y="48" textLength="75.6" fill="#d7dae0">a &lt;b&gt; &amp; c</text>`,
		`<text x="127.2" y="48" textLength="8.4" fill="#d7dae0">d</text>`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(string(got))); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnknownColour(t *testing.T) {
	lines, err := pty.Screen([]byte("\x1b[35mpurple\x1b[0m"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SVG("", 20, lines); err == nil {
		t.Error("no error")
	}
}
