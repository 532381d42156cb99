package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/container"
)

// The completions are tried in their own shells, which .ci/shells installs. needTool
// says what happens if one is missing.

// tested is a shell, the command that starts its driver in testdata, and the file it
// reads.
type tested struct {
	name, file string
	driver     []string
}

var testedShells = []tested{
	{"bash", "ollama-bind.bash", []string{"bash", "--norc", "tab.bash"}},
	{"zsh", "_ollama-bind", []string{"zsh", "-f", "tab.zsh", "fpath"}},
	{"zsh sourced", "_ollama-bind", []string{"zsh", "-f", "tab.zsh", "source"}},
	{"fish", "ollama-bind.fish", []string{"fish", "--no-config", "tab.fish"}},
}

// sheltered is a folder for a shell to work in. Anything it runs leaves a file there:
// what is typed would make one named pwned, and ollama-bind one named ran.
type sheltered struct {
	*testing.T
	dir    string
	driver []string
}

func shelter(t *testing.T, shell tested) sheltered {
	t.Helper()
	needTool(t, shell.driver[0])
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	in := sheltered{t, t.TempDir(), slices.Clone(shell.driver)}
	in.driver[2] = filepath.Join(wd, "testdata", "shells", in.driver[2])
	in.driver = append(in.driver, filepath.Join(wd, "completions", shell.file))
	in.write("bin/ollama-bind", "#!/bin/sh\n>"+in.dir+"/ran\n", 0o755)
	in.write("some folder/a b.plist", "", 0o644)
	in.write("plain.plist", "", 0o644)
	return in
}

func (s sheltered) write(file, text string, mode os.FileMode) {
	s.Helper()
	path := filepath.Join(s.dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		s.Fatal(err)
	}
}

func (s sheltered) ranNothing() {
	s.Helper()
	for _, file := range []string{"pwned", "ran"} {
		if _, err := os.Lstat(filepath.Join(s.dir, file)); err == nil {
			s.Errorf("something made the file %s", file)
		}
	}
}

// run runs the driver.
func (s sheltered) run(args ...string) string {
	s.Helper()
	args = append(s.driver[1:], args...)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.driver[0], args...)
	cmd.WaitDelay = time.Second
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + s.dir + "/bin:" + os.Getenv("PATH"), "HOME=" + s.dir, "TERM=dumb", "LC_ALL=C"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		s.Fatalf("%q: %v\n%s", cmd.Args, err, stderr.Bytes())
	}
	return string(out)
}

// tab presses TAB after each line, given as its words, the last one being typed, and
// returns what was offered.
func (s sheltered) tab(lines [][]string) (all [][]string) {
	s.Helper()
	var joined []string
	for _, line := range lines {
		if s.driver[0] == "bash" { // whose driver takes one line, as words
			all = append(all, candidates(s.run(line...)))
		}
		joined = append(joined, strings.Join(line, " "))
	}
	if s.driver[0] == "bash" {
		return all
	}
	answer := "" // ends with an empty line
	for line := range strings.Lines(s.run(joined...)) {
		if line != "\n" {
			answer += line
			continue
		}
		all, answer = append(all, candidates(answer)), ""
	}
	if len(all) != len(lines) || answer != "" {
		s.Fatalf("%d answers to %d lines", len(all), len(lines))
	}
	return all
}

func candidates(out string) []string {
	if out == "" {
		return nil
	}
	return sorted(strings.Split(strings.TrimSuffix(out, "\n"), "\n"))
}

// offered is a line, and what TAB offers there.
type offered struct {
	line, want []string
}

// places lists everywhere that something can be completed.
func places() []offered {
	typing := func(words ...string) []string { return append([]string{name}, words...) }
	tree := commandTree()
	help := tree[len(tree)-1]
	all := []offered{
		{typing(""), sorted(tree[0].Args)},
		{typing("-"), typed(tree[0])},
		{typing("he"), []string{"help"}},
		{typing("st"), []string{"status"}},
		{typing("help", ""), sorted(help.Args)},
		{typing("help", "fix", ""), nil},
		{typing("completion", ""), sortedKeys(completions)},
		{typing("completion", "bash", ""), nil},
		{typing("fxi", "-"), nil},
		{typing("doctor", "--check", ""), sorted(checks())},
		{typing("doctor", "--check", "two"), []string{"two-jobs"}},
		{typing("doctor", "--runtime", ""), sorted(container.Tools())},
		{typing("probe", "--json", "--runtime", ""), sorted(container.Tools())},
		{typing("url", "--runtime", ""), sortedKeys(hostNames)},
		{typing("url", "--from", "fix", "--r"), []string{"--runtime"}},
		{typing("fix", "--host", ""), []string{"0.0.0.0:11434", "127.0.0.1:11434"}},
		{typing("fix", "--timeout", ""), nil},
		{typing("probe", "--container", ""), nil},
		{typing("probe", "--url", "doctor", "--check", ""), nil},
		{typing("fix", "--plist", "pl"), []string{"plain.plist"}},
		{typing("url", "--plist", "pl"), nil},
	}
	for _, c := range tree[1:] {
		all = append(all, offered{typing(c.Name, "-"), typed(c)})
	}
	return all
}

