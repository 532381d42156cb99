package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"text/tabwriter"
)

func TestFold(t *testing.T) {
	for _, test := range []struct {
		width, hang int
		text, want  string
	}{
		{20, 2, "it fits", "it fits"},
		{20, 2, "this one is too long for it", "this one is too long\n  for it"},
		{20, 2, "see ~/Library/LaunchAgents/sh.plist, was not set", "see ~/Library/\n  LaunchAgents/\n  sh.plist, was not\n  set"},
		{20, 2, "ask http://host.docker.internal:11434/v1 now", "ask\n  http://host.docker.internal:11434/v1\n  now"},
		{20, 4, "    a piece of evidence that is long", "    a piece of\n    evidence that is\n    long"},
		{20, 2, "control\x1b\x1b\x1b\x1b characters count", `control\x1b\x1b\x1b\x1b` + "\n  characters count"},
		{20, 2, "", ""},
	} {
		var out bytes.Buffer
		(screen{width: test.width}).put(&out, test.hang, piece{plain, test.text})
		if got := strings.TrimSuffix(out.String(), "\n"); got != test.want {
			t.Errorf("%q:\n%s\nwant:\n%s", test.text, got, test.want)
		}
	}
}

// TestFoldColours: a colour ends with its line.
func TestFoldColours(t *testing.T) {
	var out bytes.Buffer
	s := screen{width: 20, colour: true}
	s.put(&out, 2, piece{bad, "error:"}, piece{plain, " which takes"}, piece{good, " more than one line"})
	want := "\x1b[31merror:\x1b[0m which takes\n  \x1b[32mmore than one line\x1b[0m\n"
	if out.String() != want {
		t.Errorf("%q\nwant %q", out.String(), want)
	}
}

// TestFoldKeeps: whatever the text and the width, nothing is lost, and no line is
// too wide that has more than one word.
func TestFoldKeeps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := []rune("abcdef   /✓é")
	for range 1000 {
		var text []piece
		for range random.IntN(4) + 1 {
			word := make([]rune, random.IntN(60))
			for i := range word {
				word[i] = letters[random.IntN(len(letters))]
			}
			text = append(text, piece{meaning(random.IntN(5)), string(word)})
		}
		var whole, folded bytes.Buffer
		width, hang := 20+random.IntN(60), random.IntN(8)
		(screen{}).put(&whole, hang, text...)
		(screen{width: width}).put(&folded, hang, text...)
		if squeeze(whole.String()) != squeeze(folded.String()) {
			t.Fatalf("%q\nbecame %q", whole.String(), folded.String())
		}
		for line := range strings.Lines(folded.String()) {
			line = strings.TrimRight(line, " \n")
			if columns(line) > width && len(strings.Fields(line)) > 1 && len(text) == 1 {
				t.Fatalf("%d columns, not %d: %q", columns(line), width, line)
			}
		}
	}
}

func squeeze(text string) string { return strings.Join(strings.Fields(text), "") }

// TestAlignedAsByTabwriter: what is not on a terminal stays as it was when package
// text/tabwriter wrote it.
func TestAlignedAsByTabwriter(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var rows []row
		var want bytes.Buffer
		w := tabwriter.NewWriter(&want, 0, 0, 2, ' ', 0)
		for range random.IntN(6) + 1 {
			var cells []string
			for range random.IntN(4) + 1 {
				cells = append(cells, strings.Repeat("é", random.IntN(3)*random.IntN(5)))
			}
			rows = append(rows, rowOf(cells...))
			fmt.Fprintln(w, "  "+strings.TrimRight(strings.Join(cells, "\t"), "\t"))
		}
		w.Flush()
		var got bytes.Buffer
		teller{out: &got}.rows(rows)
		if got.String() != want.String() {
			t.Fatalf("%q\nwant %q", got.String(), want.String())
		}
	}
}

func TestNarrowTable(t *testing.T) {
	rows := []row{
		{markGood, []piece{{plain, "env-file"}, {plain, "OLLAMA_HOST=0.0.0.0:11434"}, {detail, "~/.homebrew/services/ollama.env"}}},
		{markNone, []piece{{plain, "job"}, {plain, "skipped"}, {detail, ""}}},
	}
	for width, want := range map[int]string{
		0: `  ✓ env-file  OLLAMA_HOST=0.0.0.0:11434  ~/.homebrew/services/ollama.env
  – job       skipped
`,
		72: `  ✓ env-file  OLLAMA_HOST=0.0.0.0:11434  ~/.homebrew/services/ollama.env
  – job       skipped
`,
		71: `  ✓ env-file  OLLAMA_HOST=0.0.0.0:11434
              ~/.homebrew/services/ollama.env
  – job       skipped
`,
		40: `  ✓ env-file
    OLLAMA_HOST=0.0.0.0:11434
    ~/.homebrew/services/ollama.env
  – job
    skipped
`,
	} {
		var got bytes.Buffer
		teller{out: &got, screen: screen{width: width}}.rows(rows)
		if got.String() != want {
			t.Errorf("%d columns:\n%s\nwant:\n%s", width, got.String(), want)
		}
	}
}

// TestNarrowPaste: a command is not broken, wherever the terminal ends.
func TestNarrowPaste(t *testing.T) {
	var out bytes.Buffer
	narrow := teller{out: &out, screen: screen{width: 40}}
	narrow.paste("to take it back:  ", "ollama-bind rollback")
	narrow.paste("what to do:       ", "ollama-bind fix --host 0.0.0.0:11434 --plist /a/b")
	want := "to take it back:  ollama-bind rollback\n" +
		"what to do:\n  ollama-bind fix --host 0.0.0.0:11434 --plist /a/b\n"
	if out.String() != want {
		t.Errorf("%q\nwant %q", out.String(), want)
	}
}

// TestNarrowNotes: messages are folded, a hint is there to be pasted.
func TestNarrowNotes(t *testing.T) {
	var out bytes.Buffer
	narrow := teller{err: &out, aside: screen{width: 40}}
	narrow.note("warning", "whoever can reach this Mac can use Ollama")
	narrow.note("hint", "ollama-bind fix --host 0.0.0.0:11434")
	want := "ollama-bind: warning: whoever can reach\n  this Mac can use Ollama\n" +
		"ollama-bind: hint: ollama-bind fix --host 0.0.0.0:11434\n"
	if out.String() != want {
		t.Errorf("%q\nwant %q", out.String(), want)
	}
}
