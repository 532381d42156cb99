package homebrew

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// Installation is one Homebrew. A Mac can have two: one for Apple silicon and
// one for Intel.
type Installation struct {
	// Prefix is where it installs: /opt/homebrew on Apple silicon, /usr/local
	// on Intel.
	Prefix string
	// Repository is where Homebrew's own code lies: the prefix on Apple
	// silicon, <prefix>/Homebrew on Intel.
	Repository string
	// Known is set when Homebrew's code was found and read. Without it,
	// HonoursEnvFile and Repository say nothing.
	Known bool
	// HonoursEnvFile is set when `brew services` reads the file at EnvFile, as
	// Homebrew does since 6.0.15. For root it never does.
	HonoursEnvFile bool
}

// programPath is where Homebrew has the ollama program: in the keg, or behind
// the version-independent link to it. The formula's service uses the link.
var programPath = lazyregexp.New(`^(/.+)/(?:opt/ollama|Cellar/ollama/[^/]+)/bin/ollama$`)

// PrefixOf takes Homebrew's prefix from the path of a job's program. It is ""
// for a program that is not in Homebrew's ollama formula.
func PrefixOf(program string) string {
	found := programPath.FindStringSubmatch(filepath.Clean(program))
	if found == nil {
		return ""
	}
	return found[1]
}

// FindInstallation looks at the Homebrew at a prefix. It starts no program:
// what Homebrew can do is read from its own source.
//
// The error says what could not be found (fs.ErrNotExist) or read; Prefix is
// set all the same.
func FindInstallation(prefix string) (Installation, error) {
	if !filepath.IsAbs(prefix) {
		return Installation{Prefix: prefix}, fmt.Errorf("looking for Homebrew: %q is not an absolute path", prefix)
	}
	for _, repository := range repositories(prefix) {
		source, err := readSource(filepath.Join(repository, "Library", "Homebrew", "service.rb"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Installation{Prefix: prefix}, fmt.Errorf("looking for Homebrew: %w", err)
		}
		return Installation{prefix, repository, true, readsEnvFile(source)}, nil
	}
	return Installation{Prefix: prefix}, fmt.Errorf("looking for Homebrew in %s: %w", prefix, fs.ErrNotExist)
}

// readsEnvFile looks in service.rb for the method that merges the env file with
// the formula's own variables. It came with the env file (Homebrew/brew pull
// request 23312, first in 6.0.15), and says it for checkouts between releases
// too.
func readsEnvFile(source []byte) bool {
	return bytes.Contains(source, []byte("effective_environment_variables"))
}

// repositories lists where Homebrew's code may lie, the likeliest first. Where
// the link <prefix>/bin/brew leads is what counts for Homebrew itself
// (Homebrew/brew bin/brew); the others are where its installer puts the code.
func repositories(prefix string) []string {
	usual := []string{prefix, filepath.Join(prefix, "Homebrew")}
	bin := filepath.Join(prefix, "bin")
	target, err := os.Readlink(filepath.Join(bin, "brew"))
	if err != nil {
		return usual
	}
	if !filepath.IsAbs(target) {
		target = bin + "/" + target
	}
	// Not cleaned before: ".." counts from where the links in front of it lead.
	folder, _ := filepath.Split(target)
	folder, err = filepath.EvalSymlinks(folder)
	if err != nil {
		return usual
	}
	return append([]string{filepath.Dir(folder)}, usual...)
}

// maxSource is far more than any of Homebrew's source files has.
const maxSource = 1 << 20

// readSource reads a regular file of a limited size. Anything else could keep
// the reader waiting.
func readSource(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f)
}

func readLimited(f *os.File) ([]byte, error) {
	source, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err != nil {
		return nil, err
	}
	if len(source) > maxSource {
		return nil, fmt.Errorf("%s is larger than %d bytes", f.Name(), maxSource)
	}
	return source, nil
}