// typed are a command's flags as they are typed.
func typed(c command) (all []string) {
	for _, o := range c.Options {
		all = append(all, "--"+o.Long)
		if o.Short != "" {
			all = append(all, "-"+o.Short)
		}
	}
	return sorted(all)
}

// quirks are what each shell splits, quotes and calls in its own way.
var quirks = map[string][]offered{
	"bash": {
		{[]string{name, "url", "--runtime", "=", "d"}, []string{"docker", "docker-desktop"}},
		{[]string{name, "url", "--runtime", "="}, sortedKeys(hostNames)},
		{[]string{name, "url", "--runtime=d"}, []string{"docker", "docker-desktop"}}, // bash 3.2
		{[]string{name, "url", "--runtime", "=", "docker", "--f"}, []string{"--from"}},
		{[]string{name, "fix", "--host", "0.0.0.0", ":", "11434", "--q"}, []string{"--quiet"}},
		{[]string{name, "fix", "--host", "0.0.0.0:1"}, []string{"11434"}}, // bash 3.2
		{[]string{name, "fix", "--host=0.0.0.0:1"}, []string{"11434"}},    // bash 3.2
		{[]string{name, "fix", "--host=0"}, []string{"0.0.0.0:11434"}},    // bash 3.2
		{[]string{name, "fix", "--plist", `some\ fo`}, []string{"some folder"}},
		{[]string{name, "fix", "--plist", `"some folder/a`}, []string{"some folder/a b.plist"}},
		{[]string{name, "fix", "--plist", "~/pl"}, []string{"~/plain.plist"}},
	},
	"zsh": {
		{[]string{name, "url", "--runtime=d"}, []string{"docker", "docker-desktop"}},
		{[]string{name, "fix", "--host=0"}, []string{"0.0.0.0:11434"}},
		{[]string{name, "fix", "-n", "--dry"}, nil}, // -n is --dry-run, which is there already
		{[]string{name, "fix", "--plist", `some\ fo`}, []string{`some\ folder`}},
		{[]string{name, "fix", "--plist", "~/pl"}, []string{"plain.plist"}},
	},
	"fish": {
		{[]string{name, "url", "--runtime=d"}, []string{"--runtime=docker", "--runtime=docker-desktop"}},
		{[]string{name, "fix", "--host=0"}, []string{"--host=0.0.0.0:11434"}},
		{[]string{name, "fix", "--plist", `some\ fo`}, []string{"some folder/"}},
		{[]string{name, "fix", "--plist", "~/pl"}, []string{"~/plain.plist"}},
	},
}

// hostile are lines that would leave a file behind if a completion evaluated a word, at
// every place.
func hostile() (lines [][]string) {
	for _, word := range []string{
		"$(touch pwned)", "$(touch pwned)/", "`touch pwned`", "`touch pwned`/", `"$(touch pwned)`, `"$(touch pwned)/x`,
		"'$(touch pwned)", "(touch pwned)", "(touch pwned)/", "<(touch pwned)", "=(touch pwned)", "${x:-$(touch pwned)}/",
		"$((a[$(touch pwned)]))", "a[$(touch pwned)]", "*(e:touch pwned:)", "x;touch pwned;", "--$(touch pwned)", "--host=$(touch pwned)", "--plist=$(touch pwned)/",
	} {
		lines = append(lines,
			[]string{name, word},
			[]string{name, word, "-"},
			[]string{name, "fix", word},
			[]string{name, "fix", word, "-"},
			[]string{name, "fix", "--plist", word},
			[]string{name, "fix", "--host", word, "--"},
			[]string{name, "doctor", "--check", word},
			[]string{name, "help", word},
		)
	}
	return lines
}

// TestCompletion presses TAB at every place, and then where something hostile is typed:
// in one shell, since one takes long to start.
func TestCompletion(t *testing.T) {
	for _, shell := range testedShells {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			s := shelter(t, shell)
			var lines [][]string
			all := append(places(), quirks[shell.driver[0]]...)
			for _, p := range all {
				lines = append(lines, p.line)
			}
			got := s.tab(append(lines, hostile()...))
			for i, p := range all {
				if p.line[len(p.line)-1] == "" { // some offer flags before a dash is typed
					got[i] = slices.DeleteFunc(got[i], func(word string) bool { return strings.HasPrefix(word, "-") })
				}
				if !slices.Equal(got[i], p.want) {
					t.Errorf("%q: offers %q, want %q", p.line, got[i], p.want)
				}
			}
			s.ranNothing()
		})
	}
}

// TestCompletionIsPlain: what macOS has is bash 3.2.
func TestCompletionIsPlain(t *testing.T) {
	newer := []string{"declare -A", "local -A", "mapfile", "readarray", "compopt -o filenames\n", "declare -g", "local -n",
		"COMP_TYPE", "COMP_KEY", ",,}", "^^}", "&>>", "|&", ";&", "_init_completion", "_filedir"}
	for _, word := range newer {
		if strings.Contains(bashCompletion, word) {
			t.Errorf("bash 3.2 has no %q", word)
		}
	}
}
