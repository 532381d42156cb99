package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/app"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/launchd"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/ps"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// OwnSQLite is the machine's own sqlite3, "" if it has none: then there is no
// Ollama.app either.
func OwnSQLite() string {
	if own, err := exec.LookPath("sqlite3"); err == nil {
		return own
	}
	if _, err := os.Stat("/usr/bin/sqlite3"); err == nil {
		return "/usr/bin/sqlite3"
	}
	return ""
}

// InstallApp installs a bundle, or replaces it.
func (m *Mac) InstallApp(bundle, version string) error {
	self, err := executable("ollama")
	if err == nil {
		err = app.Install(self, bundle, version)
	}
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// Running are the processes that belong to this Mac, by pid.
func (m *Mac) Running() ([]ps.Process, error) { return ps.List(m.server.address()) }

// AppPID is the pid of the app's main process, the first where there are several, or 0.
func (m *Mac) AppPID() int {
	all, _ := m.Running()
	for _, p := range all {
		if p.Name() == "Ollama" {
			return p.PID
		}
	}
	return 0
}

// open is open [-g] [-j] [-n] -a APP [--env KEY=VALUE] [--args ARG…].
func (m *Mac) open(args []string, dir string) standin.Answer {
	name, fresh, env := "", false, map[string]string{}
	var passed []string
	for len(args) > 0 {
		flag := args[0]
		args = args[1:]
		switch {
		case flag == "--args":
			passed, args = args, nil
		case (flag == "-a" || flag == "--env") && len(args) > 0:
			if flag == "-a" {
				name = args[0]
			} else if key, value, ok := strings.Cut(args[0], "="); ok {
				env[key] = value
			}
			args = args[1:]
		case flag == "-n":
			fresh = true
		case flag != "-g" && flag != "-j":
			return standin.Fail(1, "open: the stand-in does not know %s", flag)
		}
	}
	bundle := name
	switch {
	case !strings.Contains(name, "/"):
		bundle = m.findApp(name)
		if bundle == "" {
			return standin.Fail(1, "Unable to find application named '%s'", name)
		}
	case !filepath.IsAbs(name):
		bundle = filepath.Join(dir, name)
	}
	return m.launch(filepath.Clean(bundle), fresh, env, passed)
}

func (m *Mac) findApp(name string) string {
	for _, folder := range []string{
		m.Applications(), filepath.Join(m.Home(), "Applications"),
	} {
		bundle := filepath.Join(folder, strings.TrimSuffix(name, ".app")+".app")
		if _, err := os.Stat(bundle); err == nil {
			return bundle
		}
	}
	return ""
}

// launch starts an app; if it already runs, its window is shown. The text for a Mac
// with nobody at its screen is unverified.
func (m *Mac) launch(
	bundle string, fresh bool, env map[string]string, args []string,
) standin.Answer {
	const failed = "_LSOpenURLsWithCompletionHandler() failed for the application %s with error %d."
	program := app.Program(bundle)
	if _, err := os.Stat(program); err != nil {
		return standin.Fail(1, "Unable to find application named '%s'", bundle)
	}
	if m.options.NoGUI {
		return standin.Fail(1, failed, bundle, -10810)
	}
	if m.faults.Take("open-600") {
		return standin.Fail(1, failed, bundle, -600)
	}
	all, _ := m.Running() // none where nobody can tell
	if !fresh && slices.ContainsFunc(all, func(p ps.Process) bool { return p.Path == program }) {
		return standin.Answer{}
	}
	m.mu.Lock()
	m.opened++
	m.bundle = bundle
	label := fmt.Sprintf("application.com.electron.ollama.%d.%d", 1000+m.opened, 2000+m.opened)
	m.mu.Unlock()
	p, err := m.Open(label, append([]string{program}, args...), env)
	if err != nil {
		return standin.Fail(1, "open: %v", err)
	}
	m.Submit(loginItem(bundle), false) // the app does it at every start
	go m.comeBack(p, bundle)
	return standin.Answer{}
}

func loginItem(bundle string) launchd.Definition {
	program := app.Squirrel(bundle)
	return launchd.Definition{Label: app.LoginItem, Program: program, RunAtLoad: true,
		ProgramArguments: []string{program, "background"}, LimitLoadToSessionType: "Aqua"}
}

// comeBack reopens an app that has ended, if the fault says so.
func (m *Mac) comeBack(p *launchd.Process, bundle string) {
	<-p.Done
	if _, on := m.faults.Arg("app-comes-back"); !on {
		return
	}
	select {
	case <-m.ctx.Done():
	case <-time.After(m.faults.Duration("app-comes-back")):
		m.launch(bundle, false, nil, []string{"hidden"})
	}
}

// OpenApp opens an app and waits for its server to answer on loopback, unless its
// database does not let it have one.
func (m *Mac) OpenApp(bundle string, args ...string) error {
	_, stderr, code := m.Run("open", append([]string{"-g", "-j", "-a", bundle, "--args"}, args...)...)
	if code != 0 {
		return fmt.Errorf("sandbox: open: exit %d: %s", code, stderr)
	}
	return m.WaitVersion("127.0.0.1:"+strconv.Itoa(m.Port), startTimeout)
}

// EndApp sends the app's main process a signal, and waits until that has gone.
func (m *Mac) EndApp(signal syscall.Signal) error {
	pid := m.AppPID()
	if pid == 0 {
		return errors.New("sandbox: no app is running")
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return poll(startTimeout, func() error {
		if m.AppPID() == pid {
			return errors.New("sandbox: the app does not end")
		}
		return nil
	})
}

// Expose flips the switch: in the app's window if it runs, otherwise in its database.
func (m *Mac) Expose(on bool) error {
	if err := app.SetExpose(OwnSQLite(), m.Home(), on); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return m.tellApp(app.Flipped)
}

// Click changes something else in the app's window.
func (m *Mac) Click() error { return m.tellApp(app.Clicked) }

func (m *Mac) tellApp(what syscall.Signal) error {
	if pid := m.AppPID(); pid != 0 {
		return syscall.Kill(pid, what)
	}
	return nil
}

// AppDatabase is where the app's settings are.
func (m *Mac) AppDatabase() string { return app.Database(m.Home()) }

// StageAppUpdate makes an update wait for the app's next hidden start.
func (m *Mac) StageAppUpdate(version string) error { return app.StageUpdate(m.Home(), version) }

// BreakDatabase damages the app's database; heal ends a lock.
func (m *Mac) BreakDatabase(how string) (heal func(), err error) {
	path := m.AppDatabase()
	if err := app.CreateDatabase(OwnSQLite(), m.Home()); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	sql := map[string]string{
		"schema": "ALTER TABLE settings RENAME COLUMN expose TO exposed",
		"newer":  "UPDATE settings SET schema_version = 99",
		"rows":   "DELETE FROM settings",
	}[how]
	switch how {
	case "locked":
		return m.lockDatabase(path)
	case "corrupt":
		_ = os.Remove(path + "-wal") // a whole one would mend it
		err = os.WriteFile(path, []byte(strings.Repeat("SQLite? ", 1024)), 0o644)
	case "read-only":
		err = os.Chmod(path, 0o444)
	case "none":
		err = os.RemoveAll(filepath.Dir(path))
	default:
		if sql == "" {
			return nil, fmt.Errorf("sandbox: a database cannot be %s", how)
		}
		_, err = app.Query(OwnSQLite(), path, sql)
	}
	if err != nil {
		err = fmt.Errorf("sandbox: %w", err)
	}
	return func() {}, err
}

// lockDatabase has a process of the Mac hold a write lock.
func (m *Mac) lockDatabase(path string) (unlock func(), err error) {
	cmd := exec.Command(OwnSQLite(), "-batch", path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p, err := m.StartOutside(cmd)
	if err != nil {
		return nil, err
	}
	_, err = stdin.Write([]byte("BEGIN IMMEDIATE; SELECT 'held';\n"))
	if err == nil {
		_, err = stdout.Read(make([]byte, 8))
	}
	return p.Kill, err
}

// Reboot kills every process, and starts what a login starts: the plists in the
// folders, and the app that was opened last.
func (m *Mac) Reboot() error {
	m.Shutdown()
	all, _ := m.Running() // none where nobody can tell
	for _, p := range all {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	if err := poll(startTimeout, func() error {
		if left, _ := m.Running(); len(left) > 0 {
			return fmt.Errorf("sandbox: still running: %v", left)
		}
		return nil
	}); err != nil {
		return err
	}
	m.Boot(true, plistsIn(m.Daemons()))
	m.Boot(false, append(plistsIn(m.sharedAgents()), plistsIn(m.Agents())...))
	m.mu.Lock()
	bundle := m.bundle
	m.mu.Unlock()
	if _, err := os.Stat(app.Program(bundle)); err == nil {
		m.Submit(loginItem(bundle), true)
	}
	return nil
}

func plistsIn(folder string) []string {
	found, _ := filepath.Glob(filepath.Join(folder, "*.plist")) // the pattern is well-formed
	return found
}
