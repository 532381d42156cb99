package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// usualDeadline is how long a check may take that does not say otherwise. It is
// above the five seconds that a program has to answer: one that hangs is then
// part of what a check has to say, and does not hide the rest.
const usualDeadline = 8 * time.Second

// Run runs the checks side by side, and gives their findings in the checks' order.
// It takes no longer than the longest deadline among them.
func Run(ctx context.Context, c *Case, checks []Check) []Finding {
	ctx, cancel := context.WithCancel(ctx)
	c.whole = ctx
	findings := make([]Finding, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { findings[i] = check.bounded(ctx, c) })
	}
	wg.Wait()
	cancel()                     // what no check has waited for
	report, _ := c.report.wait() // until throw-away containers are removed
	if reachLoopback(report) {
		for i := range findings {
			findings[i] = findings[i].reassured()
		}
	}
	return findings
}

// reassured is the finding when all containers that were asked reach loopback.
func (f Finding) reassured() Finding {
	if f.enough != "" {
		f.Status, f.Summary, f.Fix = OK, f.enough, ""
	}
	return f
}

// bounded runs the check, and does not wait for it when its time is over.
func (check Check) bounded(ctx context.Context, c *Case) Finding {
	deadline := cmp.Or(check.Deadline, usualDeadline)
	ctx, cancel := context.WithTimeoutCause(ctx, deadline, errTooLong)
	defer cancel()
	found := make(chan Finding, 1)
	go func() { found <- check.run(ctx, c) }()
	var f Finding
	select {
	case f = <-found:
	case <-ctx.Done():
	}
	switch { // what a check says whose time was over does not count
	case errors.Is(context.Cause(ctx), errTooLong):
		f = skipped(fmt.Sprintf("did not finish within %v s", deadline.Seconds()))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		f = skipped("did not finish in the time that there was")
	case ctx.Err() != nil:
		f = skipped("interrupted")
		f.Interrupted = true
	}
	f.ID = check.ID
	return f
}

var errTooLong = errors.New("the check's own time is over")
