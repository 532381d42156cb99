package sandbox

import (
	"fmt"
	"path/filepath"
)

// SetBrew updates Homebrew itself to that version, or takes it back. As with brew
// update, kegs, plists and launchd stay as they are.
func (m *Mac) SetBrew(version string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.homebrew.SetVersion(version); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// EnvFile is where brew looks for the user's variables for Ollama, as long as the
// environment is that of Env.
func (m *Mac) EnvFile() string {
	return filepath.Join(m.Home(), ".homebrew", "services", "ollama.env")
}
