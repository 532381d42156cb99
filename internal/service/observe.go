package service

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// APIPatience is how long one question to Ollama may take. It answers from memory, and
// connecting to this machine takes no time.
const APIPatience = time.Second

// Observe reads every layer of the subject. A layer that cannot be read is part of the
// answer; an error means that there is no service to look at. Then the state has only
// the socket.
func (m Machine) Observe(ctx context.Context, subject Subject, g Goal) (State, error) {
	s, found := m.find(ctx, subject, g.Host.Port)
	if ctx.Err() != nil {
		return State{}, CutShort(ctx)
	}
	if found != nil {
		return s, found
	}
	s.Read(ctx, m)
	if s.Port() != g.Host.Port {
		m.lookAtPorts(ctx, &s, g)
	}
	s.askOllama(ctx, g)
	if s.Socket.Unseen || len(s.Foreign(g.Host.Port)) > 0 {
		m.lookTwice(ctx, &s, g)
	}
	if s.Job.Err == nil { // without its environment, its secrets are unknown
		s.LogError = s.Log().LastError()
	}
	if s.Job.Inherited() != nil && s.Job.Value() == nil {
		s.SetsAgain = m.SetsAgain()
	}
	if ctx.Err() != nil {
		return State{}, CutShort(ctx) // the last looks were cut short, and say nothing
	}
	return s, nil
}

// Read reads the files.
func (s *State) Read(ctx context.Context, m Machine) {
	s.Settings = s.Service.Kind.settings(ctx, m, *s)
	if m.Secret != nil {
		m.Secret(s.Job.Environment)
		m.Secret(s.Job.InheritedEnvironment)
		for _, one := range s.Settings {
			m.Secret(one.Agent.EnvironmentVariables)
		}
	}
	s.NoProgram = missing(s.Program())
	s.NotOllama = s.Plist().Err == nil && notOllama(s.Plist())
}

// lookAtPorts asks who listens on the wanted port and on the job's own.
func (m Machine) lookAtPorts(ctx context.Context, s *State, g Goal) {
	if s.Socket.Err == nil {
		s.Socket = m.Listeners(ctx, g.Host.Port, s.Port())
		m.Relate(ctx, s)
	}
}

// Relate asks ps who started the listeners, if that is unclear.
func (m Machine) Relate(ctx context.Context, s *State) {
	for _, l := range s.Socket.Listeners {
		if s.Job.PID != 0 && !s.startedBy(l.PID, s.Job.PID) {
			s.processes, _ = m.Launchd.Processes(ctx) // without it, only the job's own process counts
			return
		}
	}
}

// lookTwice checks that a stranger on the port really is one: the service may have been
// started between the questions to launchd and to lsof.
func (m Machine) lookTwice(ctx context.Context, s *State, g Goal) {
	if s.Service.Loaded {
		s.Job = s.Service.Kind.Job(ctx, m, s.Service)
	}
	m.lookAtPorts(ctx, s, g)
	s.askOllama(ctx, g)
}

// askOllama finds out whether it answers, and whether anything does on the wanted port.
func (s *State) askOllama(ctx context.Context, g Goal) {
	s.Socket.APIVersion, s.Socket.APIErr = ollama.Version(ctx, s.dial(g), APIPatience)
	s.Socket.Unseen = s.unseen(ctx, g)
}

// unseen tries the wanted port if lsof shows nothing there.
func (s State) unseen(ctx context.Context, g Goal) bool {
	for _, l := range s.Socket.Listeners {
		if l.Port() == g.Host.Port {
			return false
		}
	}
	err := s.Socket.APIErr
	if g.Host.Dial() != s.dial(g) { // otherwise that was the question already
		_, err = ollama.Version(ctx, g.Host.Dial(), APIPatience)
	}
	return !NobodyThere(err)
}

