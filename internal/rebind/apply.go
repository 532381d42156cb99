package rebind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Outcome is the result of a change.
type Outcome struct {
	State      service.State // as it is now
	Changed    bool
	Backup     string // ID of the backup with what was there before
	RolledBack bool   // everything was undone after a failure
	Tried      bool   // something was changed, or about to be
	// Opened is the plist's mode before it was made readable for others, as launchd
	// wanted; 0 if it was not.
	Opened fs.FileMode
}

// How the time is divided.
const (
	undoShare = 3               // one part in this many is kept for putting things back
	undoFloor = 5 * time.Second // and at least this, or half of what there is
	leastTime = 2 * time.Second // below which a service is not stopped at all
	lastLook  = 3 * time.Second // for a look at the state after a failure
)

// apply carries the plan out, proves the socket, and takes everything back when
// that fails or ctx is cancelled. ctx must have a deadline, which bounds all of
// it; only where less than undoFloor would be left for taking things back, that
// may go on for so long: a service that was stopped has to be started again.
// Errors are of type *Error.
func (m machine) apply(ctx context.Context, p Plan) (Outcome, error) {
	out := Outcome{State: p.State}
	if !p.Changes() {
		return out, nil
	}
	if err := p.enoughTime(ctx); err != nil {
		return out, err
	}
	disabled := p.Reload && m.disabled(ctx, p)
	out.Tried = true
	if len(p.Edits) > 0 {
		r := p.receipt()
		r.Disabled = disabled
		for _, e := range p.Edits { // do nothing that rollback would not believe
			if err := m.believable(r, e.Saved()); err != nil {
				return out, service.Fail("backup-failed", e.File.Path, "this could not be taken back: %w; nothing was changed", err)
			}
		}
		receipt, err := m.Store.Save(r, p.Edits)
		if err != nil {
			return out, service.Fail("backup-failed", m.Home, "%w; nothing was changed", err)
		}
		out.Backup = receipt.ID
	}
	attempt, cancel := keepTimeToUndo(ctx)
	defer cancel()
	mark := p.State.Log().FromHere()
	t := transaction{machine: m, plan: p, disabled: disabled}
	state, err := t.do(attempt)
	out.Opened = t.opened
	if err == nil {
		out.State, out.Changed = state, true
		if out.Backup != "" {
			m.Store.Finish(out.Backup) // without it, a later rollback starts a stopped service once more
		}
		return out, nil
	}
	log, complaint := mark.Tail(), mark.Complaint()
	undoErr := t.undo(ctx)
	if undoErr == nil && out.Backup != "" {
		m.Store.Remove(out.Backup) // of nothing: everything is as before
		out.Backup = ""
	}
	out.State = m.lookAgain(p)
	out.RolledBack = undoErr == nil && (t.written > 0 || t.told)
	if complaint != "" && errors.Is(err, errExits) {
		err = fmt.Errorf("%w: %s", err, complaint)
	}
	return out, t.explain(ctx, out.State, err, undoErr, log)
}

// disabled reports whether launchd was told not to load the job; that is lifted before
// loading it. If launchd does not say, it counts as no.
func (m machine) disabled(ctx context.Context, p Plan) bool {
	if p.target().Label == "" {
		return false
	}
	all, _ := m.Launchd.Disabled(ctx, p.target().Domain)
	return all[p.target().Label]
}

// enoughTime refuses to stop a job that may not be gone before ctx ends: launchd
// waits for its process as long as the job's exit timeout says, and only then
// can it be loaded again, with the new setting or the old one. launchd's default
// is let pass: Ollama ends at once, unless it has been given a reason not to.
func (p Plan) enoughTime(ctx context.Context) error {
	const usual = 5 * time.Second
	deadline, ok := ctx.Deadline()
	left, stop := time.Until(deadline), p.State.Job.ExitTimeout
	switch {
	case ctx.Err() != nil:
		return service.CutShort(ctx)
	case !ok || !p.Reload:
		return nil
	case left < leastTime:
		return service.Fail("timeout-too-short", "", "too little of the time that --timeout allows is left to restart the service; nothing was changed")
	case p.State.Job.PID != 0 && stop > max(usual, left):
		return service.Fail("timeout-too-short", "", "the service may take %s to stop, which is longer than --timeout allows; nothing was changed", stop)
	}
	return nil
}

// EnoughTime is the shortest --timeout that is enough for the plan.
func (p Plan) EnoughTime() time.Duration {
	return max(30*time.Second, undoShare*p.State.Job.ExitTimeout)
}

// keepTimeToUndo ends a part of the remaining time early.
func keepTimeToUndo(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithDeadline(ctx, deadline.Add(-max(left/undoShare, min(undoFloor, left/2))))
}

