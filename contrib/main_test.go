// Package contrib brings ollama-bind to many Macs: an Ansible role, and scripts for
// Munki and Jamf. Its only Go code is these tests, which run all of it on Macs in
// folders.
package contrib

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

func TestMain(m *testing.M) { sandbox.RunTests(m, "ollama-bind") }

const label = "sh.brew.ollama"

// newMac is a Mac in dir, without Ollama's service.
func newMac(t *testing.T, dir string) *sandbox.Mac {
	t.Helper()
	mac, err := sandbox.Start(dir, sandbox.Options{Brew: "7.0.7", Throttle: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mac.Close)
	return mac
}

// startService gives the Mac the service that Homebrew would, and starts it.
func startService(mac *sandbox.Mac) error {
	plist, err := os.ReadFile("../fixtures/plists/brew-arm64-env.plist")
	if err != nil {
		return err
	}
	if _, err := mac.Install(label, plist); err != nil {
		return err
	}
	return mac.StartService(label)
}

// environment is what makes this machine that Mac. The system's own tools come last.
func environment(mac *sandbox.Mac, path ...string) map[string]string {
	env := map[string]string{"OLLAMA_BIND_STATE_DIR": filepath.Join(mac.Dir(), "state")}
	for _, pair := range mac.Env() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	env["PATH"] = strings.Join(append(path, mac.Bin(), "/usr/bin", "/bin"), string(filepath.ListSeparator))
	return env
}

func wanted(mac *sandbox.Mac) string { return fmt.Sprintf("0.0.0.0:%d", mac.Port) }

// open tells whether Ollama can be reached at another address than 127.0.0.1, which is
// what all of this is about. Of these two, each machine has one at least.
func open(mac *sandbox.Mac) bool {
	for _, ip := range []string{"::1", "127.0.0.2"} {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip, strconv.Itoa(mac.Port)), time.Second)
		if err == nil {
			conn.Close()
			return true
		}
	}
	return false
}
