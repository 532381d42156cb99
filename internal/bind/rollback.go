package bind

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// trace is how a file stands to a receipt.
type trace int

const (
	other  trace = iota // neither: somebody else has changed it since
	before              // as it was before the change
	after               // as the change left it
)

func traceOf(r backup.Receipt, data []byte) trace {
	switch backup.Sum(data) {
	case r.Files[0].After:
		return after
	case r.Files[0].Before:
		return before
	}
	return other
}

// receiptFor finds the backup that rollback goes back to: the one with the
// given ID, or else the one of the most recent fix that is still in effect.
// A fix that was taken back, or was killed before it wrote, is passed over; when
// all were, the newest is returned, and there is nothing to write.
func (m Machine) receiptFor(id string) (backup.Receipt, error) {
	if id != "" {
		r, err := m.Store.Load(id)
		if err != nil {
			return r, problem(Failed, "no-backup", "ollama-bind rollback --list", "%w", err)
		}
		return r, nil
	}
	all, err := m.Store.List()
	if err != nil {
		return backup.Receipt{}, problem(Failed, "backups-unreadable", "ls -la "+quote(m.Store.Dir), "%w", err)
	}
	all = slices.DeleteFunc(all, func(r backup.Receipt) bool { return r.Err == nil && r.Command != "fix" })
	if len(all) == 0 {
		return backup.Receipt{}, problem(Failed, "no-backup", "ollama-bind status",
			"there is no backup in %s: ollama-bind has changed nothing here", m.Store.Dir)
	}
	for _, r := range all {
		if r.Err != nil {
			return r, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "%w; choose another one with --to", r.Err)
		}
		file, err := backup.Read(r.Files[0].Path)
		if err != nil || traceOf(r, file.Data) != before {
			return r, nil
		}
	}
	return all[0], nil
}

// PlanRollback says what has to be done to bring back what the receipt's change
// has replaced by then. saved are the bytes of that time. A file that somebody
// else has changed since is replaced only with force.
func (m Machine) PlanRollback(s State, g Goal, r backup.Receipt, saved []byte, force bool) (Plan, error) {
	p := Plan{Command: "rollback", Goal: g, State: s}
	if err := m.refuseRollback(s); err != nil {
		return p, err
	}
	file := s.Plist.File
	if traceOf(r, file.Data) == other && !force {
		return p, problem(Failed, "changed-since", "ollama-bind rollback --force",
			"%s was changed after the fix of %s; nothing was changed", file.Path, r.Created.Format("2006-01-02 15:04:05 MST"))
	}
	if !bytes.Equal(file.Data, saved) {
		p.Edits = []backup.Change{{Layer: PlistLayer, File: file, After: saved, Mode: r.Files[0].Mode}}
	}
	// A job that is not loaded stays so: it was stopped after the fix.
	p.Reload = s.Agent.Loaded && (!g.Matches(s.Job.Value()) || !s.Job.knowsEnvironment() && len(p.Edits) > 0)
	if !p.Reload {
		return p, nil
	}
	return p, p.preflight()
}

func (m Machine) refuseRollback(s State) error {
	var malformed *plistfix.Error
	switch {
	case s.Plist.Err == nil, errors.As(s.Plist.Err, &malformed): // what is there now need not be understood
	case errors.Is(s.Plist.Err, fs.ErrNotExist):
		return problem(NothingHere, "plist-missing", "brew services start ollama",
			"%s is gone, and the setting with it: Homebrew writes the file anew at the next start", s.Agent.Plist)
	default:
		return refuseUnread(s.Agent.Plist, s.Plist.Err)
	}
	if s.Plist.File.UID != m.UID {
		return m.refuseOwner(s.Agent.Plist, s.Plist.File.UID)
	}
	if s.Agent.Loaded && !samePath(s.Job.Path, s.Agent.Plist) {
		return problem(Failed, "other-plist", "ollama-bind status",
			"launchd loaded %s from %s, not from %s", s.Agent.Target, s.Job.Path, s.Agent.Plist)
	}
	return nil
}

// goalOf is what the layers have to agree on after a rollback to r.
func goalOf(r backup.Receipt, saved []byte) (Goal, error) {
	doc, err := plistfix.Decode(saved)
	if err != nil {
		return Goal{}, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "reading backup %s: %w", r.ID, err)
	}
	g := Goal{Value: Plist{Agent: doc}.Value()}
	g.Host = hostOf(g.Value)
	if host, err := ollama.FromSocket(r.SocketBefore); err == nil {
		g.Host = host
	}
	return g, nil
}

// Rollback brings back what the most recent fix, or the change with the given
// backup ID, has replaced. ctx must have a deadline.
func (m Machine) Rollback(ctx context.Context, id string, force bool) (Plan, Outcome, error) {
	unlock, err := m.lock(ctx)
	if err != nil {
		return Plan{}, Outcome{}, err
	}
	defer unlock()
	r, err := m.receiptFor(id)
	if err != nil {
		return Plan{}, Outcome{}, err
	}
	saved, err := m.Store.Bytes(r, r.Files[0])
	if err != nil {
		return Plan{}, Outcome{}, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "%w", err)
	}
	goal, err := goalOf(r, saved)
	if err != nil {
		return Plan{}, Outcome{}, err
	}
	s, err := m.Observe(ctx, Subject{Plist: r.Files[0].Path, Label: r.Label}, goal)
	if err != nil {
		return Plan{Goal: goal}, Outcome{}, err
	}
	p, err := m.PlanRollback(s, goal, r, saved, force)
	if err != nil {
		return p, Outcome{State: s}, err
	}
	out, err := m.Apply(ctx, p)
	return p, out, err
}
