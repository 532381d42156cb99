package sandbox

import (
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/brew"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/lsof"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/ollama"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Main plays the part that the executable's name asks for, launchctl, ollama, lsof,
// brew or docker, and exits. Under any other name it returns.
func Main() {
	parts := map[string]func(args []string) int{
		"launchctl": launchctlMain, "lsof": lsof.Main, "ollama": ollama.Main,
		"brew": brew.Main, "docker": dockerMain,
	}
	part, ok := parts[filepath.Base(os.Args[0])]
	if !ok {
		return
	}
	os.Exit(part(os.Args[1:]))
}

func launchctlMain(args []string) int {
	a, _ := standin.Ask("launchctl", args) // the answer tells of an error
	return a.Print()
}

func dockerMain(args []string) int {
	if len(args) > 0 && slices.Contains([]string{"start", "exec"}, args[0]) {
		// The real one passes them on, and a container's program does not mind them.
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	}
	a, _ := standin.Ask("docker", args)
	return a.Print()
}

// installTools puts the stand-ins in place.
func (m *Mac) installTools() error {
	for _, tool := range []string{
		filepath.Join(m.Bin(), "launchctl"), filepath.Join(m.Bin(), "brew"),
		filepath.Join(m.Bin(), "lsof"), filepath.Join(m.Prefix(), "bin", "brew"),
	} {
		if err := installTool(tool); err != nil {
			return err
		}
	}
	self, err := executable()
	if err != nil {
		return err
	}
	return m.homebrew.Install(m.options.Brew, self)
}

// installTool puts one stand-in there.
func installTool(path string) error {
	self, err := executable()
	if err != nil {
		return err
	}
	return standin.LinkOrCopy(self, path)
}

// executable is what the stand-ins are links to: what RunTests has built, or else the
// running program.
func executable() (string, error) {
	if built != "" {
		return Program("standins"), nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(self)
}
