package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// homebrew is what brew must know of the Mac that it runs on. The server sends it with the answer to every request of the brew stand-in,
// since a story may update Homebrew while it is told.
type homebrew struct {
	Version string
	Release release
	Formula Formula
	Prefix  string
	Agents  string // the user's LaunchAgents folder
	Daemons string
	UID     int
	Root    bool          // the caller is root
	Console bool          // the screen is the user's
	Pause   time.Duration // between two bootouts
}

func (h *homebrew) setVersion(version string) error {
	r, err := parseRelease(version)
	if err != nil {
		return err
	}
	h.Version, h.Release = version, r
	return h.writeRepository()
}

// writeRepository writes the one file of Homebrew's own that tells whether it reads the env file. On Apple silicon the repository is the
// prefix.
func (h *homebrew) writeRepository() error {
	source := "# typed: strict\n\nmodule Homebrew\n  class Service\n    def manual_command; end\n"
	if h.Release.since(firstEnvFile) {
		source += "\n    def effective_environment_variables; end\n"
	}
	path := filepath.Join(h.Prefix, "Library", "Homebrew", "service.rb")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(source+"  end\nend\n"), 0o644)
}

func (h *homebrew) rack() string { return filepath.Join(h.Prefix, "Cellar", "ollama") }
func (h *homebrew) opt() string  { return filepath.Join(h.Prefix, "opt", "ollama") }

// kegPlist is the keg's copy of the plist, by the path that names no version.
func (h *homebrew) kegPlist(label string) string { return filepath.Join(h.opt(), label+".plist") }

// agentsFolder is where start puts the plist.
func (h *homebrew) agentsFolder() string {
	if h.Root {
		return h.Daemons
	}
	return h.Agents
}

// installed is the version of Ollama that opt points to.
func (h *homebrew) installed() (string, error) {
	keg, err := os.Readlink(h.opt())
	if err != nil {
		return "", odie("Formula `ollama` is not installed.")
	}
	return filepath.Base(keg), nil
}

// nextVersion is the one that brew upgrade finds.
func nextVersion(version string) string {
	i := strings.LastIndexByte(version, '.') + 1
	n, _ := strconv.Atoi(version[i:]) // it was made from ollamaVersion
	return version[:i] + strconv.Itoa(n+1)
}

// pour makes the keg of a version from scratch, with ollama as a second name of the executable, and without the plist.
func (h *homebrew) pour(version, executable string) error {
	keg := filepath.Join(h.rack(), version)
	if err := os.RemoveAll(keg); err != nil {
		return err
	}
	bin := filepath.Join(keg, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	return linkOrCopy(executable, filepath.Join(bin, "ollama"))
}

// link points opt to the keg of a version.
func (h *homebrew) link(version string) error {
	if err := os.MkdirAll(filepath.Dir(h.opt()), 0o755); err != nil {
		return err
	}
	if err := os.Remove(h.opt()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(filepath.Join("..", "Cellar", "ollama", version), h.opt())
}

// writeKegPlist writes the keg's copy, under the label of this release.
func (h *homebrew) writeKegPlist(env []variable) error {
	label := h.Release.label()
	return writeWithMode(h.kegPlist(label), servicePlist(h.Prefix, label, env))
}

// writeWithMode writes the file with mode 0644, whatever the umask says.
func writeWithMode(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

// removeOtherKegs is what brew cleanup does after an upgrade.
func (h *homebrew) removeOtherKegs(version string) error {
	kegs, err := os.ReadDir(h.rack())
	if err != nil {
		return err
	}
	kegs = slices.DeleteFunc(kegs, func(e fs.DirEntry) bool { return e.Name() == version })
	for _, keg := range kegs {
		err = errors.Join(err, os.RemoveAll(filepath.Join(h.rack(), keg.Name())))
	}
	return err
}

// installHomebrew puts Homebrew in place, with Ollama installed and its service not yet started.
func (m *Mac) installHomebrew(executable string) error {
	o := m.options
	h := &homebrew{Formula: o.Formula, Prefix: m.Prefix(), Agents: m.Agents(), Daemons: m.Daemons(), UID: o.UID, Pause: o.BrewPause}
	if err := h.setVersion(o.Brew); err != nil {
		return err
	}
	if err := h.pour(ollamaVersion, executable); err != nil {
		return err
	}
	if err := h.link(ollamaVersion); err != nil {
		return err
	}
	m.launchd.setHomebrew(*h)
	return h.writeKegPlist(h.Formula.environment())
}

// SetBrew updates Homebrew itself to that version, or takes it back. As with brew update, kegs, plists and launchd stay as they are.
func (m *Mac) SetBrew(version string) error {
	h := m.launchd.homebrewNow()
	if err := h.setVersion(version); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	m.launchd.setHomebrew(h)
	return nil
}

// EnvFile is where brew looks for the user's variables for Ollama, as long as the environment is that of Env.
func (m *Mac) EnvFile() string { return filepath.Join(m.Home(), ".homebrew", "services", "ollama.env") }

// Keg is the folder of the installed version of Ollama in Homebrew's Cellar.
func (m *Mac) Keg() string {
	h := m.launchd.homebrewNow()
	keg, err := filepath.EvalSymlinks(h.opt())
	if err != nil { // a story has removed it
		return ""
	}
	return keg
}

func (l *launchd) setHomebrew(h homebrew) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.homebrew = h
}

func (l *launchd) homebrewNow() homebrew {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.homebrew
}

// homebrewFor adds what depends on the caller. Locked.
func (l *launchd) homebrewFor(r request) *homebrew {
	h := l.homebrew
	h.Root = (&call{launchd: l, request: r}).isRoot()
	h.Console = l.gui()
	return &h
}
