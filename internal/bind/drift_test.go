package bind

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/backup"
)

// TestDriftNotRunning: a service that somebody has ended by hand has done nothing
// wrong.
func TestDriftNotRunning(t *testing.T) {
	for exit, want := range map[string]struct{ text, hint string }{
		"0": {"but launchd does not run the service", "launchctl kickstart"},
		"1": {"but the service does not stay up (last exit: 1)", "tail"},
	} {
		s := unbound(t)
		s.Plist.Agent.EnvironmentVariables, s.Job.Environment = env("0.0.0.0:11434"), env("0.0.0.0:11434")
		s.Plist.Agent.StandardErrorPath = log
		down(1, exit)(&s)
		d := alice.drift(s, everywhere, backup.Receipt{Host: "0.0.0.0:11434"})
		if d.ID != "not-running" || !strings.Contains(d.Message, want.text) || !strings.HasPrefix(d.Repair, want.hint) {
			t.Errorf("ended with %s: %+v", exit, d)
		}
	}
}

// TestRootsService: root keeps its own backups, of which others know nothing.
func TestRootsService(t *testing.T) {
	dir := t.TempDir()
	m := Machine{UID: 501, Home: dir, Daemons: dir, Store: backup.Store{Dir: filepath.Join(dir, "state")}}
	hint := func() string {
		_, err := m.receiptFor("")
		var p *Problem
		if !errors.As(err, &p) || p.ID != "no-backup" {
			t.Errorf("without a backup: %v", err)
			return ""
		}
		return p.Hint
	}
	if got := hint(); got != "ollama-bind status" {
		t.Errorf("without a service: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "sh.brew.ollama.plist"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := hint(); got != "sudo ollama-bind rollback" {
		t.Errorf("with a service of root's: %s", got)
	}
	s := unbound(t)
	s.Agent.Daemon = true
	if d, err := m.Drift(s, everywhere); err != nil || d.Repair != "sudo ollama-bind status" {
		t.Errorf("drift: %+v, %v", d, err)
	}
	m.UID = 0
	if got := hint(); got != "ollama-bind status" {
		t.Errorf("for root itself: %s", got)
	}
	if d, err := m.Drift(s, everywhere); err != nil || strings.Contains(d.Message, "root alone") {
		t.Errorf("drift, for root itself: %+v, %v", d, err)
	}
}
