package advice

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// vocabulary is how to name a kind of service, and how to handle it by hand.
type vocabulary struct {
	writes  bool // a tool writes the plist
	name    func(service.State) string
	start   func(service.State) string
	restart func(service.State) string // with what its plist says
	rewrite func(service.State) string // if the plist is gone
	install func(service.State) string // if the program is gone
	foreign func(service.State) bool   // the plist is not one of this kind's
	end     func(service.State) string // until somebody starts it again
}

var vocabularies = map[string]vocabulary{
	service.Brew: {
		writes: true,
		name: func(s service.State) string {
			if s.Service.Chosen == service.ByPlist {
				return "the service of " + s.Service.Plist
			}
			return "the Homebrew service"
		},
		start:   func(s service.State) string { return sudo(s) + startBrew },
		restart: func(s service.State) string { return sudo(s) + restartBrew },
		// A restart would not do: without the file, it runs the service from the keg,
		// and start does nothing while the service runs.
		rewrite: func(s service.State) string { return sudo(s) + "brew services stop ollama && " + sudo(s) + startBrew },
		install: func(s service.State) string { return "brew install ollama && " + sudo(s) + restartBrew },
		foreign: func(s service.State) bool {
			return s.Service.Chosen != service.ByPlist && !homebrew.IsLabel(s.Plist().Agent.Label)
		},
		end: func(s service.State) string { return sudo(s) + "brew services stop ollama" },
	},
	service.Agent: {
		name: nameAgent,
		start: func(s service.State) string {
			return sudo(s) + "launchctl bootstrap " + domain(s) + " " + shell.Quote(s.Service.Plist)
		},
		restart: func(s service.State) string {
			return sudo(s) + "launchctl bootout " + s.Service.Target.String() + " && " +
				sudo(s) + "launchctl bootstrap " + domain(s) + " " + shell.Quote(s.Service.Plist)
		},
		rewrite: func(s service.State) string { return "ls -l " + shell.Quote(filepath.Dir(s.Service.Plist)) },
		install: func(s service.State) string { return "ls -l " + shell.Quote(filepath.Dir(s.Program())) },
		foreign: func(service.State) bool { return false },
		// Otherwise it comes back at the next login.
		end: func(s service.State) string {
			target := domain(s) + "/" + s.Service.Label
			return sudo(s) + "launchctl disable " + target + " && " + sudo(s) + "launchctl bootout " + target
		},
	},
	service.App: {
		name:    nameApp,
		start:   openApp,
		restart: func(s service.State) string { return QuitApp + " && sleep 3 && " + openApp(s) },
		rewrite: openApp,
		install: func(service.State) string { return "open https://ollama.com/download" },
		foreign: func(service.State) bool { return false },
		end:     func(service.State) string { return QuitApp },
	},
	service.Terminal: {
		name:    func(s service.State) string { return fmt.Sprintf("the ollama of process %d", s.Job.PID) },
		start:   typed,
		restart: typed,
		install: typed,
		foreign: func(service.State) bool { return false },
		end:     func(s service.State) string { return fmt.Sprintf("kill %d", s.Job.PID) },
	},
}

func nameApp(s service.State) string {
	if s.Service.Bundle == "" {
		return "Ollama.app"
	}
	return "Ollama.app (" + s.Service.Bundle + ")"
}

func nameAgent(s service.State) string {
	switch {
	case s.Service.Label == "":
		return "the service of " + s.Service.Plist
	case s.Service.Daemon:
		return "the LaunchDaemon " + s.Service.Label
	}
	return "the LaunchAgent " + s.Service.Label
}

// typed is what to type.
func typed(service.State) string { return ollama.Variable + "=0.0.0.0:11434 ollama serve" }

func words(s service.State) vocabulary { return vocabularies[s.Service.KindName()] }

const (
	startBrew   = "brew services start ollama"
	restartBrew = "brew services restart ollama"
)

