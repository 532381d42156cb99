// Package sandbox is a Mac in a folder, for tests and the demo.
//
// A [Mac] is a home folder, a Homebrew prefix and stand-ins for launchctl, brew, ollama, lsof and docker: real executables on a PATH of their own,
// which really start, stop and inspect processes. A program under test that finds its tools on PATH runs against it unchanged, on any
// system. launchd itself is a server inside the process that called [Start]; the launchctl executable is a thin client of it, so launchd's
// state is in memory and no daemon can outlive the test.
//
// Nothing is compiled: the stand-ins are hard links to the running executable, which plays the part that its own name asks for. So a test
// package that uses the sandbox needs
//
//	func TestMain(m *testing.M) {
//		sandbox.Main()
//		os.Exit(m.Run())
//	}
//
// and a program that uses it calls [Main] first thing in its main.
//
// # Layout
//
//	DIR/home                     HOME, with Library/LaunchAgents
//	DIR/bin                      the PATH: launchctl, brew, lsof, and docker once there is an engine
//	DIR/opt/homebrew             Homebrew's prefix and repository, with bin/brew, var/log and Library/Homebrew/service.rb
//	  Cellar/ollama/VERSION      the keg: bin/ollama and the keg's copy of the service's plist
//	  opt/ollama                 a link to the keg
//	DIR/Library/LaunchDaemons    plists of the system domain
//	DIR/container/bin            what the shells in containers find on their PATH
//	DIR/launchctl.log            every launchctl command, one a line
//	DIR/launchd.log              what launchd says about its jobs
//
// # The port
//
// Tests run in parallel, and the machine may have an Ollama of its own. So every Mac has a port of its own, [Mac.Port], that takes the place
// of 11434 everywhere: the ollama stand-in uses it where OLLAMA_HOST names no port, and [Mac.Localise] writes it for :11434.
//
// # Homebrew
//
// The brew executable does its work in its own process, so it has its caller's environment, and when it is killed halfway things stay as
// they are then. It asks launchd what the launchctl executable would, and [Mac.Log] shows that. It knows these commands and no others:
//
//	brew --version, --prefix [ollama], --repository
//	brew upgrade ollama, reinstall ollama
//	brew services start|stop|restart|run|kill ollama     stop takes --keep or --max-wait=N
//	brew services info ollama --json, list --json, cleanup
//
// start and restart delete the plist and write a new one: the formula's service block ([Options.Formula]) with services/ollama.env, or
// a copy of the keg's plist before 6.0.15, which did not know that file. They do it to the label that [Options.Brew] writes:
// homebrew.mxcl.ollama, or sh.brew.ollama from 6.0.21. [Mac.SetBrew] is what brew update does. A plist from brew names no port unless the
// env file does, and that file is taken as it stands: who writes one localises it.
//
// # Containers
//
// [Mac.StartEngine] gives the Mac a container engine of one of three kinds, [Mac.RunContainer] and [Mac.AddImage] fill it, and the docker
// executable speaks to it. No container engine is needed, and nothing is isolated: the engine is a part of the process that called [Start],
// and so are the programs in containers, the stand-ins for curl and busybox's wget. They look names up as the container would, and what an
// address leads to is decided by the engine's kind; the connections to the host that come of it are real ones. So a fetch fails when the
// server on the host does not listen where the container's packets arrive, and for no other reason. An address that the host has, other than
// loopback, leads to the host; one elsewhere never answers. Containers listen on nothing. A program in a container ends with docker exec,
// and not with docker run or docker start, whose container has to be removed. docker knows these commands and no others:
//
//	docker info, version, context show, ps, images, inspect, image inspect, network inspect      with --format
//	docker exec, run, create, start --attach, rm, kill
//
// "linux" speaks like Docker Engine 20.10 and the others like 28, with a command line 28.2 in front. A container with wget, or with "sh" among
// its programs, has a shell: that is the machine's own /bin/sh, with the stand-ins for wget, curl, head -c and sleep on its PATH.
//
// # Faults
//
// [Mac.Fault] switches a fault on, [Mac.ClearFaults] switches all of them off. A fault of ollama holds for the processes that launchd starts
// while it is on. VERB is a launchctl verb, or lsof, brew or docker.
//
//	name              argument          what happens
//	slow-bootout      duration          a job's process gets its SIGTERM only after the duration
//	bootstrap-eio     count             the next bootstraps fail with 5
//	bootstrap-37      count             the next bootstraps fail with 37, in plain sight
//	never-spawn                         bootstrap registers the job and starts nothing until it is kickstarted
//	hang              VERB              the tool does not answer until it is killed
//	garbage           VERB              the tool prints bytes that mean nothing, and exits 0
//	exit-code         VERB:CODE:STDERR  the tool does nothing, prints the text as a line on stderr and exits with the code
//	no-gui-domain                       nobody is logged in at the screen, as with Options.NoGUI
//	drop-environment                    the plist's EnvironmentVariables are lost: neither passed on nor printed
//	exit-at-once      line, or nothing  ollama writes the line to its log and exits 1
//	deaf                                ollama accepts connections and never answers
//	slow-start        duration          ollama listens only after the duration
//	wrong-bind                          ollama listens on 127.0.0.1 whatever OLLAMA_HOST says
//	ignore-term                         ollama does not end on SIGTERM
//	hang-exec                           programs in containers do nothing until they are killed
//	exec-floods       bytes             programs in containers print that many bytes, and exit 0
//	docker-no-permission                the engine's socket is there, and not for this user
//
// A port held by someone else is no fault but a process: see [Mac.HoldPort].
//
// # What differs from a Mac
//
// Homebrew has one formula and one prefix; HOME does not move its LaunchAgents folder; sudo brew services changes no owners; an upgrade
// downloads nothing, and ollama goes on to call itself by the version it has always had. A brew that waits for a job when the Mac is closed
// ends after [Options.BrewPause].
//
// Containers share the host's kernel and files; curl follows no redirects and neither program knows https; docker inspect, info and version
// tell less than the real ones. On macOS, which has no 127.0.0.2, an engine of the kind "linux" needs the machine to have an address that is
// not loopback.
//
// Domains are gui/UID, user/UID and system only. A service is restarted by KeepAlive (true, SuccessfulExit, Crashed) and started by
// RunAtLoad or by hand; timers, sockets and watched paths are not looked at. The throttle does not grow. Linux lets nobody have
// 127.0.0.1:P while another process has *:P; macOS does. Only the ollama stand-in notices that its parent was killed, so a job that runs
// another program outlives a test that was killed with SIGKILL. Where a comment says "unverified", no public record shows what a Mac does.
package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Caller says whose privileges the callers of launchctl have.
type Caller int

