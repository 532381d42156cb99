package homebrew

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	// Known: Homebrew's code was found and read. Otherwise only the prefix is set.
	Known bool
	// HonoursEnvFile: `brew services` reads the file at EnvFile, as Homebrew does since
	// 6.0.15. For root it never does.
	HonoursEnvFile bool
}

// programPath is where Homebrew keeps the ollama program: in the keg, or behind the
// version-independent link to it. The formula's service uses the link.
var programPath = regexp.MustCompile(`^(/.+)/(?:opt/ollama|Cellar/ollama/[^/]+)/bin/ollama$`)

// PrefixOf is Homebrew's prefix, from the path of a job's program. It is "" for a
// program that is not from Homebrew's ollama formula.
func PrefixOf(program string) string {
	found := programPath.FindStringSubmatch(filepath.Clean(program))
	if found == nil {
		return ""
	}
	return found[1]
}

// FindInstallation looks at the Homebrew at a prefix. It starts no program: it reads
// from Homebrew's own source what it can do.
func FindInstallation(prefix string) Installation {
	if !filepath.IsAbs(prefix) {
		return Installation{Prefix: prefix}
	}
	for _, repository := range repositories(prefix) {
		source := read(filepath.Join(repository, "Library", "Homebrew", "service.rb"))
		if source != nil {
			return Installation{prefix, repository, true, readsEnvFile(source)}
		}
	}
	return Installation{Prefix: prefix}
}

// envFileMarks are what service.rb has since Homebrew reads the env file (Homebrew/brew
// pull request 23312, first in 6.0.15), and had not before: the method that merges it
// with the formula's own variables, where the file is, and what is said of it to root.
// One is enough, so that a method with another name does not make a new Homebrew old.
// They say it for checkouts between releases too.
var envFileMarks = []string{"effective_environment_variables", "HOMEBREW_USER_CONFIG_HOME", "user env overrides"}

func readsEnvFile(source []byte) bool {
	return slices.ContainsFunc(envFileMarks, func(mark string) bool { return bytes.Contains(source, []byte(mark)) })
}

// repositories lists where Homebrew's code may be, the likeliest first. Homebrew itself
// goes by where the link <prefix>/bin/brew leads (Homebrew/brew bin/brew); the others
// are where its installer puts the code.
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
	// Not cleaned first: ".." counts from where the links in front of it lead.
	folder, _ := filepath.Split(target)
	folder, err = filepath.EvalSymlinks(folder)
	if err != nil {
		return usual
	}
	return append([]string{filepath.Dir(folder)}, usual...)
}

// maxSize is far larger than any of the files read here.
const maxSize = 1 << 20

// read reads a small regular file: anything else could block the reader. It returns nil
// if there is none.
func read(path string) []byte {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return data
}
