package rebind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// Back is what rollback should do.
type Back struct {
	To string // the beginning of the ID of the backup to go back to; "" for the first fix
	// Service is the name of a kind, or the label, of the service that is meant; "" for
	// the one that was fixed last.
	Service string
	Force   bool // whether to replace a file that was changed since
	DryRun  bool
	// Past are fixes that a dry run has already taken back.
	Past map[string]bool
	// Refuse says why a plan must not be carried out; nil allows it.
	Refuse func(Plan) error
}

// Rollback brings back what fixes have replaced: of each file, what it held
// before the first fix that no rollback has taken back. Where there is no such fix,
// the plan is empty. ctx must have a deadline.
func Rollback(ctx context.Context, mac service.Machine, w Back) (Plan, Outcome, error) {
	m := machine{mac}
	first, err := m.originals(w)
	if err != nil {
		if _, none := m.Observe(ctx, service.Subject{}, service.Goal{Host: ollama.Default}); service.Is(none, "no-launchctl") {
			err = none // this is no Mac, so nothing can have been changed
		}
		return Plan{}, Outcome{}, err // before making a folder for the lock
	}
	if w.DryRun || first.ID == "" {
		p, err := m.planRollback(ctx, first, w)
		return p, Outcome{State: p.State}, err
	}
	plist, known := first.plist()
	if !known && len(first.files) > 0 {
		plist = first.files[0]
	}
	unlock, err := m.lock(ctx, service.Resolved(plist.Path))
	if err != nil {
		return Plan{}, Outcome{}, err
	}
	defer unlock()
	if first, err = m.originals(w); err != nil {
		return Plan{}, Outcome{}, err
	}
	p, err := m.planRollback(ctx, first, w)
	m.sweep(p.State)
	if err != nil {
		return p, Outcome{State: p.State}, err
	}
	out, err := m.apply(ctx, p)
	if err != nil {
		return p, out, err
	}
	m.settle(first, p, out)
	return p, out, nil
}

// settle marks the fixes as taken back, and drops what is no longer needed.
func (m machine) settle(f first, p Plan, out Outcome) {
	away := errors.Is(p.State.Plist().Err, fs.ErrNotExist) // and may come back as the fix left it
	if out.Changed || !away {
		for _, r := range f.fixes {
			m.Store.Void(r.ID)
		}
	}
	m.prune()
	for _, o := range f.files { // a killed fix may have made nothing else
		backup.DropFolders(o.Path, o.Folders)
	}
}

// original is a file before the first fix, and as we left it last.
type original struct {
	backup.Saved
	data []byte
	last string // the hash of what we wrote last
	// mixed: the file was edited between two fixes, with our setting in it. No backup
	// holds that edit by itself.
	mixed bool
}

// first is what a rollback goes back to.
type first struct {
	backup.Receipt                  // the oldest of them
	kind           service.Kind     // of the service
	hosts          []string         // that the fixes have set
	fixes          []backup.Receipt // that are taken back, oldest first
	files          []original
	taken          bool // a rollback took it back before
}

// originals collects what was there before the fixes of the service that was fixed
// last, or what one backup holds.
func (m machine) originals(w Back) (first, error) {
	all, err := m.Backups()
	if err != nil {
		return first{}, err
	}
	if w.To != "" {
		return m.originalsOf(w.To, all)
	}
	if w.Service != "" {
		all = slices.DeleteFunc(all, func(r backup.Receipt) bool { return r.Err == nil && !service.Named(r, w.Service) })
	}
	fixes, damaged := service.Standing(slices.DeleteFunc(slices.Clone(all), func(r backup.Receipt) bool { return w.Past[r.ID] }))
	if len(fixes) == 0 {
		return nothingLeft(all, m.noBackup(len(all), damaged))
	}
	slices.Reverse(fixes)
	f := first{Receipt: fixes[0], kind: service.KindOf(fixes[0])}
	for _, r := range fixes {
		if err := m.collect(&f, r); err != nil {
			return f, err
		}
	}
	return f, nil
}

// nothingLeft is for fixes that were all taken back: there is nothing to do, and that
// is no error.
func nothingLeft(all []backup.Receipt, none error) (first, error) {
	undone := service.TakenBack(all)
	for _, r := range all {
		if r.Err == nil && r.Command == "fix" && undone[r.ID] {
			return first{Receipt: r, kind: service.KindOf(r), taken: true}, nil
		}
	}
	return first{}, none
}

