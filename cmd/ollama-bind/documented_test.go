package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
)

// The man page, the completions and the README's tables are written by hand.
// These tests hold them against the program, in both directions: what it has is
// there, and what is there it has.

// commandFlags is a command with its flags, as they are typed: "--dry-run", "-n".
type commandFlags struct {
	name  string
	flags []string
}

// documentedTree is what the program really has. The first is the program itself,
// without a name.
func documentedTree() []commandFlags {
	app := program{tell: newTeller(io.Discard, io.Discard)}.app()
	app.Setup()
	all := []commandFlags{{"", typed(app.Flags)}}
	for _, c := range app.Commands {
		all = append(all, commandFlags{c.Name, typed(append(c.Flags, cli.HelpFlag))})
	}
	return all
}

func typed(flags []cli.Flag) (all []string) {
	for _, f := range flags {
		for _, n := range f.Names() {
			all = append(all, strings.Repeat("-", min(len(n), 2))+n)
		}
	}
	return sorted(all)
}

// sorted has each once.
func sorted(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

func commandNames(tree []commandFlags) (all []string) {
	for _, c := range tree[1:] {
		all = append(all, c.name)
	}
	return sorted(all)
}

func TestDocumented(t *testing.T) {
	tree := documentedTree()
	places := map[string]func(t *testing.T, tree []commandFlags){
		"man page": manPageIsComplete,
		"README":   readmeIsComplete,
		"bash":     bashIsComplete,
		"zsh":      zshIsComplete,
		"fish":     fishIsComplete,
		"--help":   helpIsComplete,
	}
	for where, check := range places {
		t.Run(where, func(t *testing.T) { check(t, tree) })
	}
}

// agree complains about what is in one list alone.
func agree(t *testing.T, what string, has, want []string) {
	t.Helper()
	for _, word := range want {
		if !slices.Contains(has, word) {
			t.Errorf("%s: %s is missing", what, word)
		}
	}
	for _, word := range has {
		if !slices.Contains(want, word) {
			t.Errorf("%s: there is %s, which the program does not have", what, word)
		}
	}
}

func manPageIsComplete(t *testing.T, tree []commandFlags) {
	page := readDoc(t, "docs/ollama-bind.1")
	commands := part(t, page, "\n.Sh COMMANDS\n", "\n.Sh ")
	agree(t, "SYNOPSIS", firstGroups(`(?m)^\.Cm ([a-z]+)$`, part(t, page, "\n.Sh SYNOPSIS\n", "\n.Sh ")), append(commandNames(tree), "help"))
	agree(t, "COMMANDS", firstGroups(`(?m)^\.Ss (.+)$`, commands), commandNames(tree))
	for _, c := range tree {
		text, what := before(commands, "\n.Ss "), "COMMANDS"
		if c.name != "" {
			text, what = part(t, commands, "\n.Ss "+c.name+"\n", "\n.Ss "), c.name
		}
		agree(t, what, mdocFlags(text), c.flags)
	}
	agree(t, "EXIT STATUS", firstGroups(`(?m)^\.It (.+)$`, part(t, page, "\n.Sh EXIT STATUS\n", "\n.Sh ")), exitCodes(t))
	agree(t, "DOCTOR CHECKS", firstGroups(`(?m)^\.It (.+)$`, part(t, page, "\n.Sh DOCTOR CHECKS\n", "\n.Sh ")), checkIDs())
	agree(t, "ENVIRONMENT", firstGroups(`Ev ([A-Za-z_]+)`, itemsOf(part(t, page, "\n.Sh ENVIRONMENT\n", "\n.Sh "))), variables(t))
	agree(t, "FILES", firstGroups(`Pa (.+)`, itemsOf(part(t, page, "\n.Sh FILES\n", "\n.Sh "))), files())
}

// itemsOf are the heads of a list of mdoc.
func itemsOf(text string) string { return strings.Join(firstGroups(`(?m)^\.It (.+)$`, text), "\n") }

// files are what the program reads and writes on a Mac.
func files() []string {
	const state = "~/Library/Application Support/ollama-bind"
	all := []string{state + "/backups", state + "/lock", strings.Replace(homebrew.EnvFile("/", noVariables), "/", "~/", 1)}
	for _, label := range homebrew.Labels() {
		all = append(all, homebrew.Agents("~")+"/"+label+".plist", homebrew.Daemons+"/"+label+".plist")
	}
	return all
}

func noVariables(string) string { return "" }

// mdocFlags are the flags that a list of mdoc explains: ".It Fl n , Fl Fl dry-run".
func mdocFlags(text string) (all []string) {
	for _, item := range firstGroups(`(?m)^\.It (Fl .+)$`, text) {
		item = strings.ReplaceAll(item, "Fl Fl ", "--")
		item = strings.ReplaceAll(item, "Fl ", "-")
		all = append(all, flagsIn(item)...)
	}
	return all
}

func readmeIsComplete(t *testing.T, tree []commandFlags) {
	page := readDoc(t, "README.md")
	for _, c := range commandNames(tree) {
		if !strings.Contains(page, "ollama-bind "+c) {
			t.Errorf("ollama-bind %s is missing", c)
		}
	}
	agree(t, "Exit codes", firstGroups(`(?m)^\| (\d+) \|`, part(t, page, "\n## Exit codes\n", "\n## ")), exitCodes(t))
	of := readmeFlags(page, commandNames(tree))
	for _, c := range tree {
		agree(t, "flags of "+c.name, of[c.name], c.flags)
	}
	for _, variable := range variables(t) {
		if strings.HasPrefix(variable, "OLLAMA_BIND_") && !strings.Contains(page, "`"+variable+"`") {
			t.Errorf("%s is missing, which is nobody's but this program's", variable)
		}
	}
	if !strings.Contains(page, "`ollama-bind doctor --list-checks`") {
		t.Error("it does not say that `ollama-bind doctor --list-checks` lists the checks")
	}
}

// readmeFlags reads the table of options: flags in its first column, and in its
// second the commands that have them.
func readmeFlags(page string, commands []string) map[string][]string {
	of := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`-.*?) \\| (.*?) \\|").FindAllStringSubmatch(page, -1) {
		for _, command := range readmeCommands(row[2], commands) {
			of[command] = append(of[command], flagsIn(row[1])...)
		}
	}
	return of
}

// readmeCommands understands "fix, status", "all", "all but version" and, for the
// program itself, "no command".
func readmeCommands(text string, commands []string) []string {
	without, but := strings.CutPrefix(text, "all but ")
	listed := strings.Split(without, ", ")
	switch {
	case but:
		return slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return slices.Contains(listed, c) })
	case text == "all":
		return append([]string{""}, commands...)
	case text == "no command":
		return []string{""}
	}
	return listed
}

func bashIsComplete(t *testing.T, tree []commandFlags) {
	script := strings.ReplaceAll(bashCompletion, "\\\n", " ") // one line is one list
	offered := func(place string) []string {
		return strings.Fields(strings.TrimSuffix(part(t, script, place+"\n\t\t_ollama_bind_offer ", "\n"), " ;;"))
	}
	agree(t, "commands and flags", strings.Fields(part(t, script, "-eq 1 ]; then\n\t\t_ollama_bind_offer ", "\n")),
		slices.Concat(commandNames(tree), tree[0].flags, []string{"help"}))
	agree(t, "help", offered("help:help)"), commandNames(tree))
	agree(t, "--check", offered("doctor:--check)"), checkIDs())
	for _, c := range tree[1:] {
		place := "\t" + c.name + ":*)"
		if c.name == "completion" {
			place = "completion:completion)"
		}
		agree(t, c.name, slices.DeleteFunc(offered(place), isNoFlag), c.flags)
	}
}

func zshIsComplete(t *testing.T, tree []commandFlags) {
	agree(t, "commands", firstGroups(`(?m)^    '([a-z]+):`, part(t, zshCompletion, "\n  commands=(\n", "\n  )")), commandNames(tree))
	agree(t, "--check", strings.Fields(part(t, zshCompletion, "\n  checks=(\n", "\n  )")), checkIDs())
	for _, c := range tree {
		text := part(t, zshCompletion, "if (( CURRENT == 2 )); then\n", "\n  fi\n")
		if c.name != "" {
			text = part(t, zshCompletion, "\n    "+c.name+")\n", "\n      ;;")
		}
		agree(t, "flags of "+c.name, zshFlags(text), c.flags)
	}
}

// zshFlags are those of the specs of _arguments: '--json[…]', '(- *)'{-h,--help}'[…]'.
func zshFlags(text string) (all []string) {
	for _, spec := range firstGroups(`(?m)^ +'(?:\([^)]*\)'\{)?\*?(-[^\['}]+)`, text) {
		all = append(all, flagsIn(spec)...)
	}
	return all
}

func fishIsComplete(t *testing.T, tree []commandFlags) {
	const first = `(?m)^complete -c ollama-bind -n __ollama_bind_first `
	agree(t, "commands", firstGroups(first+`-a ([a-z]+) `, fishCompletion), append(commandNames(tree), "help"))
	agree(t, "help", strings.Fields(part(t, fishCompletion, "_second help' -a '", "'")), commandNames(tree))
	agree(t, "--check", strings.Fields(strings.ReplaceAll(part(t, fishCompletion, "\nset -l checks ", "\ncomplete"), "\\\n", " ")), checkIDs())
	for _, c := range tree {
		condition := first
		if c.name != "" {
			condition = `(?m)^complete -c ollama-bind -n '__ollama_bind_of ` + c.name + `' `
		}
		var flags []string
		for _, long := range firstGroups(condition+`.*?-l ([a-z-]+)`, fishCompletion) {
			flags = append(flags, "--"+long)
		}
		for _, short := range firstGroups(condition+`.*?-s ([a-z])\b`, fishCompletion) {
			flags = append(flags, "-"+short)
		}
		agree(t, "flags of "+c.name, flags, c.flags)
	}
}

func helpIsComplete(t *testing.T, _ []commandFlags) {
	agree(t, "EXIT STATUS", firstGroups(`(?m)^   (\d+) `, exitStatus), exitCodes(t))
}

// exitCodes are the constants of exit.go.
func exitCodes(t *testing.T) (all []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "exit") && len(spec.Values) == 1 {
			if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.INT {
				all = append(all, value.Value)
			}
		}
		return true
	})
	if len(all) == 0 {
		t.Fatal("exit.go has no exit codes")
	}
	return all
}

