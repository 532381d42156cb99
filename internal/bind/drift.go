package bind

import (
	"errors"
	"io/fs"
	"path/filepath"
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
	case last == nil && s.Agent.Daemon && m.UID != 0:
		return Drift{"never-fixed", PlistLayer, "this service is root's, and what was done to it is known to root alone", "sudo " + s.command("status", g)}, nil
	case last == nil:
		return Drift{"never-fixed", PlistLayer, "this service was never fixed, or the fix was taken back", m.cure(s, g)}, nil
	}
	return m.drift(s, g, *last), nil
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
			s.Agent.Candidate = homebrew.Candidate{Label: last.Label, Plist: f.Path, Daemon: filepath.Dir(f.Path) == m.Daemons}
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

// FixCommand is the command that reaches the goal for this service.
func (s State) FixCommand(g Goal) string { return s.sudo() + s.command("fix", g) }

// command is a command of this program about this service.
func (s State) command(name string, g Goal) string {
	if s.Agent.Chosen {
		return Command(name, g) + " --plist " + shell.Quote(s.Agent.Plist)
	}
	return Command(name, g)
}

// RollbackCommand takes the last fix of this service back.
func (s State) RollbackCommand() string { return s.sudo() + "ollama-bind rollback" }

// Command is a command of this program for the goal.
func Command(name string, g Goal) string {
	if g.Value == nil || g.Host.Equal(ollama.Host{Port: ollama.DefaultPort}) {
		return "ollama-bind " + name
	}
	return "ollama-bind " + name + " --host " + shell.Quote(*g.Value)
}

// cure is the command that reaches the goal, or what has to come before it.
func (m Machine) cure(s State, g Goal) string {
	if p := m.refusal(s, g); p != nil {
		return p.Hint
	}
	return s.FixCommand(g)
}

// refusal is why fix would not do that, nil if it would.
func (m Machine) refusal(s State, g Goal) *Problem {
	var p *Problem
	_, err := m.PlanFix(s, g, true)
	errors.As(err, &p)
	return p
}

// RewriteCommand makes Homebrew write the property list anew. A restart would not
// do: it runs the service from the keg where the file is gone, and start does nothing
// while the service runs.
func (s State) RewriteCommand() string {
	return s.sudo() + "brew services stop ollama && " + s.sudo() + startService
}

// lastFix is the newest fix that no rollback has taken back, by itself or with a
// later one that completed it.
func lastFix(newestFirst []backup.Receipt) *backup.Receipt {
	undone, superseded := takenBack(newestFirst), map[string]bool{}
	for _, r := range newestFirst {
		superseded[r.Supersedes] = true
		if r.Err == nil && r.Command == "fix" && !undone[r.ID] && !superseded[r.ID] {
			return &r
		}
	}
	return nil
}

// drift looks at each layer in turn. What the fix has set is what counts, whatever
// address was asked about.
func (m Machine) drift(s State, asked Goal, last backup.Receipt) Drift {
	fixed := GoalFor(ollama.ParseHost(last.Host), true)
	cure := m.cure(s, fixed)
	for _, d := range []Drift{s.plistDrift(fixed, cure), s.jobDrift(fixed, cure), s.envFileDrift(fixed, last, cure)} {
		if d.ID != "" {
			return d
		}
	}
	day := last.Created.Local().Format("2006-01-02 15:04")
	switch {
	case s.Job.Loaded && s.Job.PID == 0 && !s.Reached(fixed):
		text := "launchd does not run the service"
		if s.Job.Looping() {
			text = s.Job.unsteady()
		}
		return Drift{"not-running", SocketLayer, "all is set as the last fix has left it, but " + text, s.silent(fixed).Hint}
	case !s.Reached(fixed):
		return Drift{"not-reached", SocketLayer, "all is set as the last fix has left it, but the service does not listen so", cure}
	case !s.Reached(asked):
		return Drift{"other-address", PlistLayer, "fixed to " + last.Host + " on " + day + ", and intact; another address was asked about", ""}
	}
	return Drift{ID: "intact", Message: "fixed, and intact since " + day}
}

func (s State) plistDrift(fixed Goal, cure string) Drift {
	anew := s.RewriteCommand()
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
			"Homebrew has written the property list anew since the fix, without the setting", cure}
	}
	return Drift{"plist-edited", PlistLayer, "somebody has edited the property list since the fix", cure}
}

func (s State) jobDrift(fixed Goal, cure string) Drift {
	switch {
	case s.Job.Err == nil && !s.Job.Loaded:
		return Drift{"job-not-loaded", JobLayer, "the service has been stopped since the fix", s.StartCommand()}
	case s.Job.Loaded && s.Job.knowsEnvironment() && !fixed.Matches(s.Job.Value()):
		return Drift{"job-older-environment", JobLayer,
			"the service runs with an older environment than its property list has", cure}
	}
	return Drift{}
}

func (s State) envFileDrift(fixed Goal, last backup.Receipt, cure string) Drift {
	layer := s.judgeEnvFile(fixed)
	known := slices.ContainsFunc(last.Files, func(f backup.Saved) bool { return f.Layer == EnvFileLayer })
	switch {
	case layer.State == OK || layer.State == Unsupported || layer.State == Skipped:
		return Drift{}
	case layer.State == Unknown:
		return Drift{"env-file-unusable", EnvFileLayer, "Homebrew's env file cannot be used: " + layer.Detail, ""}
	case !known && layer.State == Missing:
		return Drift{"env-file-left-out", EnvFileLayer, "the last fix did not write Homebrew's env file", cure}
	case layer.State == Missing:
		return Drift{"env-file-deleted", EnvFileLayer, "somebody has deleted Homebrew's env file since the fix", cure}
	}
	return Drift{"env-file-edited", EnvFileLayer, "somebody has edited Homebrew's env file since the fix", cure}
}
