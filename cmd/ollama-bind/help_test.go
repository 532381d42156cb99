package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/urfave/cli/v2"
)

// TestHelp walks all commands: their help fits on 80 columns, their examples are valid
// command lines, and stories see no exit code that their help lacks.
func TestHelp(t *testing.T) {
	app := program{tell: newTeller(io.Discard, io.Discard)}.app()
	app.Setup()
	pages := map[string]string{"": help.Program(app)}
	for _, c := range app.Commands {
		pages[c.Name] = help.Command(c)
		if c.Usage == "" || len(exits[c.Name]) == 0 {
			t.Errorf("%s has no usage, or no exit codes", c.Name)
		}
	}
	if lines := strings.Split(strings.TrimSpace(firstSteps), "\n"); len(lines) != 10 || lines[9] != "   ollama-bind status" {
		t.Errorf("%d first steps, and the last is %q", len(lines), lines[len(lines)-1])
	}
	for command, page := range pages {
		for line := range strings.Lines(page) {
			if utf8.RuneCountInString(line) > 81 {
				t.Errorf("%s --help: %q is too long", command, line)
			}
		}
		for _, e := range examples[command] {
			checkExample(t, app, e[0])
		}
	}
	for command, codes := range storyCodes(t) {
		for _, code := range codes {
			if _, known := exits[command][code]; !known && app.Command(command) != nil {
				t.Errorf("a story has %s exit %d, which its help does not have", command, code)
			}
		}
	}
}

// checkExample wants the command and its flags to exist.
func checkExample(t *testing.T, app *cli.App, line string) {
	t.Helper()
	_, line, _ = strings.Cut(line, name+" ")
	line, _, _ = strings.Cut(strings.TrimSuffix(line, ")"), " |")
	words := strings.Fields(line)
	c := app.Command(words[0])
	if c == nil {
		t.Errorf("there is no command for the example %q", line)
		return
	}
	for _, word := range words[1:] {
		if strings.HasPrefix(word, "-") && commandline.FlagOf(c, word) == nil {
			t.Errorf("%s has no flag for the example %q", c.Name, line)
		}
	}
}

// storyCodes are the exit codes that stories have of each command.
func storyCodes(t *testing.T) map[string][]int {
	t.Helper()
	stories, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	all := map[string][]int{}
	for _, story := range stories {
		text, err := os.ReadFile(story)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^exits (\d+) ollama-bind ([a-z]+)`).FindAllStringSubmatch(string(text), -1) {
			code, _ := strconv.Atoi(found[1])
			if !slices.Contains(all[found[2]], code) {
				all[found[2]] = append(all[found[2]], code)
			}
		}
	}
	return all
}
