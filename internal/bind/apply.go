package bind

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Outcome is what Apply did.
type Outcome struct {
	State      State // as it is now
	Changed    bool
	Backup     string // ID of the backup that holds what was there before
	RolledBack bool   // everything was undone after a failure
}

// undoShare is the part of the time, one in undoShare, that is kept for taking
// things back.
const undoShare = 3

// Apply carries the plan out, proves the socket, and takes everything back when
// that fails or ctx is cancelled. ctx must have a deadline, which bounds all of
// it, the undoing included. Errors are of type *Problem.
func (m Machine) Apply(ctx context.Context, p Plan) (Outcome, error) {
	out := Outcome{State: p.State}
	if !p.Changes() {
		return out, nil
	}
	if err := p.enoughTime(ctx); err != nil {
		return out, err
	}
	attempt, cancel := keepTimeToUndo(ctx)
	defer cancel()
	if attempt.Err() != nil {
		return out, cutShort(ctx)
	}
	if len(p.Edits) > 0 {
		receipt, err := m.Store.Save(p.receipt(), p.Edits)
		if err != nil {
			return out, problem(Failed, "backup-failed", "df -h "+quote(m.Home), "%w; nothing was changed", err)
		}
		out.Backup = receipt.ID
	}
	mark := markLog(p.State.Plist.Agent)
	t := transaction{machine: m, plan: p}
	state, err := t.do(attempt)
	if err == nil {
		out.State, out.Changed = state, true
		return out, nil
	}
	log := mark.since()
	undone, undoErr := t.undo(ctx)
	if undoErr == nil && out.Backup != "" {
		m.Store.Remove(out.Backup) // of nothing: all is as it was
		out.Backup = ""
	}
	out.State, out.RolledBack = undone, undoErr == nil && t.reloaded
	return out, t.explain(ctx, err, undoErr, log)
}

// enoughTime refuses to stop a job that may not be gone before ctx ends: launchd
// waits for its process as long as the job's exit timeout says, and only then
// can it be loaded again, with the new setting or the old one. launchd's default
// is let pass: Ollama ends at once, unless somebody has given it reason not to.
func (p Plan) enoughTime(ctx context.Context) error {
	const usual = 5 * time.Second
	deadline, ok := ctx.Deadline()
	stop := p.State.Job.ExitTimeout
	if !ok || !p.Reload || p.State.Job.PID == 0 || stop <= max(usual, time.Until(deadline)) {
		return nil
	}
	return problem(Failed, "timeout-too-short", fmt.Sprintf("ollama-bind %s --timeout %s", p.Command, undoShare*stop),
		"the service may take %s to stop, which is longer than --timeout allows; nothing was changed", stop)
}

// keepTimeToUndo ends a part of the remaining time early.
func keepTimeToUndo(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithDeadline(ctx, deadline.Add(-left/undoShare))
}

func (p Plan) receipt() backup.Receipt {
	r := backup.Receipt{Command: p.Command, Undoes: p.Undoes, Label: p.State.Agent.Label, Domain: string(p.State.Agent.Target.Domain)}
	if p.Goal.Value != nil {
		r.Host = *p.Goal.Value
	}
	if before, ok := p.before(); ok {
		r.SocketBefore = before.Host.Socket()
	}
	return r
}

// before is the goal that the state fulfils as it is, if it can be proved: the
// job runs, listens, and has the value that its file gives it.
func (p Plan) before() (Goal, bool) {
	s := p.State
	own := s.own()
	if len(own) == 0 || s.Socket.APIVersion == "" {
		return Goal{}, false
	}
	g := Goal{Value: s.Plist.Value()}
	host, err := ollama.FromSocket(own[0].Address)
	if err != nil || s.Job.knowsEnvironment() && !g.Matches(s.Job.Value()) {
		return Goal{}, false
	}
	g.Host = host
	return g, true
}

// domains are where the job can be loaded, best first.
func (p Plan) domains() []launchctl.Domain {
	if p.State.Agent.Loaded {
		return []launchctl.Domain{p.State.Agent.Target.Domain}
	}
	return launchctl.DomainsFor(p.State.Plist.File.UID, p.State.Agent.Daemon)
}

// transaction is a plan on its way, and knows how far it got.
type transaction struct {
	machine  Machine
	plan     Plan
	written  int  // edits that may be on disk
	reloaded bool // launchd was told something
}

