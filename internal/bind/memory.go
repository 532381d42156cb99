package bind

import (
	"cmp"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// memory is a backup with the bytes that it keeps.
type memory struct {
	backup.Receipt
	files map[string]remembered // by layer
}

// remembered is one file of a backup.
type remembered struct {
	backup.Saved
	data []byte // as it was before the change, nil if it was not there
}

// value is OLLAMA_HOST as the file had it.
func (r remembered) value() (*string, error) {
	switch {
	case r.data == nil:
		return nil, nil
	case r.Layer == EnvFileLayer:
		value, ok, err := homebrew.EnvValue(r.data, ollama.Variable)
		if err != nil || !ok {
			return nil, err
		}
		return &value, nil
	}
	doc, err := plistfix.Decode(r.data)
	return Plist{Agent: doc}.Value(), err
}

func (m Machine) remember(r backup.Receipt) (memory, error) {
	mem := memory{r, map[string]remembered{}}
	for _, f := range r.Files {
		data, err := m.Store.Bytes(r, f)
		if err != nil {
			return mem, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "%w", err)
		}
		mem.files[f.Layer] = remembered{f, data}
	}
	return mem, nil
}

// goal is what the layers have to agree on after the rollback.
func (mem memory) goal() (Goal, error) {
	g := Goal{}
	for layer, slot := range map[string]**string{PlistLayer: &g.Value, EnvFileLayer: &g.Lasting} {
		value, err := mem.files[layer].value()
		if err != nil {
			return g, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "reading backup %s: %w", mem.ID, err)
		}
		*slot = value
	}
	_, g.Persist = mem.files[EnvFileLayer]
	g.Host = hostOf(g.Value)
	if host, err := ollama.FromSocket(mem.SocketBefore); err == nil {
		g.Host = host
	}
	return g, nil
}

func (m Machine) recall(id string) (memory, Goal, error) {
	r, err := m.receiptFor(id)
	if err != nil {
		return memory{}, Goal{}, err
	}
	mem, err := m.remember(r)
	if err != nil {
		return mem, Goal{}, err
	}
	goal, err := mem.goal()
	return mem, goal, err
}

// completed is the goal where the backup has only one of the files: the other
// shall stay as it is.
func (mem memory) completed(g Goal, s State) Goal {
	g.Persist = true
	if inherited := s.Job.inherited(); g.Value == nil && inherited != nil {
		g.Host = ollama.ParseHost(*inherited) // which decides where the file says nothing
	}
	if _, ok := mem.files[EnvFileLayer]; !ok {
		g.Lasting = s.EnvFile.Value
	}
	if _, ok := mem.files[PlistLayer]; !ok {
		g.Value, g.Host = s.Plist.Value(), hostOf(s.Plist.Value())
	}
	return g
}

// trace is how a file stands to a change.
type trace int

const (
	other  trace = iota // neither: somebody else has changed it since
	before              // as it was before the change
	after               // as the change left it
)

func traceOf(f backup.Saved, now backup.File) trace {
	sum := ""
	if !now.Absent {
		sum = backup.Sum(now.Data)
	}
	switch {
	case sum == f.After && (sum != f.Before || now.Mode != f.Mode):
		return after
	case sum == f.Before:
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
// fix counts when the files are as it left them, and one that no rollback has
// taken back before one that seems taken back (that rollback was killed before
// it wrote). Where all is as some fix found it, there is nothing left to do.
// Last comes a fix whose files somebody else has changed since.
func inEffect(all []backup.Receipt) (backup.Receipt, error) {
	undone := map[string]bool{}
	var inForce, takenBack, nothingLeft, changedSince, damaged *backup.Receipt
	for i := range all {
		r := &all[i]
		undone[r.Undoes] = true
		if r.Err != nil {
			first(&damaged, r)
		}
		if r.Err != nil || r.Command != "fix" {
			continue
		}
		switch t := traceNow(*r); {
		case t == after && !undone[r.ID]:
			first(&inForce, r)
		case t == after:
			first(&takenBack, r)
		case t == before:
			first(&nothingLeft, r)
		case !undone[r.ID]:
			first(&changedSince, r)
		}
	}
	switch r := cmp.Or(inForce, takenBack, nothingLeft); {
	case r != nil:
		return *r, nil
	case damaged != nil:
		return *damaged, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "%w; choose another one with --to", damaged.Err)
	case changedSince != nil:
		return *changedSince, nil
	}
	return backup.Receipt{}, problem(Failed, "no-backup", "ollama-bind rollback --list", "no fix is left to be taken back; choose a backup with --to")
}

func first(slot **backup.Receipt, r *backup.Receipt) {
	if *slot == nil {
		*slot = r
	}
}

// traceNow is how all files of a change stand to it by now: after it if any file
// is, other if any file is. A file that is gone holds nothing of the change.
func traceNow(r backup.Receipt) trace {
	all := before
	for _, f := range r.Files {
		now, err := backup.ReadAbsent(f.Path)
		if err != nil {
			return other
		}
		if now.Absent {
			continue
		}
		switch traceOf(f, now) {
		case other:
			return other
		case after:
			all = after
		}
	}
	return all
}