const (
	// CallerReal is whoever really runs the stand-in: root when its effective user is 0.
	CallerReal Caller = iota
	// CallerUser is an ordinary user, whoever runs the test.
	CallerUser
	// CallerRoot is root, whoever runs the test.
	CallerRoot
)

// Lsof says which lsof the sandbox has on its PATH.
type Lsof int

const (
	// LsofAuto is the machine's own lsof where it has one, else the stand-in.
	LsofAuto Lsof = iota
	// LsofStandIn is the stand-in; it works on Linux only.
	LsofStandIn
	// LsofNone leaves lsof out.
	LsofNone
)

// Options describe the Mac. The zero value is a macOS 26 with its user logged in at the screen, and with Ollama from Homebrew 6.0.18.
type Options struct {
	UID         int           // the user's number in domain names; 0 means that of the running user
	Caller      Caller        // the privileges of launchctl's callers
	Version     int           // macOS major version, from 10 (10.10 to 10.15); 0 means 26
	Legacy      bool          // OS X 10.9: no bootstrap, bootout, enable, disable, kickstart, print
	NoGUI       bool          // nobody is logged in at the screen: there is no gui/UID
	SSH         bool          // the callers come over ssh: their own domain is user/UID, even where gui/UID exists
	Others      []int         // users of this Mac besides UID; nil means 502
	Disabled119 bool          // bootstrap of a disabled job tells a non-root caller 119; else 5. Both were seen
	Port        int           // stands for 11434; 0 means a free port
	Throttle    time.Duration // ThrottleInterval of jobs whose plist has none; 0 means 10 s
	ExitTimeout time.Duration // ExitTimeOut of jobs whose plist has none; 0 means 5 s
	Lsof        Lsof          // which lsof is on the PATH
	Brew        string        // version of Homebrew, from 6.0.0; "" means 6.0.18
	BrewPause   time.Duration // between two bootouts of brew services; 0 means 1 s
	Formula     Formula       // Ollama's service block
}

