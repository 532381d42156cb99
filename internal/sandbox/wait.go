package sandbox

import (
	"fmt"
	"path/filepath"
	"time"

	client "github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/launchd"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/ollama"
)

// startTimeout bounds the wait for a process of this Mac to answer. It is long because a
// loaded machine is slow, not because Ollama is.
const startTimeout = 15 * time.Second

// poll calls look until it returns nil or the time is over, and returns its last error.
func poll(timeout time.Duration, look func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := look()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// WaitGone waits until launchd does not know the job any more.
func (m *Mac) WaitGone(label string, timeout time.Duration) error {
	return poll(timeout, func() error {
		if m.Loaded(label) {
			return fmt.Errorf("sandbox: %s is still loaded", label)
		}
		return nil
	})
}

// StartService bootstraps LaunchAgents/LABEL.plist into the user's domain and waits
// until /api/version answers where the job's OLLAMA_HOST says.
func (m *Mac) StartService(label string) error {
	path := filepath.Join(m.Agents(), label+".plist")
	if _, stderr, code := m.Launchctl("bootstrap", m.Domain(), path); code != 0 {
		return fmt.Errorf("sandbox: bootstrap of %s: exit %d: %s", path, code, stderr)
	}
	def, err := launchd.ReadDefinition(path)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	host := ollama.ParseHost(def.EnvironmentVariables["OLLAMA_HOST"], m.Port)
	if err := m.WaitVersion(host.Dial(), startTimeout); err != nil {
		return fmt.Errorf("sandbox: %s does not answer: %w", label, err)
	}
	return nil
}

// WaitVersion waits until /api/version answers at the address.
func (m *Mac) WaitVersion(address string, timeout time.Duration) error {
	return poll(timeout, func() error {
		_, err := client.Version(m.ctx, address, time.Second)
		return err
	})
}
