package rebind

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// Want is what fix should do.
type Want struct {
	Subject service.Subject
	Goal    service.Goal
	Restart bool // whether it may restart a running service
	DryRun  bool
	// Ready is told the plan before it is carried out, or was found by a dry run.
	Ready func(Plan)
	// Refuse says why a plan must not be carried out; nil allows it.
	Refuse func(Plan) error
}

// Fix makes the layers agree on the goal, unless they already do or it is a dry run.
// ctx must have a deadline.
func Fix(ctx context.Context, mac service.Machine, w Want) (Plan, Outcome, error) {
	m := machine{mac}
	p, err := m.planFix(ctx, w)
	if w.DryRun && err == nil {
		w.Ready(p)
	}
	if w.DryRun || err != nil && !fleeting(err) || err == nil && !p.Changes() && len(m.litter(p.State)) == 0 {
		return p, Outcome{State: p.State}, err
	}
	unlock, lockErr := m.lock(ctx, lockedFile(p.State))
	if lockErr != nil {
		return p, Outcome{State: p.State}, lockErr
	}
	defer unlock()
	m.sweep(p.State)
	if err != nil || !m.still(ctx, p) { // another run may have just finished
		if p, err = m.planFix(ctx, w); err != nil {
			return p, Outcome{State: p.State}, err
		}
	}
	w.Ready(p)
	out, err := m.apply(ctx, p)
	m.prune()
	return p, out, err
}

func (m machine) planFix(ctx context.Context, w Want) (Plan, error) {
	s, err := m.Observe(ctx, w.Subject, w.Goal)
	if err != nil {
		return Plan{Command: "fix", Goal: w.Goal, State: s}, err
	}
	return planFix(s, w.Goal, w.Restart, w.Refuse)
}

// still reports whether the files and the job are what they were when the plan was
// made. The job counts even where it is not to be restarted: a rollback that was
// between the files and the restart made it look right.
func (m machine) still(ctx context.Context, p Plan) bool {
	s := p.State
	now := s
	now.Read(ctx, m.Machine)
	for i, one := range now.Settings {
		was := s.Settings[i].File
		if one.File.Absent != was.Absent || one.File.Mode != was.Mode || !bytes.Equal(one.File.Data, was.Data) {
			return false
		}
	}
	job := s.Service.Kind.Job(ctx, m.Machine, s.Service)
	return job.Loaded == s.Service.Loaded && (!job.Loaded || job.PID == s.Job.PID && service.Equivalent(job.Value(), s.Job.Value()))
}

// lockedFile stands for the whole service: all runs lock its folder.
func lockedFile(s service.State) string {
	if len(s.Settings) == 0 {
		return ""
	}
	f := s.Settings[len(s.Settings)-1].File
	return cmp.Or(f.Real, f.Path)
}

// litter lists what killed runs left behind.
func (m machine) litter(s service.State) []string {
	var paths []string
	for _, one := range s.Settings {
		if one.File.Path != "" {
			paths = append(paths, one.File.Path)
		}
	}
	return m.Store.Litter(paths...)
}

// sweep removes litter, even if nothing is about to be written. The caller holds the
// lock.
func (m machine) sweep(s service.State) {
	for _, path := range m.litter(s) {
		os.RemoveAll(path) // leftovers do no harm
	}
}

// fleeting reports whether a plan failed for a reason that another run, restarting the
// service at this moment, may have caused.
func fleeting(err error) bool {
	return service.Is(err, "port-held") || service.Is(err, "launchctl-failed") || service.Is(err, "lsof-failed")
}

// lock waits until no other run is changing anything: neither one that keeps its
// backups in the same place, nor one that works on the same file.
func (m machine) lock(ctx context.Context, path string) (unlock func(), err error) {
	first, err := m.Store.Lock(ctx, m.Waiting)
	if err != nil || path == "" {
		return first, m.notLocked(ctx, err)
	}
	second, err := backup.LockFolder(ctx, path, m.Waiting)
	if err != nil {
		first()
		return nil, m.notLocked(ctx, err)
	}
	return func() { second(); first() }, nil
}

func (m machine) notLocked(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return service.Fail("locked", "", "%w; nothing was changed", err)
	case errors.Is(err, context.Canceled):
		return service.CutShort(ctx)
	}
	return service.Fail("state-folder", m.Store.Dir, "%w; nothing was changed", err)
}
