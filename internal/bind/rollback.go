package bind

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// observeFor looks at the agent that the change was about. Homebrew may have
// given the service another label since, and with it another file; or taken the
// file away.
func (m Machine) observeFor(ctx context.Context, mem memory, g Goal) (State, error) {
	named := Subject{Plist: mem.files[PlistLayer].Path, Label: mem.Label}
	if !homebrew.IsLabel(mem.Label) {
		return m.Observe(ctx, named, g)
	}
	s, err := m.Observe(ctx, Subject{}, g)
	var p *Problem
	absent := errors.As(err, &p) && p.ID == "no-agent"
	if named.Plist != "" && (absent || err == nil && !s.Agent.Loaded && isThere(named.Plist)) {
		return m.Observe(ctx, named, g)
	}
	if absent {
		return m.remains(g), nil
	}
	return s, err
}

// remains is the state of a service of which there is nothing left but, maybe,
// Homebrew's env file.
func (m Machine) remains(g Goal) State {
	s := State{
		Agent:   Agent{Candidate: homebrew.Candidates(m.Home, m.Daemons)[0]},
		EnvFile: readEnvFile(m.EnvFile),
		Plist:   Plist{Err: fs.ErrNotExist},
		Socket:  Socket{Port: g.Host.Port, APIErr: errNotAsked},
	}
	for _, prefix := range m.Prefixes {
		if brew, err := homebrew.FindInstallation(prefix); err == nil && !s.Brew.Known {
			s.Brew = brew
		}
	}
	return s
}

// errNotAsked stands where nobody asked Ollama.
var errNotAsked = errors.New("there is no service to ask")

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Rollback brings back what the most recent fix, or the change with the given
// backup ID, has replaced. ctx must have a deadline.
func (m Machine) Rollback(ctx context.Context, id string, force bool) (Plan, Outcome, error) {
	if _, err := m.receiptFor(id); err != nil {
		var p *Problem
		if _, _, none := m.find(ctx, Subject{}); errors.As(none, &p) && p.ID == "no-launchctl" {
			err = none // there is no Mac here on which anything could have been changed
		}
		return Plan{}, Outcome{}, err // before a folder is made for the lock
	}
	unlock, err := m.lock(ctx)
	if err != nil {
		return Plan{}, Outcome{}, err
	}
	defer unlock()
	mem, goal, err := m.recall(id)
	if err != nil {
		return Plan{}, Outcome{}, err
	}
	if f, ok := mem.files[EnvFileLayer]; ok {
		m.EnvFile = f.Path // the shell of that time may have had another XDG_CONFIG_HOME
	}
	s, err := m.observeFor(ctx, mem, goal)
	if err != nil {
		return Plan{Goal: goal}, Outcome{}, err
	}
	m.sweep(s)
	p, err := m.PlanRollback(s, mem.completed(goal, s), mem, force)
	if err != nil {
		return p, Outcome{State: s}, err
	}
	out, err := m.Apply(ctx, p)
	if err != nil {
		return p, out, err
	}
	away := errors.Is(s.Plist.Err, fs.ErrNotExist) // and may come back as the fix has left it
	if id == "" && !out.Changed && mem.Command == "fix" && !away {
		m.forget(mem.Receipt)
	}
	for _, f := range mem.Files { // a fix that was killed may have made no more than them
		backup.DropFolders(f.Path, f.Folders)
	}
	return p, out, nil
}

// forget notes that nothing is left of any fix of these files, which are as they were
// before this one. Without it status would go on to speak of them.
func (m Machine) forget(none backup.Receipt) {
	all, err := m.Store.List()
	if err != nil {
		return
	}
	undone := takenBack(all)
	for _, r := range all {
		if r.Err == nil && r.Command == "fix" && !undone[r.ID] && covers(none.Files, r.Files) {
			m.Store.Void(r.ID)
		}
	}
}

// PlanRollback says what has to be done to bring back what a change has
// replaced. A file that somebody else has changed since is replaced only with
// force. A property list that Homebrew has written anew since is not the file
// that was saved: there the setting is taken out, and nothing else is touched.
func (m Machine) PlanRollback(s State, g Goal, mem memory, force bool) (Plan, error) {
	p := Plan{Command: "rollback", Goal: g, State: s, Undoes: mem.ID}
	if err := m.refuseRollback(s); err != nil {
		return p, err
	}
	r := returning{State: s, machine: m, goal: g, memory: mem, force: force}
	p.Unset, p.Unproved = r.rewritten(), !mem.WasUp
	edits, err := r.edits()
	if err != nil {
		return p, err
	}
	p.Edits = edits
	p.Reload = r.reload(edits)
	if !p.Reload {
		return p, nil
	}
	return p, p.preflight()
}

// refuseRollback says why the property list must not be touched. What it holds
// now need not be understood, and it may be gone.
func (m Machine) refuseRollback(s State) error {
	var malformed *plistfix.Error
	file := s.Plist.File
	switch {
	case s.Job.Err != nil:
		return problem(Failed, "launchctl-failed", "ollama-bind status", "asking launchd for the Ollama job: %w; nothing was changed", s.Job.Err)
	case errors.Is(s.Plist.Err, fs.ErrNotExist):
		return nil
	case s.Plist.Err != nil && !errors.As(s.Plist.Err, &malformed):
		return refuseUnread(s.Agent.Plist, s.Plist.Err)
	case file.UID != m.UID:
		return m.refuseOwner("ollama-bind rollback", s.Agent.Plist, file.UID)
	case s.Agent.Loaded && !samePath(s.Job.Path, s.Agent.Plist):
		return problem(Failed, "other-plist", "ollama-bind status",
			"launchd loaded %s from %s, not from %s", s.Agent.Target, s.Job.Path, s.Agent.Plist)
	}
	return nil
}

