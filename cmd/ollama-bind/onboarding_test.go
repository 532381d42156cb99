package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestOnboarding tells the stories of testdata/onboarding, which find the recipes
// of docs/onboarding.md in their folder, as they stand in the page. One after the
// other: most of them need the port that everybody has.
//
// Beside the commands of the other stories they have the machine's own sh, make, jq
// and ruby, and
//
//	job FILE    runs the steps of a GitHub workflow as GitHub would
func TestOnboarding(t *testing.T) {
	if os.Getenv("REQUIRE_SHELLS") != "" { // a story is skipped if its tool is missing
		for _, tool := range []string{"make", "jq", "ruby"} {
			needTool(t, tool)
		}
	}
	recipes := readRecipes(t)
	var turn sync.Mutex
	all := maps.Clone(commands)
	all["job"] = cmdJob
	testscript.Run(t, testscript.Params{
		Dir: "testdata/onboarding",
		Setup: func(env *testscript.Env) error {
			turn.Lock()
			env.Defer(turn.Unlock)
			if err := setup(env); err != nil {
				return err
			}
			// After the tools that refuse, so that a tool the sandbox stands in for is
			// never the machine's own.
			env.Setenv("PATH", env.Getenv("PATH")+string(filepath.ListSeparator)+os.Getenv("PATH"))
			return writeRecipes(env.WorkDir, recipes)
		},
		Cmds:                all,
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// TestRecipesAreUsed wants a story for each recipe.
func TestRecipesAreUsed(t *testing.T) {
	files, err := filepath.Glob("testdata/onboarding/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var stories strings.Builder
	for _, file := range files {
		stories.WriteString(readDoc(t, "cmd/ollama-bind/"+file))
	}
	for recipe := range readRecipes(t) {
		use := recipe
		if recipe == "Makefile" { // make finds it by itself
			use = "make up"
		}
		if !strings.Contains(stories.String(), use) {
			t.Errorf("no story uses %s", recipe)
		}
	}
}

// readRecipes reads the fenced blocks of docs/onboarding.md that have a file's name
// behind their language.
func readRecipes(t *testing.T) map[string]string {
	recipes := map[string]string{}
	for i, part := range strings.Split("\n"+readDoc(t, "docs/onboarding.md"), "\n```") {
		head, body, _ := strings.Cut(part, "\n")
		_, file, named := strings.Cut(head, " ")
		if opens := i%2 == 1; !opens || !named {
			continue
		}
		if recipes[file] != "" {
			t.Fatalf("%s stands twice in the page", file)
		}
		recipes[file] = body + "\n"
	}
	if len(recipes) == 0 {
		t.Fatal("the page has no recipes")
	}
	return recipes
}

func writeRecipes(dir string, recipes map[string]string) error {
	for file, text := range recipes {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// jobStep is a step of a workflow.
type jobStep struct {
	run       string
	onFailure bool
}

// cmdJob runs each step in bash as GitHub does, with -e, and skips those that are
// for the other outcome. stdout is the last step's that ran.
func cmdJob(ts *testscript.TestScript, neg bool, args []string) {
	failed := false
	for _, s := range readSteps(ts.ReadFile(args[0])) {
		if s.onFailure == failed {
			failed = ts.Exec("bash", "-e", "-c", s.run) != nil || failed
		}
	}
	if failed != neg {
		ts.Fatalf("the job failed: %v", failed)
	}
}

// readSteps knows as much YAML as the page uses.
func readSteps(workflow string) []jobStep {
	var steps []jobStep
	lines := strings.Split(workflow, "\n")
	for i, line := range lines {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case key == "- name":
			steps = append(steps, jobStep{})
		case len(steps) == 0:
		case key == "if":
			last(steps).onFailure = value == "failure()"
		case key == "run" && value == "|":
			last(steps).run = block(lines[i+1:], indent(line))
		case key == "run":
			last(steps).run = value
		}
	}
	return steps
}

func last(steps []jobStep) *jobStep { return &steps[len(steps)-1] }

// block is what is indented by more than its key.
func block(lines []string, key int) string {
	end := slices.IndexFunc(lines, func(line string) bool { return indent(line) <= key })
	if end < 0 {
		end = len(lines)
	}
	return strings.Join(lines[:end], "\n")
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
