package service

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// What a launchd job runs, as far as its plist and scripts tell.

// runsOllama matches a command line with `ollama serve` in it, whatever comes before: a
// path, env, or a shell's -c.
var runsOllama = regexp.MustCompile("(?:^|[\\s/\"'=;&|({`])ollama[\"'})]*\\s+(?:serve|start)\\b")

// Line is a line of a file that a person should look at.
type Line struct {
	Path   string
	Number int    // from 1
	Value  string // of the variable that it sets
}

func (l Line) String() string { return fmt.Sprintf("line %d of %s", l.Number, l.Path) }

// command is what a plist makes launchd run.
type command struct {
	text    string // the command line
	scripts []script
}

type script struct {
	path string
	data []byte
}

// commandOf also reads the scripts among the arguments.
func commandOf(a plistfix.Agent) command {
	args := a.ProgramArguments
	if a.Program != "" {
		args = append([]string{a.Program}, args[min(1, len(args)):]...)
	}
	c := command{text: strings.Join(args, " ")}
	words := strings.FieldsFunc(c.text, func(r rune) bool { return strings.ContainsRune(" \t\n\"';&|()", r) })
	for _, path := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(args, words)))) {
		if data := readScript(path); data != nil {
			c.scripts = append(c.scripts, script{path, data})
		}
	}
	return c
}

// largestScript is the size in bytes of the largest file that may be a script.
const largestScript = 256 << 10

// readScript is nil for anything but a text file.
func readScript(path string) []byte {
	info, err := os.Stat(path)
	if !filepath.IsAbs(path) || err != nil || !info.Mode().IsRegular() || info.Size() > largestScript {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil || bytes.IndexByte(data, 0) >= 0 {
		return nil
	}
	return data
}

// whole is the command line, followed by the scripts.
func (c command) whole() string {
	text := c.text
	for _, script := range c.scripts {
		text += "\n" + expanded(script.data)
	}
	return text
}

// serves reports whether it starts Ollama's server.
func (c command) serves() bool {
	if runsOllama.MatchString(c.text) {
		return true
	}
	for _, script := range c.scripts {
		if runsOllama.MatchString(expanded(script.data)) {
			return true
		}
	}
	return false
}

var assignment = regexp.MustCompile(`(?m)^\s*(?:export\s+)?(\w+)=["']?([^"'\s]*ollama)["']?\s*$`)

// expanded is a script without comments, with Ollama's path in place of the variable
// that holds it.
func expanded(script []byte) string {
	var lines []string
	for line := range strings.Lines(string(script)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, "")
	for _, found := range assignment.FindAllStringSubmatch(text, -1) {
		text = strings.NewReplacer("${"+found[1]+"}", found[2], "$"+found[1], found[2]).Replace(text)
	}
	return text
}

var (
	setsHost = regexp.MustCompile(`(?:^|[\s;&|("'<>])` + ollama.Variable + `=["']?([^\s"';&|)<]*)`)
	hostFlag = regexp.MustCompile("ollama[\"'})]*\\s+(?:serve|start)\\s+(?:\\S+\\s+)*?--host\\b[=\\s]*([^\\s\"';&|)<]*)")
)

// sets is the line in which the command sets Ollama's address itself, whatever its
// environment from launchd; or nil.
func (c command) sets(list backup.File) *Line { return c.line(list, setsHost, ollama.Variable+"=") }

// hostFlag is the line with a --host, which Ollama does not have; or nil.
func (c command) hostFlag(list backup.File) *Line { return c.line(list, hostFlag, "--host") }

// line searches the arguments, which are on the plist's line with the mark, and the
// scripts.
func (c command) line(list backup.File, pattern *regexp.Regexp, mark string) *Line {
	if found := pattern.FindStringSubmatch(c.text); found != nil && !keeps(found[1]) {
		return &Line{list.Path, lineOf(list.Data, mark), found[1]}
	}
	for _, script := range c.scripts {
		n := 0
		for text := range strings.Lines(string(script.data)) {
			n++
			found := pattern.FindStringSubmatch(text)
			if found != nil && !strings.HasPrefix(strings.TrimSpace(text), "#") && !keeps(found[1]) {
				return &Line{script.path, n, found[1]}
			}
		}
	}
	return nil
}

// keeps reports whether a value passes on what the environment has.
func keeps(value string) bool { return strings.Contains(value, ollama.Variable) }

// lineOf is the line with the text, 1 if it is not found as it is.
func lineOf(data []byte, text string) int {
	before, _, found := bytes.Cut(data, []byte(text))
	if !found {
		return 1
	}
	return bytes.Count(before, []byte("\n")) + 1
}
