package launchctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// exitSlack is added to a job's exit timeout, after which launchd sends
	// SIGKILL and, when the process is gone, forgets the job. There is time in
	// it for two commands without an answer.
	exitSlack = 10 * time.Second
	// stepCeiling bounds the tries to bootstrap and to kickstart. launchd was
	// seen to refuse a bootstrap for 3 to 5 seconds after a bootout.
	stepCeiling = 15 * time.Second
	// bootoutEvery is the pace of Homebrew/brew services/cli.rb.
	bootoutEvery = time.Second

	firstPause = 10 * time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// Reload makes launchd read a job's plist again and start the job. The job is
// as Print showed it before; its exit timeout is how long it may take to stop.
//
// Between bootout and bootstrap the job is gone. If Reload fails there, the
// caller has to load something again; errors.Is tells ErrStillLoaded, when
// the old job never went, from the rest. One command without an answer is no
// failure: it may have done its work, and is given again if not.
func (c Client) Reload(ctx context.Context, t Target, job Job, plist string) error {
	// First, because enable starts and stops nothing, and what it takes is
	// then no part of the time without a job.
	if err := c.enable(ctx, t); err != nil {
		return err
	}
	if err := c.Unload(ctx, t, job.ExitTimeout, plist); err != nil {
		return err
	}
	if err := c.bootstrap(ctx, t, plist); err != nil {
		return err
	}
	return c.kickstart(ctx, t)
}

// Load makes launchd load a plist and start its job: in the first of the
// domains that exists. The Target is where it ended; with an error, where it
// was tried last. A job that is loaded from this plist already counts as
// loaded, even if the file has changed since or a bootout is still at work on
// it: Reload is for that.
//
// Only bootstrap decides. What enable answers where the domain does not exist
// is unverified, and a job that is not disabled does not need it.
func (c Client) Load(ctx context.Context, domains []Domain, label, plist string) (Target, error) {
	t, err := Target{Label: label}, fmt.Errorf("loading %s: %w", label, ErrNoDomain)
	for _, domain := range domains {
		t.Domain = domain
		enableErr := c.enable(ctx, t)
		if err = c.bootstrap(ctx, t, plist); err == nil {
			return t, c.kickstart(ctx, t)
		}
		elsewhere := errors.Is(err, ErrNoDomain)
		if enableErr != nil {
			// As text: what the error is says bootstrap alone.
			err = fmt.Errorf("%w; and before, %v", err, enableErr)
		}
		if !elsewhere {
			return t, err
		}
	}
	return t, err
}

// enable is Enable, passed over where launchctl has no such verb: `load`
// without -w leaves the override alone too.
func (c Client) enable(ctx context.Context, t Target) error {
	err := c.Enable(ctx, t)
	if errors.Is(err, ErrUnknownSubcommand) {
		return nil
	}
	return err
}

// kickstart starts the job unless it runs. A bootstrapped job that is to run
// at load is sometimes not started. Where launchctl has no such verb there is
// nothing that could be done about that. To ask twice does no harm.
func (c Client) kickstart(ctx context.Context, t Target) error {
	s := newStep(ctx, stepCeiling)
	defer s.close()
	for pause := firstPause; ; pause = longer(pause) {
		err := c.Kickstart(s, t)
		if errors.Is(err, ErrInProgress) || errors.Is(err, ErrUnknownSubcommand) {
			return nil
		}
		if !errors.Is(err, ErrNoAnswer) {
			return err
		}
		if sleep(s, pause) != nil {
			return gaveUp(ctx, "starting "+t.String(), cause(err))
		}
	}
}

