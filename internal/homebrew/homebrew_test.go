package homebrew

import (
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
