package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// The layers below the settings.
const (
	JobLayer    = "job"
	SocketLayer = "socket"
)

// LayerState is how a layer compares with the goal.
type LayerState string

// The states of a layer.
const (
	OK          LayerState = "ok"
	Differs     LayerState = "differs"
	Missing     LayerState = "missing"     // the layer does not exist
	Unsupported LayerState = "unsupported" // nobody reads it
	Skipped     LayerState = "skipped"     // left out
	Unknown     LayerState = "unknown"     // could not be read
)

// Layer is one row of the answer.
type Layer struct {
	Name   string
	Path   string // of a setting's file
	State  LayerState
	Value  *string // nil where unknown or not set
	Detail string
}

// Layers compares the state with the goal, from the top down. Without a service there
// are none.
func (s State) Layers(g Goal) []Layer {
	if s.Service.Kind == nil {
		return nil
	}
	var all []Layer
	for _, one := range s.Settings {
		all = append(all, s.Judge(one, g))
	}
	return append(all, s.JudgeProcess(g), s.JudgeSocket(g))
}

func (s State) JudgeProcess(g Goal) Layer { return s.Service.Kind.judgeProcess(s, g) }

func (s State) Judge(one Setting, g Goal) Layer {
	l := Layer{Name: one.Layer, Path: one.File.Path, Value: cmp.Or(one.Text, one.Value)}
	l.State, l.Detail = s.Service.Kind.judge(one, g)
	return l
}

// JudgeLasting judges the lasting setting; if there is none, it is Skipped.
func (s State) JudgeLasting(g Goal) Layer {
	one := s.Lasting()
	if one.Layer == "" {
		return Layer{State: Skipped}
	}
	g.Persist = true
	return s.Judge(one, g)
}

// Reached reports whether everything that decides where Ollama listens, now and
// after the next login, is as the goal wants it. A lasting setting only decides
// about the next time that a tool writes the plist.
func (s State) Reached(g Goal) bool {
	for _, l := range s.Layers(g) {
		if l.State != OK && l.State != Skipped && l.State != Unsupported && l.Name != s.Lasting().Layer {
			return false
		}
	}
	return true
}

// Running reports whether the job runs and listens as the goal wants it, whatever
// the files say.
func (s State) Running(g Goal) bool {
	return s.JudgeProcess(g).State == OK && s.JudgeSocket(g).State == OK
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

func (byLaunchd) judgeProcess(s State, g Goal) Layer {
	l := Layer{Name: JobLayer, Value: s.Job.Value()}
	switch {
	case s.Job.Err != nil:
		l.State, l.Detail = Unknown, s.Job.Err.Error()
	case !s.Job.Loaded:
		l.State, l.Detail = Missing, "launchd has not loaded it"
	default:
		l.State, l.Detail = judgeValue(g.Value, s.Effective())
		l.Detail = joinDetails(l.Detail, s.aside())
	}
	if s.Service.Rival != nil {
		l.Detail = joinDetails(l.Detail, "a second service is loaded: "+s.Service.Rival.String())
	}
	return l
}

// Effective is the value of OLLAMA_HOST that the job's process gets from its property
// list, or else from its own command.
func (s State) Effective() *string {
	if override := s.Plist().Override; override != nil {
		return &override.Value
	}
	return s.Job.Value()
}

// aside says what is odd about a job whose value may be right.
func (s State) aside() string {
	j := s.Job
	if j.PID == 0 {
		return "not running, last exit: " + cmp.Or(j.LastExit, "unknown")
	}
	if inherited := j.Inherited(); inherited != nil && j.Value() == nil {
		if s.SetsAgain != "" {
			return fmt.Sprintf("launchctl setenv gives it %s, and %s does so at each login", *inherited, s.SetsAgain)
		}
		return fmt.Sprintf("launchctl setenv gives it %s, until the next reboot", *inherited)
	}
	return ""
}

func joinDetails(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "; ")
}

// JudgeSocket wants everything: the job's own process listens where the goal says,
// nothing else has the port, and Ollama answers.
func (s State) JudgeSocket(g Goal) Layer {
	l := Layer{Name: SocketLayer}
	own, foreign := s.Own(), s.Foreign(g.Host.Port)
	if shown := slices.Concat(own, foreign); len(shown) > 0 {
		l.Value = &shown[0].Address
	}
	port := g.Host.Port
	switch {
	case s.Socket.Err != nil:
		l.State, l.Detail = Unknown, s.Socket.Err.Error()
	case len(foreign) > 0:
		l.State, l.Detail = Differs, fmt.Sprintf("port %d is held by %s", port, Who(foreign[0]))
	case s.Hidden():
		l.State, l.Detail = Unknown, "lsof shows it to root alone"
	case s.Socket.Unseen:
		l.State = Differs
		l.Detail = fmt.Sprintf("port %d is held by a process that lsof does not show to this user", port)
	case len(own) == 0:
		l.State, l.Detail = Missing, fmt.Sprintf("nothing listens on port %d", port)
	case !Listens(own, g.Host):
		l.State, l.Detail = Differs, "wanted: "+g.Host.Socket()
	case s.Socket.APIVersion == "":
		l.State, l.Detail = Differs, fmt.Sprintf("listens, but does not answer: %v", s.Socket.APIErr)
	default:
		l.State = OK
	}
	return l
}

// Who names a listener's process.
func Who(l lsof.Listener) string {
	return fmt.Sprintf("%s (pid %d)", cmp.Or(l.Command, "a process"), l.PID)
}

// Listens reports whether one of the listeners has the address.
func Listens(all []lsof.Listener, h ollama.Host) bool {
	return slices.ContainsFunc(all, func(l lsof.Listener) bool {
		// A wildcard socket of either family is enough: lsof shows the one that Ollama
		// opens as IPv6, and it accepts IPv4 as well.
		return h.Wildcard() && l.Wildcard() && l.Port() == h.Port || l.Address == h.Socket()
	})
}

// OrUnset is a value of OLLAMA_HOST in words.
func OrUnset(value *string) string {
	if value == nil {
		return "not set"
	}
	return *value
}
