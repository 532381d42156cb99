// Package app is the Mac's Ollama.app: a bundle whose main program supervises `ollama
// serve` as the real one does, with the machine's own sqlite3 for its database. In a
// story, `app install [BUNDLE]` puts it there, $APP by default; `app start [ARG…]` opens
// it as `open` would and waits for its server (`app open` does not wait, `! app open` wants
// it refused, and `app running` looks), `app stop` ends it and `app kill` leaves
// an orphan; `app expose on|off` flips the switch in its window, and `app click` changes
// something else there, which writes all settings back as the window knows them; `app
// staged-update VERSION` has an update wait for the next hidden start, `app update
// VERSION` takes one in between, `app broken-db locked|corrupt|schema|newer|rows|
// read-only|none` spoils the database, and `app pid` sets $APP_PID. `reboot` starts
// all of the Mac again, and the app too, if that was ever started. Such a story begins
// with `[!sqlite3] skip`. The faults of the app are in package fault. A second of the
// app takes 100 ms here, and where two have to find each other it needs Linux' /proc.
package app

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/ps"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// What a person does in the app's window.
const (
	Flipped = syscall.SIGHUP  // the switch, already in the database
	Clicked = syscall.SIGUSR2 // something else
)

// app is the main program.
type app struct {
	bundle string
	home   string
	sqlite string
	second time.Duration
	log    *os.File

	shown  bool // the switch, as the window knows it
	reaped bool // once in each run of the supervisor
	server *exec.Cmd
	ended  chan int // the server's exit code
	next   <-chan time.Time
}

// Main is the main program. It returns when it was told to end.
func Main(args []string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, Flipped, Clicked)
	go func() {
		standin.Outlive()
		os.Exit(1)
	}()
	a, err := begin(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "Ollama: %v\n", err)
		return 1
	}
	return a.run(signals)
}

func begin(args []string) (*app, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	a := &app{
		bundle: strings.TrimSuffix(program, "/Contents/MacOS/Ollama"),
		home:   os.Getenv("HOME"), sqlite: os.Getenv(standin.EnvSQLite),
		ended: make(chan int, 1),
	}
	if a.second, err = time.ParseDuration(os.Getenv(standin.EnvSecond)); err != nil {
		return nil, err
	}
	a.endOthers()
	if slices.Contains(args, "hidden") {
		done, err := update(a.home, a.bundle)
		if done && err == nil {
			err = syscall.Exec(program, os.Args, os.Environ())
		}
		if err != nil {
			return nil, err
		}
	}
	if err := a.openLogs(); err != nil {
		return nil, err
	}
	if err := CreateDatabase(a.sqlite, a.home); err != nil {
		a.say("failed to initialize database: %v", err)
	}
	a.shown, _ = readExpose(a.sqlite, a.home) // the supervisor tells of an error
	a.endOrphan()
	a.supervise()
	return a, nil
}

// endOthers makes a running app end, and does not wait for it.
func (a *app) endOthers() {
	for _, p := range others(func(p ps.Process) bool { return p.Name() == "Ollama" }) {
		_ = syscall.Kill(p.PID, syscall.SIGUSR1)
	}
}

// endOrphan ends the server of an app that was killed.
func (a *app) endOrphan() {
	data, _ := os.ReadFile(a.pidFile()) // without one there is no orphan
	for _, p := range others(isServer) {
		if strconv.Itoa(p.PID) == string(data) && p.Parent == 1 {
			_ = syscall.Kill(p.PID, syscall.SIGTERM)
		}
	}
}

// reap ends every other server, except those of other users.
func (a *app) reap() {
	for _, p := range others(isServer) {
		a.say("terminating existing ollama process pid=%d", p.PID)
		_ = syscall.Kill(p.PID, syscall.SIGTERM)
	}
}

func isServer(p ps.Process) bool {
	return p.Name() == "ollama" && len(p.Args) > 1 &&
		slices.Contains([]string{"serve", "start"}, p.Args[1])
}