// badLasting is the ID of what is wrong with Homebrew's env file. If Homebrew chokes on
// the file, the whole service goes down at its next restart, so this counts even if our
// own line is fine.
func badLasting(f Facts) string {
	one := f.State.Lasting()
	var malformed *homebrew.EnvError
	switch {
	case !f.Found() || one.Err == nil || one.Use == service.NotForRoot:
		return ""
	case errors.As(one.Err, &malformed):
		return "env-file-malformed"
	case one.File.Path == "":
		return "env-file-nowhere"
	case errors.Is(one.Err, fs.ErrNotExist):
		return "env-file-dangling"
	}
	return "env-file-unreadable"
}

func sayLasting(f Facts) string {
	one := f.State.Lasting()
	switch badLasting(f) {
	case "env-file-malformed":
		return fmt.Sprintf("%s is not as Homebrew and launchd need it: %v; mend it, or go on without it", one.File.Path, one.Err)
	case "env-file-nowhere":
		return fmt.Sprintf("finding Homebrew's env file: %v", one.Err)
	case "env-file-dangling":
		return fmt.Sprintf("reading %s: the link leads nowhere", one.File.Path)
	}
	return fmt.Sprintf("reading %s: %v", one.File.Path, service.Bare(one.Err))
}

// mendLasting goes on without the env file: only its owner knows what it should say.
func mendLasting(f Facts) string {
	if f.State.Reached(f.Goal) {
		return "cat -v " + shell.Quote(f.State.Lasting().File.Path)
	}
	return withoutLasting(f)
}

func withoutLasting(f Facts) string { return fix(f) + " --no-persist" }

// lastingPlan is a plan that touches the lasting setting.
func lastingPlan(p rebind.Plan) bool {
	return lastingFix(p) || slices.ContainsFunc(p.Edits, func(c backup.Change) bool { return c.Layer == p.State.Lasting().Layer })
}

// Lasting says why the setting would not survive the next restart by the tool that
// writes the plist; "" if it would, or if it is not there.
func Lasting(f Facts) string {
	s := f.State
	value := s.Plist().Value
	if f.Found() && s.Ran() && s.Running(f.Goal) {
		return "the service was started with `brew services run`: it does not start at login; `" + words(s).rewrite(s) + "` puts that right"
	}
	if switchedOff(f) && f.State.Running(f.Goal) {
		return sayOff(f)
	}
	if !readable(f) || value == nil || !f.Goal.Matches(value) || !words(s).writes {
		return ""
	}
	const restart = "`" + restartBrew + "`, also after an upgrade, writes the plist again without the setting"
	one := s.Lasting()
	switch {
	case s.Service.Loaded && !f.AtLogin:
		return "the service was started with `brew services run`, from " + s.Service.Plist +
			": it does not start at login, and a file in LaunchAgents, if there is one, was not touched; `" + words(s).rewrite(s) + "` puts that right"
	case one.Err != nil && one.Use != service.NotForRoot && one.Use != service.TooOld:
		return "Homebrew's env file " + one.File.Path + " cannot be used (" + service.Bare(one.Err).Error() +
			"), so the setting is dropped at the next `" + restartBrew + "`, if that does not fail on the file"
	case one.Use == service.NotForRoot:
		return "`sudo " + restartBrew + "` writes the plist again without the setting, because Homebrew ignores its env file for root: run fix again then"
	case one.Use == service.TooOld:
		return restart + ", because this Homebrew is older than 6.0.15 and ignores the env file: update Homebrew first, or run fix again afterwards"
	case s.JudgeLasting(service.Goal{Lasting: value}).State == service.OK:
		return ""
	}
	return restart + ": fix puts it into Homebrew's env file, and it stays"
}

func lastingHint(f Facts) string {
	one := f.State.Lasting()
	switch {
	case ofApp(f):
		return fix(f)
	case f.State.Service.Loaded && !f.AtLogin:
		return words(f.State).rewrite(f.State)
	case one.Use == service.TooOld:
		return "brew update && " + fix(f)
	case one.Err != nil:
		return "ls -ld " + shell.Quote(one.File.Path)
	}
	return fix(f)
}
