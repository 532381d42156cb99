//go:build !windows

package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/urfave/cli/v2"
)

// version is set by builds that know better than the build info (-ldflags "-X
// main.version=v1.2.3").
var version string

func (p program) versionCommand() *cli.Command {
	return &cli.Command{
		Name:   "version",
		Usage:  "print version, commit, date and Go version",
		Flags:  []cli.Flag{jsonFlag()},
		Action: p.version,
	}
}

// versionReport is what version has to say, as data.
type versionReport struct {
	answer.Head
	build
	Error *answer.Error `json:"error"`
}

func (p program) version(c *cli.Context) error {
	b := builtFrom()
	if c.Bool("json") {
		r := versionReport{answer.NewHead("version"), b, nil}
		r.OK = true
		p.tell.out.JSON(r)
		return nil
	}
	p.tell.printf("%s version %s", name, b)
	return nil
}

// build says where a binary comes from.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Date    string `json:"date"`
	Go      string `json:"go"`
	System  string `json:"system"` // as GOOS/GOARCH
}

func builtFrom() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return newBuild(version, info)
}

// newBuild reads what the Go tool left in the binary. `go install MODULE@VERSION`
// leaves only the version.
func newBuild(version string, info *debug.BuildInfo) build {
	vcs := map[string]string{}
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	commit := vcs["vcs.revision"]
	commit = cmp.Or(commit[:min(12, len(commit))], "unknown")
	if vcs["vcs.modified"] == "true" {
		commit += " (modified)"
	}
	return build{
		Version: cmp.Or(version, info.Main.Version, "(devel)"),
		Commit:  commit,
		Date:    cmp.Or(vcs["vcs.time"], "unknown"),
		Go:      runtime.Version(),
		System:  runtime.GOOS + "/" + runtime.GOARCH,
	}
}

func (b build) String() string {
	return fmt.Sprintf("%s, commit %s, date %s, %s %s", b.Version, b.Commit, b.Date, b.Go, b.System)
}

// short is for a line that names other versions as well.
func (b build) short() string { return fmt.Sprintf("%s (commit %s)", b.Version, b.Commit) }
