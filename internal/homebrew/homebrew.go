// Package homebrew knows where Homebrew keeps its Ollama service.
package homebrew

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Labels lists the labels under which Homebrew registers the service, which are also
// the stems of its file names (Homebrew/brew services, pull requests 23741 and 23750),
// the preferred one first. A service keeps the old one until a Homebrew that writes the
// new one restarts it.
func Labels() []string { return []string{"sh.brew.ollama", "homebrew.mxcl.ollama"} }

// Daemons is where `sudo brew services` puts its plists.
const Daemons = "/Library/LaunchDaemons"

// Prefixes lists where Homebrew may be: where the shell says, as `brew shellenv` has
// it, or where its installer puts it.
func Prefixes(getenv func(string) string) []string {
	if prefix := getenv("HOMEBREW_PREFIX"); prefix != "" {
		return []string{prefix}
	}
	return []string{"/opt/homebrew", "/usr/local"}
}

// LacksOllama reports whether there is a Homebrew at one of the prefixes, but no Ollama
// at any.
func LacksOllama(prefixes []string) bool {
	found := false
	for _, prefix := range prefixes {
		if _, err := os.Lstat(filepath.Join(prefix, "opt", "ollama")); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		found = found || FindInstallation(prefix).Known
	}
	return found
}

// IsLabel reports whether label is one of Homebrew's for Ollama.
func IsLabel(label string) bool { return slices.Contains(Labels(), label) }

// Agents is the user's folder of launch agents.
func Agents(home string) string { return filepath.Join(home, "Library", "LaunchAgents") }

// Candidate is one place where Homebrew may have put the service.
type Candidate struct {
	Label string
	Plist string // the plist's path
	// Daemon: a service of the whole machine, started with sudo.
	Daemon bool
}

// Candidates lists the places in the order in which Homebrew looks: the canonical label
// first, and the user's own service before the machine's.
func Candidates(home, daemons string) []Candidate {
	var all []Candidate
	for _, label := range Labels() {
		file := label + ".plist"
		all = append(all,
			Candidate{Label: label, Plist: filepath.Join(Agents(home), file)},
			Candidate{Label: label, Plist: filepath.Join(daemons, file), Daemon: true})
	}
	return all
}
