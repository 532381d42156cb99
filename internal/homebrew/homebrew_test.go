package homebrew

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCandidates(t *testing.T) {
	want := []Candidate{
		{Label: "sh.brew.ollama", Plist: "/Users/alice/Library/LaunchAgents/sh.brew.ollama.plist"},
		{Label: "sh.brew.ollama", Plist: "/Library/LaunchDaemons/sh.brew.ollama.plist", Daemon: true},
		{Label: "homebrew.mxcl.ollama", Plist: "/Users/alice/Library/LaunchAgents/homebrew.mxcl.ollama.plist"},
		{Label: "homebrew.mxcl.ollama", Plist: "/Library/LaunchDaemons/homebrew.mxcl.ollama.plist", Daemon: true},
	}
	if diff := cmp.Diff(want, Candidates("/Users/alice", Daemons)); diff != "" {
		t.Errorf("candidates (-want +got):\n%s", diff)
	}
}

func TestPrefixes(t *testing.T) {
	none := func(string) string { return "" }
	if diff := cmp.Diff([]string{"/opt/homebrew", "/usr/local"}, Prefixes(none)); diff != "" {
		t.Errorf("the usual ones (-want +got):\n%s", diff)
	}
	own := func(name string) string { return map[string]string{"HOMEBREW_PREFIX": "/Users/alice/brew"}[name] }
	if diff := cmp.Diff([]string{"/Users/alice/brew"}, Prefixes(own)); diff != "" {
		t.Errorf("the shell's (-want +got):\n%s", diff)
	}
}

func TestLacksOllama(t *testing.T) {
	dir := t.TempDir()
	silicon, intel := filepath.Join(dir, "silicon"), filepath.Join(dir, "intel")
	both := []string{silicon, intel}
	make := func(path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if LacksOllama(both) {
		t.Error("without a Homebrew nobody knows")
	}
	make(filepath.Join(silicon, "Library", "Homebrew", "service.rb"))
	if !LacksOllama(both) {
		t.Error("a Homebrew without Ollama has it")
	}
	make(filepath.Join(intel, "opt", "ollama"))
	if LacksOllama(both) {
		t.Error("the other Homebrew has Ollama")
	}
}

func TestIsLabel(t *testing.T) {
	for label, want := range map[string]bool{
		"sh.brew.ollama":        true,
		"homebrew.mxcl.ollama":  true,
		"com.ollama.ollama":     false,
		"homebrew.mxcl.ollama2": false,
		"":                      false,
	} {
		if got := IsLabel(label); got != want {
			t.Errorf("IsLabel(%q) = %v, want %v", label, got, want)
		}
	}
}