// timeToUndo continues after ctx was cancelled.
func timeToUndo(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(undoFloor)
	if deadline, ok := ctx.Deadline(); ok && deadline.After(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

func (p Plan) receipt() backup.Receipt {
	s := p.State.Service
	r := backup.Receipt{Command: p.Command, Undoes: p.Undoes, Label: cmp.Or(s.Label, s.Bundle), Domain: cmp.Or(string(s.Target.Domain), map[bool]string{true: service.App}[s.Loaded]), Started: p.Reload && (!s.Loaded || p.State.Job.Stopped())}
	if p.Goal.Value != nil {
		r.Host = *p.Goal.Value
	}
	before, up := p.before()
	if r.WasUp = up; up && (fileDecides(p.State) || p.State.Plist().Layer == "") {
		r.SocketBefore = before.Host.Socket()
	}
	return r
}

// fileDecides: the plist alone decides where the job listens. launchd holds the file's
// value, and none comes from `launchctl setenv`.
func fileDecides(s service.State) bool {
	value := s.Plist().Value
	return service.Equivalent(value, s.Job.Value()) && (value != nil || s.Job.Inherited() == nil)
}

// before is the goal that has to be proved after taking things back: a service
// that was up has to be up again. ok is false where it was not. launchd can only
// load what the file says; where the job was older than its file, it comes back
// with the file's value.
func (p Plan) before() (g service.Goal, ok bool) {
	s := p.State
	own := s.Own()
	if len(own) == 0 || s.Socket.APIVersion == "" {
		return service.Goal{}, false
	}
	value := s.Plist().Value
	if s.Plist().Layer == "" {
		value = s.Job.Value()
	}
	g = service.Goal{Value: value, Host: service.HostOf(value)}
	host, err := ollama.FromSocket(own[0].Address)
	if err == nil && g.Matches(s.Job.Value()) {
		g.Host = host
	}
	return g, true
}

// transaction is a plan being carried out, and knows how far it got.
type transaction struct {
	machine machine
	plan    Plan
	written int         // edits that may be on disk
	told    bool        // launchd was told something that ends or starts the job
	stopped bool        // an app was told to end
	opened  fs.FileMode // see Outcome

	disabled bool // launchd was told not to load the job
	enabled  bool // that was lifted
}

// progress records a step, and passes it on.
func (t *transaction) progress(step launchctl.Step) {
	switch step {
	case launchctl.StepRefused:
		t.renew()
		return
	case launchctl.StepEnable:
		t.enabled = true
	case launchctl.StepWait:
	default:
		t.told = true
	}
	if t.machine.Progress != nil {
		t.machine.Progress(step)
	}
}

func (t *transaction) do(ctx context.Context) (service.State, error) {
	if err := t.write(); err != nil {
		return t.plan.State, err
	}
	s := t.plan.State
	if t.written > 0 {
		s.Read(ctx, t.machine.Machine)
	}
	if t.plan.Unload {
		return t.unload(ctx, s)
	}
	if !t.plan.Reload {
		return t.left(ctx, s)
	}
	target, err := restarterOf(s.Service).reload(ctx, t)
	if err != nil && !errors.Is(err, launchctl.ErrNotStarted) {
		return s, err
	}
	notStarted := err // the proof decides about that
	s.Service.Loaded, s.Service.Target, s.Service.Label = true, target, target.Label
	if t.plan.Stop {
		return t.left(ctx, s)
	}
	if t.plan.Unproved {
		return t.machine.hope(ctx, s, t.plan.Goal), t.disable(ctx, t.plan.Disable)
	}
	if s, err = t.machine.prove(ctx, s, t.plan.Goal, false); err != nil {
		return s, errors.Join(err, notStarted)
	}
	if s.Read(ctx, t.machine.Machine); !s.Service.Kind.WritesFiles() { // the app writes its settings, too
		for _, one := range s.Settings {
			if l := s.Judge(one, t.plan.Goal); l.State != service.OK {
				return s, fmt.Errorf("the %s is not as it was left: %s", l.Name, cmp.Or(l.Detail, *cmp.Or(l.Value, new(string))))
			}
		}
	}
	return s, t.disable(ctx, t.plan.Disable)
}

// left is for a service that is to be left as it is, or stopped.
func (t *transaction) left(ctx context.Context, s service.State) (service.State, error) {
	if t.plan.Stop {
		if err := t.stop(ctx); err != nil {
			return s, err
		}
		s.Job = s.Service.Kind.Job(ctx, t.machine.Machine, s.Service)
		s.Socket = t.machine.Listeners(ctx, t.plan.Goal.Host.Port)
	}
	return s, t.disable(ctx, t.plan.Disable)
}

// unload ends a service that did not run before the fix.
func (t *transaction) unload(ctx context.Context, s service.State) (service.State, error) {
	if err := restarterOf(s.Service).unload(ctx, t); err != nil {
		return s, err
	}
	s.Job, s.Service.Loaded = service.Job{}, false
	s.Read(ctx, t.machine.Machine)
	s.Socket = t.machine.Listeners(ctx, t.plan.Goal.Host.Port)
	return s, t.disable(ctx, t.plan.Disable)
}

// disable tells launchd again not to load the job, if it had been told so.
func (t *transaction) disable(ctx context.Context, was bool) error {
	if !was {
		return nil
	}
	return t.machine.Launchd.Disable(ctx, t.plan.target())
}

func (t *transaction) write() error {
	if !t.plan.State.Service.Kind.WritesFiles() {
		return nil
	}
	for _, e := range t.plan.Edits {
		err := e.Apply()
		if !errors.Is(err, backup.ErrChanged) {
			t.written++ // even if it failed: the rename may have happened
		}
		if err != nil {
			return &writeError{e, err}
		}
	}
	return nil
}

// writeError is a failed edit.
type writeError struct {
	edit backup.Change
	err  error
}

func (e *writeError) Error() string {
	return fmt.Sprintf("writing %s: %v", e.edit.File.Path, service.Bare(e.err))
}
func (e *writeError) Unwrap() error { return e.err }

// undo puts the files back, and makes launchd hold what it held before, if it was told
// anything.
func (t *transaction) undo(ctx context.Context) error {
	ctx, cancel := timeToUndo(ctx)
	defer cancel()
	filesErr := t.putBack()
	if !t.told {
		return errors.Join(filesErr, t.disable(ctx, t.disabled && t.enabled))
	}
	err := restarterOf(t.plan.State.Service).restore(ctx, t)
	if errors.Is(err, launchctl.ErrNotStarted) {
		err = nil // the proof decides
	}
	if err == nil && t.plan.State.Job.Stopped() {
		err = t.stop(ctx)
	}
	if before, wasUp := t.plan.before(); err == nil && wasUp && t.plan.State.Service.Loaded {
		_, err = t.machine.prove(ctx, t.plan.State, before, true)
	}
	return errors.Join(filesErr, err, t.disable(ctx, t.disabled))
}

// putBack restores the files in reverse order.
func (t *transaction) putBack() error {
	if !t.plan.State.Service.Kind.WritesFiles() {
		return nil
	}
	var errs []error
	for i := t.written - 1; i >= 0; i-- {
		if err := t.plan.Edits[i].Revert(); err != nil {
			errs = append(errs, fmt.Errorf("restoring %s: %w", t.plan.Edits[i].File.Path, service.Bare(err)))
		}
	}
	return errors.Join(errs...)
}

// lookAgain observes the state after a failure.
func (m machine) lookAgain(p Plan) service.State {
	ctx, cancel := context.WithTimeout(context.Background(), lastLook)
	defer cancel()
	was := p.State.Service
	subject := service.Subject{Plist: was.Plist, Label: was.Label}
	if was.Plist == "" {
		subject = service.Subject{Name: was.KindName()}
	}
	s, err := m.Observe(ctx, subject, p.Goal)
	if err != nil {
		s = p.State
		s.Job, s.Socket = service.Job{Err: err}, service.Socket{Port: p.Goal.Host.Port, Err: err}
	}
	s.Service.Chosen = was.Chosen
	return s
}

// explain turns the failure into what the user has to know.
func (t *transaction) explain(ctx context.Context, now service.State, err, undoErr error, log []string) *service.Error {
	var write *writeError
	interrupted := errors.Is(ctx.Err(), context.Canceled)
	switch {
	case undoErr != nil:
		e := service.Fail("undo-failed", "", "%w; taking it back failed as well: %w; %s, and the backup is kept", err, undoErr, afterUndo(now))
		e.Log = log
		return e
	case interrupted && t.told:
		return &service.Error{Ending: service.Interrupted, ID: "interrupted", Err: errors.New("interrupted; " + t.restored(now))}
	case interrupted:
		return service.CutShort(ctx)
	case errors.Is(err, backup.ErrChanged):
		return service.Fail("changed-meanwhile", "", "%w; nothing was changed", err)
	case errors.As(err, &write):
		return service.Fail("write-failed", write.edit.File.Real, "%w; nothing was changed", err)
	case !t.told:
		return service.Fail("reload-failed", "", "%w; nothing was changed", err)
	}
	e := service.Fail("proof-failed", "", "the service did not come up on %s: %w; %s", t.plan.Goal.Host.Socket(), err, t.restored(now))
	e.Ending, e.Log = service.Undone, log
	return e
}

// restored says that everything is as before, as far as launchd allows.
func (t *transaction) restored(now service.State) string {
	text := "the previous state is restored"
	if t.opened != 0 {
		text += fmt.Sprintf(", but for the plist's mode: launchd refused %04o", t.opened)
	}
	if t.plan.State.Job.Idle() && now.Job.PID != 0 {
		text += "; the service did not run, and launchd has started it when it loaded it"
	}
	return text
}

// afterUndo is for when even taking things back has failed: what is there now.
func afterUndo(s service.State) string {
	switch {
	case s.Job.Err != nil:
		return "the service is in an unknown state"
	case !s.Service.Loaded && errors.Is(s.Plist().Err, fs.ErrNotExist):
		return "the service is not loaded now, and its plist is gone"
	case !s.Service.Loaded:
		return "the service is not loaded now"
	case s.Socket.APIVersion == "":
		return "the service is loaded, but does not answer"
	case s.Socket.Err != nil || s.Hidden():
		return "the service is loaded, and who answers on its port is not known"
	case len(s.Own()) == 0: // something else answered
		return "the service is loaded, but another process answers in its place"
	}
	return "the service is up"
}
