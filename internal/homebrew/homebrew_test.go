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
	const code = "/Library/Homebrew/service.rb"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"without a Homebrew nobody knows", nil, false},
		{"a Homebrew without it", map[string]string{"silicon" + code: "#"}, true},
		{"the other Homebrew has it", map[string]string{"silicon" + code: "#", "intel/opt/ollama": ""}, false},
	} {
		root := buildTree(t, test.files)
		if got := LacksOllama([]string{root + "/silicon", root + "/intel"}); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