// Unload makes launchd forget the job and waits until it is gone: for its
// [Job.StopTime] and 10 seconds. Its exit timeout is the given one or the one
// that print shows meanwhile, whichever is longer. A job that is not loaded is
// no error. The plist is used only with a launchctl without bootout.
//
// The error is an ErrStillLoaded only if launchd has shown the job; not so
// where launchctl said nothing of use to the end.
func (c Client) Unload(ctx context.Context, t Target, exitTimeout time.Duration, plist string) error {
	job := Job{ExitTimeout: exitTimeout}
	s := newStep(ctx, job.StopTime()+exitSlack)
	defer s.close()

	var (
		told bootouts
		seen looks
	)
	told.note(c.bootout(s, t, plist))
	for pause := firstPause; ; pause = longer(pause) {
		now, err := c.Print(s, t)
		switch {
		case gone(err):
			return nil
		case err == nil && told.refused():
			return told.refusal
		case !answered(err) && s.Err() == nil:
			return err
		}
		seen.note(s, err)
		job.ExitTimeout = max(job.ExitTimeout, now.ExitTimeout)
		s.bound(job.StopTime() + exitSlack)
		if sleep(s, pause) != nil {
			return gaveUp(ctx, "unloading "+t.String(), seen.why(s, ErrStillLoaded), seen.unclear, told.refusal)
		}
		// Again every second while the job is there, as brew does.
		if time.Since(told.last) >= bootoutEvery {
			told.note(c.bootout(s, t, plist))
		}
	}
}

// bootouts is what came of telling launchd to forget a job, time and again.
type bootouts struct {
	accepted bool      // one was
	refusal  error     // what the last one failed with
	last     time.Time // when it was over
}

// note keeps the outcome of a bootout.
func (b *bootouts) note(err error) {
	b.accepted, b.refusal, b.last = b.accepted || err == nil, err, time.Now()
}

// refused reports whether launchd will not do it. After no answer it may.
func (b *bootouts) refused() bool { return !b.accepted && !errors.Is(b.refusal, ErrNoAnswer) }

// bootout tells launchd to forget the job. That the job is not there, or on
// its way out, is no error.
func (c Client) bootout(ctx context.Context, t Target, plist string) error {
	err := c.Bootout(ctx, t)
	switch {
	case errors.Is(err, ErrNotLoaded), errors.Is(err, ErrInProgress):
		return nil
	case errors.Is(err, ErrUnknownSubcommand):
		return c.legacy(ctx, t, "unload", plist)
	}
	return err
}

// bootstrap loads the plist, and tries again while launchd may be busy with
// the previous instance of the job.
func (c Client) bootstrap(ctx context.Context, t Target, plist string) error {
	op := "bootstrapping " + t.String()
	s := newStep(ctx, stepCeiling)
	defer s.close()

	var seen looks
	for pause := firstPause; ; pause = longer(pause) {
		sure, refusal := c.bootstrapOnce(s, t, plist)
		if sure {
			return nil
		}
		if !passing(refusal) && s.Err() == nil {
			return refusal
		}
		// The exit status of a failure does not tell "loaded already"
		// from "not yet" and from worse. The job does.
		job, err := c.Print(s, t)
		if err == nil && !leaving(job) {
			return samePlist(op, job.Path, plist)
		}
		seen.note(s, err)
		if sleep(s, pause) != nil {
			return gaveUp(ctx, op, seen.why(s, ErrNotLoaded), seen.unclear, refusal)
		}
	}
}

// bootstrapOnce tells launchd to load the plist. Without an error the job is
// loaded for sure where bootstrap said so, and perhaps where `load` had to do.
func (c Client) bootstrapOnce(ctx context.Context, t Target, plist string) (sure bool, err error) {
	err = c.Bootstrap(ctx, t, plist)
	if errors.Is(err, ErrUnknownSubcommand) {
		return false, c.legacy(ctx, t, "load", plist)
	}
	return err == nil, err
}

// legacy runs `load` or `unload`, which exit 0 whatever happens (134 was seen
// from load) and act on the caller's own domain. There is no -w: it would
// write the override of enable and disable on the side.
func (c Client) legacy(ctx context.Context, t Target, verb, plist string) error {
	_, err := c.launchctl(ctx, verb+"ing "+t.String(), verb, plist)
	return err
}

// passing reports whether a bootstrap is worth another try: 5 hides 37 from a
// caller who is not root, and 37 is what launchd says until the previous
// instance is gone. No error is the silence of `load`, and no answer leaves
// open what launchd did.
func passing(err error) bool {
	code := exitCode(err)
	return err == nil || errors.Is(err, ErrNoAnswer) || code == codeIO || code == codeAlreadyInProgress
}

