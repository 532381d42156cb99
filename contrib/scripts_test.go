package contrib

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// These stand for what Munki and Jamf, which run scripts as root, need of a Mac besides
// the sandbox: somebody at the screen, and ways to become them. They tell calls what
// was asked of them.
var standIns = map[string]string{
	"stat":      `[ "$*" = "-f %Su /dev/console" ] && echo "$CONSOLE"`,
	"id":        `[ "$*" = "-u $CONSOLE" ] && [ "$CONSOLE" != stranger ] && echo 501`,
	"launchctl": `[ "$1" = asuser ] || exec "$LAUNCHCTL" "$@"; echo "asuser $2" >>"$CALLS"; shift 2; exec "$@"`,
	"sudo":      `[ "$1 $2 $3" = "-u $CONSOLE -H" ] || exit 64; echo "sudo $2" >>"$CALLS"; shift 3; exec "$@"`,
}

// managed is a Mac under management.
type managed struct {
	*testing.T
	mac *sandbox.Mac
	env map[string]string
}

func newManaged(t *testing.T) managed {
	t.Parallel()
	dir := t.TempDir()
	mac := newMac(t, filepath.Join(dir, "mac"))
	tools := filepath.Join(dir, "tools")
	if err := os.Mkdir(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range standIns {
		if err := os.WriteFile(filepath.Join(tools, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := environment(mac, tools)
	env["LAUNCHCTL"] = filepath.Join(mac.Bin(), "launchctl")
	env["CONSOLE"] = "somebody"
	env["CALLS"] = filepath.Join(dir, "calls")
	env["OLLAMA_BIND"] = sandbox.Program("ollama-bind")
	env["OLLAMA_BIND_HOST"] = wanted(mac)
	return managed{t, mac, env}
}

func (m managed) start() managed {
	m.Helper()
	if err := startService(m.mac); err != nil {
		m.Fatal(err)
	}
	return m
}

// run runs a script the way that it is deployed: as text, with a shell.
func (m managed) run(script string) (output string, code int) {
	m.Helper()
	cmd := exec.Command("/bin/sh", script)
	for name, value := range m.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (m managed) exits(want int, script string) string {
	m.Helper()
	out, code := m.run(script)
	if code != want {
		m.Errorf("%s: exit status %d, not %d\n%s", script, code, want, out)
	}
	return out
}

func (m managed) attribute(want string) {
	m.Helper()
	if out := m.exits(0, extensionAttribute); out != "<result>"+want+"</result>\n" {
		m.Errorf("the extension attribute says %q, not %q", out, want)
	}
}

func (m managed) open(want bool) {
	m.Helper()
	if got := open(m.mac); got != want {
		m.Errorf("Ollama is open to others: %v, not %v", got, want)
	}
}

const (
	installCheck       = "munki/installcheck_script"
	postInstall        = "munki/postinstall_script"
	uninstall          = "munki/uninstall_script"
	extensionAttribute = "jamf/ollama-bind.sh"

	needed, notNeeded = 0, 1 // what Munki takes from an installcheck_script
)

func TestScripts(t *testing.T) {
	m := newManaged(t).start()
	m.attribute("unbound")
	m.exits(needed, installCheck)
	m.open(false)

	m.exits(0, postInstall)
	m.open(true)
	m.attribute("bound")
	m.exits(notNeeded, installCheck)
	m.exits(0, postInstall)

	m.exits(0, uninstall)
	m.open(false)
	m.attribute("unbound")
	m.exits(needed, installCheck)

	calls, err := os.ReadFile(m.env["CALLS"])
	if err != nil || strings.ReplaceAll(string(calls), "asuser 501\nsudo somebody\n", "") != "" {
		t.Errorf("not everything was done as the user at the screen: %v\n%s", err, calls)
	}
}

// After two fixes with different addresses, and one of another service, nothing is
// left of any of them.
func TestScriptsTakeAllBack(t *testing.T) {
	m := newManaged(t).start()
	other := filepath.Join(m.mac.Agents(), "own.ollama.plist")
	plist := filepath.Join(m.mac.Agents(), label+".plist")
	text, err := os.ReadFile(plist)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(string(text), label, "own.ollama", 1)
	if err := os.WriteFile(other, []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--no-restart", "--plist", other, "--host", wanted(m.mac)},
		{"--plist", plist, "--host", strings.Replace(wanted(m.mac), "0.0.0.0", "127.0.0.1", 1)},
	} {
		cmd := exec.Command(m.env["OLLAMA_BIND"], append([]string{"fix"}, args...)...)
		for name, value := range m.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("fix %v: %v\n%s", args, err, out)
		}
	}
	m.exits(0, postInstall)
	m.open(true)
	m.exits(0, uninstall)
	m.open(false)
	for path, want := range map[string]string{plist: string(text), other: own} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not as before the first fix: %v\n%s", path, err, got)
		}
	}
	m.exits(0, uninstall)
}

// Homebrew has written the plist again, without the setting.
func TestScriptsDrift(t *testing.T) {
	m := newManaged(t).start()
	m.exits(0, postInstall)
	if err := os.Remove(filepath.Join(m.mac.Home(), ".homebrew/services/ollama.env")); err != nil {
		t.Fatal(err)
	}
	m.attribute("drifted") // and still bound, until Homebrew's next restart
	m.exits(notNeeded, installCheck)
	if _, stderr, code := m.mac.Run("brew", "services", "restart", "ollama"); code != 0 {
		t.Fatal(stderr)
	}
	m.open(false)
	m.attribute("drifted")
	m.exits(needed, installCheck)
	m.exits(0, postInstall)
	m.open(true)
	m.attribute("bound")
}

func TestScriptsWithoutService(t *testing.T) {
	m := newManaged(t)
	m.attribute("no service")
	m.exits(notNeeded, installCheck)
	m.exits(0, uninstall)
}

func TestScriptsWithoutUser(t *testing.T) {
	m := newManaged(t).start()
	for _, nobody := range []string{"root", "loginwindow", "_mbsetupuser", "", "stranger"} {
		m.env["CONSOLE"] = nobody
		m.attribute("nobody logged in")
		m.exits(notNeeded, installCheck)
		m.exits(1, postInstall)
		m.exits(1, uninstall)
	}
	m.open(false)
	if _, err := os.Stat(m.env["CALLS"]); err == nil {
		t.Error("something was done as nobody")
	}
}

// The package with the program comes later in the same run of Munki.
func TestScriptsWithoutProgram(t *testing.T) {
	m := newManaged(t).start()
	m.env["OLLAMA_BIND"] = filepath.Join(t.TempDir(), "ollama-bind")
	m.attribute("not installed")
	m.exits(needed, installCheck)
	for _, script := range []string{postInstall, uninstall} {
		if out := m.exits(1, script); !strings.Contains(out, "is not there") {
			t.Errorf("%s: %s", script, out)
		}
	}
}

// Another program has the port: that cannot be cured here, and has to be seen.
func TestScriptsFail(t *testing.T) {
	m := newManaged(t)
	_, stop, err := m.mac.HoldPort(m.mac.Port, "")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, err := m.mac.Install(label, []byte("this is no plist")); err != nil {
		t.Fatal(err)
	}
	m.exits(needed, installCheck)
	if out := m.exits(1, postInstall); !strings.Contains(out, "ollama-bind: error: ") {
		t.Errorf("Munki's log has no reason:\n%s", out)
	}
	m.env["OLLAMA_BIND_HOST"] = "no address"
	m.attribute("error")
	m.exits(needed, installCheck)
	m.exits(2, postInstall)
}

// Each script is deployed by itself, so each has a copy of what they share.
func TestScriptsShare(t *testing.T) {
	var first string
	for _, script := range []string{installCheck, postInstall, uninstall, extensionAttribute} {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "# The same in all scripts, from here\n")
		shared, _, found := strings.Cut(rest, "# to here.\n")
		if first == "" {
			first = shared
		}
		if !found || shared != first {
			t.Errorf("%s has another preamble than %s", script, installCheck)
		}
	}
}
