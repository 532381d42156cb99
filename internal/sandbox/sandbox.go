// Package sandbox is a Mac in a folder, for tests and the demo: a home folder, a
// Homebrew prefix and stand-ins for launchctl, brew, ollama, Ollama.app, lsof, ps and
// docker, real executables on a PATH of their own, which really start, stop and inspect processes. A
// program under test that finds its tools on PATH runs against it unchanged, on any
// system. Each tool has a room, a package below this one that says what it knows;
// package fault lists what can be broken. The state is in memory, in the process that
// called [Start]: the executables are its thin clients, and nothing outlives it (but a
// job that is no ollama, where the process was killed with SIGKILL).
//
// Nothing is compiled: the stand-ins are hard links to the running executable, which
// plays the part that its own name asks for. So every program that uses the sandbox,
// and the TestMain of every test that does, calls [Main] first.
//
//	DIR/home                   HOME, with Library/LaunchAgents
//	DIR/bin                    the PATH: launchctl, brew, lsof, ps, open and so on
//	DIR/opt/homebrew           Homebrew's prefix and repository, with var/log
//	  Cellar/ollama/VERSION    the keg: bin/ollama and the keg's copy of the plist
//	  opt/ollama               a link to the keg
//	DIR/Applications           Ollama.app, if wanted
//	DIR/Library/LaunchAgents   plists for every user's domain
//	DIR/Library/LaunchDaemons  plists of the system domain
//	DIR/launchd.log            what launchd says about its jobs
//
// Tests run in parallel, and the machine may have an Ollama of its own. So every Mac
// has a port of its own, [Mac.Port], that takes the place of 11434 everywhere: the
// ollama stand-in uses it where OLLAMA_HOST names no port, and [Mac.Localise] writes it
// for :11434. An env file is taken as it stands: who writes one localises it. Linux
// gives 127.0.0.1:P to no one while another process has *:P; macOS does.
package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/brew"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/docker"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/fault"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/launchd"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Options describe the Mac. The zero value is a macOS 26 with its user logged in at the
// screen, and with Ollama from Homebrew 6.0.18.
type Options struct {
	UID         int           // in domain names; 0 means that of the running user
	Root        bool          // the callers of launchctl are root, even where the test is not
	NoGUI       bool          // nobody is logged in at the screen: there is no gui/UID
	SSH         bool          // the callers' own domain is user/UID, even beside gui/UID
	Port        int           // stands for 11434; 0 means a free port
	Throttle    time.Duration // ThrottleInterval of jobs without one; 0 means 10 s
	ExitTimeout time.Duration // ExitTimeOut of jobs without one; 0 means 5 s
	OwnLsof     bool          // the machine's own lsof if it has one; always so on macOS
	Brew        string        // version of Homebrew; "" means 6.0.18
	BrewPause   time.Duration // between two bootouts of brew services; 0 means 1 s
	AppSecond   time.Duration // what stands for a second in Ollama.app; 0 means 100 ms
}

// withDefaults fills in what the caller left out.
func (o Options) withDefaults() Options {
	o.UID = cmp.Or(o.UID, os.Getuid())
	o.Throttle = cmp.Or(o.Throttle, 10*time.Second)
	o.ExitTimeout = cmp.Or(o.ExitTimeout, 5*time.Second)
	o.Brew = cmp.Or(o.Brew, "6.0.18")
	o.BrewPause = cmp.Or(o.BrewPause, time.Second)
	o.AppSecond = cmp.Or(o.AppSecond, 100*time.Millisecond)
	return o
}

// Mac is a Mac in a folder, with all that its launchd can be asked. Its methods may be
// called from several goroutines.
type Mac struct {
	*launchd.Launchd
	Port   int            // the port that stands for 11434
	Docker *docker.Engine // of use after StartEngine

	dir     string
	options Options
	ctx     context.Context // done when the Mac is closed
	cancel  context.CancelFunc
	faults  fault.Set
	server  *server

	mu       sync.Mutex
	homebrew brew.Homebrew
	bundle   string // of the app that registered its login item last
	opened   int    // how often an app was
}