// leaving reports whether a job is being stopped. That print shows these
// states while a job is removed is unverified.
func leaving(job Job) bool { return job.State == "SIGTERMed" || job.State == "SIGKILLed" }

// gone reports whether an error of Print says that there is no such job.
func gone(err error) bool { return errors.Is(err, ErrNotLoaded) || errors.Is(err, ErrNoDomain) }

// answered reports whether launchctl was run, with a useful answer or not: the
// next may be better. Not so where it could not be run or the caller gave up.
func answered(err error) bool {
	return err == nil || exitCode(err) >= 0 || errors.Is(err, ErrFormat) || errors.Is(err, ErrNoAnswer)
}

// samePlist is an error if a job was loaded from another plist than the wanted
// one. An answer of `list` does not say from which.
func samePlist(op, loaded, wanted string) error {
	if loaded == "" || loaded == wanted || sameFile(loaded, wanted) {
		return nil
	}
	return fmt.Errorf("%s: %w: %q", op, ErrOtherPath, loaded)
}

// sameFile reports whether two paths lead to one file: through a link, from
// the working directory, or in letters of another case where that is the same.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// gaveUp is the error of a wait that ended without its goal: because the
// caller's context ended, or else for the reason given. What launchctl last
// failed to say or to do is added.
func gaveUp(ctx context.Context, op string, why error, last ...error) error {
	if ctx.Err() != nil {
		why = ctx.Err()
	}
	for _, err := range last {
		err = cause(err)
		if err != nil && !errors.Is(err, ctx.Err()) && !errors.Is(why, err) {
			why = fmt.Errorf("%w; last answer: %w", why, err)
		}
	}
	return &opError{op: op, err: why}
}

// step is the context of a part of the work that has an end of its own. What
// is cut short by that end is an ErrNoAnswer: the caller's context goes on.
type step struct {
	context.Context
	start   time.Time
	ceiling time.Duration
	timer   *time.Timer
	cancel  context.CancelCauseFunc
}

// errStepOver tells the end of a step from that of the caller's context.
var errStepOver = errors.New("step is over")

// newStep begins a step. Its close has to be called.
func newStep(ctx context.Context, ceiling time.Duration) *step {
	bounded, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(ceiling, func() { cancel(errStepOver) })
	return &step{bounded, time.Now(), ceiling, timer, cancel}
}

// bound moves the end of a step, which is counted from its beginning.
func (s *step) bound(ceiling time.Duration) {
	s.ceiling = ceiling
	s.timer.Reset(time.Until(s.start.Add(ceiling)))
}

// close lets go of what a step holds.
func (s *step) close() {
	s.timer.Stop()
	s.cancel(nil)
}

// stepOver reports whether an error is the end of a step.
func stepOver(ctx context.Context, err error) bool {
	return errors.Is(context.Cause(ctx), errStepOver) && errors.Is(err, ctx.Err())
}

// looks is what the looks at a job in a step have shown so far.
type looks struct {
	told    bool  // one has shown whether it is there
	unclear error // why the last one has not
}

// note keeps the error of a look. What the end of the step did to the last
// look is no news if there is anything else to tell.
func (l *looks) note(s *step, err error) {
	switch {
	case err == nil || gone(err):
		*l = looks{told: true}
	case s.Err() == nil, !l.told && l.unclear == nil:
		l.unclear = err
	}
}

// why is the reason given, if the looks of a step that is over bear it out.
func (l *looks) why(s *step, reason error) error {
	if !l.told {
		return fmt.Errorf("cannot tell after %s whether the job is loaded", s.ceiling)
	}
	return fmt.Errorf("%w after %s", reason, s.ceiling)
}

// longer is the pause after a pause: the first look at a job is early, because
// most are gone at once, and no later one is rare.
func longer(pause time.Duration) time.Duration { return min(2*pause, maxPause) }

// sleep waits, unless the context ends.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
