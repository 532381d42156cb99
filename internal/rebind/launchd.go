package rebind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// byLaunchd restarts a service that launchd runs.
type byLaunchd struct{}

// renew corrects what is known to keep launchd from reading a plist: a mode that others
// cannot read, and, if we have not written the file, extended attributes. It keeps the
// bytes.
func (t *transaction) renew() {
	i := slices.IndexFunc(t.plan.Edits, func(e backup.Change) bool { return e.Layer == service.PlistLayer })
	f, err := backup.Read(t.plan.State.Service.Plist)
	if err != nil || f.Mode&readableByOthers == readableByOthers && i >= 0 && t.written > i {
		return
	}
	mode := f.Mode | readableByOthers
	if f.Replace(f.Data, mode) != nil {
		return // launchd gives its reason again
	}
	if mode != f.Mode {
		t.opened = f.Mode
	}
	if i >= 0 && t.written > i {
		t.plan.Edits[i].Mode = mode // for Revert to recognise
	}
}

// readableByOthers are the permissions that launchd wants on a plist, as seen on a Mac.
const readableByOthers = 0o044

// reload makes launchd hold what the plist says now.
func (byLaunchd) reload(ctx context.Context, t *transaction) (launchctl.Target, error) {
	s, launchd := t.plan.State.Service, t.machine.Launchd
	if s.Loaded {
		return s.Target, launchd.Reload(ctx, s.Target, t.plan.State.Job.Job, s.Plist, t.progress)
	}
	return launchd.Load(ctx, t.plan.domains(), t.label(), s.Plist, t.progress)
}

// label is the job's: the one that the plist gives it, or, where that
// cannot be understood, the one by which it was looked for.
func (t *transaction) label() string {
	return cmp.Or(t.plan.State.Plist().Agent.Label, t.plan.State.Service.Label)
}

// restore makes launchd hold what it held before: what the old file says, or nothing in
// any domain that the job may be in.
func (byLaunchd) restore(ctx context.Context, t *transaction) error {
	s, launchd := t.plan.State.Service, t.machine.Launchd
	if s.Loaded {
		return launchd.Reload(ctx, s.Target, t.plan.State.Job.Job, s.Plist, t.progress)
	}
	var errs []error
	for _, d := range t.plan.domains() {
		err := launchd.Unload(ctx, launchctl.Target{Domain: d, Label: t.label()}, 0, t.progress)
		if err != nil && !errors.Is(err, launchctl.ErrNoDomain) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (byLaunchd) unload(ctx context.Context, t *transaction) error {
	s := t.plan.State
	return t.machine.Launchd.Unload(ctx, s.Service.Target, s.Job.ExitTimeout, t.progress)
}

// stop ends the process of a job that was loaded and stopped before: loading the job may
// have started it. Nothing else would: see service.Job.Stopped.
func (t *transaction) stop(ctx context.Context) error {
	job, err := t.machine.Launchd.Print(ctx, t.plan.target())
	for pid := job.PID; err == nil && pid != 0 && job.PID == pid; {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping %s: %w", t.plan.target(), err)
		}
		if err := wait(ctx, longestPause); err != nil {
			return fmt.Errorf("stopping %s: %w", t.plan.target(), err)
		}
		job, err = t.machine.Launchd.Print(ctx, t.plan.target())
	}
	return err
}

func (byLaunchd) steps(p Plan) []string {
	var steps []string
	s, target := p.State.Service, p.target()
	if p.Reload {
		steps = append(steps, "launchctl enable "+target.String())
	}
	if p.Unload || p.Reload && s.Loaded {
		steps = append(steps, "launchctl bootout "+target.String())
	}
	if p.Reload {
		steps = append(steps,
			fmt.Sprintf("launchctl bootstrap %s %s", target.Domain, shell.Quote(s.Plist)),
			"launchctl kickstart "+target.String())
	}
	if p.Stop {
		steps = append(steps, "kill $(launchctl print "+target.String()+" | awk '/pid = /{print $3; exit}')")
	}
	if p.Disable {
		steps = append(steps, "launchctl disable "+target.String())
	}
	return steps
}
