// Package bind makes the layers through which OLLAMA_HOST reaches a socket
// agree, and can take that back.
//
// The value flows down: Homebrew's env file, the LaunchAgent's property list,
// the job that launchd holds in memory, the socket that the process opens.
// [Machine.Observe] reads the layers into a [State]; [State.Layers] judges them
// against a [Goal]; [PlanFix] and [PlanRollback] are pure and say what would
// have to change; [Machine.Apply] does it, proves the socket, and undoes
// everything when the proof fails. Nothing else is state: a run that was killed
// half way is healed by the next one, because it looks at the layers.
package bind

import (
	"fmt"
	"net/netip"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// Machine is the Mac that is looked at and changed.
type Machine struct {
	Launchd launchctl.Client
	Store   backup.Store
	Home    string // the user's home directory
	Daemons string // the folder of launch daemons
	EnvFile string // Homebrew's env file for Ollama
	// Prefixes are where Homebrew may be.
	Prefixes []string
	UID      int // the effective user
	// Addresses lists the machine's addresses.
	Addresses func() []netip.Addr
	// Waiting is told, once, the process ID of another run (0 if unknown) that
	// has to end first.
	Waiting func(pid int)
}

// Goal is what all layers shall agree on.
type Goal struct {
	Value   *string     // OLLAMA_HOST in the property list and the job; nil: not set
	Lasting *string     // OLLAMA_HOST in Homebrew's env file; nil: not set
	Persist bool        // whether the env file is part of the goal at all
	Host    ollama.Host // where Ollama then listens
}

// GoalFor is the goal of having OLLAMA_HOST set to host, to last if persist.
func GoalFor(host ollama.Host, persist bool) Goal {
	value := host.String()
	return Goal{Value: &value, Lasting: &value, Persist: persist, Host: host}
}

// Matches reports whether value, in the property list or the job, makes Ollama
// listen where the goal wants it.
func (g Goal) Matches(value *string) bool { return Equivalent(value, g.Value) }

// Equivalent reports whether two values of OLLAMA_HOST mean the same. The
// spelling does not matter: "0.0.0.0" and "[::]:11434" open the same socket.
func Equivalent(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return ollama.ParseHost(*a).Equal(ollama.ParseHost(*b))
}

// Agent is the launchd job that runs Ollama, as it was found.
type Agent struct {
	homebrew.Candidate
	// Loaded is set when launchd holds the job, at Target.
	Loaded bool
	Target launchctl.Target
	// Rival is a second job of Homebrew's that is loaded as well.
	Rival *Rival
	// Domains are where the job can be loaded, best first, as far as launchd
	// has them; empty where nobody has asked.
	Domains []launchctl.Domain
	// Chosen is set when the user named the property list.
	Chosen bool
}

// name is what to call the service.
func (a Agent) name() string {
	if a.Chosen {
		return "the service of " + a.Plist
	}
	return "the Homebrew service"
}

// TwoJobs says which two services are loaded, nothing if it is only one.
func (a Agent) TwoJobs() string {
	if a.Rival == nil {
		return ""
	}
	return fmt.Sprintf("two services for Ollama are loaded, %s and %s: one of them has to go", a.Target, a.Rival)
}

// Rival is a second job of Homebrew's.
type Rival struct {
	launchctl.Target
	// Plist is the property list from which launchd would load it again at the next
	// login, "" if there is none.
	Plist string
}

// EndCommand ends the job for good.
func (r Rival) EndCommand() string {
	sudo := shell.Sudo(r.Domain == launchctl.System)
	end := sudo + "launchctl bootout " + r.String()
	if r.Plist != "" {
		end += " && " + sudo + "rm " + shell.Quote(r.Plist)
	}
	return end
}

// State is what was read of the layers.
type State struct {
	Agent   Agent
	Brew    homebrew.Installation // that the agent's program belongs to
	EnvFile EnvFile
	Plist   Plist
	Job     Job
	Socket  Socket
	// NoProgram is set when the program that the service runs is not there, as
	// after `brew uninstall`.
	NoProgram bool
}

// Plist is the property list on disk: what launchd will load next.
type Plist struct {
	File  backup.File
	Agent plistfix.Agent
	// Err says why the file could not be read or understood.
	Err error
}

// Value is OLLAMA_HOST in the file, nil if it is not set there.
func (p Plist) Value() *string {
	return lookup(p.Agent.EnvironmentVariables)
}

// Job is what launchd holds in memory.
type Job struct {
	launchctl.Job
	Loaded bool
	// Err says why launchd did not tell.
	Err error
}

// Value is OLLAMA_HOST in the environment that launchd gives the job from its
// property list, nil if it is not set there.
func (j Job) Value() *string {
	return lookup(j.Environment)
}

// inherited is OLLAMA_HOST as `launchctl setenv` gives it to the job, nil if it
// does not. A value from the property list goes before it.
func (j Job) inherited() *string {
	return lookup(j.InheritedEnvironment)
}

// knowsEnvironment is false where launchd is so old that it does not show it.
func (j Job) knowsEnvironment() bool {
	return j.Environment != nil
}

func lookup(env map[string]string) *string {
	if value, ok := env[ollama.Variable]; ok {
		return &value
	}
	return nil
}

// Socket is who listens on the port, and whether Ollama answers there.
type Socket struct {
	Port      int
	Listeners []launchctl.Listener
	// Err says why lsof did not tell.
	Err error
	// APIVersion is what Ollama calls itself, empty if it did not answer.
	APIVersion string
	// APIErr says why it did not.
	APIErr error
	// Unseen is set when something answers on the port that lsof does not list:
	// without root it shows the caller's own processes only.
	Unseen bool
}
