package launchctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// longestExitTimeout stands for an exit timeout that is not known: the
	// default of the old man page, of which today's prints show a quarter. (A
	// plist can also ask for no bound at all. How print shows that is unverified.)
	longestExitTimeout = 20 * time.Second
	// exitSlack is added to a job's exit timeout, after which launchd sends
	// SIGKILL and, when the process is gone, forgets the job. There is time in
	// it for two commands without an answer.
	exitSlack = 10 * time.Second
	// stepCeiling bounds the tries to bootstrap and to kickstart. launchd was
	// seen to refuse a bootstrap for 3 to 5 seconds after a bootout.
	stepCeiling = 15 * time.Second
	// refusedFor is how long launchd refuses a plist before StepRefused: mostly
	// longer than it is busy with the previous instance, and a small part of the step.
	refusedFor = 3 * time.Second
	// bootoutEvery is the pace of Homebrew/brew services/cli.rb.
	bootoutEvery = time.Second

	// The first look at a job is early, because most are gone at once, and no
	// later one is rare.
	firstPause = 10 * time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// Step is what [Client.Reload], [Client.Load] and [Client.Unload] are about to
// tell launchd, or to wait for. They report each to their progress function, if
// it is not nil, and again when it has to be repeated.
type Step string

// The steps, in the order in which Reload comes to them. All but StepEnable and
// StepWait end or start the job.
const (
	StepEnable    Step = "enable"    // let launchd load the job
	StepBootout   Step = "bootout"   // stop the job and forget it
	StepWait      Step = "wait"      // until launchd has done what it was told, or will do it
	StepBootstrap Step = "bootstrap" // load the plist
	// StepRefused is reported once, where launchd goes on refusing the plist although
	// no job is in the way. The caller may mend the file: it is tried again.
	StepRefused   Step = "refused"
	StepKickstart Step = "kickstart" // start the job, if it does not run yet
)

// reload is one Reload, Load or Unload.
type reload struct {
	Client
	target   Target
	plist    string
	progress func(Step) // may be nil
}

// Reload makes launchd read a job's plist again and start the job. The job is
// as Print showed it before; its exit timeout is how long it may take to stop.
//
// Between bootout and bootstrap the job is gone. If Reload fails there, the
// caller has to load something again. One command without an answer is no
// failure: it may have done its work, and is given again if not. An ErrNotStarted
// leaves open whether the job runs.
func (c Client) Reload(ctx context.Context, t Target, job Job, plist string, progress func(Step)) error {
	r := reload{c, t, plist, progress}
	// First, because enable starts and stops nothing, and what it takes is
	// then no part of the time without a job.
	if err := r.enable(ctx); err != nil {
		return err
	}
	if err := r.unload(ctx, job.ExitTimeout); err != nil {
		return err
	}
	_, err := r.start(ctx)
	return err
}

// Load makes launchd load a plist and start its job: in the first of the
// domains that exists. The Target is where it ended; with an error, where it
// was tried last. A job that is loaded from this plist already counts as
// loaded, even if the file has changed since or a bootout is still at work on
// it: Reload is for that.
//
// Only bootstrap decides. What enable answers where the domain does not exist
// is unverified, and a job that is not disabled does not need it.
func (c Client) Load(ctx context.Context, domains []Domain, label, plist string, progress func(Step)) (Target, error) {
	r := reload{c, Target{Label: label}, plist, progress}
	err := fmt.Errorf("loading %s: %w", label, ErrNoDomain)
	for _, r.target.Domain = range domains {
		enableErr := r.enable(ctx)
		var loaded bool
		if loaded, err = r.start(ctx); loaded {
			return r.target, err
		}
		elsewhere := errors.Is(err, ErrNoDomain)
		if enableErr != nil {
			// As text: what the error is says bootstrap alone.
			err = fmt.Errorf("%w; and before, %v", err, enableErr)
		}
		if !elsewhere {
			break
		}
	}
	return r.target, err
}

// Unload makes launchd forget the job and waits until it is gone: for 10 seconds
// more than its exit timeout, as Print shows it, or than 20 seconds where that
// is 0 for unknown. A job that is not loaded is no error.
func (c Client) Unload(ctx context.Context, t Target, exitTimeout time.Duration, progress func(Step)) error {
	r := reload{Client: c, target: t, progress: progress}
	return r.unload(ctx, exitTimeout)
}

func (r reload) report(s Step) {
	if r.progress != nil {
		r.progress(s)
	}
}

// tell gives the job's launchd a verb, and reports the step.
func (r reload) tell(ctx context.Context, s Step, doing string) error {
	r.report(s)
	return r.Client.tell(ctx, doing, string(s), r.target)
}

// enable removes what keeps the job from being loaded. It lasts, needs no job of
// that label, and starts and stops nothing.
func (r reload) enable(ctx context.Context) error { return r.tell(ctx, StepEnable, "enabling") }

// unload tells launchd to forget the job, again and again while the job is there,
// as brew does. Once it has accepted that, a later refusal says nothing; and no
// answer is no refusal, it may have done its work.
func (r reload) unload(ctx context.Context, exitTimeout time.Duration) error {
	ceiling := cmp.Or(exitTimeout, longestExitTimeout) + exitSlack
	var refusal error
	var accepted bool
	var told time.Time
	return r.again(ctx, "unloading", ceiling, func(ctx context.Context) (over bool, err error) {
		if time.Since(told) >= bootoutEvery {
			refusal = r.bootout(ctx)
			accepted, told = accepted || refusal == nil, time.Now()
		}
		_, err = r.Print(ctx, r.target)
		switch {
		case gone(err):
			return true, nil
		case err != nil:
			return errors.Is(err, ErrNoTool), err
		case accepted || refusal == nil:
			return false, ErrStillLoaded
		}
		return !errors.Is(refusal, ErrNoAnswer), refusal
	})
}

