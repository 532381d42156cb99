package homebrew

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// gitRevision is a commit's full name.
var gitRevision = lazyregexp.New(`^[0-9a-f]{40,64}$`)

// Version is what Homebrew calls itself, such as "6.0.22", or "" where it has not
// written that down. It is read from where Homebrew keeps it between two starts
// (Homebrew/brew Library/Homebrew/brew.sh): a file named after the commit that
// is checked out.
func (i Installation) Version() string {
	git := filepath.Join(i.Repository, ".git")
	revision := firstLine(filepath.Join(git, "HEAD"))
	if ref, ok := strings.CutPrefix(revision, "ref: "); ok && filepath.IsLocal(ref) {
		revision = firstLine(filepath.Join(git, ref))
	}
	if !i.Known || !gitRevision.MatchString(revision) {
		return ""
	}
	return firstLine(filepath.Join(git, "describe-cache", revision))
}

// firstLine is that of a small file, "" if it cannot be read.
func firstLine(path string) string {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return ""
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line)
}