// returning is a rollback being planned.
type returning struct {
	State
	machine Machine
	goal    Goal
	memory  memory
	force   bool
}

// reload reports whether launchd has to read the property list anew. A job that
// is loaded has to be as it was, down to the socket. One that is not loaded is
// started if it ran when the fix came and that was not taken back since: the fix,
// its undoing or a rollback was killed, and nobody else leaves the file behind.
// One that did not run is left alone.
func (r returning) reload(edits []backup.Change) bool {
	_, known := r.memory.files[PlistLayer]
	switch {
	case !known || r.gone() && !r.Agent.Loaded:
		return false
	case !r.Agent.Loaded:
		return r.memory.WasUp && !r.memory.takenBack
	case !r.memory.WasUp && r.Job.knowsEnvironment():
		return !r.goal.Matches(r.Job.Value())
	case !r.Job.knowsEnvironment() && slices.ContainsFunc(edits, func(c backup.Change) bool { return c.Layer == PlistLayer }):
		return true
	}
	return !r.running(r.goal)
}

func (r returning) gone() bool { return errors.Is(r.Plist.Err, fs.ErrNotExist) }

// rewritten reports whether the property list is not the one that was saved:
// Homebrew has given the service another file, or written the file anew.
func (r returning) rewritten() bool {
	f, known := r.memory.files[PlistLayer]
	switch {
	case !known || r.gone():
		return false
	case r.Agent.Plist != f.Path:
		return true
	}
	return !r.force && traceOf(f.Saved, r.Plist.File) == traceOther && homebrew.Generated(r.Plist.File.Data)
}

// edits are in the order of fix: the env file first.
func (r returning) edits() ([]backup.Change, error) {
	var all []backup.Change
	for _, edit := range []func() (*backup.Change, error){r.envFile, r.oldPlist, r.plist} {
		c, err := edit()
		if err != nil {
			return nil, err
		}
		if c != nil {
			all = append(all, *c)
		}
	}
	return all, nil
}

func (r returning) envFile() (*backup.Change, error) {
	f, known := r.memory.files[EnvFileLayer]
	now := r.EnvFile.File
	switch {
	case !known || now.Absent && f.Created():
		return nil, nil
	case r.EnvFile.Err != nil && now.Data == nil:
		return nil, problem(Failed, "env-file-unreadable", "ls -ld "+shell.Quote(f.Path), "reading %s: %w", f.Path, bare(r.EnvFile.Err))
	case !now.Absent && now.UID != r.machine.UID:
		return nil, r.machine.refuseOwner("ollama-bind rollback", f.Path, now.UID)
	case r.EnvFile.Err == nil && traceOf(f.Saved, now) == traceOther && r.rewritten():
		after, err := setEnvLine(now.Data, r.goal.Lasting)
		if err != nil {
			return nil, problem(Failed, "env-file-refused", "ollama-bind rollback --force", "editing %s: %w", f.Path, err)
		}
		return &backup.Change{Layer: EnvFileLayer, File: now, After: after, Mode: now.Mode}, nil
	}
	return r.restore(f, now)
}

func (r returning) plist() (*backup.Change, error) {
	f, known := r.memory.files[PlistLayer]
	now := r.Plist.File
	switch {
	case !known || r.gone() && !r.Agent.Loaded:
		return nil, nil
	case r.rewritten() && r.Plist.Err != nil: // whether it has the setting cannot be told
		return nil, refuseUnread(now.Path, r.Plist.Err)
	case r.rewritten() && r.goal.Matches(r.Plist.Value()):
		return nil, nil
	case r.gone(): // under a job that can only be loaded again from its file
		absent, err := backup.ReadAbsent(f.Path)
		return &backup.Change{Layer: PlistLayer, File: absent, After: f.data, Mode: f.Mode}, err
	case r.rewritten():
		after, err := setValue(now.Data, r.goal.Value)
		if err != nil {
			return nil, problem(Failed, "plist-refused", "plutil -lint "+shell.Quote(now.Path), "editing %s: %w", now.Path, err)
		}
		return &backup.Change{Layer: PlistLayer, File: now, After: after, Mode: now.Mode}, nil
	}
	return r.restore(f, now)
}

// oldPlistLayer is the property list that the service had before Homebrew gave it
// another one. launchd would load it at the next login.
const oldPlistLayer = "plist-old"

func (r returning) oldPlist() (*backup.Change, error) {
	f, known := r.memory.files[PlistLayer]
	if !known || r.Agent.Plist == f.Path {
		return nil, nil
	}
	now, err := backup.ReadAbsent(f.Path)
	if err != nil || now.Absent {
		return nil, err
	}
	c, err := r.restore(f, now)
	if c != nil {
		c.Layer = oldPlistLayer
	}
	return c, err
}

// restore brings the saved bytes back.
func (r returning) restore(f remembered, now backup.File) (*backup.Change, error) {
	switch t := traceOf(f.Saved, now); {
	case t == traceBefore:
		return nil, nil
	case t == traceOther && !r.force:
		return nil, problem(Failed, "changed-since", "ollama-bind rollback --force",
			"%s was changed after the fix of %s; nothing was changed", f.Path, r.memory.Created.Format("2006-01-02 15:04:05 MST"))
	}
	c := &backup.Change{Layer: f.Layer, File: now, After: f.data, Mode: f.Mode}
	if f.Created() {
		c.Folders = f.Folders
	}
	return c, nil
}
