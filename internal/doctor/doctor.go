// Package doctor explains why containers do not reach Ollama: checks that look
// at one thing each, say what they found, and name the cure.
package doctor

import (
	"context"
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
}

// Check looks at one thing.
type Check struct {
	ID       string // kebab-case, an interface
	Question string // one line, for --list-checks
	// Deadline bounds the check; 0 means 5 seconds.
	Deadline time.Duration
	run      func(ctx context.Context, c *Case) Finding
}
