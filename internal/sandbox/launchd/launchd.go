// Package launchd is the Mac's launchd and its launchctl, as of macOS 26: it really
// starts, watches and ends processes, and says what a Mac has been seen to say. It
// knows the domains gui/UID, user/UID and system, and of launchctl the verbs that this
// project or Homebrew runs or tells people to type. A job is restarted by KeepAlive,
// if that is true, and started by RunAtLoad or by hand; timers, sockets and watched
// paths are not looked at, and the throttle does not grow. Where a comment
// says "unverified", no public record shows what a Mac does.
package launchd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/fault"
)

// Options say on what Mac launchd runs.
type Options struct {
	Dir         string        // where it writes launchd.log
	Home        string        // HOME of its jobs
	UID         int           // the user's number
	NoGUI       bool          // the user is not logged in at the screen
	SSH         bool          // the callers' own domain is user/UID
	Throttle    time.Duration // ThrottleInterval of jobs whose plist has none
	ExitTimeout time.Duration // ExitTimeOut of jobs whose plist has none
	Faults      *fault.Set
}

// Launchd is the state of the Mac's launchd. One mutex guards all of it; methods whose
// comment says "locked" expect it held.
type Launchd struct {
	options Options
	faults  *fault.Set
	toolEnv []string        // what the stand-ins that run as jobs need
	ctx     context.Context // done when the Mac is closed
	wg      sync.WaitGroup  // one a process

	mu       sync.Mutex
	jobs     map[string]*job              // by domain/label
	disabled map[domain]map[string]bool   // true is disabled, false enabled by hand
	env      map[domain]map[string]string // set by setenv
	log      []string
	procs    map[int]*Process
}

// New starts launchd, which starts nothing more once ctx is done.
func New(ctx context.Context, o Options) *Launchd {
	l := &Launchd{
		options:  o,
		faults:   o.Faults,
		ctx:      ctx,
		jobs:     map[string]*job{},
		disabled: map[domain]map[string]bool{},
		env:      map[domain]map[string]string{{kind: "system"}: {}},
		procs:    map[int]*Process{},
	}
	for _, kind := range []string{"gui", "user"} {
		l.env[domain{kind, o.UID}] = map[string]string{
			"SSH_AUTH_SOCK": "/var/run/com.apple.launchd.XXXXXXXXXX/Listeners",
		}
	}
	return l
}

// PassToJobs says what jobs get in their environment besides launchd's own, for the
// stand-ins among them.
func (l *Launchd) PassToJobs(env []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.toolEnv = env
}

// domain is a launchd domain: gui/501, user/501 or system.
type domain struct {
	kind string
	uid  int
}

func (d domain) String() string {
	if d.kind == "system" {
		return d.kind
	}
	return d.kind + "/" + strconv.Itoa(d.uid)
}

// database says where a domain's overrides are kept: gui/UID and user/UID share
// theirs.
func (d domain) database() domain {
	if d.kind == "gui" {
		d.kind = "user"
	}
	return d
}

func (l *Launchd) isDisabled(d domain, label string) bool {
	return l.disabled[d.database()][label]
}

// override writes the database of disabled jobs. Locked.
func (l *Launchd) override(d domain, label string, disabled bool) {
	d = d.database()
	if l.disabled[d] == nil {
		l.disabled[d] = map[string]bool{}
	}
	l.disabled[d][label] = disabled
}

// Process is a living process that the Mac started, a job's or another.
type Process struct {
	PID  int
	Done chan struct{} // closed when it has ended and launchd has taken note
}

// Kill ends the process with its children, and waits. It may be called again.
func (p *Process) Kill() {
	select {
	case <-p.Done: // by now the number may be another process's
	default:
		signalGroup(p.PID, syscall.SIGKILL)
		<-p.Done
	}
}

// signalGroup ignores errors: a group that is gone is what the callers want.
func signalGroup(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }

// StartOutside starts a process that is no job.
func (l *Launchd) StartOutside(cmd *exec.Cmd) (*Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.startProcess(cmd, func(syscall.WaitStatus) {})
}

// startProcess starts a program in a process group of its own; ended is called,
// locked, when it has ended. Locked.
func (l *Launchd) startProcess(
	cmd *exec.Cmd, ended func(syscall.WaitStatus),
) (*Process, error) {
	if l.ctx.Err() != nil {
		return nil, errors.New("the Mac is closed")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{PID: cmd.Process.Pid, Done: make(chan struct{})}
	l.procs[p.PID] = p
	l.wg.Go(func() {
		_ = cmd.Wait() // the state says how it ended
		signalGroup(p.PID, syscall.SIGKILL)
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.procs, p.PID)
		ended(cmd.ProcessState.Sys().(syscall.WaitStatus))
		close(p.Done)
	})
	return p, nil
}

// JobPID returns the pid of the job's process, in whatever domain, or 0.
func (l *Launchd) JobPID(label string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.find(label); j != nil && j.proc != nil {
		return j.proc.PID
	}
	return 0
}

// Loaded reports whether the job is known, running or not.
func (l *Launchd) Loaded(label string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(label) != nil
}

// find returns the job of that label in whatever domain, one with a process first.
// Locked.
func (l *Launchd) find(label string) *job {
	var found *job
	for _, key := range slices.Sorted(maps.Keys(l.jobs)) {
		j := l.jobs[key]
		if j.Label == label && (found == nil || found.proc == nil) {
			found = j
		}
	}
	return found
}

// jobsIn returns the jobs of a domain by label. Locked.
func (l *Launchd) jobsIn(d domain) []*job {
	var list []*job
	for _, key := range slices.Sorted(maps.Keys(l.jobs)) {
		if l.jobs[key].domain == d {
			list = append(list, l.jobs[key])
		}
	}
	return list
}

// Processes returns the pids of the living processes, in ascending order.
func (l *Launchd) Processes() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.procs))
}

// Record logs a launchctl command.
func (l *Launchd) Record(args []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, strings.Join(args, " "))
}

// Log returns the recorded commands, each with its arguments joined by spaces.
func (l *Launchd) Log() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.log)
}

// ResetLog forgets the recorded commands.
func (l *Launchd) ResetLog() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = nil
}

// note writes to launchd's own log. It ignores errors: the log is for people, and a
// test may have removed the folder.
func (l *Launchd) note(format string, args ...any) {
	path := filepath.Join(l.options.Dir, "launchd.log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = fmt.Fprintf(f, format+"\n", args...)
}

// Close kills everything and waits for it. The context of New must be done.
func (l *Launchd) Close() {
	l.mu.Lock()
	for pid := range l.procs {
		signalGroup(pid, syscall.SIGKILL)
	}
	for _, j := range l.jobs {
		if j.respawn != nil {
			j.respawn.Stop()
		}
	}
	l.mu.Unlock()
	l.wg.Wait()
}
