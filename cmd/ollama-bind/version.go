package main

import (
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by the build (-ldflags "-X main.version=v1.2.3"). Without it
// the module's own version is used, as `go install` leaves it in the binary.
var version string

func (p program) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Action: func(*cli.Context) error {
			p.tell.printf("%s version %s", name, versionLine())
			return nil
		},
	}
}

// versionLine is version, commit, date and Go version, as far as the build knows.
func versionLine() string {
	v, commit := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit += " " + s.Value[:min(12, len(s.Value))]
			case "vcs.time":
				commit += " " + s.Value
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	return v + commit + " " + runtime.Version()
}
