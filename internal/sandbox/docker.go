package sandbox

import (
	"fmt"
	"path/filepath"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/docker"
)

// Engine says which container engine the Mac has.
type Engine = docker.Options

// Container is a container that lives until it is removed.
type Container = docker.Container

// StartEngine puts docker on the PATH, with that engine behind it: [Mac.Docker]. A second
// call changes the engine, and forgets containers and images.
func (m *Mac) StartEngine(e Engine) error {
	if err := m.Docker.Start(e); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err := installTool(filepath.Join(m.Bin(), "docker")); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}