// originalsOf returns what one backup holds.
func (m machine) originalsOf(to string, all []backup.Receipt) (first, error) {
	id, err := m.Store.Find(to)
	if err != nil {
		return first{}, service.Fail("no-backup", "", "%w", err)
	}
	r, err := m.Store.Load(id)
	if err != nil {
		return first{}, service.Fail("no-backup", "", "%w", err)
	}
	f := first{Receipt: r, kind: service.KindOf(r), taken: service.TakenBack(all)[id]}
	if err := m.collect(&f, r); err != nil {
		return f, err
	}
	for _, later := range slices.Backward(all) {
		if later.ID <= id || later.Err != nil {
			continue
		}
		for _, saved := range later.Files {
			if i := f.index(saved.Path); i >= 0 {
				f.files[i].last = saved.After
			}
		}
		f.hosts = append(f.hosts, later.Host)
		if later.Command == "fix" && service.SameService(r, later) {
			f.fixes = append(f.fixes, later)
		}
	}
	return f, nil
}

func (f first) index(path string) int {
	return slices.IndexFunc(f.files, func(o original) bool { return o.Path == path })
}

// plist is the original of the plist.
func (f first) plist() (original, bool) {
	i := slices.IndexFunc(f.files, func(o original) bool { return o.Layer == service.PlistLayer })
	if i < 0 {
		return original{}, false
	}
	return f.files[i], true
}

// collect adds a later fix of the same service.
func (m machine) collect(f *first, r backup.Receipt) error {
	for _, saved := range r.Files {
		saved.Path = backup.Clean(saved.Path) // earlier versions kept it as in the environment
		if err := m.believable(r, saved); err != nil {
			return service.Fail("backup-damaged", "", "backup %q: %w: %w", r.ID, backup.ErrDamaged, err)
		}
		data, err := m.Store.Bytes(r, saved)
		if err != nil {
			return service.Fail("backup-damaged", "", "%w", err)
		}
		f.files = f.joined(original{Saved: saved, data: data, last: saved.After})
	}
	if f.fixes = append(f.fixes, r); !slices.Contains(f.hosts, r.Host) {
		f.hosts = append(f.hosts, r.Host)
	}
	return nil
}

// joined adds what a later fix found. A file that was as we left it, or as it was
// before, keeps its original; one that lost our setting has a new one.
func (f first) joined(later original) []original {
	i := f.index(later.Path)
	if i < 0 {
		return append(f.files, later)
	}
	o := &f.files[i]
	switch {
	case later.Before == o.last, later.Before == o.Before:
		o.last = later.last
	case f.ours(f.kind.Parse(later.Layer, later.then())):
		o.last, o.mixed = later.last, true
	default:
		*o = later
	}
	return f.files
}

// ours reports whether a setting has the value of one of the fixes.
func (f first) ours(one service.Setting) bool {
	return one.Value != nil && slices.ContainsFunc(f.hosts, func(host string) bool { return service.Equivalent(one.Value, &host) })
}

// believable is the rule for what a receipt may say: it decides what gets overwritten
// or removed, and could have been edited. A fix is judged by it before it writes.
func (m machine) believable(r backup.Receipt, f backup.Saved) error {
	if !m.MayHold(r, f) {
		return fmt.Errorf("%q is no place for the %s", f.Path, f.Layer)
	}
	for _, dir := range f.Folders {
		if !strings.HasPrefix(f.Path, strings.TrimSuffix(dir, "/")+"/") {
			return fmt.Errorf("%q is not in the folder %q", f.Path, dir)
		}
	}
	// A plist has to be where launchd would load it.
	if f.Layer == service.PlistLayer && r.Command == "fix" && (f.Created() || f.Mode&service.WritableByOthers != 0) {
		return fmt.Errorf("%q had the mode %04o", f.Path, f.Mode)
	}
	return nil
}

// noBackup says why it is unknown what to go back to, nil if there is nothing.
func (m machine) noBackup(backups int, damaged error) error {
	switch {
	case damaged != nil:
		return service.Fail("backup-damaged", "", "%w; choose another one with --to", damaged)
	case backups == 0 && m.UID != 0 && m.ServesAll():
		return service.Fail("no-backup", m.Daemons, "there is no backup in %s: the service here is root's, and so are the backups for it", m.Store.Dir)
	}
	return nil
}

