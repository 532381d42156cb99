package bind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Outcome is what Apply did.
type Outcome struct {
	State      State // as it is now
	Changed    bool
	Backup     string // ID of the backup that holds what was there before
	RolledBack bool   // everything was undone after a failure
}

// How the time is shared out.
const (
	undoShare = 3               // one part in so many is kept for taking things back
	undoFloor = 5 * time.Second // and no less than that, or half of what there is
	leastTime = 2 * time.Second // without which a service is not stopped at all
	lastLook  = 3 * time.Second // for a look at what is left after a failure
)

// Apply carries the plan out, proves the socket, and takes everything back when
// that fails or ctx is cancelled. ctx must have a deadline, which bounds all of
// it; only where less than undoFloor would be left for taking things back, that
// may go on for so long: a service that was stopped has to be started again.
// Errors are of type *Problem.
func (m Machine) Apply(ctx context.Context, p Plan) (Outcome, error) {
	out := Outcome{State: p.State}
	if !p.Changes() {
		return out, nil
	}
	if err := p.enoughTime(ctx); err != nil {
		return out, err
	}
	if len(p.Edits) > 0 {
		receipt, err := m.Store.Save(m.inherit(p))
		if err != nil {
			return out, problem(Failed, "backup-failed", diskHint(err, m.Home), "%w; nothing was changed", err)
		}
		out.Backup = receipt.ID
	}
	attempt, cancel := keepTimeToUndo(ctx)
	defer cancel()
	mark := markLog(p.State)
	t := begin(m, p)
	state, err := t.do(attempt)
	if err == nil {
		out.State, out.Changed = state, true
		if out.Backup != "" {
			m.Store.Finish(out.Backup) // without it a later rollback starts a stopped service once more
		}
		return out, nil
	}
	log := mark.since()
	undoErr := t.undo(ctx)
	if undoErr == nil && out.Backup != "" {
		m.Store.Remove(out.Backup) // of nothing: all is as it was
		out.Backup = ""
	}
	out.State = m.lookAgain(p)
	out.RolledBack = undoErr == nil && (t.written > 0 || t.launchd.told)
	return out, t.explain(ctx, out.State, err, undoErr, log)
}

// enoughTime refuses to stop a job that may not be gone before ctx ends: launchd
// waits for its process as long as the job's exit timeout says, and only then
// can it be loaded again, with the new setting or the old one. launchd's default
// is let pass: Ollama ends at once, unless somebody has given it reason not to.
func (p Plan) enoughTime(ctx context.Context) error {
	const usual = 5 * time.Second
	deadline, ok := ctx.Deadline()
	left, stop := time.Until(deadline), p.State.Job.ExitTimeout
	switch {
	case ctx.Err() != nil:
		return cutShort(ctx)
	case !ok || !p.Reload:
		return nil
	case left < leastTime:
		return problem(Failed, "timeout-too-short", p.again()+" --timeout 30s",
			"too little of the time that --timeout allows is left to restart the service; nothing was changed")
	case p.State.Job.PID != 0 && stop > max(usual, left):
		return problem(Failed, "timeout-too-short", fmt.Sprintf("%s --timeout %s", p.again(), undoShare*stop),
			"the service may take %s to stop, which is longer than --timeout allows; nothing was changed", stop)
	}
	return nil
}

// again is the command to run once more.
func (p Plan) again() string {
	if p.Command == "fix" {
		return p.State.FixCommand(p.Goal)
	}
	return p.State.RollbackCommand()
}

// status is the command that shows what is there now.
func (p Plan) status() string { return p.State.command("status", p.Goal) }

// keepTimeToUndo ends a part of the remaining time early.
func keepTimeToUndo(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithDeadline(ctx, deadline.Add(-max(left/undoShare, min(undoFloor, left/2))))
}

