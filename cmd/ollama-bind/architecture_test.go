package main

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestArchitecture holds docs/architecture.md against the folders and go.mod.
func TestArchitecture(t *testing.T) {
	page := readDoc(t, "docs/architecture.md")
	described := firstGroups("(?m)^\\| `(\\S+)` \\| ", part(t, page, "\n## The rooms\n", "\n## "))
	for _, p := range packages(t, root("...")) {
		if !slices.Contains(described, p.room) {
			t.Errorf("docs/architecture.md has no row for %s", p.room)
		}
	}
	for _, room := range described {
		if _, err := os.Stat(root(room)); err != nil {
			t.Errorf("docs/architecture.md has a row for what is not there: %v", err)
		}
	}
	for _, module := range firstGroups(`(?m)^\t(\S+) v\S+$`, readDoc(t, "go.mod")) {
		if !strings.Contains(page, "\n| "+module+" | ") {
			t.Errorf("docs/architecture.md does not say what %s is for", module)
		}
	}
}

// TestImports holds the code against what docs/architecture.md says of imports.
func TestImports(t *testing.T) {
	order := []string{"plistfix", "launchctl", "internal/service", "internal/container", "internal/doctor"}
	for _, p := range packages(t, root("...")) {
		for _, other := range p.imports {
			switch {
			case other == p.room:
			case other == "internal/sandbox" && p.room != "internal/bench":
				t.Errorf("%s imports %s, and is no test", p.room, other)
			case slices.Contains(order[:2], p.room):
				t.Errorf("%s imports %s, and should be of use alone", p.room, other)
			case slices.Contains(order, p.room) && slices.Index(order, other) > slices.Index(order, p.room):
				t.Errorf("%s imports %s: that is the wrong way", p.room, other)
			case p.room == "internal/container" && other == "internal/service":
				t.Errorf("%s imports %s, and should know nothing of launchd", p.room, other)
			}
		}
	}
}

// pkg is a package of this module without its tests. What lies in a room's folder counts
// as the room's.
type pkg struct {
	room           string
	imports, files []string
}

// packages are those of this module that go list lists.
func packages(t *testing.T, which ...string) (all []pkg) {
	t.Helper()
	const module = "github.com/ollama-bind/ollama-bind/"
	format := `{{.ImportPath}};{{join .Imports " "}};{{join .GoFiles " "}}`
	out, err := exec.Command("go", append([]string{"list", "-f", format}, which...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), ";")
		dir, ours := strings.CutPrefix(fields[0], module)
		if !ours {
			continue
		}
		p := pkg{room: roomOf(dir)}
		for _, imported := range strings.Fields(fields[1]) {
			if other, ours := strings.CutPrefix(imported, module); ours {
				p.imports = append(p.imports, roomOf(other))
			}
		}
		for _, file := range strings.Fields(fields[2]) {
			p.files = append(p.files, path.Join(dir, file))
		}
		all = append(all, p)
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
