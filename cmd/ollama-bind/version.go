package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// These are set by builds that know better than the binary itself
// (-ldflags "-X main.version=v1.2.3"). What is not set is read from what the Go
// tool has left in the binary.
var version, commit, date string

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
	info, _ := debug.ReadBuildInfo() // nil serves as well
	b := build{version, shortCommit(commit), date}.or(buildOf(info))
	return b.String() + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// build says where a binary comes from. An empty field is not known.
type build struct{ version, commit, date string }

// or fills in what is not known.
func (b build) or(other build) build {
	return build{cmp.Or(b.version, other.version), cmp.Or(b.commit, other.commit), cmp.Or(b.date, other.date)}
}

func (b build) String() string {
	const unknown = "unknown"
	return cmp.Or(b.version, "(devel)") + ", commit " + cmp.Or(b.commit, unknown) + ", date " + cmp.Or(b.date, unknown)
}

// buildOf reads what the Go tool knew. A build in a git work tree has it all.
// `go install MODULE@VERSION` has the version only, in which commit and date
// stand unless it is that of a tag.
func buildOf(info *debug.BuildInfo) build {
	if info == nil {
		return build{}
	}
	b, modified := build{}, ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.commit = shortCommit(s.Value)
		case "vcs.time":
			b.date = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				modified = " (modified)"
			}
		}
	}
	if info.Main.Version != "(devel)" {
		b.version = info.Main.Version
	}
	if b.commit == "" {
		return b.or(fromPseudo(b.version))
	}
	b.commit += modified
	return b
}

// pseudoVersion is the end of a version that is no tag: when and what was
// committed (go.dev/ref/mod#pseudo-versions).
var pseudoVersion = lazyregexp.New(`[-.](\d{14})-([0-9a-f]{12})(\+.*)?$`)

func fromPseudo(version string) build {
	found := pseudoVersion.FindStringSubmatch(version)
	if found == nil {
		return build{}
	}
	t, err := time.Parse("20060102150405", found[1])
	if err != nil {
		return build{}
	}
	return build{commit: found[2], date: t.Format(time.RFC3339)}
}

// shortCommit is enough of a commit to find it.
func shortCommit(s string) string { return s[:min(12, len(s))] }
