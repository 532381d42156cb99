package main

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestBuildOf(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: "2026-11-21T14:00:00Z"}}
	modified := append(vcs[:2:2], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	tests := []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"no build info", new(debug.BuildInfo), "(devel), commit unknown, date unknown"},
		{"go test", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "(devel), commit unknown, date unknown"},
		{"go build in a work tree", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs},
			"(devel), commit 0123456789ab, date 2026-11-21T14:00:00Z"},
		{"with changes", &debug.BuildInfo{Settings: modified},
			"(devel), commit 0123456789ab (modified), date 2026-11-21T14:00:00Z"},
		{"go install of a tag", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3, commit unknown, date unknown"},
		{"half a commit", &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "01234"}}},
			"(devel), commit 01234, date unknown"},
	}
	if got, want := newBuild("v1.2.3", &debug.BuildInfo{Main: debug.Module{Version: "v0.0.1"}}).String(), "v1.2.3, "; !strings.HasPrefix(got, want) {
		t.Errorf("what the build was told counts more: %q", got)
	}
	for _, tt := range tests {
		if got := newBuild("", tt.info).String(); !strings.HasPrefix(got, tt.want+", go1") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestVersionLine(t *testing.T) {
	got := builtFrom().String()
	if !regexp.MustCompile(`^\S+, commit .+, date \S+, go1\S+ \w+/\w+$`).MatchString(got) {
		t.Errorf("%q", got)
	}
}

// Where two names differ only in case, go install refuses the whole module, and a
// Mac's disk holds one of the two files.
func TestNames(t *testing.T) {
	names := map[string]string{}
	err := filepath.WalkDir(root(""), func(file string, entry fs.DirEntry, err error) error {
		lower := strings.ToLower(file)
		if other, taken := names[lower]; taken {
			t.Errorf("%s and %s differ only in case", other, file)
		}
		names[lower] = file
		if err == nil && entry.IsDir() && entry.Name() == ".git" { // a file in a work tree
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWindows wants the program's files to leave Windows to main_windows.go, which says
// where to read on. make lint builds it.
func TestWindows(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		first, _, _ := strings.Cut(readDoc(t, "cmd/ollama-bind/"+file), "\n")
		ours := strings.HasPrefix(first, "//go:build") && strings.Contains(first, "!windows")
		if !ours && file != "main_windows.go" && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s is built for Windows too: it has to begin with //go:build !windows", file)
		}
	}
}
