package main

import (
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
		{"no build info", nil, "(devel), commit unknown, date unknown"},
		{"go test", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "(devel), commit unknown, date unknown"},
		{"go build in a work tree", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs},
			"(devel), commit 0123456789ab, date 2026-11-21T14:00:00Z"},
		{"with changes", &debug.BuildInfo{Settings: modified},
			"(devel), commit 0123456789ab (modified), date 2026-11-21T14:00:00Z"},
		{"go install of a tag", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3, commit unknown, date unknown"},
		{"go install of a branch", &debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261121140000-0123456789ab"}},
			"v0.0.0-20261121140000-0123456789ab, commit 0123456789ab, date 2026-11-21T14:00:00Z"},
		{"after a tag", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.4-0.20261121140000-0123456789ab"}},
			"v1.2.4-0.20261121140000-0123456789ab, commit 0123456789ab, date 2026-11-21T14:00:00Z"},
		{"with changes, by its version", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.4-0.20261121140000-0123456789ab+dirty"}},
			"v1.2.4-0.20261121140000-0123456789ab+dirty, commit 0123456789ab, date 2026-11-21T14:00:00Z"},
		{"no such day", &debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261399999999-0123456789ab"}},
			"v0.0.0-20261399999999-0123456789ab, commit unknown, date unknown"},
		{"a prerelease", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3-rc.1"}}, "v1.2.3-rc.1, commit unknown, date unknown"},
		{"half a commit", &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "01234"}}},
			"(devel), commit 01234, date unknown"},
	}
	for _, tt := range tests {
		if got := buildOf(tt.info).String(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What the build was told counts more than what the binary knows.
func TestBuildOr(t *testing.T) {
	known := build{"v0.0.0", "abc", "then"}
	if got := (build{version: "v1.2.3"}).or(known); got != (build{"v1.2.3", "abc", "then"}) {
		t.Errorf("%+v", got)
	}
	if got := (build{"v1.2.3", "def", "now"}).or(known); got != (build{"v1.2.3", "def", "now"}) {
		t.Errorf("%+v", got)
	}
}

func TestVersionLine(t *testing.T) {
	got := versionLine()
	if !regexp.MustCompile(`^\S+, commit .+, date \S+, go1\S+ \w+/\w+$`).MatchString(got) {
		t.Errorf("%q", got)
	}
}

// Where two names differ only in case, go install refuses the whole module, and a
// Mac's disk holds one of the two files.
func TestNames(t *testing.T) {
	names := map[string]string{}
	for _, file := range inRepository(t) {
		lower := strings.ToLower(file)
		if other, taken := names[lower]; taken {
			t.Errorf("%s and %s differ only in case", other, file)
		}
		names[lower] = file
	}
}