// NobodyThere reports whether connecting failed in a way that proves that no process
// has the address.
func NobodyThere(err error) bool {
	for _, e := range []error{syscall.ECONNREFUSED, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.EHOSTUNREACH} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Program is what the service runs, or "" if unknown.
func (s State) Program() string { return program(s.Plist(), s.Job) }

func program(plist Setting, job Job) string {
	if args := plist.Agent.ProgramArguments; len(args) > 0 {
		return args[0]
	}
	return job.Program
}

// missing reports whether there is certainly no file at a full path.
func missing(path string) bool {
	_, err := os.Stat(path)
	return filepath.IsAbs(path) && errors.Is(err, fs.ErrNotExist)
}

func (m Machine) Listeners(ctx context.Context, ports ...int) Socket {
	all, err := lsof.Listeners(ctx, m.Launchd.Runner, ports...)
	return Socket{Port: ports[0], Listeners: all, Err: err}
}

// Port is the port on which the job listens by its environment, or the wanted one if
// there is no job.
func (s State) Port() int {
	own := func(l lsof.Listener) bool { return s.owns(l) && l.Port() == s.Socket.Port }
	if !s.Job.Loaded || slices.ContainsFunc(s.Socket.Listeners, own) {
		return s.Socket.Port
	}
	return s.Job.port()
}

// port is where the job listens by its environment.
func (j Job) port() int {
	if value := j.Value(); value != nil {
		return HostOf(value).Port
	}
	return HostOf(j.Inherited()).Port
}

func HostOf(value *string) ollama.Host {
	if value == nil {
		return ollama.Default
	}
	return ollama.ParseHost(*value)
}

// dial is where Ollama should answer: where its own process listens, otherwise where it
// should.
func (s State) dial(g Goal) string {
	for _, l := range s.Own() {
		if h, err := ollama.FromSocket(l.Address); err == nil {
			return h.Dial()
		}
	}
	return g.Host.Dial()
}

// Own are the listeners of the service's process.
func (s State) Own() []lsof.Listener {
	return slices.DeleteFunc(slices.Clone(s.Socket.Listeners), func(l lsof.Listener) bool {
		return !s.owns(l)
	})
}

// Foreign are the listeners on a port that are not the service's.
func (s State) Foreign(port int) []lsof.Listener {
	return slices.DeleteFunc(slices.Clone(s.Socket.Listeners), func(l lsof.Listener) bool {
		return l.Port() != port || s.owns(l)
	})
}

// owns reports whether a listener is the service's process, or a child of it: a script
// may wait for the Ollama that it started.
func (s State) owns(l lsof.Listener) bool {
	return s.Job.PID != 0 && s.startedBy(l.PID, s.Job.PID)
}

// Held reports whether another process has the port.
func (s State) Held(port int) bool {
	return len(s.Foreign(port)) > 0 || s.Socket.Unseen && !s.Hidden()
}

// Hidden reports whether the port belongs to a process that lsof does not show: root's
// own service, as far as others can tell.
func (s State) Hidden() bool {
	return s.Socket.Unseen && s.Service.Daemon && s.Job.PID != 0 && s.Port() == s.Socket.Port
}

// Looping reports whether launchd starts the job again and again: after a failure, or
// more often than a person would by hand.
func (j Job) Looping() bool {
	return j.Runs > 2 || !j.EndedWell() && (j.PID == 0 || j.Runs > 1)
}

// StaleSignature reports whether launchd refuses to start the program because its
// signature is not the one on record. A missing file also ends a job with 78, so the
// number is not enough.
func (j Job) StaleSignature() bool {
	refused := strings.HasPrefix(j.LastExit, "78") || j.JobState == "spawn failed"
	return j.PID == 0 && (strings.Contains(j.LastExit, "CODESIGNING") ||
		refused && slices.Contains(j.Properties, "needs LWCR update"))
}

// HeldBack says why launchd does not start the job on its own, "" if it does.
func (j Job) HeldBack() string {
	if j.PID != 0 {
		return ""
	}
	return j.Pended
}

// Idle: launchd holds the job, and does not run it.
func (j Job) Idle() bool { return j.Loaded && j.PID == 0 && j.State == "not running" }

// Stopped: somebody has ended the job, or never started it, and launchd leaves it at that.
func (j Job) Stopped() bool {
	return j.Idle() && j.EndedWell() && j.Pended == "" && !slices.Contains(j.Properties, "keepalive")
}

// EndedWell reports whether the previous run, if any, ended as asked.
func (j Job) EndedWell() bool {
	return slices.Contains([]string{"", "0", "(never exited)", "Terminated: 15", "signal 15"}, j.LastExit)
}
