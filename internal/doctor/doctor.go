// Package doctor explains why containers do not reach Ollama: checks that look
// at one thing each, say what they found, and name the cure.
//
// A check fails only for a reason why containers do not reach Ollama, or will
// stop to for certain: the service is not loaded, another process holds the port,
// nothing answers, a value that Ollama reads in another way than it was meant, a
// value that is in one layer and has not arrived in the next. That Ollama listens
// on loopback alone is no such reason: most runtimes on a Mac reach it there. It is a
// warning, until the checks that look from inside of containers have measured that
// it does not matter.
package doctor

import (
	"context"
	"strings"
	"time"
)

// Status is how a check ended.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn" // works, and is worth knowing
	Fail Status = "fail" // a reason why Ollama is not reached
	Skip Status = "skip" // could not be looked at, or does not apply
)

// Finding is what a check has to say.
type Finding struct {
	ID       string
	Status   Status
	Summary  string // one line
	Evidence string // what it was read from, one or more lines
	Fix      string // a command to paste, or one sentence
	// Interrupted is set when the check was cut short, and has nothing to say.
	Interrupted bool
	// enough is the summary that says that all is well, if the containers that are
	// asked reach loopback; "" where that is not what the finding is about.
	enough string
}

// Check looks at one thing.
type Check struct {
	ID       string // kebab-case, an interface
	Question string // one line, for --list-checks
	// Deadline bounds the check; 0 means 8 seconds.
	Deadline time.Duration
	run      func(ctx context.Context, c *Case) Finding
}

func passed(summary string, evidence ...string) Finding {
	return Finding{Status: OK, Summary: summary, Evidence: lines(evidence...)}
}

func warned(summary, fix string, evidence ...string) Finding {
	return Finding{Status: Warn, Summary: summary, Fix: fix, Evidence: lines(evidence...)}
}

// loopbackAlone warns of an Ollama that listens on no more.
func loopbackAlone(what, fix string, evidence ...string) Finding {
	what += "loopback alone, which "
	f := warned(what+"not every container runtime reaches", fix, evidence...)
	f.enough = what + "the containers that were asked do reach"
	return f
}

func failed(summary, fix string, evidence ...string) Finding {
	return Finding{Status: Fail, Summary: summary, Fix: fix, Evidence: lines(evidence...)}
}

func skipped(summary string, evidence ...string) Finding {
	return Finding{Status: Skip, Summary: summary, Evidence: lines(evidence...)}
}

// lines joins what is not empty.
func lines(all ...string) string {
	var said []string
	for _, line := range all {
		if line != "" {
			said = append(said, line)
		}
	}
	return strings.Join(said, "\n")
}
