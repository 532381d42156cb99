package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/app"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/brew"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/ollama"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Main plays the part that the executable's name asks for, a tool on the Mac's PATH or a
// program in Ollama.app, and exits. Under any other name it returns.
func Main() {
	ask()
	switch filepath.Base(os.Args[0]) {
	case "ollama":
		os.Exit(ollama.Main(os.Args[1:]))
	case "brew":
		os.Exit(brew.Main(os.Args[1:]))
	case "Ollama":
		os.Exit(app.Main(os.Args[1:]))
	case "Squirrel":
		os.Exit(app.SquirrelMain())
	}
}

// macOS is what sw_vers -productVersion says.
const macOS = "27.0"

// installTools puts the stand-ins in place.
func (m *Mac) installTools() error {
	tools := []string{filepath.Join(m.Prefix(), "bin", "brew"), filepath.Join(m.Bin(), "brew")}
	for _, name := range asking {
		if name != "docker" { // see StartEngine
			tools = append(tools, filepath.Join(m.Bin(), name))
		}
	}
	for _, tool := range tools {
		if err := installTool(tool); err != nil {
			return err
		}
	}
	if own := OwnSQLite(); own != "" {
		link := filepath.Join(m.Bin(), "sqlite3")
		if err := os.Symlink(own, link); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	script := "#!/bin/sh\necho " + macOS + "\n"
	if err := os.WriteFile(filepath.Join(m.Bin(), "sw_vers"), []byte(script), 0o755); err != nil {
		return err
	}
	self, err := executable("ollama")
	if err != nil {
		return err
	}
	return m.homebrew.Install(m.options.Brew, self)
}

// installTool puts one stand-in there.
func installTool(path string) error {
	self, err := executable(filepath.Base(path))
	if err != nil {
		return err
	}
	return standin.LinkOrCopy(self, path)
}

// executable is what the stand-in of a tool is a link to: what RunTests has built, or
// else the running program.
func executable(tool string) (string, error) {
	switch {
	case built != "" && slices.Contains(asking, tool):
		return Program("askers"), nil
	case built != "":
		return Program("standins"), nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(self)
}
