package main

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestArchitecture holds docs/architecture.md against the folders, the imports and
// go.mod.
func TestArchitecture(t *testing.T) {
	page := readDoc(t, "docs/architecture.md")
	described := firstGroups("(?m)^\\| `(\\S+)` \\| ", part(t, page, "\n## The rooms\n", "\n## "))
	for room := range rooms(t) {
		if !slices.Contains(described, room) {
			t.Errorf("docs/architecture.md has no row for %s", room)
		}
	}
	for _, room := range described {
		if _, err := os.Stat(root(room)); err != nil {
			t.Errorf("docs/architecture.md has a row for what is not there: %v", err)
		}
	}
	for _, module := range direct(t) {
		if !strings.Contains(page, "\n| "+module+" | ") {
			t.Errorf("docs/architecture.md does not say what %s is for", module)
		}
	}
}

// TestImports holds the code against what docs/architecture.md says of imports.
func TestImports(t *testing.T) {
	order := []string{"plistfix", "launchctl", "internal/bind", "internal/container", "internal/doctor"}
	for room, imports := range rooms(t) {
		for _, other := range imports {
			switch {
			case other == "internal/sandbox" && room != "internal/bench":
				t.Errorf("%s imports %s, and is no test", room, other)
			case slices.Contains(order[:2], room):
				t.Errorf("%s imports %s, and should be of use alone", room, other)
			case slices.Contains(order, room) && slices.Index(order, other) > slices.Index(order, room):
				t.Errorf("%s imports %s: that is the wrong way", room, other)
			case room == "internal/container" && other == "internal/bind":
				t.Errorf("%s imports %s, and should know nothing of launchd", room, other)
			}
		}
	}
}

// rooms are the packages with what they import of each other, tests left out. What
// lies in a package's folder counts as its own.
func rooms(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, file := range inRepository(t) {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, ".") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), root(file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		room := roomOf(path.Dir(file))
		imports := all[room]
		for _, spec := range source.Imports {
			other, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if other = roomOf(other); ours && other != room {
				imports = append(imports, other)
			}
		}
		all[room] = imports // known, even if it imports nothing
	}
	if len(all) < 10 {
		t.Fatalf("%d packages", len(all))
	}
	return all
}

func roomOf(folder string) string {
	parts := strings.Split(folder, "/")
	if parts[0] == "internal" || parts[0] == "cmd" {
		return path.Join(parts[:min(len(parts), 2)]...)
	}
	return parts[0]
}

// direct are the modules that go.mod requires, but for what those require.
func direct(t *testing.T) []string {
	t.Helper()
	modules := firstGroups(`(?m)^\t(\S+) v\S+$`, readDoc(t, "go.mod"))
	if len(modules) == 0 {
		t.Fatal("go.mod requires nothing")
	}
	return modules
}
