package bind

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// memory is a backup with the bytes that it keeps.
type memory struct {
	backup.Receipt
	files map[string]remembered // by layer
	// takenBack is set when a rollback to it was carried out to its end.
	takenBack bool
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

// takenBack are the IDs of the changes that a rollback has taken back, or of which
// it has found nothing left. One that was killed has taken nothing back.
func takenBack(all []backup.Receipt) map[string]bool {
	ids := map[string]bool{}
	for _, r := range all {
		if r.Done {
			ids[r.Undoes] = true
		}
		if r.Void {
			ids[r.ID] = true
		}
	}
	return ids
}

// placeOf reports whether path is one where that layer may be: a receipt says
// what gets overwritten, or removed.
func placeOf(layer, path string) bool {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return false
	}
	switch layer {
	case EnvFileLayer:
		return strings.HasSuffix(path, homebrew.EnvFileEnding)
	case PlistLayer, oldPlistLayer:
		return filepath.Ext(path) == ".plist"
	}
	return false
}

// plausible reports whether a fix could have left such an entry: somebody may have
// edited the receipt. It makes only folders that the file lies in, and takes a
// property list only where there is one that launchd would load.
func plausible(r backup.Receipt, f backup.Saved) bool {
	for _, dir := range f.Folders {
		if !strings.HasPrefix(f.Path, strings.TrimSuffix(dir, "/")+"/") {
			return false
		}
	}
	return f.Layer != PlistLayer || r.Command != "fix" || !f.Created() && f.Mode&WritableByOthers == 0
}

