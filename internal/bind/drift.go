package bind

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Drift is what has become of the last fix.
type Drift struct {
	ID      string // kebab-case, for scripts
	Layer   string // where it shows; empty if nowhere
	Message string // one sentence
	Repair  string // a command to paste; empty if nothing needs repair
}

// Drift compares the state with what the last fix has left behind, by its
// receipt. What decides where Ollama listens now comes before what decides about
// Homebrew's next restart. A fix that was taken back is no fix.
func (m Machine) Drift(s State, g Goal) (Drift, error) {
	all, err := m.Store.List()
	if err != nil {
		return Drift{}, err
	}
	last := lastFix(slices.DeleteFunc(all, func(r backup.Receipt) bool { return !about(r, s.Agent) }))
	switch {
	case last == nil && s.Reached(g):
		return Drift{ID: "intact", Message: "bound, though not by a fix that is known here"}, nil
	case last == nil:
		return Drift{"never-fixed", PlistLayer, "this service was never fixed, or the fix was taken back", FixCommand(g)}, nil
	}
	return s.drift(g, *last), nil
}

// Remains is what can be said where Observe has found no service, if there was a
// fix: Homebrew deletes the property list whenever it stops the service.
func (m Machine) Remains(err error, g Goal) (State, bool) {
	var p *Problem
	all, listErr := m.Store.List()
	last := lastFix(all)
	if !errors.As(err, &p) || p.ID != "no-agent" || listErr != nil || last == nil {
		return State{}, false
	}
	s := m.remains(g)
	for _, f := range last.Files {
		if f.Layer == PlistLayer {
			s.Agent.Label, s.Agent.Plist = last.Label, f.Path
		}
	}
	return s, true
}

// about reports whether a receipt is one of this agent's. Homebrew may have given
// it another label since.
func about(r backup.Receipt, a Agent) bool {
	if homebrew.IsLabel(r.Label) {
		return a.Label == "" || homebrew.IsLabel(a.Label)
	}
	return r.Label == a.Label
}

// FixCommand is the command that reaches the goal.
func FixCommand(g Goal) string { return Command("fix", g) }

// Command is a command of this program for the goal.
func Command(name string, g Goal) string {
	if g.Value == nil || g.Host.Equal(ollama.Host{Port: ollama.DefaultPort}) {
		return "ollama-bind " + name
	}
	return "ollama-bind " + name + " --host " + shell.Quote(*g.Value)
}

// rewrite makes Homebrew write the property list anew. A restart would not do: it
// runs the service from the keg where the file is gone, and start does nothing
// while the service runs.
const rewrite = "brew services stop ollama && " + startService

// lastFix is the newest fix that no rollback has taken back.
func lastFix(newestFirst []backup.Receipt) *backup.Receipt {
	undone := takenBack(newestFirst)
	for _, r := range newestFirst {
		if r.Err == nil && r.Command == "fix" && !undone[r.ID] {
			return &r
		}
	}
	return nil
}

// drift looks at each layer in turn. What the fix has set is what counts, whatever
// address was asked about.
func (s State) drift(asked Goal, last backup.Receipt) Drift {
	fixed := GoalFor(ollama.ParseHost(last.Host), true)
	for _, d := range []Drift{s.plistDrift(fixed), s.jobDrift(fixed), s.envFileDrift(fixed, last)} {
		if d.ID != "" {
			return d
		}
	}
	day := last.Created.Local().Format("2006-01-02 15:04")
	switch {
	case s.Job.PID == 0 && !s.Reached(fixed):
		return Drift{"not-running", SocketLayer, "all is set as the last fix has left it, but " + s.Job.unsteady(), s.TailCommand()}
	case !s.Reached(fixed):
		return Drift{"not-reached", SocketLayer, "all is set as the last fix has left it, but the service does not listen so", FixCommand(fixed)}
	case !s.Reached(asked):
		return Drift{"other-address", PlistLayer, "fixed to " + last.Host + " on " + day + ", and intact; another address was asked about", ""}
	}
	return Drift{ID: "intact", Message: "fixed, and intact since " + day}
}

func (s State) plistDrift(fixed Goal) Drift {
	anew := rewrite
	if s.Job.Err == nil && !s.Job.Loaded {
		anew = s.StartCommand()
	}
	switch {
	case errors.Is(s.Plist.Err, fs.ErrNotExist):
		return Drift{"plist-deleted", PlistLayer,
			"`brew services stop` or `brew services cleanup` has deleted the property list since the fix", anew}
	case s.Plist.Err != nil:
		return Drift{"plist-edited", PlistLayer, "somebody has edited the property list since the fix, and broken it", anew}
	case fixed.Matches(s.Plist.Value()):
		return Drift{}
	case homebrew.Generated(s.Plist.File.Data):
		return Drift{"plist-regenerated", PlistLayer,
			"Homebrew has written the property list anew since the fix, without the setting", FixCommand(fixed)}
	}
	return Drift{"plist-edited", PlistLayer, "somebody has edited the property list since the fix", FixCommand(fixed)}
}

func (s State) jobDrift(fixed Goal) Drift {
	switch {
	case s.Job.Err == nil && !s.Job.Loaded:
		return Drift{"job-not-loaded", JobLayer, "the service has been stopped since the fix", s.StartCommand()}
	case s.Job.Loaded && s.Job.knowsEnvironment() && !fixed.Matches(s.Job.Value()):
		return Drift{"job-older-environment", JobLayer,
			"the service runs with an older environment than its property list has", FixCommand(fixed)}
	}
	return Drift{}
}

func (s State) envFileDrift(fixed Goal, last backup.Receipt) Drift {
	layer := s.judgeEnvFile(fixed)
	known := slices.ContainsFunc(last.Files, func(f backup.Saved) bool { return f.Layer == EnvFileLayer })
	switch {
	case layer.State == OK || layer.State == Unsupported || layer.State == Skipped:
		return Drift{}
	case layer.State == Unknown:
		return Drift{"env-file-unusable", EnvFileLayer, "Homebrew's env file cannot be used: " + layer.Detail, ""}
	case !known && layer.State == Missing:
		return Drift{"env-file-left-out", EnvFileLayer, "the last fix did not write Homebrew's env file", FixCommand(fixed)}
	case layer.State == Missing:
		return Drift{"env-file-deleted", EnvFileLayer, "somebody has deleted Homebrew's env file since the fix", FixCommand(fixed)}
	}
	return Drift{"env-file-edited", EnvFileLayer, "somebody has edited Homebrew's env file since the fix", FixCommand(fixed)}
}
