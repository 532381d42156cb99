package bind

import (
	"bytes"
	"context"
	"errors"
	"io/fs"

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
// given ID, or else that of the most recent fix that is still in effect.
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
	if len(all) == 0 {
		return backup.Receipt{}, problem(Failed, "no-backup", "ollama-bind status",
			"there is no backup in %s: ollama-bind has changed nothing here", m.Store.Dir)
	}
	return inEffect(all)
}

// inEffect chooses among receipts, newest first, by what the files hold now: a
// fix counts when the file is as it left it, and one that no rollback has taken
// back before one that seems taken back (that rollback was killed before it
// wrote). Where the file is as some fix found it, there is nothing left to do;
// where it is neither, the newest fix is the one that cannot be taken back.
func inEffect(all []backup.Receipt) (backup.Receipt, error) {
	undone := map[string]bool{}
	var inForce, takenBack, notYet, newest, damaged *backup.Receipt
	for i := range all {
		r := &all[i]
		undone[r.Undoes] = true
		switch {
		case r.Err != nil:
			first(&damaged, r)
			continue
		case r.Command != "fix":
			continue
		}
		first(&newest, r)
		switch traceNow(*r) {
		case after:
			if undone[r.ID] {
				first(&takenBack, r)
			} else {
				first(&inForce, r)
			}
		case before:
			first(&notYet, r)
		}
	}
	for _, r := range []*backup.Receipt{inForce, takenBack, notYet} {
		if r != nil {
			return *r, nil
		}
	}
	switch {
	case damaged != nil:
		return *damaged, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "%w; choose another one with --to", damaged.Err)
	case newest == nil:
		return backup.Receipt{}, problem(Failed, "no-backup", "ollama-bind rollback --list", "there is no backup of a fix; choose another one with --to")
	}
	return *newest, nil
}

func first(slot **backup.Receipt, r *backup.Receipt) {
	if *slot == nil {
		*slot = r
	}
}

func traceNow(r backup.Receipt) trace {
	file, err := backup.Read(r.Files[0].Path)
	if err != nil {
		return other
	}
	return traceOf(r, file.Data)
}

// PlanRollback says what has to be done to bring back what the receipt's change
// has replaced by then. saved are the bytes of that time. A file that somebody
// else has changed since is replaced only with force.
func (m Machine) PlanRollback(s State, g Goal, r backup.Receipt, saved []byte, force bool) (Plan, error) {
	p := Plan{Command: "rollback", Goal: g, State: s, Undoes: r.ID}
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
