package bind

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// Plan is what has to be done to get from a state to a goal. It is a value: a
// dry run prints it, Apply carries it out.
type Plan struct {
	Command string // "fix" or "rollback"
	Goal    Goal
	State   State
	Edits   []backup.Change // in the order in which they are written
	// Reload is set when launchd has to read the property list anew.
	Reload bool
	// Held is set when launchd ought to, and was told by a flag not to.
	Held bool
	// Undoes is the backup that a rollback goes back to.
	Undoes string
	// Unset is set when a rollback takes the setting out of files that were
	// written anew since, in place of restoring them byte for byte.
	Unset bool
	// Unproved is set when a rollback leads back to a service that did not answer:
	// it is loaded again, and whether it answers is not what decides.
	Unproved bool
}

// Changes reports whether there is anything to do.
func (p Plan) Changes() bool { return len(p.Edits) > 0 || p.Reload }

// Again is the fix that binds the service as it was bound before a rollback.
func (p Plan) Again() string {
	value := p.State.Plist.Value()
	return p.State.FixCommand(Goal{Value: value, Host: hostOf(value)})
}

// Diff is the edits as a unified diff, which patch(1) takes.
func (p Plan) Diff() string {
	var all []byte
	for _, e := range p.Edits {
		text := diff.Diff(nameOf(e.File.Path, e.File.Absent), e.File.Data, nameOf(e.File.Path, e.After == nil), e.After)
		_, text, _ = bytes.Cut(text, []byte("\n")) // "diff PATH PATH" says nothing more
		all = append(all, text...)
	}
	return string(all)
}

// nameOf is how a diff names a file that is not there.
func nameOf(path string, absent bool) string {
	if absent {
		return os.DevNull
	}
	return path
}

// Steps lists what the diff does not show, as commands: modes, and what launchd
// will be told.
func (p Plan) Steps() []string {
	var steps []string
	for _, e := range p.Edits {
		if !e.File.Absent && bytes.Equal(e.File.Data, e.After) {
			steps = append(steps, "chmod go-w "+shell.Quote(e.File.Path))
		}
	}
	if !p.Reload {
		return steps
	}
	a := p.State.Agent
	target := a.Target
	if !a.Loaded {
		target.Domain, target.Label = p.domains()[0], a.Label
	}
	steps = append(steps, "launchctl enable "+target.String())
	if a.Loaded {
		steps = append(steps, "launchctl bootout "+target.String())
	}
	return append(steps,
		fmt.Sprintf("launchctl bootstrap %s %s", target.Domain, shell.Quote(a.Plist)),
		"launchctl kickstart "+target.String())
}

// PlanFix says what has to be done so that the goal is reached, or why it
// cannot be. With restart false the running job is left alone.
func (m Machine) PlanFix(s State, g Goal, restart bool) (Plan, error) {
	p := Plan{Command: "fix", Goal: g, State: s}
	if err := m.refuse(s, g); err != nil {
		return p, err
	}
	edits, err := m.editEnvFile(s, g)
	if err != nil {
		return p, err
	}
	p.Edits = edits
	if !g.Matches(s.Plist.Value()) {
		after, err := setValue(s.Plist.File.Data, g.Value)
		if err != nil {
			return p, problem(Failed, "plist-refused", "plutil -lint "+shell.Quote(s.Agent.Plist), "editing %s: %w", s.Agent.Plist, err)
		}
		p.Edits = append(p.Edits, backup.Change{Layer: PlistLayer, File: s.Plist.File, After: after, Mode: s.Plist.File.Mode})
	}
	p, err = p.withReload(restart)
	if p.Changes() && s.Agent.Rival != nil { // who may well be the one that holds the port
		return p, problem(Failed, "two-jobs", s.Agent.Rival.EndCommand(), "%s", s.Agent.TwoJobs())
	}
	return p, err
}

func setValue(doc []byte, value *string) ([]byte, error) {
	if value == nil {
		return plistfix.UnsetEnv(doc, ollama.Variable)
	}
	return plistfix.SetEnv(doc, ollama.Variable, *value)
}

// withReload decides whether launchd has to read the file anew: not when the
// job already has the value and the socket proves it, as after Homebrew wrote
// the file anew under a job that it left running.
func (p Plan) withReload(restart bool) (Plan, error) {
	p.Reload = !p.State.running(p.Goal)
	if p.Reload && !restart {
		p.Reload, p.Held = false, true
	}
	if !p.Reload {
		return p, nil
	}
	return p, p.preflight()
}