// timeToUndo goes on when ctx was cancelled.
func timeToUndo(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(undoFloor)
	if deadline, ok := ctx.Deadline(); ok && deadline.After(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

func (p Plan) receipt() backup.Receipt {
	r := backup.Receipt{Command: p.Command, Undoes: p.Undoes, Label: p.State.Agent.Label, Domain: string(p.State.Agent.Target.Domain)}
	if p.Goal.Value != nil {
		r.Host = *p.Goal.Value
	}
	before, up := p.before()
	if r.WasUp = up; up && p.State.fileDecides() {
		r.SocketBefore = before.Host.Socket()
	}
	return r
}

// fileDecides is set when the job listens where its property list alone makes
// it listen: launchd holds the value that the file has, and no other comes from
// `launchctl setenv`.
func (s State) fileDecides() bool {
	value := s.Plist.Value()
	if !s.Job.knowsEnvironment() {
		return true
	}
	return Equivalent(value, s.Job.Value()) && (value != nil || s.Job.inherited() == nil)
}

// before is the goal that has to be proved after taking things back: a service
// that was up has to be up again. ok is false where it was not. launchd can only
// load what the file says; where the job was older than its file, it comes back
// with the file's value.
func (p Plan) before() (g Goal, ok bool) {
	s := p.State
	own := s.own()
	if len(own) == 0 || s.Socket.APIVersion == "" {
		return Goal{}, false
	}
	g = Goal{Value: s.Plist.Value(), Host: hostOf(s.Plist.Value())}
	host, err := ollama.FromSocket(own[0].Address)
	if err == nil && (!s.Job.knowsEnvironment() || g.Matches(s.Job.Value())) {
		g.Host = host
	}
	return g, true
}

// domains are where the job can be loaded, best first.
func (p Plan) domains() []launchctl.Domain {
	switch a := p.State.Agent; {
	case a.Loaded:
		return []launchctl.Domain{a.Target.Domain}
	case len(a.Domains) > 0:
		return a.Domains
	default:
		return launchctl.DomainsFor(p.State.Plist.File.UID, a.Daemon)
	}
}

// transaction is a plan on its way, and knows how far it got.
type transaction struct {
	machine Machine
	plan    Plan
	written int // edits that may be on disk
	launchd *listening
}

func begin(m Machine, p Plan) *transaction {
	l := &listening{Runner: m.Launchd.Runner}
	m.Launchd.Runner = l
	return &transaction{machine: m, plan: p, launchd: l}
}

// listening passes commands on, and notes whether launchd was told anything that
// ends or starts the job.
type listening struct {
	launchctl.Runner
	told bool
}

func (l *listening) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	if name == "launchctl" && len(args) > 0 {
		switch args[0] {
		case "bootout", "bootstrap", "kickstart", "load", "unload":
			l.told = true
		}
	}
	return l.Runner.Run(ctx, name, args...)
}

func (t *transaction) do(ctx context.Context) (State, error) {
	if err := t.write(); err != nil {
		return t.plan.State, err
	}
	s := t.plan.State
	if t.written > 0 {
		s.Plist, s.EnvFile = readPlist(s.Agent.Plist), readEnvFile(t.machine.EnvFile)
	}
	if !t.plan.Reload {
		return s, nil
	}
	target, err := t.load(ctx)
	if err != nil {
		return s, err
	}
	s.Agent.Loaded, s.Agent.Target, s.Agent.Label = true, target, target.Label
	if t.plan.Unproved {
		return t.machine.hope(ctx, s, t.plan.Goal), nil
	}
	return t.machine.prove(ctx, s, t.plan.Goal)
}

func (t *transaction) write() error {
	for _, e := range t.plan.Edits {
		err := e.Apply()
		if !errors.Is(err, backup.ErrChanged) {
			t.written++ // even if it failed: the rename may have been done by then
		}
		if err != nil {
			return &writeError{e, err}
		}
	}
	return nil
}

// writeError is an edit that could not be made.
type writeError struct {
	edit backup.Change
	err  error
}

func (e *writeError) Error() string {
	return fmt.Sprintf("writing %s: %v", e.edit.File.Path, bare(e.err))
}
func (e *writeError) Unwrap() error { return e.err }

// load makes launchd hold what the file says now.
func (t *transaction) load(ctx context.Context) (launchctl.Target, error) {
	a, launchd := t.plan.State.Agent, t.machine.Launchd
	if a.Loaded {
		return a.Target, launchd.Reload(ctx, a.Target, t.plan.State.Job.Job, a.Plist)
	}
	return launchd.Load(ctx, t.plan.domains(), t.plan.label(), a.Plist)
}

// label is the job's: the one that the property list gives it, or, where that
// cannot be understood, the one by which it was looked for.
func (p Plan) label() string {
	return cmp.Or(p.State.Plist.Agent.Label, p.State.Agent.Label)
}

// undo puts the files back, and makes launchd hold what it held before if it was
// told anything.
func (t *transaction) undo(ctx context.Context) error {
	ctx, cancel := timeToUndo(ctx)
	defer cancel()
	filesErr := t.putBack()
	if !t.launchd.told {
		return filesErr
	}
	return errors.Join(filesErr, t.loadBack(ctx))
}

// putBack restores the files in the opposite order.
func (t *transaction) putBack() error {
	var errs []error
	for i := t.written - 1; i >= 0; i-- {
		if err := t.plan.Edits[i].Revert(); err != nil {
			errs = append(errs, fmt.Errorf("restoring %s: %w", t.plan.Edits[i].File.Path, bare(err)))
		}
	}
	return errors.Join(errs...)
}

func (t *transaction) loadBack(ctx context.Context) error {
	s, launchd := t.plan.State, t.machine.Launchd
	if !s.Agent.Loaded {
		return t.unloadAgain(ctx)
	}
	if err := launchd.Reload(ctx, s.Agent.Target, s.Job.Job, s.Agent.Plist); err != nil {
		return err
	}
	before, wasUp := t.plan.before()
	if !wasUp {
		return nil
	}
	_, err := t.machine.prove(ctx, s, before)
	return err
}

// unloadAgain takes a job that was not loaded before out of every domain that
// it may have got into.
func (t *transaction) unloadAgain(ctx context.Context) error {
	var errs []error
	for _, d := range t.plan.domains() {
		target := launchctl.Target{Domain: d, Label: t.plan.label()}
		err := t.machine.Launchd.Unload(ctx, target, 0, t.plan.State.Agent.Plist)
		if err != nil && !errors.Is(err, launchctl.ErrNoDomain) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// lookAgain finds out what is there after a failure.
func (m Machine) lookAgain(p Plan) State {
	ctx, cancel := context.WithTimeout(context.Background(), lastLook)
	defer cancel()
	a := p.State.Agent
	s, err := m.Observe(ctx, Subject{Plist: a.Plist, Label: a.Label}, p.Goal)
	if err != nil {
		s = p.State
		s.Job, s.Socket = Job{Err: err}, Socket{Port: p.Goal.Host.Port, Err: err}
	}
	s.Agent.Chosen = a.Chosen
	return s
}

// explain turns what went wrong into what the user has to know.
func (t *transaction) explain(ctx context.Context, now State, err, undoErr error, log []string) *Problem {
	var write *writeError
	interrupted := errors.Is(ctx.Err(), context.Canceled)
	switch {
	case undoErr != nil:
		return t.explainUndo(now, err, undoErr, log)
	case interrupted && t.launchd.told:
		return problem(Interrupted, "interrupted", "", "interrupted; the previous state is restored")
	case interrupted:
		return problem(Interrupted, "interrupted", "", "interrupted; nothing was changed")
	case errors.Is(err, backup.ErrChanged):
		return problem(Failed, "changed-meanwhile", t.plan.again(), "%w; nothing was changed", err)
	case errors.As(err, &write):
		dir := filepath.Dir(write.edit.File.Real)
		return problem(Failed, "write-failed", diskHint(err, dir), "%w; nothing was changed", err)
	case !t.launchd.told:
		return problem(Failed, "reload-failed", t.plan.status(), "%w; nothing was changed", err)
	}
	p := problem(Undone, "proof-failed", t.plan.status(),
		"the service did not come up on %s: %w; the previous state is restored", t.plan.Goal.Host.Socket(), err)
	p.Log = log
	return p
}

// explainUndo is for when even taking things back has failed: it says what is
// there now, and how to get the service back.
func (t *transaction) explainUndo(now State, err, undoErr error, log []string) *Problem {
	state, hint := "the service is in an unknown state", t.plan.status()
	switch {
	case now.Job.Err != nil:
	case !now.Agent.Loaded && errors.Is(now.Plist.Err, fs.ErrNotExist):
		state, hint = "the service is not loaded now, and its property list is gone", t.plan.State.sudo()+startService
	case !now.Agent.Loaded:
		state = "the service is not loaded now"
		hint = t.plan.State.sudo() + fmt.Sprintf("launchctl bootstrap %s %s", t.plan.domains()[0], shell.Quote(t.plan.State.Agent.Plist))
	case now.Socket.APIVersion == "":
		state = "the service is loaded, but does not answer"
	case now.Socket.APIVersion != "":
		state = "the service is up"
	}
	p := problem(Failed, "undo-failed", hint, "%w; taking it back failed as well: %w; %s, and the backup is kept", err, undoErr, state)
	p.Log = log
	return p
}

// diskHint is what to look at when dir could not be written to.
func diskHint(err error, dir string) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "df -h " + shell.Quote(dir)
	}
	return "ls -ld " + shell.Quote(dir)
}
