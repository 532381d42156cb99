package bind

import (
	"errors"
	"io/fs"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
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
	last := lastFix(all)
	if s.Reached(g) && s.judgeEnvFile(g).State == OK {
		return intact(last), nil
	}
	if last == nil {
		return Drift{"never-fixed", PlistLayer, "this service was never fixed, or the fix was taken back", "ollama-bind fix"}, nil
	}
	return s.drift(g, *last), nil
}

func intact(last *backup.Receipt) Drift {
	if last == nil {
		return Drift{ID: "intact", Message: "bound, though not by a fix that is known here"}
	}
	return Drift{ID: "intact", Message: "fixed, and intact since " + day(*last)}
}

func day(r backup.Receipt) string { return r.Created.Local().Format("2006-01-02 15:04") }

// lastFix is the newest fix that no rollback has taken back.
func lastFix(newestFirst []backup.Receipt) *backup.Receipt {
	undone := map[string]bool{}
	for _, r := range newestFirst {
		undone[r.Undoes] = true
		if r.Err == nil && r.Command == "fix" && !undone[r.ID] {
			return &r
		}
	}
	return nil
}

func (s State) drift(g Goal, last backup.Receipt) Drift {
	for _, look := range []func(Goal, backup.Receipt) Drift{s.plistDrift, s.jobDrift, s.envFileDrift} {
		if d := look(g, last); d.ID != "" {
			return d
		}
	}
	return Drift{"not-reached", SocketLayer, "all is set as the last fix has left it, but the service does not listen so", "ollama-bind fix"}
}

func (s State) plistDrift(g Goal, last backup.Receipt) Drift {
	switch {
	case errors.Is(s.Plist.Err, fs.ErrNotExist):
		return Drift{"plist-deleted", PlistLayer,
			"`brew services stop` or `brew services cleanup` has deleted the property list since the fix", "brew services start ollama"}
	case s.Plist.Err != nil:
		return Drift{"plist-edited", PlistLayer, "somebody has edited the property list since the fix, and broken it", "brew services restart ollama"}
	case g.Matches(s.Plist.Value()):
		return Drift{}
	case homebrew.Generated(s.Plist.File.Data):
		return Drift{"plist-regenerated", PlistLayer,
			"Homebrew has written the property list anew since the fix, without the setting", "ollama-bind fix"}
	}
	return Drift{"plist-edited", PlistLayer, "somebody has edited the property list since the fix", "ollama-bind fix"}
}

func (s State) jobDrift(g Goal, last backup.Receipt) Drift {
	switch {
	case s.Job.Err == nil && !s.Job.Loaded:
		return Drift{"job-not-loaded", JobLayer, "the service has been stopped since the fix", "brew services start ollama"}
	case s.Job.Loaded && s.Job.knowsEnvironment() && !g.Matches(s.Job.Value()):
		return Drift{"job-older-environment", JobLayer,
			"the service runs with an older environment than its property list has", "ollama-bind fix"}
	}
	return Drift{}
}

func (s State) envFileDrift(g Goal, last backup.Receipt) Drift {
	layer := s.judgeEnvFile(g)
	known := false
	for _, f := range last.Files {
		known = known || f.Layer == EnvFileLayer
	}
	switch {
	case layer.State == OK || layer.State == Unsupported || layer.State == Skipped:
		return Drift{}
	case !known && layer.State == Missing:
		return Drift{"env-file-left-out", EnvFileLayer, "the last fix did not write Homebrew's env file", "ollama-bind fix"}
	case layer.State == Missing:
		return Drift{"env-file-deleted", EnvFileLayer, "somebody has deleted Homebrew's env file since the fix", "ollama-bind fix"}
	}
	return Drift{"env-file-edited", EnvFileLayer, "somebody has edited Homebrew's env file since the fix", "ollama-bind fix"}
}