// bootout tells launchd to stop the job and forget it. That the job is not there, or
// on its way out, is no error. It is named by its label because the answer to a
// path does not tell "not loaded" from other failures.
func (r reload) bootout(ctx context.Context) error {
	err := r.tell(ctx, StepBootout, "booting out")
	if errors.Is(err, ErrNotLoaded) || errors.Is(err, ErrInProgress) {
		return nil
	}
	return err
}

// start loads the plist and starts its job. launchd was seen to answer a bootstrap with
// 0 and to load nothing. kickstart, which needs the job, tells, and then the plist is
// loaded again.
func (r reload) start(ctx context.Context) (loaded bool, err error) {
	for begun := time.Now(); ; {
		if err := r.bootstrap(ctx); err != nil {
			return false, err
		}
		err := r.kickstart(ctx)
		if !errors.Is(err, ErrNotLoaded) {
			return true, err
		}
		if time.Since(begun) >= stepCeiling {
			return false, errors.Unwrap(err) // no ErrNotStarted: there is nothing to be started
		}
		r.report(StepWait)
		select {
		case <-ctx.Done():
			return false, errors.Unwrap(err)
		case <-time.After(maxPause):
		}
	}
}

// bootstrap loads the plist, and tries again while launchd may be busy with
// the previous instance of the job.
func (r reload) bootstrap(ctx context.Context) error {
	const doing = "bootstrapping"
	op := doing + " " + r.target.String()
	begun, refused := time.Now(), false
	return r.again(ctx, doing, stepCeiling, func(ctx context.Context) (over bool, err error) {
		r.report(StepBootstrap)
		// The label is not passed on; launchd reads it from the plist.
		_, refusal := r.launchctl(ctx, op, "bootstrap", string(r.target.Domain), r.plist)
		if refusal == nil || !passing(refusal) && ctx.Err() == nil {
			return true, refusal
		}
		// The exit status of a failure does not tell "loaded already"
		// from "not yet" and from worse. The job does.
		job, err := r.Print(ctx, r.target)
		if err == nil && !leaving(job) {
			return true, samePlist(op, job.Path, r.plist)
		}
		if !refused && gone(err) && time.Since(begun) >= refusedFor {
			refused = true
			r.report(StepRefused)
		}
		return false, refusal
	})
}

// kickstart starts the job unless it runs. A bootstrapped job that is to run
// at load is sometimes not started. To ask twice does no harm. There is no -k: that
// restarts the process without reading the plist again.
func (r reload) kickstart(ctx context.Context) error {
	err := r.again(ctx, "starting", stepCeiling, func(ctx context.Context) (over bool, err error) {
		err = r.tell(ctx, StepKickstart, "starting")
		if errors.Is(err, ErrInProgress) {
			return true, nil
		}
		return !errors.Is(err, ErrNoAnswer), err
	})
	if err != nil {
		return notStarted{err}
	}
	return nil
}

// again tries until a try says that it is over, or until the time is. What that
// end cuts short is an ErrNoAnswer, and no news if an earlier try has told more;
// the caller's own context goes on.
func (r reload) again(ctx context.Context, doing string, ceiling time.Duration, try func(context.Context) (over bool, err error)) error {
	bounded, stop := context.WithTimeoutCause(ctx, ceiling, ErrNoAnswer)
	defer stop()
	var last error
	for pause := firstPause; bounded.Err() == nil; pause = min(2*pause, maxPause) {
		over, err := try(bounded)
		if over {
			return err
		}
		if last == nil || bounded.Err() == nil {
			last = err
		}
		r.report(StepWait)
		select {
		case <-bounded.Done():
		case <-time.After(pause):
		}
	}
	last = cmp.Or(errors.Unwrap(last), last) // without the operation
	switch {
	case ctx.Err() == nil:
		return fmt.Errorf("%s %s: given up after %s: %w", doing, r.target, ceiling, last)
	case last == nil || errors.Is(last, ctx.Err()):
		return fmt.Errorf("%s %s: %w", doing, r.target, ctx.Err())
	}
	// As text: that the caller has ended it is what the error is.
	return fmt.Errorf("%s %s: %w; last answer: %v", doing, r.target, ctx.Err(), last)
}

// passing reports whether a bootstrap is worth another try: 5 hides 37 from a
// caller who is not root, and 37 is what launchd says until the previous
// instance is gone. No answer leaves open what launchd did.
func passing(err error) bool {
	var exit *ExitError
	return errors.Is(err, ErrNoAnswer) ||
		errors.As(err, &exit) && (exit.Code == 5 || exit.Code == 37)
}

// leaving reports whether a job is being stopped. That print shows these
// states while a job is removed is unverified.
func leaving(job Job) bool { return job.State == "SIGTERMed" || job.State == "SIGKILLed" }

// gone reports whether an error of Print says that there is no such job.
func gone(err error) bool { return errors.Is(err, ErrNotLoaded) || errors.Is(err, ErrNoDomain) }

// samePlist is an error if a job was loaded from another plist than the wanted
// one. Two paths can lead to one file: through a link, from the working
// directory, or in letters of another case where that is the same.
func samePlist(op, loaded, wanted string) error {
	a, errA := os.Stat(loaded)
	b, errB := os.Stat(wanted)
	if loaded == wanted || errA == nil && errB == nil && os.SameFile(a, b) {
		return nil
	}
	return fmt.Errorf("%s: %w: %q", op, ErrOtherPath, loaded)
}
