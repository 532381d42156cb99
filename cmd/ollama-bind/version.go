package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by builds that know better than the binary itself
// (-ldflags "-X main.version=v1.2.3").
var version string

func (p program) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print version, commit, date and Go version",
		Action: func(*cli.Context) error {
			p.tell.printf("%s version %s", name, versionLine())
			return nil
		},
	}
}

// versionLine is what a report about this program has to begin with.
func versionLine() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return build(version, info) + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// build says where a binary comes from, by what the Go tool has left in it. `go install
// MODULE@VERSION` leaves the version only.
func build(version string, info *debug.BuildInfo) string {
	vcs := map[string]string{}
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	commit := vcs["vcs.revision"]
	commit = cmp.Or(commit[:min(12, len(commit))], "unknown")
	if vcs["vcs.modified"] == "true" {
		commit += " (modified)"
	}
	return cmp.Or(version, info.Main.Version, "(devel)") + ", commit " + commit +
		", date " + cmp.Or(vcs["vcs.time"], "unknown")
}
