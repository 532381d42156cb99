package launchctl

import (
	"context"
	"errors"
	"strings"
)

// Print asks launchd about a job. The error is an ErrNotLoaded when there is
// none, and an ErrNoDomain when not even its domain exists.
//
// A launchctl without print (before macOS 10.10) is asked with `list LABEL`,
// which looks in the caller's own domain whatever the target says. That it
// exits 113 for an unknown label is unverified for one as old as that.
func (c Client) Print(ctx context.Context, t Target) (Job, error) {
	op := "printing " + t.String()
	out, err := c.launchctl(ctx, op, "print", t.String())
	parse := ParsePrint
	if errors.Is(err, ErrUnknownSubcommand) {
		out, err = c.launchctl(ctx, op, "list", t.Label)
		parse = ParseList
	}
	if err != nil {
		return Job{}, err
	}
	job, err := parse(out)
	if err != nil {
		return Job{}, &opError{op: op, err: err}
	}
	return job, nil
}

// Disabled asks which labels of a domain have an override in launchd's
// database, and whether it disables (true) or enables (false) them.
func (c Client) Disabled(ctx context.Context, d Domain) (map[string]bool, error) {
	op := "printing the disabled services of " + string(d)
	out, err := c.launchctl(ctx, op, "print-disabled", string(d))
	if err != nil {
		return nil, err
	}
	disabled, err := ParsePrintDisabled(out)
	if err != nil {
		return nil, &opError{op: op, err: err}
	}
	return disabled, nil
}

// Enable removes what keeps a job from being loaded. It lasts, needs no job of
// that label, and starts and stops nothing.
func (c Client) Enable(ctx context.Context, t Target) error {
	_, err := c.tell(ctx, "enabling "+t.String(), "enable", t)
	return err
}

// Bootout tells launchd to stop a job and forget it. launchd answers before it
// has: [Client.Unload] waits. The job is named by its label because the answer
// to a path does not tell "not loaded" from other failures.
func (c Client) Bootout(ctx context.Context, t Target) error {
	_, err := c.tell(ctx, "booting out "+t.String(), "bootout", t)
	return err
}

// Bootstrap tells launchd to load the job of a plist into the target's domain.
// The label is not passed on; launchd reads it from the plist.
func (c Client) Bootstrap(ctx context.Context, t Target, plist string) error {
	_, err := c.launchctl(ctx, "bootstrapping "+t.String(), "bootstrap", string(t.Domain), plist)
	return err
}

// Kickstart starts a loaded job now. The error is an ErrInProgress when it
// runs already. There is no -k: that restarts the process without reading the
// plist again.
func (c Client) Kickstart(ctx context.Context, t Target) error {
	_, err := c.tell(ctx, "starting "+t.String(), "kickstart", t)
	return err
}

// tell runs a verb on one job. A target without a label is refused: launchctl may
// take "gui/501/" for the whole domain, and bootout would end the login session.
func (c Client) tell(ctx context.Context, op, verb string, t Target) ([]byte, error) {
	if t.Label == "" || t.Domain == "" {
		return nil, &opError{op: op, err: ErrNoTarget}
	}
	return c.launchctl(ctx, op, verb, t.String())
}

// launchctl runs one verb and gives its failure the operation and its meaning.
func (c Client) launchctl(ctx context.Context, op, verb string, args ...string) ([]byte, error) {
	out, err := c.Runner.Run(ctx, "launchctl", append([]string{verb}, args...)...)
	if err != nil {
		if stepOver(ctx, err) {
			err = ErrNoAnswer
		}
		return nil, &opError{op: op, kind: meaning(verb, err), err: err}
	}
	return out, nil
}

// Getenv asks for a variable of the caller's own domain, as `launchctl setenv`
// sets it. It is "" where it is not set, which launchctl does not tell from empty.
func (c Client) Getenv(ctx context.Context, name string) (string, error) {
	out, err := c.launchctl(ctx, "asking launchd for "+name, "getenv", name)
	return strings.TrimSuffix(string(out), "\n"), err
}
