package launchctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Print asks launchd about a job. The error is an ErrNotLoaded when there is
// none, and an ErrNoDomain when not even its domain exists.
func (c Client) Print(ctx context.Context, t Target) (Job, error) {
	return ask(ctx, c, "printing "+t.String(), ParsePrint, "print", t.String())
}

// Disabled asks which labels of a domain have an override in launchd's
// database, and whether it disables (true) or enables (false) them.
func (c Client) Disabled(ctx context.Context, d Domain) (map[string]bool, error) {
	op := "printing the disabled services of " + string(d)
	return ask(ctx, c, op, ParsePrintDisabled, "print-disabled", string(d))
}

// Disable tells launchd not to load a job from now on. It lasts, and stops nothing.
func (c Client) Disable(ctx context.Context, t Target) error {
	return c.tell(ctx, "disabling", "disable", t)
}

// Kickstart starts a job that is loaded and does not run.
func (c Client) Kickstart(ctx context.Context, t Target) error {
	return c.tell(ctx, "starting", "kickstart", t)
}

// ask runs a verb that prints something, and parses that.
func ask[T any](ctx context.Context, c Client, op string, parse func([]byte) (T, error), args ...string) (T, error) {
	out, err := c.launchctl(ctx, op, args...)
	if err != nil {
		return *new(T), err
	}
	value, err := parse(out)
	if err != nil {
		err = fmt.Errorf("%s: %w", op, err)
	}
	return value, err
}

// tell runs a verb on one job. A target without a label is refused: launchctl may
// take "gui/501/" for the whole domain, and bootout would end the login session.
func (c Client) tell(ctx context.Context, doing, verb string, t Target) error {
	op := doing + " " + t.String()
	if t.Label == "" || t.Domain == "" {
		return fmt.Errorf("%s: %w", op, errNoTarget)
	}
	_, err := c.launchctl(ctx, op, verb, t.String())
	return err
}

// launchctl runs one verb and gives its failure the operation.
func (c Client) launchctl(ctx context.Context, op string, args ...string) ([]byte, error) {
	var run Runner = Exec{}
	if c.Runner != nil {
		run = c.Runner
	}
	out, err := run.Run(ctx, "launchctl", args...)
	if err == nil {
		return out, nil
	}
	if context.Cause(ctx) == ErrNoAnswer && errors.Is(err, ctx.Err()) {
		err = ErrNoAnswer
	}
	return nil, fmt.Errorf("%s: %w", op, err)
}

// Getenv asks for a variable of the caller's own domain, as `launchctl setenv`
// sets it. It is "" where it is not set, which launchctl does not tell from empty.
func (c Client) Getenv(ctx context.Context, name string) (string, error) {
	out, err := c.launchctl(ctx, "asking launchd for "+name, "getenv", name)
	return strings.TrimSuffix(string(out), "\n"), err
}