// others are processes of this Mac, never of the machine.
func others(are func(ps.Process) bool) []ps.Process {
	all, _ := ps.List(os.Getenv(standin.EnvServer)) // none where nobody can tell
	return slices.DeleteFunc(all, func(p ps.Process) bool {
		return p.PID == os.Getpid() || !are(p)
	})
}

func (a *app) pidFile() string { return filepath.Join(a.home, Support, "ollama.pid") }

func (a *app) logPath(name string) string {
	return filepath.Join(a.home, ".ollama/logs", name)
}

func (a *app) openLogs() (err error) {
	if err := os.MkdirAll(a.logPath(""), 0o755); err != nil {
		return err
	}
	_ = os.Rename(a.logPath("server.log"), a.logPath("server-1.log")) // there may be none
	a.log, err = appendTo(a.logPath("app.log"))
	return err
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.log, format+"\n", args...)
}

// supervise begins a run of the supervisor.
func (a *app) supervise() {
	a.reaped = false
	a.next = time.After(a.second)
}

func (a *app) run(signals <-chan os.Signal) int {
	faults, _ := url.ParseQuery(os.Getenv(standin.EnvFaults)) // the Mac wrote it
	for {
		select {
		case <-a.next:
			a.next = nil
			a.startServer()
		case code := <-a.ended:
			a.server = nil
			a.say(`ollama exited err="exit status %d"`, code)
			if code == 1 && !a.reaped {
				a.reaped = true
				a.reap()
			}
			a.next = time.After(a.second)
		case s := <-signals:
			switch {
			case s == Flipped || s == Clicked:
				a.settingsChanged(s)
			case !faults.Has("app-ignore-term"):
				a.stopServer()
				return 0
			}
		}
	}
}

// settingsChanged writes back what the window shows, unless that is what changed.
func (a *app) settingsChanged(by os.Signal) {
	var err error
	if by == Flipped {
		a.shown, err = readExpose(a.sqlite, a.home)
	} else {
		err = SetExpose(a.sqlite, a.home, a.shown)
	}
	if err != nil {
		a.say("settings: %v", err)
	}
	a.stopServer()
	a.supervise()
}

// startServer gives up for good if the settings cannot be read.
func (a *app) startServer() {
	expose, err := readExpose(a.sqlite, a.home)
	if err != nil {
		a.say("failed to read settings: %v", err)
		return
	}
	cmd := exec.Command(server(a.bundle), "serve")
	if cmd.Env = os.Environ(); expose {
		cmd.Env = append(cmd.Env, "OLLAMA_HOST=0.0.0.0")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an orphan lives on
	log, err := appendTo(a.logPath("server.log"))
	if err == nil {
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		err = cmd.Start()
	}
	if err != nil {
		a.say("failed to start server: %v", err)
		a.next = time.After(a.second)
		return
	}
	_ = os.WriteFile(a.pidFile(), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644)
	a.server = cmd
	go func() {
		_ = cmd.Wait() // the state says how it ended
		a.ended <- cmd.ProcessState.ExitCode()
	}()
}

// stopServer gives the server five seconds.
func (a *app) stopServer() {
	a.next = nil
	if a.server == nil {
		return
	}
	p := a.server.Process
	_ = p.Signal(syscall.SIGINT)
	kill := time.AfterFunc(5*a.second, func() { _ = p.Kill() })
	<-a.ended
	kill.Stop()
	a.server = nil
	_ = os.Remove(a.pidFile())
}

// SquirrelMain is the program of the login item: it starts the app, and waits for it.
func SquirrelMain() int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	bundle, _, _ := strings.Cut(self, "/Contents/Frameworks/")
	cmd := exec.Command(Program(bundle), "hidden")
	if err := cmd.Run(); err != nil {
		return 1
	}
	return 0
}