func (t *transaction) do(ctx context.Context) (State, error) {
	for _, e := range t.plan.Edits {
		t.written++ // even if it fails: the rename may have been done by then
		if err := e.Apply(); err != nil {
			return t.plan.State, fmt.Errorf("writing %s: %w", e.File.Path, bare(err))
		}
	}
	s := t.plan.State
	if t.written > 0 {
		s.Plist, s.EnvFile = readPlist(s.Agent.Plist), readEnvFile(t.machine.EnvFile)
	}
	if !t.plan.Reload {
		return s, nil
	}
	t.reloaded = true
	target, err := t.load(ctx)
	if err != nil {
		return s, err
	}
	s.Agent.Loaded, s.Agent.Target, s.Agent.Label = true, target, target.Label
	return t.machine.prove(ctx, s, t.plan.Goal)
}

// load makes launchd hold what the file says now.
func (t *transaction) load(ctx context.Context) (launchctl.Target, error) {
	a, launchd := t.plan.State.Agent, t.machine.Launchd
	if a.Loaded {
		return a.Target, launchd.Reload(ctx, a.Target, t.plan.State.Job.Job, a.Plist)
	}
	return launchd.Load(ctx, t.plan.domains(), t.plan.State.Plist.Agent.Label, a.Plist)
}

// undo puts the files back and makes launchd hold what it held before. It goes
// on when ctx was cancelled, until ctx's deadline.
func (t *transaction) undo(ctx context.Context) (State, error) {
	s := t.plan.State
	deadline, ok := ctx.Deadline()
	ctx = context.WithoutCancel(ctx)
	if ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	filesErr := t.putBack()
	if !t.reloaded {
		return s, filesErr
	}
	s, launchdErr := t.loadBack(ctx)
	return s, errors.Join(filesErr, launchdErr)
}

// putBack restores the files in the opposite order.
func (t *transaction) putBack() error {
	var errs []error
	for _, e := range slices.Backward(t.plan.Edits[:t.written]) {
		if err := e.Revert(); err != nil {
			errs = append(errs, fmt.Errorf("restoring %s: %w", e.File.Path, bare(err)))
		}
	}
	return errors.Join(errs...)
}

func (t *transaction) loadBack(ctx context.Context) (State, error) {
	s, launchd := t.plan.State, t.machine.Launchd
	if !s.Agent.Loaded {
		return s, t.unloadAgain(ctx)
	}
	if err := launchd.Reload(ctx, s.Agent.Target, s.Job.Job, s.Agent.Plist); err != nil {
		return s, err
	}
	s.Plist, s.EnvFile = readPlist(s.Agent.Plist), readEnvFile(t.machine.EnvFile)
	before, provable := t.plan.before()
	if !provable {
		return s, nil
	}
	return t.machine.prove(ctx, s, before)
}

// unloadAgain takes a job that was not loaded before out of every domain that
// it may have got into.
func (t *transaction) unloadAgain(ctx context.Context) error {
	var errs []error
	for _, d := range t.plan.domains() {
		target := launchctl.Target{Domain: d, Label: t.plan.State.Plist.Agent.Label}
		err := t.machine.Launchd.Unload(ctx, target, 0, t.plan.State.Agent.Plist)
		if err != nil && !errors.Is(err, launchctl.ErrNoDomain) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// explain turns what went wrong into what the user has to know.
func (t *transaction) explain(ctx context.Context, err, undoErr error, log []string) *Problem {
	switch {
	case undoErr != nil:
		p := problem(Failed, "undo-failed", "ollama-bind status",
			"%w; and taking it back failed as well: %w; the backup is kept", err, undoErr)
		p.Log = log
		return p
	case errors.Is(ctx.Err(), context.Canceled):
		return problem(Interrupted, "interrupted", "", "interrupted; the previous state is restored")
	case errors.Is(err, backup.ErrChanged):
		return problem(Failed, "changed-meanwhile", "ollama-bind "+t.plan.Command, "%w; nothing was changed", err)
	case !t.reloaded:
		return problem(Failed, "write-failed", "ls -ld "+quote(filepath.Dir(t.plan.State.Agent.Plist)), "%w; nothing was changed", err)
	}
	p := problem(Undone, "proof-failed", "ollama-bind status",
		"the service did not come up on %s: %w; the previous state is restored", t.plan.Goal.Host.Socket(), err)
	p.Log = log
	return p
}
