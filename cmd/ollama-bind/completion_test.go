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
	"github.com/ollama-bind/ollama-bind/internal/doctor"
)

// The completions are tried in the shells that they are for, which .ci/shells
// installs. needTool says what happens without one.

// tested is a shell, and how TAB is pressed in it. A line is its words, of which
// the last one is being typed.
type tested struct {
	name  string
	shell string
	file  string
	tab   func(s sheltered, lines [][]string) [][]string
}

var testedShells = []tested{
	{"bash", "bash", "ollama-bind.bash", tabBash},
	{"zsh", "zsh", "_ollama-bind", tabZsh("fpath")},
	{"zsh sourced", "zsh", "_ollama-bind", tabZsh("source")},
	{"fish", "fish", "ollama-bind.fish", tabFish},
}

// sheltered is a folder for a shell to work in. Whatever it runs leaves a file
// there: what is typed makes one named pwned, and ollama-bind one named ran.
type sheltered struct {
	*testing.T
	dir        string
	completion string
}

func shelter(t *testing.T, s tested) sheltered {
	t.Helper()
	needTool(t, s.shell)
	completion, err := filepath.Abs(filepath.Join("completions", s.file))
	if err != nil {
		t.Fatal(err)
	}
	in := sheltered{t, t.TempDir(), completion}
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

// left tells whether something has made that file.
func (s sheltered) left(file string) bool {
	_, err := os.Lstat(filepath.Join(s.dir, file))
	return err == nil
}

// run runs a shell with a driver from testdata.
func (s sheltered) run(shell string, args ...string) string {
	s.Helper()
	for i, arg := range args {
		if strings.HasPrefix(arg, "tab.") {
			args[i], _ = filepath.Abs(filepath.Join("testdata", "shells", arg))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, args...)
	cmd.WaitDelay = time.Second
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + s.dir + "/bin:" + os.Getenv("PATH"), "HOME=" + s.dir, "TERM=dumb", "LC_ALL=C"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		s.Fatalf("%s %q: %v\n%s", shell, args, err, stderr.Bytes())
	}
	return string(out)
}

func tabBash(s sheltered, lines [][]string) (all [][]string) {
	for _, line := range lines {
		out := s.run("bash", slices.Concat([]string{"--norc", "tab.bash", s.completion}, line)...)
		all = append(all, candidates(out))
	}
	return all
}

// tabZsh has the completion found in a folder of fpath, or sources it.
func tabZsh(how string) func(s sheltered, lines [][]string) [][]string {
	return func(s sheltered, lines [][]string) [][]string {
		return paragraphs(s, lines, s.run("zsh", slices.Concat([]string{"-f", "tab.zsh", how, s.completion}, joined(lines))...))
	}
}

func tabFish(s sheltered, lines [][]string) [][]string {
	return paragraphs(s, lines, s.run("fish", slices.Concat([]string{"--no-config", "tab.fish", s.completion}, joined(lines))...))
}

func joined(lines [][]string) (all []string) {
	for _, line := range lines {
		all = append(all, strings.Join(line, " "))
	}
	return all
}

// paragraphs are the answers, each of which ends with an empty line.
func paragraphs(s sheltered, lines [][]string, out string) (all [][]string) {
	s.Helper()
	var answer strings.Builder
	for line := range strings.Lines(out) {
		if line != "\n" {
			answer.WriteString(line)
			continue
		}
		all = append(all, candidates(answer.String()))
		answer.Reset()
	}
	if len(all) != len(lines) || answer.Len() > 0 {
		s.Fatalf("%d answers to %d lines:\n%s", len(all), len(lines), out)
	}
	return all
}

func candidates(out string) []string {
	if out == "" {
		return nil
	}
	return sorted(strings.Split(strings.TrimSuffix(out, "\n"), "\n"))
}

// TestCompletion presses TAB at every place where something can be completed.
func TestCompletion(t *testing.T) {
	type place struct {
		line []string
		want []string
	}
	tree := documentedTree()
	typing := func(words ...string) []string { return append([]string{name}, words...) }
	places := []place{
		{typing(""), sorted(append(commandNames(tree), "help"))},
		{typing("-"), tree[0].flags},
		{typing("he"), []string{"help"}},
		{typing("st"), []string{"status"}},
		{typing("help", ""), commandNames(tree)},
		{typing("help", "fix", ""), nil},
		{typing("completion", ""), sortedKeys(completions)},
		{typing("completion", "bash", ""), nil},
		{typing("fxi", "-"), nil},
		{typing("doctor", "--check", ""), checkIDs()},
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
		places = append(places, place{typing(c.name, "-"), c.flags})
	}
	for _, shell := range testedShells {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			s := shelter(t, shell)
			var lines [][]string
			for _, p := range places {
				lines = append(lines, p.line)
			}
			got := shell.tab(s, lines)
			for i, p := range places {
				if p.line[len(p.line)-1] == "" { // some offer flags before a dash is typed
					got[i] = slices.DeleteFunc(got[i], isFlag)
				}
				if !slices.Equal(got[i], p.want) {
					t.Errorf("%q: offers %q, want %q", p.line, got[i], p.want)
				}
			}
			if s.left("ran") {
				t.Error("the program was run")
			}
		})
	}
}

