package bind

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// The layers' names, from the lasting intent down to the proof.
const (
	EnvFileLayer = "env-file"
	PlistLayer   = "plist"
	JobLayer     = "job"
	SocketLayer  = "socket"
)

// LayerState is how a layer stands to the goal.
type LayerState string

// The states of a layer.
const (
	OK          LayerState = "ok"
	Differs     LayerState = "differs"
	Missing     LayerState = "missing"     // the layer itself is not there
	Unsupported LayerState = "unsupported" // this Homebrew ignores it
	Skipped     LayerState = "skipped"     // left out
	Unknown     LayerState = "unknown"     // could not be read
)

// Layer is one row of the answer.
type Layer struct {
	Name   string
	State  LayerState
	Value  *string // nil where unknown or not set
	Detail string
}

// Layers judges the state against the goal, from the top down.
func (s State) Layers(g Goal) []Layer {
	socket := s.judgeSocket(g)
	return []Layer{
		s.judgeEnvFile(g),
		s.judgePlist(g),
		s.judgeJob(g, socket.State),
		socket,
	}
}

// Reached reports whether everything that decides where Ollama listens, now and
// after the next login, is as the goal wants it. The env file only decides
// about Homebrew's next restart.
func (s State) Reached(g Goal) bool {
	for _, l := range s.Layers(g) {
		if l.State != OK && l.Name != EnvFileLayer {
			return false
		}
	}
	return true
}

// running reports whether the job runs and listens as the goal wants it, whatever
// the files say.
func (s State) running(g Goal) bool {
	socket := s.judgeSocket(g)
	return socket.State == OK && s.judgeJob(g, socket.State).State == OK
}

func (s State) judgePlist(g Goal) Layer {
	l := Layer{Name: PlistLayer, Value: s.Plist.Value()}
	switch {
	case errors.Is(s.Plist.Err, fs.ErrNotExist):
		l.State, l.Detail = Missing, "the file is gone"
	case s.Plist.Err != nil:
		l.State, l.Detail = Unknown, s.Plist.Err.Error()
	default:
		l.State, l.Detail = judgeValue(g.Value, l.Value)
	}
	return l
}

func judgeValue(want, value *string) (LayerState, string) {
	switch {
	case Equivalent(value, want):
		return OK, ""
	case value == nil:
		return Differs, ""
	case want == nil:
		return Differs, "wanted: not set"
	}
	return Differs, "wanted: " + *want
}

func (s State) judgeJob(g Goal, socket LayerState) Layer {
	l := Layer{Name: JobLayer, Value: s.Job.Value()}
	switch {
	case s.Job.Err != nil:
		l.State, l.Detail = Unknown, s.Job.Err.Error()
	case !s.Job.Loaded:
		l.State, l.Detail = Missing, "launchd has not loaded it"
	case !s.Job.knowsEnvironment():
		l.State, l.Detail = socket, "this launchctl does not show the environment; judged by the socket"
	default:
		l.State, l.Detail = judgeValue(g.Value, l.Value)
		l.Detail = joinDetails(l.Detail, s.Job.aside())
	}
	if s.Agent.Rival != nil {
		l.Detail = joinDetails(l.Detail, "a second service is loaded: "+s.Agent.Rival.String())
	}
	return l
}

// aside says what is odd about a job whose value may be right.
func (j Job) aside() string {
	if j.PID == 0 {
		return "not running, last exit: " + cmp.Or(j.LastExit, "unknown")
	}
	if inherited := j.inherited(); inherited != nil && j.Value() == nil {
		return fmt.Sprintf("launchctl setenv gives it %s, until the next reboot", *inherited)
	}
	return ""
}

func joinDetails(parts ...string) string {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}

// judgeSocket asks for all of it: the job's own process listens where the goal
// says, nobody else holds the port, and Ollama answers.
func (s State) judgeSocket(g Goal) Layer {
	l := Layer{Name: SocketLayer}
	own, foreign := s.own(), s.foreign(g.Host.Port)
	if shown := append(own, foreign...); len(shown) > 0 {
		l.Value = &shown[0].Address
	}
	switch {
	case s.Socket.Err != nil:
		l.State, l.Detail = Unknown, s.Socket.Err.Error()
	case len(foreign) > 0:
		l.State, l.Detail = Differs, "port "+portOf(g)+" is held by "+who(foreign[0])
	case s.Hidden():
		l.State, l.Detail = Unknown, "lsof shows it to root alone"
	case s.Socket.Unseen:
		l.State, l.Detail = Differs, "port "+portOf(g)+" is held by a process that lsof does not show to this user"
	case len(own) == 0:
		l.State, l.Detail = Missing, "nothing listens on port "+portOf(g)
	case !listens(own, g.Host):
		l.State, l.Detail = Differs, "wanted: "+g.Host.Socket()
	case s.Socket.APIVersion == "":
		l.State, l.Detail = Differs, fmt.Sprintf("listens, but does not answer: %v", s.Socket.APIErr)
	default:
		l.State = OK
	}
	return l
}

func portOf(g Goal) string { return fmt.Sprint(g.Host.Port) }

// who names a listener's process.
func who(l launchctl.Listener) string {
	return fmt.Sprintf("%s (pid %d)", l.Command, l.PID)
}

func listens(own []launchctl.Listener, h ollama.Host) bool {
	for _, l := range own {
		// A wildcard socket of either family will do: lsof shows the one that
		// Ollama opens as IPv6, and it takes IPv4 as well.
		if h.Wildcard() && l.Wildcard() && l.Port() == h.Port || l.Address == h.Socket() {
			return true
		}
	}
	return false
}