// TestManPageRenders has mandoc read it.
func TestManPageRenders(t *testing.T) {
	needTool(t, "mandoc")
	out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", root("docs/ollama-bind.1")).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
}

func root(file string) string { return filepath.Join("..", "..", file) }

// inRepository lists the repository's files and folders, with slashes, but for git's own.
func inRepository(t *testing.T) (all []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root("")), ".", func(file string, _ fs.DirEntry, err error) error {
		if file == ".git" {
			return fs.SkipDir
		}
		all = append(all, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readDoc(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(root(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// part is what stands between two marks, or to the end.
func part(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, from)
	if !found {
		t.Errorf("there is no %q", strings.TrimSpace(from))
	}
	return before(rest, to)
}

func before(text, mark string) string {
	first, _, _ := strings.Cut(text, mark)
	return first
}

// firstGroups is what the first group of a pattern matches.
func firstGroups(pattern, text string) (all []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}

func flagsIn(text string) []string { return firstGroups(`(?:^|[\s,`+"`"+`])(--?[a-z][a-z-]*)`, text) }

func isNoFlag(word string) bool { return !isFlag(word) }

// needTool skips a test where a program is missing, but fails it with
// REQUIRE_SHELLS, as where changes are checked.
func needTool(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	why := fmt.Sprintf("there is no %s here, which this is tried with: .ci/shells installs it", tool)
	if os.Getenv("REQUIRE_SHELLS") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
