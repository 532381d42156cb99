package doctor

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
)

// Versions of everything involved, "" for what is not there or does not say.
type Versions struct {
	MacOS, Homebrew, Ollama string
	// Engine is the container engine: the tool, its version, the product.
	Engine string
}

// Versions of what was seen.
func (s Seen) Versions() Versions {
	a, _ := firstAnswer(s.answers)
	v := Versions{MacOS: s.macOS, Homebrew: s.homebrew, Ollama: cmp.Or(s.State.Socket.APIVersion, a.version)}
	if len(s.found.Runtimes) > 0 {
		one := s.found.Runtimes[0]
		v.Engine = fmt.Sprintf("%s %s (%s)", one.Tool, one.Version, one.Product)
	}
	return v
}

// firstLine is the first line that a program prints, "" if it fails.
func (q Question) firstLine(ctx context.Context, program string, args ...string) string {
	out, err := q.Machine.Launchd.Runner.Run(ctx, program, args...)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// brewVersion asks the first Homebrew that is here. `brew --version` prints "Homebrew
// 6.0.15", and starts no Ruby.
func (q Question) brewVersion(ctx context.Context) string {
	for _, prefix := range q.Machine.Prefixes {
		if homebrew.FindInstallation(prefix).Known {
			line := q.firstLine(ctx, filepath.Join(prefix, "bin", "brew"), "--version")
			return strings.TrimPrefix(line, "Homebrew ")
		}
	}
	return ""
}