func (m Machine) remember(r backup.Receipt) (memory, error) {
	mem := memory{Receipt: r, files: map[string]remembered{}}
	for _, f := range r.Files {
		if !placeOf(f.Layer, f.Path) || !plausible(r, f) {
			return mem, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "backup %q: %w: %q is no place for the %s",
				r.ID, backup.ErrDamaged, f.Path, f.Layer)
		}
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
	if all, err := m.Store.List(); err == nil {
		mem.takenBack = takenBack(all)[r.ID]
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
	traceOther  trace = iota // neither: somebody else has changed it since
	traceBefore              // as it was before the change
	traceAfter               // as the change left it
)

func traceOf(f backup.Saved, now backup.File) trace {
	sum := ""
	if !now.Absent {
		sum = backup.Sum(now.Data)
	}
	switch {
	case sum == f.After && (sum != f.Before || now.Mode != f.Mode):
		return traceAfter
	case sum == f.Before:
		return traceBefore
	}
	return traceOther
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
	all, err := m.Backups()
	if err != nil {
		return backup.Receipt{}, err
	}
	if len(all) == 0 && m.UID != 0 && m.servesAll() {
		return backup.Receipt{}, problem(Failed, "no-backup", "sudo ollama-bind rollback",
			"there is no backup in %s: the service here is root's, and so are the backups for it", m.Store.Dir)
	}
	if len(all) == 0 {
		return backup.Receipt{}, problem(Failed, "no-backup", "ollama-bind status",
			"there is no backup in %s: ollama-bind has changed nothing here", m.Store.Dir)
	}
	return inEffect(all)
}

// servesAll reports whether there is a service of the whole machine.
func (m Machine) servesAll() bool {
	return slices.ContainsFunc(homebrew.Candidates(m.Home, m.Daemons), func(c homebrew.Candidate) bool {
		return c.Daemon && isThere(c.Plist)
	})
}

// Backups are the receipts of all backups, newest first.
func (m Machine) Backups() ([]backup.Receipt, error) {
	all, err := m.Store.List()
	if err != nil {
		return nil, problem(Failed, "backups-unreadable", "ls -la "+shell.Quote(m.Store.Dir), "%w", err)
	}
	return all, nil
}

// inEffect chooses among receipts, newest first, by what the files hold now: a
// fix counts when the files are as it left them, and one that no rollback has
// taken back before one that seems taken back (that rollback was killed before
// it wrote). Where all is as some fix found it, there is nothing left to do,
// unless a later one knows of other files, which somebody else has changed since.
func inEffect(all []backup.Receipt) (backup.Receipt, error) {
	undone, superseded := takenBack(all), map[string]bool{}
	var inForce, seemsUndone, nothingLeft, changedSince, damaged *backup.Receipt
	for i := range all {
		r := &all[i]
		superseded[r.Supersedes] = true
		if r.Err != nil {
			first(&damaged, r)
		}
		if r.Err != nil || r.Command != "fix" || superseded[r.ID] {
			continue
		}
		switch t := traceNow(*r); {
		case t == traceAfter && !undone[r.ID]:
			first(&inForce, r)
		case t == traceAfter:
			first(&seemsUndone, r)
		case t == traceBefore:
			first(&nothingLeft, r)
		case !undone[r.ID]:
			first(&changedSince, r)
		}
	}
	if changedSince != nil && nothingLeft != nil && !covers(nothingLeft.Files, changedSince.Files) {
		nothingLeft = nil
	}
	switch r := cmp.Or(inForce, seemsUndone, nothingLeft); {
	case r != nil:
		return *r, nil
	case damaged != nil:
		return *damaged, problem(Failed, "backup-damaged", "ollama-bind rollback --list", "%w; choose another one with --to", damaged.Err)
	case changedSince != nil:
		return *changedSince, nil
	}
	return backup.Receipt{}, problem(Failed, "no-backup", "ollama-bind rollback --list", "no fix is left to be taken back; choose a backup with --to")
}

// covers reports whether all has every path of some.
func covers(all, some []backup.Saved) bool {
	for _, f := range some {
		if !slices.ContainsFunc(all, func(o backup.Saved) bool { return o.Path == f.Path }) {
			return false
		}
	}
	return true
}

func first(slot **backup.Receipt, r *backup.Receipt) {
	if *slot == nil {
		*slot = r
	}
}

// LeftToTakeBack reports whether another rollback would find something to do.
func (m Machine) LeftToTakeBack() bool {
	all, err := m.Store.List()
	if err != nil {
		return false
	}
	r, err := inEffect(all)
	return err == nil && traceNow(r) != traceBefore
}

// traceNow is how all files of a change stand to it by now: after it if any file
// is, other if any file is. A file that is gone holds nothing of the change.
func traceNow(r backup.Receipt) trace {
	all := traceBefore
	for _, f := range r.Files {
		now, err := backup.ReadAbsent(f.Path)
		if err != nil {
			return traceOther
		}
		if now.Absent {
			continue
		}
		switch traceOf(f, now) {
		case traceOther:
			return traceOther
		case traceAfter:
			all = traceAfter
		}
	}
	return all
}

// inherit takes the last fix over into a new one that completes it: what that fix
// has changed, this one does not touch, and is still there. One rollback then
// takes all of it back. Without such a fix, it is the plan's own receipt and edits.
func (m Machine) inherit(p Plan) (backup.Receipt, []backup.Change) {
	r, edits := p.receipt(), p.Edits
	all, err := m.Store.List()
	if err != nil {
		return r, edits // a backup of its own is still a backup
	}
	last := lastFix(all)
	if r.Command != "fix" || last == nil || !Equivalent(&last.Host, &r.Host) {
		return r, edits
	}
	mem, err := m.remember(*last)
	if err != nil {
		return r, edits
	}
	taken := slices.Clone(edits)
	for _, saved := range last.Files {
		again := slices.IndexFunc(edits, func(c backup.Change) bool { return c.Layer == saved.Layer })
		if again < 0 {
			c, ok := takeOver(mem.files[saved.Layer])
			if !ok {
				return p.receipt(), edits // that file has a story of its own
			}
			taken = append(taken, c...)
		}
		if saved.Layer == PlistLayer && (again < 0 || backup.Sum(edits[again].File.Data) == saved.Before) {
			r.SocketBefore, r.WasUp, r.Domain = last.SocketBefore, last.WasUp, last.Domain
		}
	}
	r.Supersedes = last.ID
	return r, taken
}

// takeOver is the change that a fix has made to a file, if there is anything left
// of it. ok is false when somebody else has changed the file since.
func takeOver(f remembered) (c []backup.Change, ok bool) {
	now, err := backup.ReadAbsent(f.Path)
	if err != nil {
		return nil, false
	}
	if t := traceOf(f.Saved, now); now.Absent || t != traceAfter {
		return nil, now.Absent || t == traceBefore
	}
	then := backup.File{Path: f.Path, Real: now.Real, Absent: f.Created(), Data: f.data, Mode: f.Mode}
	return []backup.Change{{Layer: f.Layer, File: then, After: now.Data, Mode: now.Mode, Folders: f.Folders}}, true
}