// Start builds a Mac in dir, which must exist or be creatable and should be empty, and
// starts its launchd.
func Start(dir string, o Options) (*Mac, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	m := &Mac{dir: dir, options: o.withDefaults(), Port: o.Port}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if err := m.start(); err != nil {
		m.cancel()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return m, nil
}

func (m *Mac) start() (err error) {
	if err := m.makeFolders(); err != nil {
		return err
	}
	o := m.options
	m.homebrew = brew.Homebrew{
		Prefix: m.Prefix(), Agents: m.Agents(),
		UID: o.UID, Pause: o.BrewPause,
	}
	if err := m.installTools(); err != nil {
		return err
	}
	if m.Port == 0 {
		if m.Port, err = m.FreePort(); err != nil {
			return err
		}
	}
	m.Launchd = launchd.New(m.ctx, launchd.Options{
		Dir: m.dir, Home: m.Home(), UID: o.UID, NoGUI: o.NoGUI, SSH: o.SSH,
		Throttle: o.Throttle, ExitTimeout: o.ExitTimeout, Faults: &m.faults,
	})
	m.Docker = docker.New(m.ctx, m.faults.Arg)
	if err := m.serve(); err != nil {
		return err
	}
	m.PassToJobs(m.toolEnv())
	return nil
}

func (m *Mac) makeFolders() error {
	logs := filepath.Join(m.Prefix(), "var", "log")
	for _, d := range []string{
		m.Agents(), m.Daemons(), m.sharedAgents(), m.Applications(), m.tmp(), logs,
	} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// Dir is the folder that holds all of it.
func (m *Mac) Dir() string { return m.dir }

// Home is the user's home folder.
func (m *Mac) Home() string { return filepath.Join(m.dir, "home") }

// Bin is the folder that PATH consists of.
func (m *Mac) Bin() string { return filepath.Join(m.dir, "bin") }

// Prefix is Homebrew's prefix.
func (m *Mac) Prefix() string { return filepath.Join(m.dir, "opt", "homebrew") }

// Agents is the user's LaunchAgents folder.
func (m *Mac) Agents() string {
	return filepath.Join(m.Home(), "Library", "LaunchAgents")
}

// Daemons stands for /Library/LaunchDaemons.
func (m *Mac) Daemons() string { return filepath.Join(m.dir, "Library", "LaunchDaemons") }

// sharedAgents stands for /Library/LaunchAgents.
func (m *Mac) sharedAgents() string { return filepath.Join(m.dir, "Library", "LaunchAgents") }

// Applications stands for /Applications.
func (m *Mac) Applications() string { return filepath.Join(m.dir, "Applications") }

func (m *Mac) tmp() string { return filepath.Join(m.dir, "tmp") }

// UID is the user's number in domain names.
func (m *Mac) UID() int { return m.options.UID }

// Domain is the domain that the user's agents live in: gui/UID, or user/UID where
// nobody is logged in at the screen.
func (m *Mac) Domain() string {
	kind := "gui/"
	if m.options.NoGUI {
		kind = "user/"
	}
	return kind + strconv.Itoa(m.options.UID)
}

// Env is the whole environment for a program that is to run on this Mac.
func (m *Mac) Env() []string {
	return append([]string{
		"PATH=" + m.Bin(),
		"HOME=" + m.Home(),
		"TMPDIR=" + m.tmp(),
		"HOMEBREW_PREFIX=" + m.Prefix(),
	}, m.toolEnv()...)
}

// toolEnv is what the stand-ins need besides.
func (m *Mac) toolEnv() []string {
	return []string{
		standin.EnvServer + "=" + m.server.address(),
		standin.EnvPort + "=" + strconv.Itoa(m.Port),
		standin.EnvSQLite + "=" + OwnSQLite(),
		standin.EnvSecond + "=" + m.options.AppSecond.String(),
		"GOMAXPROCS=1", // with fewer threads a program starts in less time
	}
}

// ownLsof is the machine's own lsof if this Mac is to use it.
func (m *Mac) ownLsof() string {
	if runtime.GOOS == "darwin" {
		return "/usr/sbin/lsof"
	}
	if !m.options.OwnLsof {
		return ""
	}
	own, _ := exec.LookPath("lsof") // "" where there is none
	return own
}

// Launchctl runs the launchctl executable, as a program on this Mac would. The exit
// code is -1 if it could not be run.
func (m *Mac) Launchctl(args ...string) (stdout, stderr string, code int) {
	return m.Run("launchctl", args...)
}

// Run runs one of the tools on this Mac's PATH. The exit code is -1 if it could not be
// run.
func (m *Mac) Run(name string, args ...string) (stdout, stderr string, code int) {
	cmd := exec.Command(filepath.Join(m.Bin(), name), args...)
	cmd.Env = m.Env()
	cmd.Dir = m.dir
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err.Error(), -1
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// Changes is Log without the commands that change nothing.
func (m *Mac) Changes() []string {
	var changes []string
	for _, line := range m.Log() {
		if launchd.IsChange(line) {
			changes = append(changes, line)
		}
	}
	return changes
}

// Fault switches a fault on; package fault lists them. It panics where the name or the
// argument makes no sense.
func (m *Mac) Fault(name, arg string) { m.faults.Add(name, arg) }

// ClearFaults switches all faults off.
func (m *Mac) ClearFaults() { m.faults.Clear() }

// Close ends every process and launchd itself, and waits for them. The files stay. It
// may be called twice.
func (m *Mac) Close() {
	m.cancel()
	m.Launchd.Close()
	m.server.close()
}

// HoldPort starts an ollama that launchd knows nothing of, as from a terminal, on the
// given port and address ("" means 127.0.0.1). It returns when that listens; stop ends
// it and may be called twice.
func (m *Mac) HoldPort(port int, address string) (pid int, stop func(), err error) {
	if address == "" {
		address = "127.0.0.1"
	}
	host := net.JoinHostPort(address, strconv.Itoa(port))
	p, err := m.startHolder(host)
	if err != nil {
		return 0, nil, fmt.Errorf("sandbox: holder of %s: %w", host, err)
	}
	return p.PID, p.Kill, nil
}

// startHolder waits for the holder to listen. Its log tells; an answer from the port
// could be another process's.
func (m *Mac) startHolder(host string) (*launchd.Process, error) {
	log, err := os.CreateTemp(m.tmp(), "holder-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(m.Prefix(), "opt", "ollama", "bin", "ollama"), "serve")
	cmd.Env = append(m.Env(), "OLLAMA_HOST="+host)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := m.StartOutside(cmd)
	if err != nil {
		return nil, err
	}
	said := ""
	_ = poll(startTimeout, func() error {
		data, err := os.ReadFile(log.Name())
		if said = string(data); !strings.Contains(said, "Listening on") &&
			!strings.Contains(said, "Error: ") {
			err = errors.New("says nothing yet")
		}
		return err
	})
	if !strings.Contains(said, "Listening on") {
		p.Kill()
		return nil, fmt.Errorf("does not listen: %s", said)
	}
	return p, nil
}