func isFlag(word string) bool { return strings.HasPrefix(word, "-") }

// TestCompletionValues is about what the shells split, quote and call in ways of
// their own.
func TestCompletionValues(t *testing.T) {
	tests := map[string][]struct {
		line, want []string
	}{
		"bash": {
			{[]string{name, "url", "--runtime", "=", "d"}, []string{"docker"}},
			{[]string{name, "url", "--runtime", "="}, []string{"docker", "host", "lima", "podman", "rancher"}},
			{[]string{name, "url", "--runtime=d"}, []string{"docker"}}, // bash 3.2
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
			{[]string{name, "url", "--runtime=d"}, []string{"docker"}},
			{[]string{name, "fix", "--host=0"}, []string{"0.0.0.0:11434"}},
			{[]string{name, "fix", "-n", "--dry"}, nil}, // it is there already
			{[]string{name, "fix", "--plist", `some\ fo`}, []string{`some\ folder`}},
			{[]string{name, "fix", "--plist", "~/pl"}, []string{"plain.plist"}},
		},
		"fish": {
			{[]string{name, "url", "--runtime=d"}, []string{"--runtime=docker"}},
			{[]string{name, "fix", "--host=0"}, []string{"--host=0.0.0.0:11434"}},
			{[]string{name, "fix", "--plist", `some\ fo`}, []string{"some folder/"}},
			{[]string{name, "fix", "--plist", "~/pl"}, []string{"~/plain.plist"}},
		},
	}
	for _, shell := range testedShells {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			s := shelter(t, shell)
			var lines [][]string
			for _, test := range tests[shell.shell] {
				lines = append(lines, test.line)
			}
			got := shell.tab(s, lines)
			for i, test := range tests[shell.shell] {
				if !slices.Equal(got[i], test.want) {
					t.Errorf("%q: offers %q, want %q", test.line, got[i], test.want)
				}
			}
		})
	}
}

// TestCompletionRunsNothing types what would leave a file behind if a completion
// evaluated it, at every place.
func TestCompletionRunsNothing(t *testing.T) {
	var lines [][]string
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
	for _, shell := range testedShells {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			s := shelter(t, shell)
			shell.tab(s, lines)
			for _, file := range []string{"pwned", "ran"} {
				if s.left(file) {
					t.Errorf("something made the file %s", file)
				}
			}
		})
	}
}

// TestCompletionIsPlain holds the files to their word. What macOS has is bash 3.2.
func TestCompletionIsPlain(t *testing.T) {
	newer := []string{"declare -A", "local -A", "mapfile", "readarray", "compopt -o filenames\n", "declare -g", "local -n",
		"COMP_TYPE", "COMP_KEY", ",,}", "^^}", "&>>", "|&", ";&", "_init_completion", "_filedir"}
	for shell, script := range completions {
		for _, word := range []string{"eval ", "$(ollama-bind", "`ollama-bind", "(ollama-bind ", "$(" + name} {
			if strings.Contains(script, word) {
				t.Errorf("%s: there is %q in it", shell, word)
			}
		}
	}
	for _, word := range newer {
		if strings.Contains(bashCompletion, word) {
			t.Errorf("bash 3.2 has no %q", word)
		}
	}
}

func checkIDs() (all []string) {
	for _, check := range doctor.Checks() {
		all = append(all, check.ID)
	}
	return sorted(all)
}