// planRollback looks at the service, and plans the rollback.
func (m machine) planRollback(ctx context.Context, f first, w Back) (Plan, error) {
	if f.ID == "" {
		return m.planNothing(ctx, w.Service)
	}
	g, err := f.goal()
	if err != nil {
		return Plan{}, err
	}
	for _, o := range f.files {
		if o.Layer == service.EnvFileLayer {
			m.EnvFile = o.Path // XDG_CONFIG_HOME may have been different then
		}
	}
	s, err := m.observeFor(ctx, f, g)
	if err != nil {
		return Plan{Goal: g}, err
	}
	p := Plan{Command: "rollback", State: s, Goal: f.completed(g, s), Undoes: f.ID, Unproved: !f.WasUp}
	for _, r := range f.fixes {
		p.TakesBack = append(p.TakesBack, r.ID)
	}
	editErr := f.edits(&p, w.Force)
	p.Disable = f.Disabled && !f.taken
	unwritten := len(p.Edits) > 0 && !f.kind.WritesFiles()  // which the restart does
	away := !f.kind.WritesFiles() && s.Service.Bundle == "" // the app was thrown away
	p.Unload = f.off() && !f.taken && s.Service.Loaded || away && unwritten
	p.Reload = !p.Unload && !away && (f.reload(p) || unwritten)
	p.Stop = f.stopped() && !f.taken && s.Service.Loaded && (p.Reload || s.Job.PID != 0)
	if s.Ran() {
		p.Held, p.Reload, p.Unload = !s.Running(p.Goal), false, false
	}
	if refused := w.Refuse(p); refused != nil {
		return p, refused
	}
	return p, editErr
}

// planNothing is for a Mac on which no fix is in effect: all is as it has to be, unless
// a service is named that is not there.
func (m machine) planNothing(ctx context.Context, name string) (Plan, error) {
	p, named := Plan{Command: "rollback"}, service.Subject{Name: name}
	s, err := m.Observe(ctx, named, p.Goal)
	if err != nil && (name != "" || !service.Is(err, service.NoService)) {
		return p, err
	}
	if p.State = s; err == nil {
		p.Goal = service.Goal{Persist: true, Value: s.Job.Value(), Lasting: s.Lasting().Value, Host: service.HostOf(s.Job.Value())}
		p.State, _ = m.Observe(ctx, named, p.Goal)
	}
	return p, nil
}

// goal is what the layers should agree on after the rollback.
func (f first) goal() (service.Goal, error) {
	g := service.Goal{Persist: true}
	for _, o := range f.files {
		one := f.kind.Parse(o.Layer, o.then())
		if one.Err != nil && o.data != nil {
			return g, service.Fail("backup-damaged", "", "reading backup %s: %w", f.ID, one.Err)
		}
		if o.Layer == service.PlistLayer {
			g.Value = one.Value
		} else {
			g.Lasting = one.Value
		}
	}
	g.Host = service.HostOf(g.Value)
	if host, err := ollama.FromSocket(f.SocketBefore); err == nil {
		g.Host = host
	}
	return g, nil
}

// then is the file as it was.
func (o original) then() backup.File {
	return backup.File{Path: o.Path, Data: o.data, Mode: o.Mode, Absent: o.Created()}
}

// completed is the goal if only one of the files was ever changed: the other stays as
// it is.
func (f first) completed(g service.Goal, s service.State) service.Goal {
	if inherited := s.Job.Inherited(); g.Value == nil && inherited != nil {
		g.Host = ollama.ParseHost(*inherited) // it decides if the file says nothing
	}
	has := func(layer string) bool {
		return slices.ContainsFunc(f.files, func(o original) bool { return o.Layer == layer })
	}
	if lasting := s.Lasting(); !has(lasting.Layer) {
		g.Lasting = lasting.Value
	}
	if s.Plist().Layer != "" && !has(service.PlistLayer) {
		g.Value, g.Host = s.Plist().Value, service.HostOf(s.Plist().Value)
	}
	return g
}

// observeFor looks at the service of the fixes. It may have a new label since, and with
// it another file; or be gone.
func (m machine) observeFor(ctx context.Context, f first, g service.Goal) (service.State, error) {
	plist, _ := f.plist()
	named := service.Subject{Plist: plist.Path, Label: f.Label}
	s, err := m.Observe(ctx, service.Subject{Fixed: &f.Receipt}, g)
	absent := service.Is(err, service.NoService)
	elsewhere := service.Is(err, "plist-unreadable") || err == nil && !s.Service.Loaded
	if named.Plist != "" && (absent || elsewhere && service.IsThere(named.Plist)) {
		s, err = m.Observe(ctx, named, g)
		if f.kind.Name() == service.Brew {
			s.Service.Chosen = service.NotChosen
		}
		return s, err
	}
	if absent {
		return m.RemainsOf(ctx, f.kind, g), nil
	}
	return s, err
}

// edits are in the order of fix: the lasting setting first.
func (f first) edits(p *Plan, force bool) error {
	files := slices.Clone(f.files)
	if plist, ok := f.plist(); ok && f.index(p.State.Service.Plist) < 0 && !p.State.Ran() {
		plist.Path, plist.last = p.State.Service.Plist, "" // a file that the service got since
		files = append(files, plist)
	}
	slices.SortStableFunc(files, func(a, b original) int { return cmp.Compare(a.Layer, b.Layer) })
	for _, o := range files {
		if o.Layer == service.PlistLayer && o.Path != p.State.Service.Plist {
			o.Layer = service.OldPlistLayer
		}
		c, err := f.edit(p, o, force)
		if err != nil {
			return err
		}
		if c != nil {
			p.Edits = append(p.Edits, *c)
		}
	}
	return nil
}

