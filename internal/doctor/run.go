package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
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

// loopbackAlone is how a summary ends that warns of an Ollama on loopback alone.
const loopbackAlone = "loopback alone, which not every container runtime reaches"

// reassured is the finding when all containers that were asked reach loopback.
func (f Finding) reassured() Finding {
	if what, is := strings.CutSuffix(f.Summary, loopbackAlone); is {
		f.Status, f.Summary, f.Fix = OK, what+"loopback alone, which the containers that were asked do reach", ""
	}
	return f
}

// Interrupted is the summary of a check that was cut short.
const Interrupted = "interrupted"

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
		f = skipped(Interrupted)
	}
	f.ID = check.ID
	return f
}

var errTooLong = errors.New("the check's own time is over")