// withDefaults fills in what the caller left out.
func (o Options) withDefaults() Options {
	if o.UID == 0 {
		o.UID = os.Getuid()
	}
	if o.Version == 0 {
		o.Version = 26
	}
	if o.Others == nil {
		o.Others = []int{502}
	}
	if o.Throttle == 0 {
		o.Throttle = 10 * time.Second
	}
	if o.ExitTimeout == 0 {
		o.ExitTimeout = 5 * time.Second
	}
	if o.Brew == "" {
		o.Brew = "6.0.18"
	}
	if o.BrewPause == 0 {
		o.BrewPause = time.Second
	}
	return o
}

// Mac is a Mac in a folder. Its methods may be called from several goroutines.
type Mac struct {
	Port int // the port that stands for 11434

	dir     string
	options Options
	launchd *launchd
	server  *server
	engine  *engine
	ports   reservations
	once    sync.Once
}

// Start builds a Mac in dir, which must exist or be creatable and should be empty, and starts its launchd.
func Start(dir string, o Options) (*Mac, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	m := &Mac{dir: dir, options: o.withDefaults(), Port: o.Port}
	if err := m.start(); err != nil {
		m.ports.release()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return m, nil
}

func (m *Mac) start() error {
	if err := m.makeFolders(); err != nil {
		return err
	}
	m.launchd = newLaunchd(m.dir, m.Home(), m.options)
	if err := m.installTools(); err != nil {
		return err
	}
	if m.Port == 0 {
		port, err := m.ports.reserve()
		if err != nil {
			return err
		}
		m.Port = port
	}
	m.engine = newEngine(m.launchd)
	srv, err := serve(m.launchd, m.engine)
	if err != nil {
		return err
	}
	m.server = srv
	m.launchd.passToJobs(m.toolEnv())
	return nil
}

func (m *Mac) makeFolders() error {
	for _, d := range []string{m.Agents(), m.Daemons(), m.Bin(), m.tmp(),
		filepath.Join(m.Prefix(), "var", "log"), filepath.Join(m.Prefix(), "bin")} {
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
func (m *Mac) Agents() string { return filepath.Join(m.Home(), "Library", "LaunchAgents") }

// Daemons stands for /Library/LaunchDaemons.
func (m *Mac) Daemons() string { return filepath.Join(m.dir, "Library", "LaunchDaemons") }

func (m *Mac) tmp() string    { return filepath.Join(m.dir, "tmp") }
func (m *Mac) ollama() string { return filepath.Join(m.Prefix(), "opt", "ollama", "bin", "ollama") }

// UID is the user's number in domain names.
func (m *Mac) UID() int { return m.options.UID }

// Domain is the domain that the user's agents live in: gui/UID, or user/UID where nobody is logged in at the screen.
func (m *Mac) Domain() string {
	if !m.launchd.hasGUI() {
		return "user/" + strconv.Itoa(m.options.UID)
	}
	return "gui/" + strconv.Itoa(m.options.UID)
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
	env := []string{
		envLaunchd + "=" + m.server.address(),
		envPort + "=" + strconv.Itoa(m.Port),
	}
	if own := m.ownLsof(); own != "" {
		env = append(env, envLsof+"="+own)
	}
	return env
}

// ownLsof is the machine's own lsof if this Mac is to use it.
func (m *Mac) ownLsof() string {
	if m.options.Lsof != LsofAuto {
		return ""
	}
	if runtime.GOOS == "darwin" {
		return "/usr/sbin/lsof"
	}
	own, err := exec.LookPath("lsof")
	if err != nil {
		return ""
	}
	return own
}

// Launchctl runs the launchctl executable, as a program on this Mac would. The exit code is -1 if it could not be run.
func (m *Mac) Launchctl(args ...string) (stdout, stderr string, code int) {
	return m.Run("launchctl", args...)
}

// Run runs one of the tools on this Mac's PATH. The exit code is -1 if it could not be run.
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

// Log returns the launchctl commands so far, in order, each with its arguments joined by spaces.
func (m *Mac) Log() []string { return m.launchd.commands() }

// Changes is Log without the commands that change nothing.
func (m *Mac) Changes() []string {
	var changes []string
	for _, line := range m.Log() {
		if isChange(line) {
			changes = append(changes, line)
		}
	}
	return changes
}

// ResetLog forgets the commands so far; the file launchctl.log keeps them.
func (m *Mac) ResetLog() { m.launchd.resetLog() }

// Fault switches a fault on; the package comment lists them. A name or an argument that is none panics.
func (m *Mac) Fault(name, arg string) { m.launchd.setFault(name, arg) }

// ClearFaults switches all faults off.
func (m *Mac) ClearFaults() { m.launchd.clearFaults() }

// FreePort returns another port that nobody uses, reserved for as long as the Mac is up.
func (m *Mac) FreePort() (int, error) { return m.ports.reserve() }

// JobPID returns the pid of the job's process, or 0.
func (m *Mac) JobPID(label string) int { return m.launchd.jobPID(label) }

// Loaded tells whether launchd knows the job, running or not.
func (m *Mac) Loaded(label string) bool { return m.launchd.loaded(label) }

// Processes returns the living processes that this Mac started, jobs and others, in ascending order.
func (m *Mac) Processes() []int { return m.launchd.processes() }

// Close ends every process and launchd itself, and waits for them. The files stay. It may be called twice.
func (m *Mac) Close() {
	m.once.Do(func() {
		m.launchd.close()
		m.server.close()
		m.ports.release()
	})
}

// HoldPort starts an ollama that launchd knows nothing of, as from a terminal, on the given port and address ("" means 127.0.0.1).
// It returns when that listens; stop ends it and may be called twice.
func (m *Mac) HoldPort(port int, address string) (pid int, stop func(), err error) {
	if address == "" {
		address = "127.0.0.1"
	}
	host := hostAndPort{host: address, port: strconv.Itoa(port)}
	log, err := os.CreateTemp(m.tmp(), "holder-*.log")
	if err != nil {
		return 0, nil, fmt.Errorf("sandbox: %w", err)
	}
	defer log.Close()
	p, err := m.launchd.startOutside(m.ollama(), m.holderEnv(host.String()), log)
	if err != nil {
		return 0, nil, fmt.Errorf("sandbox: %w", err)
	}
	if err := waitForHolder(p, log.Name()); err != nil {
		p.kill()
		return 0, nil, fmt.Errorf("sandbox: holder of %s: %w", host, err)
	}
	return p.pid, p.kill, nil
}

func (m *Mac) holderEnv(host string) []string {
	return append(m.Env(), "OLLAMA_HOST="+host, envParent+"="+strconv.Itoa(os.Getpid()))
}

// waitForHolder waits for the holder to listen. Its log tells; an answer from the port could be somebody else's.
func waitForHolder(p *process, log string) error {
	return poll(startTimeout, func() error {
		said, err := os.ReadFile(log)
		if err == nil && !bytes.Contains(said, []byte("Listening on")) {
			err = fmt.Errorf("does not listen: %s", said)
		}
		select {
		case <-p.done:
			return final(fmt.Errorf("ended: %s", said))
		default:
			return err
		}
	})
}

// linkOrCopy makes an executable under a second name. A hard link, because the name of a process that was started through a symbolic
// link is that of the link's target on macOS.
func linkOrCopy(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	// A process forked while the copy is open for writing would keep it open, and nobody could run it until that one is gone.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(to, data, 0o755)
}

// installTools puts the stand-ins in place.
func (m *Mac) installTools() error {
	self, err := executable()
	if err != nil {
		return err
	}
	tools := []string{filepath.Join(m.Bin(), "launchctl"), filepath.Join(m.Bin(), "brew"), filepath.Join(m.Prefix(), "bin", "brew")}
	if m.options.Lsof != LsofNone {
		tools = append(tools, filepath.Join(m.Bin(), "lsof"))
	}
	for _, tool := range tools {
		if err := linkOrCopy(self, tool); err != nil {
			return err
		}
	}
	return m.installHomebrew(self)
}

// installTool puts one more stand-in there.
func installTool(path string) error {
	self, err := executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return linkOrCopy(self, path)
}

// executable is what the stand-ins are links to: the running program, if the environment does not name another one.
func executable() (string, error) {
	if path := os.Getenv(envStandins); path != "" {
		return path, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(self)
}
