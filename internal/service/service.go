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
	// Addresses lists the machine's addresses.
	Addresses func() []netip.Addr
	// Waiting is told, once, the process ID of another run (0 if unknown) that
	// has to end first.
	Waiting func(pid int)
	// Progress is told what launchd is told; nil for nobody.
	Progress func(launchctl.Step)
	// Secret is told the environments that were read, whose values are nobody's
	// business; nil for nobody.
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
	Kind   Kind // nil where none was found
	Label  string
	Plist  string // the path of its plist
	Bundle string // the path of Ollama.app, where it is that
	Daemon bool   // a service of the whole machine, which root starts
	// Loaded is set when launchd holds the job, at Target, or when the app runs.
	Loaded bool
	Target launchctl.Target
	// Rival is a second job for Ollama that is loaded as well.
	Rival *Rival
	// Domains are where the job can be loaded, best first, as far as launchd
	// has them; empty where nobody has asked.
	Domains []launchctl.Domain
	// Others are loaded as well and want the same port.
	Others []Service
	// Chosen says how the user has named it, if so.
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

// KindName is the name of the service's kind, "" where none was found.
func (s Service) KindName() string {
	if s.Kind == nil {
		return ""
	}
	return s.Kind.Name()
}

// Rival is a second job for Ollama.
type Rival struct {
	launchctl.Target
	// Plist is the plist from which launchd would load it again at the next
	// login, "" if there is none.
	Plist string
}

// State is what was read of the layers.
type State struct {
	Service  Service
	Settings []Setting // the layers that are files, the lasting one first
	Job      Job
	Socket   Socket
	// NoProgram is set when the program that the service runs is not there, as
	// after `brew uninstall`.
	NoProgram bool
	// LogError is the last line of the service's log that tells of an error, "" for
	// none. It is a hint and no proof: the log goes on over many runs.
	LogError string
	// SetsAgain is the agent that sets again at each login what the job inherits, ""
	// for none.
	SetsAgain string
	// NotOllama is set when it is plain that the service runs another program.
	NotOllama bool
	// What ps and launchctl list say; nil where nobody has asked.
	processes map[int]launchctl.Process
	labels    map[int]string
}

// Setting is a file that holds OLLAMA_HOST.
type Setting struct {
	Layer string
	File  backup.File
	// Value is OLLAMA_HOST as the reader of the file takes it, nil if not set.
	Value *string
	// Text shows the value, where that is not what it says of OLLAMA_HOST.
	Text *string
	// Agent is what the file says besides; of an env file, its environment alone.
	Agent plistfix.Agent
	// Use says whether its reader heeds it.
	Use Use
	// Override is where the service's own command sets the variable, whatever the
	// file says; nil if it does not.
	Override *Line
	// HostFlag is where the command has a --host, which Ollama does not know.
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
	Unasked    Use = "unasked"      // nobody was found who could be asked whether they read it
	NotForRoot Use = "not-for-root" // ignored for services that root starts
	TooOld     Use = "too-old"      // the tool that would read it is too old for it
	// NoFile is a plist that was deleted when it had been loaded, as
	// `brew services run` does since Homebrew 7.
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

// Lasting is the setting from which a tool writes the plist, the zero
// Setting where nobody does.
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
	// Err says why launchd did not tell.
	Err error
}

// Value is OLLAMA_HOST in the environment that launchd gives the job from its
// plist, nil if it is not set there.
func (j Job) Value() *string { return lookup(j.Environment) }

// Inherited is OLLAMA_HOST as `launchctl setenv` gives it to the job, nil if it
// does not. A value from the plist goes before it.
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
	// Err says why lsof did not tell.
	Err error
	// APIVersion is what Ollama calls itself, empty if it did not answer.
	APIVersion string
	// APIErr says why it did not.
	APIErr error
	// Silent are the machine's addresses from which the proof got no answer.
	Silent []netip.Addr
	// Unseen is set when something answers on the port that lsof does not list:
	// without root it shows the caller's own processes only.
	Unseen bool
}

// LogPath is where the service writes its errors, "" if nowhere.
func (s State) LogPath() string { return cmp.Or(s.Plist().Agent.StandardErrorPath, s.Job.StderrPath) }

// Log is what the service has logged, without the values that it may have in its
// environment and in its arguments, wherever they come from.
func (s State) Log() masked.Log {
	environments := []map[string]string{s.Job.Environment, s.Job.InheritedEnvironment}
	var arguments []string
	for _, one := range s.Settings {
		environments = append(environments, one.Agent.EnvironmentVariables)
		arguments = append(arguments, one.Agent.ProgramArguments...)
	}
	return masked.Log{Path: s.LogPath(), Secrets: masked.Secrets(environments, arguments)}
}
