package brew

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/ollama"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Homebrew is what brew must know of the Mac that it runs on. It comes with the answer
// to every request of the brew stand-in, since a story may update Homebrew while it is
// told.
type Homebrew struct {
	Version string // of Homebrew; see SetVersion
	Release release
	Prefix  string
	Agents  string // the user's LaunchAgents folder
	UID     int
	Pause   time.Duration // between two bootouts
}

// SetVersion updates Homebrew itself to one of the [releases], or takes it back.
func (h *Homebrew) SetVersion(version string) error {
	r, ok := releases[version]
	if !ok {
		return fmt.Errorf("there is no Homebrew %q here", version)
	}
	h.Version, h.Release = version, r
	return h.writeRepository()
}

// writeRepository writes the one file of Homebrew's own that shows whether it reads
// the env file. On Apple silicon the repository is the prefix.
func (h *Homebrew) writeRepository() error {
	source := "# typed: strict\n\nmodule Homebrew\n  class Service\n" +
		"    def manual_command; end\n"
	if h.Release.EnvFile {
		source += "\n    def effective_environment_variables; end\n"
	}
	path := filepath.Join(h.Prefix, "Library", "Homebrew", "service.rb")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(source+"  end\nend\n"), 0o644)
}

func (h *Homebrew) opt() string { return filepath.Join(h.Prefix, "opt", "ollama") }

func (h *Homebrew) keg(version string) string {
	return filepath.Join(h.Prefix, "Cellar", "ollama", version)
}

// kegPlist is the keg's copy of the plist, by the path that names no version.
func (h *Homebrew) kegPlist(label string) string {
	return filepath.Join(h.opt(), label+".plist")
}

// installed is the version of Ollama that opt points to.
func (h *Homebrew) installed() (string, error) {
	keg, err := os.Readlink(h.opt())
	if err != nil {
		return "", odie("Formula `ollama` is not installed.")
	}
	return filepath.Base(keg), nil
}

// Install puts Homebrew in place, with Ollama as a second name of the executable.
func (h *Homebrew) Install(version, executable string) error {
	if err := h.SetVersion(version); err != nil {
		return err
	}
	if err := h.pour(ollama.Version, executable); err != nil {
		return err
	}
	return h.writeKegPlist(formulaEnvironment())
}

// pour makes the keg of a version, without the plist, and points opt to it.
func (h *Homebrew) pour(version, executable string) error {
	if err := os.MkdirAll(filepath.Dir(h.opt()), 0o755); err != nil {
		return err
	}
	program := filepath.Join(h.keg(version), "bin", "ollama")
	if err := standin.LinkOrCopy(executable, program); err != nil {
		return err
	}
	_ = os.Remove(h.opt()) // Symlink tells of a failure
	return os.Symlink(filepath.Join("..", "Cellar", "ollama", version), h.opt())
}

// writeKegPlist writes the keg's copy, under the label of this release.
func (h *Homebrew) writeKegPlist(env []variable) error {
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