// edit is the rule of rollback: restore the original if the file is as we left it;
// otherwise take our one variable out, if someone else changed the rest; otherwise
// refuse.
func (f first) edit(p *Plan, o original, force bool) (*backup.Change, error) {
	now, err := f.now(p.State, o)
	if err != nil {
		return nil, service.Fail("plist-unreadable", o.Path, "reading %s: %w", o.Path, service.Bare(err))
	}
	needed := o.Path == p.State.Service.Plist && p.State.Service.Loaded // launchd could not load the job again
	switch sum := backup.Sum(now.Data); {
	case now.Absent && (!needed || o.Created()):
		return nil, nil
	case now.Absent:
		return &backup.Change{Layer: o.Layer, File: now, After: o.data, Mode: o.Mode}, nil
	case sum == o.Before && (sum != o.last || now.Mode == o.Mode):
		return nil, nil
	case sum == o.last && !o.mixed, force && o.last != "":
		return o.restore(now), nil
	}
	return f.unset(p, o, now)
}

// now is the file as it is, or what stands in for it.
func (f first) now(s service.State, o original) (backup.File, error) {
	if f.kind.WritesFiles() {
		return backup.ReadAbsent(o.Path)
	}
	one := s.Setting(o.Layer)
	if one.File.Absent {
		return one.File, nil
	}
	return one.File, one.Err
}

func (o original) restore(now backup.File) *backup.Change {
	c := &backup.Change{Layer: o.Layer, File: now, After: o.data, Mode: o.Mode}
	if o.Created() {
		c.Folders = o.Folders
	}
	return c
}

// unset returns our one variable to its old value in a file that someone else changed.
func (f first) unset(p *Plan, o original, now backup.File) (*backup.Change, error) {
	one, was := f.kind.Parse(o.Layer, now), f.kind.Parse(o.Layer, o.then()).Value
	switch {
	case one.Err == nil && service.Equivalent(one.Value, was):
		return nil, nil
	case one.Err != nil:
		return nil, service.Fail("plist-malformed", o.Path, "reading %s: %w", o.Path, one.Err)
	case one.Value != nil && !f.ours(one):
		return nil, service.Fail("changed-since", o.Path, "%s was changed after the fix of %s; nothing was changed",
			o.Path, f.fixes[len(f.fixes)-1].Created.Format("2006-01-02 15:04:05 MST"))
	}
	p.Unset = true
	return f.kind.Set(one, was)
}

// off reports whether the service was not loaded before the first fix, and a fix
// started it.
func (f first) off() bool {
	return f.Domain == "" && slices.ContainsFunc(f.fixes, func(r backup.Receipt) bool { return r.Started })
}

// stopped reports the same of a service that was loaded, and stopped.
func (f first) stopped() bool {
	started := func(r backup.Receipt) bool { return r.Started && r.Domain != "" }
	return !f.WasUp && f.Domain != "" && slices.ContainsFunc(f.fixes, started)
}

// reload reports whether launchd has to read the plist again. A job that
// is loaded has to be as it was, down to the socket. One that is not loaded is
// started if it ran when the fix came and that was not taken back since: the fix,
// its undoing or a rollback was killed, and nobody else leaves the file behind.
// One that did not run is left alone.
func (f first) reload(p Plan) bool {
	s := p.State
	_, known := f.plist()
	switch {
	case !known && f.kind.WritesFiles() || errors.Is(s.Plist().Err, fs.ErrNotExist) && !s.Service.Loaded:
		return false
	case !s.Service.Loaded:
		return f.WasUp && !f.taken
	case !f.WasUp:
		return !p.Goal.Matches(s.Job.Value())
	}
	return !s.Running(p.Goal)
}

// spareBackups is how many backups are kept that no rollback needs any more: those of
// fixes that were taken back, and those that rollbacks made.
const spareBackups = 20

// prune removes the oldest of them. The backup of a fix in effect stays, however old it
// is. The caller holds the lock.
func (m machine) prune() {
	all, _ := m.Store.List()
	undone := service.TakenBack(all)
	spare := slices.DeleteFunc(all, func(r backup.Receipt) bool {
		return r.Err != nil || r.Command == "fix" && !undone[r.ID]
	})
	for _, r := range slices.Backward(spare[min(len(spare), spareBackups):]) {
		m.Store.Remove(r.ID) // what cannot be removed does no harm
	}
}
