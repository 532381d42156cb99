package rebind

import (
	"bytes"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Plan is what to do to get from a state to a goal. It is a value: a dry run prints it,
// anything else carries it out.
type Plan struct {
	Command string // "fix" or "rollback"
	Goal    service.Goal
	State   service.State
	Edits   []backup.Change // in the order of writing
	// Reload: launchd has to read the plist again.
	Reload bool
	// Unload: a rollback goes back to a service that was not loaded.
	Unload bool
	// Stop: it goes back to one that was loaded and stopped.
	Stop bool
	// Disable: a rollback goes back to a service that launchd was told not to load.
	Disable bool
	// Held: launchd should read the plist, but a flag forbids it, or it could not load
	// the service again.
	Held bool
	// Undoes is the oldest backup that a rollback goes back to, "" if no fix is left to
	// take back; TakesBack are the fixes that it takes back.
	Undoes    string
	TakesBack []string
	// Unset: a rollback takes the setting out of files that were changed since the fix,
	// instead of restoring them byte for byte.
	Unset bool
	// Unproved: a rollback goes back to a service that did not answer. It is loaded
	// again, and need not answer.
	Unproved bool
}

// Changes reports whether there is anything to do.
func (p Plan) Changes() bool { return len(p.Edits) > 0 || p.Reload || p.Unload || p.Stop }

// planFix says what has to be done so that the goal is reached, or why it cannot
// be: refuse is asked first. With restart false the running job is left alone.
//
// launchd need not read the file again when the job already has the value and the
// socket proves it, as after Homebrew wrote the file under a job that it left
// running.
func planFix(s service.State, g service.Goal, restart bool, refuse func(Plan) error) (Plan, error) {
	p := Plan{Command: "fix", Goal: g, State: s, Reload: !s.Running(g)}
	if !restart || s.Ran() {
		p.Reload, p.Held = false, p.Reload
	}
	var err error
	for _, one := range s.Settings {
		c, e := edit(s, one, g)
		switch {
		case e != nil && err == nil:
			err = e
		case c != nil:
			p.Edits = append(p.Edits, *c)
		}
	}
	if len(p.Edits) > 0 && !s.Service.Kind.WritesFiles() {
		p.Reload, p.Held = restart, !restart
	}
	if refused := refuse(p); refused != nil {
		return p, refused
	}
	return p, err
}

func edit(s service.State, one service.Setting, g service.Goal) (*backup.Change, error) {
	if one.Layer == service.PlistLayer {
		return s.Service.Kind.Set(one, g.Value)
	}
	if !g.Persist && s.Service.Kind.WritesFiles() {
		return nil, nil
	}
	return s.Service.Kind.Set(one, g.Lasting)
}

// Steps lists, as commands, what the diff does not show: modes, and what launchd will
// be told.
func (p Plan) Steps() []string {
	if !p.Changes() {
		return nil
	}
	var steps []string
	for _, e := range p.Edits {
		if !e.File.Absent && bytes.Equal(e.File.Data, e.After) {
			steps = append(steps, "chmod go-w "+shell.Quote(e.File.Path))
		}
	}
	return append(steps, restarterOf(p.State.Service).steps(p)...)
}

// target is the job, or where to try first to load it.
func (p Plan) target() launchctl.Target {
	s := p.State.Service
	if s.Loaded {
		return s.Target
	}
	return launchctl.Target{Domain: p.domains()[0], Label: s.Label}
}

// domains are where the job can be loaded, best first.
func (p Plan) domains() []launchctl.Domain {
	switch s := p.State.Service; {
	case s.Loaded:
		return []launchctl.Domain{s.Target.Domain}
	case len(s.Domains) > 0:
		return s.Domains
	default:
		return launchctl.DomainsFor(p.State.Plist().File.UID, s.Daemon)
	}
}
