// Package service finds the Ollama that a Mac runs, of whatever kind, and reads the
// layers through which OLLAMA_HOST reaches its socket.
//
// A value flows down layers: from settings, which are files, to the job that
// launchd holds in memory, to the socket that the process opens. Kinds differ in
// where they are found and in which settings they have; see [Kind]. The rest is
// the same for all: [Machine.Observe] reads the layers into a [State];
// [State.Layers] judges them against a [Goal]. To make them agree is for package
// rebind.
//
// What is found is returned as facts and ids. What to say about it to a person,
// and which command to advise, is for package advice.
package service

import (
	"cmp"
	"net/netip"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/masked"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// Machine is the Mac that is looked at and changed.
type Machine struct {
	Launchd launchctl.Client
	Store   backup.Store
	Home    string // the user's home directory
	Daemons string // the folder of launch daemons
	// Applications is everybody's folder of applications.
	Applications string
	EnvFile      string // Homebrew's env file for Ollama
	// Prefixes are where Homebrew may be.
	Prefixes []string
	UID      int // the effective user
	// Sudo is the user who has typed sudo, 0 where nobody has.
	Sudo int
	// Addresses lists the machine's addresses.
	Addresses func() []netip.Addr
	// Waiting is told once the process ID of another run (0 if unknown) that has to end
	// first.
	Waiting func(pid int)
	// Progress is told each step of launchd's; may be nil.
	Progress func(launchctl.Step)
	// Secret is told the environments that were read, whose values must not be shown;
	// may be nil.
	Secret func(environment map[string]string)
}

// Goal is what all layers have to agree on.
type Goal struct {
	Value   *string     // OLLAMA_HOST in the plist and the job; nil: not set
	Lasting *string     // OLLAMA_HOST in the lasting setting; nil: not set
	Persist bool        // whether the lasting setting is part of the goal
	Host    ollama.Host // where Ollama then listens
}

// GoalFor is the goal of having OLLAMA_HOST set to host, to last if persist.
func GoalFor(host ollama.Host, persist bool) Goal {
	value := host.String()
	return Goal{Value: &value, Lasting: &value, Persist: persist, Host: host}
}

// Matches reports whether value makes Ollama listen where the goal wants it.
func (g Goal) Matches(value *string) bool { return Equivalent(value, g.Value) }

// Equivalent reports whether two values of OLLAMA_HOST mean the same. The
// spelling does not matter: "0.0.0.0" and "[::]:11434" open the same socket.
func Equivalent(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return ollama.ParseHost(*a).Equal(ollama.ParseHost(*b))
}

// Service is one Ollama that launchd runs or could run, as it was found.
type Service struct {
	Kind   Kind // nil if none was found
	Label  string
	Plist  string // the path of its plist
	Bundle string // the path of Ollama.app, where it is that
	Daemon bool   // a service of the whole machine, which root starts
	// Shared is set for an agent of all users: the file is root's, and launchd loads it
	// for each user at login.
	Shared bool
	// Loaded: launchd holds the job, at Target, or the app runs.
	Loaded bool
	Target launchctl.Target
	// Rival is a second job for Ollama that is loaded as well.
	Rival *Rival
	// Domains are where the job can be loaded, best first; empty if nobody asked.
	Domains []launchctl.Domain
	// Others are loaded, too, and want the same port.
	Others []Service
	// Chosen says how the user named it, if at all.
	Chosen Chosen
}

// Chosen is how a service was named.
type Chosen string

// The ways.
const (
	NotChosen Chosen = ""
	ByPlist   Chosen = "plist"
	ByName    Chosen = "service"
)

// KindName is the name of the service's kind, "" if none was found.
func (s Service) KindName() string {
	if s.Kind == nil {
		return ""
	}
	return s.Kind.Name()
}

// Rival is a second job for Ollama.
type Rival struct {
	launchctl.Target
	// Plist is the file from which launchd would load it at the next login, or "".
	Plist string
}

// State is what was read from the layers.
type State struct {
	Service  Service
	Settings []Setting // the layers that are files, the lasting one first
	Job      Job
	Socket   Socket
	// NoProgram: the service's program is not there, as after `brew uninstall`.
	NoProgram bool
	// LogError is the last line about an error in the service's log, or "". It is a
	// hint, not a proof: the log covers many runs.
	LogError string
	// SetsAgain is the agent that sets the inherited value again at each login, or "".
	SetsAgain string
	// NotOllama: the service plainly runs another program.
	NotOllama bool
	// What ps and launchctl list say; nil if nobody asked.
	processes map[int]launchctl.Process
	labels    map[int]string
}

// Setting is a file that holds OLLAMA_HOST.
type Setting struct {
	Layer string
	File  backup.File
	// Value is OLLAMA_HOST as the file's reader takes it, nil if not set.
	Value *string
	// Text is the value to show, if that is not the value of OLLAMA_HOST.
	Text *string
	// Agent is what else the file says; for an env file, only its environment.
	Agent plistfix.Agent
	// Use says whether the file has any effect.
	Use Use
	// Override is where the service's own command sets the variable, whatever the file
	// says; or nil.
	Override *Line
	// HostFlag is where the command has a --host, which Ollama does not have.
	HostFlag *Line
	// Keeper is the tool that writes the file.
	Keeper Keeper
	// Err says why the file could not be read or understood.
	Err error
}

// Use says what a setting is good for.
type Use string

// The uses of a setting.
const (
	Heeded     Use = ""
	Unasked    Use = "unasked"      // no Homebrew was found to ask whether it reads it
	NotForRoot Use = "not-for-root" // ignored for services that root starts
	TooOld     Use = "too-old"      // the tool is too old to read it
	// NoFile: the plist was deleted after loading, as `brew services run` does since
	// Homebrew 7.
	NoFile Use = "no-file"

	UpdateWaits Use = "update-waits" // the app would be replaced at its next start
	Newer       Use = "newer"        // the app's settings are of a version that is not known
	NoScreen    Use = "no-screen"    // nobody is logged in where the app could be started
)

// Plist is the plist on disk: what launchd will load next.
func (s State) Plist() Setting { return s.Setting(PlistLayer) }

// Ran reports whether Homebrew runs the service from a file that it has deleted. Only
// Homebrew can load that again.
func (s State) Ran() bool { return s.Plist().Use == NoFile }

// Lasting is the setting from which a tool writes the plist, or the zero Setting.
func (s State) Lasting() Setting {
	if len(s.Settings) > 0 && s.Settings[0].Layer != PlistLayer {
		return s.Settings[0]
	}
	return Setting{}
}

func (s State) Setting(layer string) Setting {
	for _, one := range s.Settings {
		if one.Layer == layer {
			return one
		}
	}
	return Setting{}
}

// Job is what launchd holds in memory.
type Job struct {
	launchctl.Job
	Loaded bool
	// Err says why launchd did not answer.
	Err error
}

// Value is OLLAMA_HOST in the environment that launchd gives the job from its
// plist, nil if it is not set there.
func (j Job) Value() *string { return lookup(j.Environment) }

// Inherited is OLLAMA_HOST as the job gets it from `launchctl setenv`, or nil. A value
// from the plist overrides it.
func (j Job) Inherited() *string { return lookup(j.InheritedEnvironment) }

func lookup(env map[string]string) *string {
	if value, ok := env[ollama.Variable]; ok {
		return &value
	}
	return nil
}

// Socket is who listens on the port, and whether Ollama answers there.
type Socket struct {
	Port      int
	Listeners []lsof.Listener
	// Err says why lsof did not answer.
	Err error
	// APIVersion is the version that Ollama reports, empty if it did not answer.
	APIVersion string
	// APIErr says why it did not answer.
	APIErr error
	// Silent are addresses of the machine that did not answer the proof.
	Silent []netip.Addr
	// Unseen: something answers on the port that lsof does not list. Without root it
	// shows only the caller's own processes.
	Unseen bool
}

// LogPath is where the service writes its errors, "" if nowhere.
func (s State) LogPath() string { return cmp.Or(s.Plist().Agent.StandardErrorPath, s.Job.StderrPath) }

// Log is what the service has logged, without values from its environment and
// arguments, wherever they come from.
func (s State) Log() masked.Log {
	environments := []map[string]string{s.Job.Environment, s.Job.InheritedEnvironment}
	var arguments []string
	for _, one := range s.Settings {
		environments = append(environments, one.Agent.EnvironmentVariables)
		arguments = append(arguments, one.Agent.ProgramArguments...)
	}
	return masked.Log{Path: s.LogPath(), Secrets: masked.Secrets(environments, arguments)}
}
