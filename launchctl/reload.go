package launchctl

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

const (
	// launchd sends SIGTERM, waits for the job's exit timeout, sends
	// SIGKILL, and forgets the job after that.
	defaultExitTimeout = 5 * time.Second // as today's print shows it
	exitSlack          = 10 * time.Second
	// bootstrapCeiling bounds the tries to bootstrap. launchd was seen to
	// refuse them for 3 to 5 seconds after a bootout.
	bootstrapCeiling = 15 * time.Second
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
// the old job never went, from the rest.
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
func (c Client) Load(ctx context.Context, domains []Domain, label, plist string) (Target, error) {
	t, err := Target{Label: label}, fmt.Errorf("loading %s: %w", label, ErrNoDomain)
	for _, domain := range domains {
		t.Domain = domain
		if err = c.loadIn(ctx, t, plist); !errors.Is(err, ErrNoDomain) {
			return t, err
		}
	}
	return t, err
}

// loadIn is Load in one domain.
func (c Client) loadIn(ctx context.Context, t Target, plist string) error {
	if err := c.enable(ctx, t); err != nil {
		return err
	}
	if err := c.bootstrap(ctx, t, plist); err != nil {
		return err
	}
	return c.kickstart(ctx, t)
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
// nothing that could be done about that.
func (c Client) kickstart(ctx context.Context, t Target) error {
	err := c.Kickstart(ctx, t)
	if errors.Is(err, ErrInProgress) || errors.Is(err, ErrUnknownSubcommand) {
		return nil
	}
	return err
}

// Unload makes launchd forget the job and waits until it is gone: for its
// exit timeout and 10 seconds, the timeout being at least 5. A job that is not
// loaded is no error. The plist is used only with a launchctl without bootout.
func (c Client) Unload(ctx context.Context, t Target, exitTimeout time.Duration, plist string) error {
	ceiling := max(exitTimeout, defaultExitTimeout) + exitSlack
	bounded, cancel := context.WithTimeout(ctx, ceiling)
	defer cancel()

	refusal := c.bootout(bounded, t, plist)
	accepted, told := refusal == nil, time.Now()
	for pause := firstPause; ; pause = longer(pause) {
		_, err := c.Print(bounded, t)
		if gone(err) {
			return nil
		}
		if !accepted && bounded.Err() == nil {
			return refusal
		}
		if !answered(err) && bounded.Err() == nil {
			return err
		}
		if sleep(bounded, pause) != nil {
			why := fmt.Errorf("%w after %s", ErrStillLoaded, ceiling)
			return gaveUp(ctx, "unloading "+t.String(), why, refusal)
		}
		// Again every second while the job is there, as brew does.
		if time.Since(told) >= bootoutEvery {
			refusal, told = c.bootout(bounded, t, plist), time.Now()
		}
	}
}

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
	bounded, cancel := context.WithTimeout(ctx, bootstrapCeiling)
	defer cancel()

	for pause := firstPause; ; pause = longer(pause) {
		sure, refusal := c.bootstrapOnce(bounded, t, plist)
		if sure {
			return nil
		}
		if !passing(refusal) && bounded.Err() == nil {
			return refusal
		}
		// The exit status of a failure does not tell "loaded already"
		// from "not yet" and from worse. The job does.
		job, err := c.Print(bounded, t)
		if err == nil && !leaving(job) {
			return samePlist(op, job.Path, plist)
		}
		if sleep(bounded, pause) != nil {
			why := fmt.Errorf("%w after %s", ErrNotLoaded, bootstrapCeiling)
			return gaveUp(ctx, op, why, refusal)
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
// instance is gone. No error is the silence of `load`.
func passing(err error) bool {
	code := exitCode(err)
	return err == nil || code == codeIO || code == codeAlreadyInProgress
}

// leaving reports whether a job is being stopped. That print shows these
// states while a job is removed is unverified.
func leaving(job Job) bool { return job.State == "SIGTERMed" || job.State == "SIGKILLed" }

// gone reports whether an error of Print says that there is no such job.
func gone(err error) bool { return errors.Is(err, ErrNotLoaded) || errors.Is(err, ErrNoDomain) }

// answered reports whether launchctl gave an answer, if not a useful one: the
// next may be better. Not so where it could not be run or never ended.
func answered(err error) bool {
	return err == nil || exitCode(err) >= 0 || errors.Is(err, ErrFormat)
}

// samePlist is an error if a job was loaded from another plist than the wanted
// one. An answer of `list` does not say from which.
func samePlist(op, loaded, wanted string) error {
	if loaded == "" || loaded == wanted || resolve(loaded) == resolve(wanted) {
		return nil
	}
	return fmt.Errorf("%s: %w: %q", op, ErrOtherPath, loaded)
}

// resolve is a path without symbolic links, or the path if it leads nowhere.
func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// gaveUp is the error of a wait that ended without its goal: because the
// caller's context ended, or else for the reason given. What launchctl last
// refused to do is added.
func gaveUp(ctx context.Context, op string, why, refusal error) error {
	if ctx.Err() != nil {
		why = ctx.Err()
	}
	var exit *ExitError
	if errors.As(refusal, &exit) {
		why = fmt.Errorf("%w; last answer: %w", why, exit)
	}
	return &opError{op: op, err: why}
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
