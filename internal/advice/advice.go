// Package advice is the one place that says what is wrong and which command cures
// it. Everything that can be wrong is one ordered list, from what has to be there
// at all, down the layers, to who can reach the socket. status shows the first
// that holds, fix and rollback refuse with the first that keeps them from their
// work, doctor prints all. So no two commands can advise two things on one Mac.
//
// It is pure: facts in, sentences out.
package advice

import (
	"net/netip"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Level is how much it matters.
type Level string

// The levels.
const (
	Fail Level = "fail" // a reason why Ollama is not reached, or soon will not be
	Warn Level = "warn" // worth knowing, and a reason only where more is wanted
)

// Advice is one thing that is wrong, and what to do about it.
type Advice struct {
	ID      string // kebab-case, for scripts
	Level   Level
	Check   string // the doctor's check that reports it
	Message string // one sentence
	Hint    string // one command to paste
}

// Facts are what the list judges.
type Facts struct {
	State service.State
	// Err says why there is no service.
	Err  error
	Goal service.Goal
	// Asked: --host was given. Otherwise a service keeps a port of its own.
	Asked     bool
	UID, Sudo int    // the effective user, and the one who typed sudo
	System    string // the operating system, as runtime.GOOS has it
	Addresses []netip.Addr
	// AtLogin: the service starts when the user logs in.
	AtLogin bool
	// Store is where backups are kept; StoreErr says why none can be.
	Store    backup.Store
	StoreErr error
	// Fix is the last one that was not taken back; nil if there is none, or it is
	// unknown.
	Fix *backup.Receipt
	// Back is the rollback of it that was killed; nil if none was.
	Back *backup.Receipt
	// Disabled: launchd was told not to start the service at login.
	Disabled bool
	// Command is the one being run, "" for one that only looks.
	Command string
}

// New collects the facts of an observation.
func New(m service.Machine, s service.State, err error, g service.Goal, asked bool, system string) Facts {
	f := Facts{State: s, Err: err, Goal: g, Asked: asked, UID: m.UID, Sudo: m.Sudo, System: system, Addresses: m.Addresses(),
		Store: m.Store, StoreErr: m.Store.Usable()}
	if f.Found() {
		f.AtLogin = s.AtLogin(m)
	}
	return f
}

// Found reports whether there is a service to look at.
func (f Facts) Found() bool { return f.Err == nil && f.State.Service.KindName() != "" }

// Well reports whether Ollama listens as wanted, now and after the next login.
func (f Facts) Well() bool { return f.Found() && f.State.Reached(f.keeping().Goal) }

// keeping is f with the service's own port, unless another was asked for.
func (f Facts) keeping() Facts {
	port := f.State.Port()
	chosen := port != 0 && port != f.Goal.Host.Port // chosen by a person, not by the system
	if f.Found() && !f.Asked && chosen && !f.Goal.Host.Loopback() {
		f.Goal = service.GoalFor(ollama.Host{Name: f.Goal.Host.Name, Port: port}, f.Goal.Persist)
	}
	return f
}

// All lists what holds, in the list's order. After one that blocks fix there are no
// more hints: that one has to go first.
func All(f Facts) []Advice {
	if f.Err != nil {
		return []Advice{NotFound(f)}
	}
	var all []Advice
	kept, blocked := f.keeping(), false
	for _, i := range list {
		if !i.when(kept) {
			continue
		}
		a := i.of(kept)
		if blocked {
			a.Hint = ""
		}
		blocked = blocked || i.blocks != nil
		all = append(all, a)
		if Missing(kept.State) { // nothing else is known about its service
			break
		}
	}
	return all
}

// inTheWay is the hint of the first thing that blocks fix, or "".
func inTheWay(f Facts) string {
	for _, i := range list {
		if i.blocks != nil && i.when(f) {
			return i.next(f)
		}
	}
	return ""
}

// First is the first that matters: if everything is as wanted, only what is certainly
// wrong. It is nil if all is well.
func First(f Facts) *Advice {
	well := f.Well()
	for _, a := range All(f) {
		if a.Level == Fail || !well {
			return &a
		}
	}
	if !f.Asked && well && !f.State.Reached(f.Goal) {
		a := otherPort(f)
		return &a
	}
	return nil
}

// otherPort is for a service bound on a port of its own.
func otherPort(f Facts) Advice {
	kept := f.keeping()
	return Advice{ID: "other-port", Level: Warn, Check: "listeners",
		Message: "the service is bound to " + kept.Goal.Host.String() + ", a port of its own; containers have to ask that one",
		Hint:    sudo(f.State) + command("status", kept.Goal, f.State.Service)}
}

// Trouble says why Ollama does not answer where it should, nil if it does.
func Trouble(f Facts) *Advice {
	if !f.Found() || answersAsWanted(f) {
		return nil
	}
	for _, i := range list {
		if i.trouble && i.when(f) {
			a := i.of(f)
			return &a
		}
	}
	return nil
}

// answersAsWanted judges by what could be seen: without lsof the answer could be any
// process's, without launchd the process could be anyone's.
func answersAsWanted(f Facts) bool {
	s, g := f.State, f.Goal
	switch {
	case s.Socket.APIVersion == "":
		return false
	case s.Socket.Err != nil:
		return true
	case s.Job.Err != nil:
		return service.Listens(s.Socket.Listeners, g.Host)
	}
	return s.JudgeSocket(g).State == service.OK
}

// Refusal says why a plan must not be carried out, nil if it may.
func Refusal(f Facts, p rebind.Plan) error {
	f.State, f.Goal, f.Asked, f.Command = p.State, p.Goal, true, p.Command
	for _, i := range list {
		if i.blocks != nil && i.blocks(p) && i.when(f) {
			a := i.of(f)
			message := a.Message
			if i.ending == service.Failed {
				message += "; nothing was changed"
			}
			return &service.Error{Ending: i.ending, ID: a.ID, Hint: a.Hint, Err: i.cause(f, message)}
		}
	}
	return nil
}

// FixCommand is the command that reaches the goal for this service.
func FixCommand(s service.State, g service.Goal) string {
	return sudo(s) + command("fix", g, s.Service)
}

// RollbackCommand takes the fixes of this service back.
func RollbackCommand(s service.State) string {
	if name := called(s.Service); name != "" && s.Service.Chosen != service.NotChosen {
		return sudo(s) + "ollama-bind rollback --service " + shell.Quote(name)
	}
	return sudo(s) + "ollama-bind rollback"
}

// Command is one of this program's commands for the goal.
func Command(name string, g service.Goal) string {
	if g.Value == nil || g.Host.Equal(ollama.Host{Port: ollama.DefaultPort}) {
		return "ollama-bind " + name
	}
	return "ollama-bind " + name + " --host " + shell.Quote(*g.Value)
}

// command is one of this program's commands for the goal and this service.
func command(name string, g service.Goal, s service.Service) string {
	switch s.Chosen {
	case service.ByPlist:
		return Command(name, g) + " --plist " + shell.Quote(s.Plist)
	case service.ByName:
		return Command(name, g) + " --service " + shell.Quote(called(s))
	}
	return Command(name, g)
}

// called is what --service calls the service.
func called(s service.Service) string {
	if s.KindName() == service.Agent {
		return s.Label
	}
	return s.KindName()
}

// sudo is the prefix of commands that only root may run.
func sudo(s service.State) string {
	return shell.Sudo(s.Service.Daemon || s.Service.Shared || s.Service.Target.Domain == "system")
}

// RestartCommand has the tool that writes the plist restart the service.
func RestartCommand(s service.State) string { return words(s).restart(s) }

// Again is the fix that binds the service as it was before a rollback, if fix takes
// that value.
func Again(s service.State) string {
	if value := s.Plist().Value; value != nil {
		if host, err := ollama.CheckHost(ollama.ParseHost(*value).String()); err == nil {
			return FixCommand(s, service.GoalFor(host, true))
		}
	}
	return FixCommand(s, service.Goal{})
}

// Name is what to call the service.
func Name(s service.State) string { return words(s).name(s) }
