package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/urfave/cli/v2"
)

// These tests compare what is written by hand with the program.

// agree complains about what is in only one of the lists.
func agree(t *testing.T, what string, has, want []string) {
	t.Helper()
	if has, want := sorted(has), sorted(want); !slices.Equal(has, want) {
		t.Errorf("%s has %q, want %q", what, has, want)
	}
}

// sorted lists each word once.
func sorted(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

func TestExitCodesAreDocumented(t *testing.T) {
	codes := firstGroups(`(?m)^\texit\w+ += (\d+)$`, readDoc(t, "cmd/ollama-bind/exit.go"))
	agree(t, "--help", firstGroups(`(?m)^   (\d+) `, help.Program(&cli.App{})), codes)
	agree(t, "the man page", items(t, "EXIT STATUS", `^(\d+)$`), codes)
}

// TestFilesAreDocumented is about the files that the program reads and writes on a Mac.
func TestFilesAreDocumented(t *testing.T) {
	const state = "~/Library/Application Support/ollama-bind"
	envFile := homebrew.EnvFile("/", func(string) string { return "" })
	files := []string{state + "/backups", state + "/last.log", state + "/lock", "~" + envFile, "~/Library/Application Support/Ollama/db.sqlite"}
	for _, label := range homebrew.Labels() {
		files = append(files, homebrew.Agents("~")+"/"+label+".plist", homebrew.Daemons+"/"+label+".plist")
	}
	agree(t, "the man page", items(t, "FILES", `Pa (.+)`), files)
}

// TestVariablesAreDocumented finds variables that the program plainly reads, and
// documented ones that it does not.
func TestVariablesAreDocumented(t *testing.T) {
	documented := append(items(t, "ENVIRONMENT", `Ev ([A-Za-z_]+)`), items(t, "ENVIRONMENT", `, Ev ([A-Za-z_]+)`)...)
	var source strings.Builder
	for _, p := range packages(t, "-deps", ".") {
		for _, file := range p.files {
			source.WriteString(readDoc(t, file))
		}
	}
	for _, variable := range firstGroups(`[gG]etenv\("(\w+)"\)`, source.String()) {
		if !slices.Contains(documented, variable) {
			t.Errorf("the man page does not have %s", variable)
		}
	}
	for _, variable := range documented {
		byLibrary := variable == "HOME" || variable == "PATH"
		if !byLibrary && !strings.Contains(source.String(), `"`+variable+`"`) {
			t.Errorf("the man page has %s, which the program does not read", variable)
		}
	}
}

// items are the matches of a pattern in the heads of a list in the man page.
func items(t *testing.T, section, pattern string) (all []string) {
	t.Helper()
	text := part(t, readDoc(t, "docs/ollama-bind.1"), "\n.Sh "+section+"\n", "\n.Sh ")
	for _, head := range firstGroups(`(?m)^\.It (.+)$`, text) {
		all = append(all, firstGroups(pattern, head)...)
	}
	return all
}

// TestReadme wants a short page that has every command.
func TestReadme(t *testing.T) {
	page := readDoc(t, "README.md")
	if n := len(strings.Fields(page)); n >= 1000 {
		t.Errorf("README.md has %d words, and is to have less than 1,000", n)
	}
	seen := strings.Contains(readDoc(t, "docs/verified.md"), "| yes, ")
	if first, _, _ := strings.Cut(page, "\n```"); !seen && !strings.Contains(first, "It has not run on a Mac yet") {
		t.Error("README.md does not say in the beginning that nobody has run this on a Mac")
	}
	for _, c := range commandTree() {
		if c.Options != nil && !strings.Contains(page, "ollama-bind "+c.Name) {
			t.Errorf("ollama-bind %s is missing", c.Name)
		}
	}
}

// TestDocsAreShort is about the pages that people read from top to bottom.
func TestDocsAreShort(t *testing.T) {
	pages, err := filepath.Glob(root("docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, page := range pages {
		if filepath.Base(page) == "verified.md" {
			continue
		}
		for _, word := range strings.Fields(readDoc(t, "docs/"+filepath.Base(page))) {
			if strings.ContainsFunc(word, unicode.IsLetter) || strings.ContainsFunc(word, unicode.IsDigit) {
				total++
			}
		}
	}
	if total >= 10000 {
		t.Errorf("docs without verified.md has %d words, and is to have less than 10,000", total)
	}
}

// TestLinks wants each heading that a page links to.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob(root("docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	names, anchors := []string{"README.md", ".github/CONTRIBUTING.md"}, map[string][]string{}
	for _, page := range pages {
		names = append(names, "docs/"+filepath.Base(page))
	}
	for _, name := range names {
		for _, heading := range firstGroups(`(?m)^#+ (.+)$`, readDoc(t, name)) {
			anchor := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(heading), "")
			anchors[name] = append(anchors[name], strings.ReplaceAll(anchor, " ", "-"))
		}
	}
	for _, name := range names {
		for _, link := range firstGroups(`\]\(([^)\s:]+)\)`, readDoc(t, name)) {
			file, anchor, _ := strings.Cut(link, "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(root(target)); err != nil || anchor != "" && strings.HasSuffix(target, ".md") && !slices.Contains(anchors[target], anchor) {
				t.Errorf("%s links to %s, which is not there", name, link)
			}
		}
	}
}

// TestSchemasAreThere wants a schema for each command that answers in JSON.
func TestSchemasAreThere(t *testing.T) {
	for _, c := range commandTree() {
		for _, o := range c.Options {
			if o.Long != "json" {
				continue
			}
			if _, err := os.Stat(root("docs/schema/" + c.Name + ".json")); err != nil {
				t.Errorf("%s has --json and no schema: %v", c.Name, err)
			}
		}
	}
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

func readDoc(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(root(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// part is the text between two marks, or to the end.
func part(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, from)
	if !found {
		t.Errorf("there is no %q", strings.TrimSpace(from))
	}
	first, _, _ := strings.Cut(rest, to)
	return first
}

// firstGroups is what a pattern's first group matches.
func firstGroups(pattern, text string) (all []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}

// needTool skips a test if a program is missing, but fails it with REQUIRE_SHELLS, as
// in CI.
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