// preflight refuses to restart a job that could not have the port, or whose
// socket could not be proved afterwards.
func (p Plan) preflight() error {
	s, port := p.State, p.Goal.Host.Port
	switch {
	case s.Job.Err != nil:
		return problem(Failed, "launchctl-failed", p.status(), "asking launchd for the Ollama job: %w", s.Job.Err)
	case s.Socket.Err != nil:
		return problem(Failed, "lsof-failed", fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", port),
			"looking for listeners on port %d: %w", port, s.Socket.Err)
	}
	if t, held := s.Held(port); held {
		return problem(Failed, t.ID, t.Hint, "%s; nothing was changed", t.Text)
	}
	return nil
}

// refuse says why the property list must not be touched.
func (m Machine) refuse(s State, g Goal) error {
	path, file := s.Agent.Plist, s.Plist.File
	switch {
	case errors.Is(s.Plist.Err, fs.ErrNotExist) && s.Agent.Loaded:
		return problem(NothingHere, "plist-missing", s.RewriteCommand(),
			"launchd holds %s, but its property list %s is gone", s.Agent.Target, path)
	case s.Missing() != nil:
		return s.Missing()
	case errors.Is(s.Plist.Err, fs.ErrNotExist):
		return problem(NothingHere, "plist-missing", s.StartCommand(), "there is no property list %s", path)
	case s.Plist.Err != nil:
		return refuseUnread(path, s.Plist.Err)
	case file.UID != m.UID:
		return m.refuseOwner(s.command("fix", g), path, file.UID)
	case file.Mode&0o022 != 0:
		return problem(Failed, "plist-writable", "chmod go-w "+shell.Quote(path),
			"%s can be written to by others (mode %04o): launchd would refuse to load it", path, file.Mode)
	}
	return refuseJob(s, g)
}

// Missing is the error of a property list that was named and is not there, nil if
// it is no such thing. About its service there is nothing to know.
func (s State) Missing() error {
	if !s.Agent.Chosen || s.Agent.Loaded || !errors.Is(s.Plist.Err, fs.ErrNotExist) {
		return nil
	}
	return problem(NothingHere, "plist-missing", "ls -l "+shell.Quote(filepath.Dir(s.Agent.Plist)), "there is no property list %s", s.Agent.Plist)
}

func refuseUnread(path string, err error) error {
	var malformed *plistfix.Error
	switch {
	case errors.As(err, &malformed):
		return problem(Failed, "plist-malformed", "plutil -lint "+shell.Quote(path), "reading %s: %w", path, err)
	case errors.Is(err, backup.ErrNotRegular), errors.Is(err, syscall.ELOOP):
		return problem(Failed, "plist-not-a-file", "ls -ld "+shell.Quote(path), "reading %s: %w", path, bare(err))
	}
	return problem(Failed, "plist-unreadable", "ls -le "+shell.Quote(path), "reading %s: %w", path, bare(err))
}

// refuseOwner says which command to run instead.
func (m Machine) refuseOwner(command, path string, uid int) error {
	hint := fmt.Sprintf("sudo chown %d %s", m.UID, shell.Quote(path))
	switch {
	case uid == 0 && filepath.Dir(path) == m.Daemons:
		hint = "sudo " + command
	case m.UID == 0:
		hint = "run it again without sudo: " + command
	}
	return problem(Failed, "not-owner", hint, "%s belongs to user %d, and this runs as user %d", path, uid, m.UID)
}

func refuseJob(s State, g Goal) error {
	naming := s.sudo() + Command("fix", g) + " --plist "
	label := s.Plist.Agent.Label
	switch {
	case !s.Agent.Chosen && !homebrew.IsLabel(label):
		return problem(Failed, "foreign-label", naming+shell.Quote(s.Agent.Plist),
			"%s has the label %q, which is not one of Homebrew's for Ollama", s.Agent.Plist, label)
	case s.Agent.Loaded && s.Agent.Label != label:
		return problem(Failed, "label-mismatch", s.sudo()+"brew services restart ollama",
			"%s has the label %q, but launchd loaded it as %q", s.Agent.Plist, label, s.Agent.Label)
	case s.Agent.Loaded && !samePath(s.Job.Path, s.Agent.Plist):
		return problem(Failed, "other-plist", naming+shell.Quote(s.Job.Path),
			"launchd loaded %s from %s, not from %s", s.Agent.Target, s.Job.Path, s.Agent.Plist)
	}
	return nil
}
