package bind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Kind is how a command that could not do its work has ended.
type Kind int

// The kinds of ending.
const (
	// Failed: nothing was changed.
	Failed Kind = iota
	// NothingHere: this machine has nothing to work on.
	NothingHere
	// Undone: the change was made, did not prove itself, and was taken back.
	Undone
	// Interrupted: a signal came, and what was done has been taken back.
	Interrupted
)

// Problem is an error with what a person needs to go on.
type Problem struct {
	Kind Kind
	ID   string // kebab-case, for scripts
	Hint string // a command to paste, or one sentence
	// Log holds the last lines that the service wrote, when they may explain it.
	Log []string
	Err error
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

func problem(kind Kind, id, hint, format string, args ...any) *Problem {
	return &Problem{Kind: kind, ID: id, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// cutShort says why ctx ended before anything was changed.
func cutShort(ctx context.Context) *Problem {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return problem(Failed, "timeout", "", "gave up after the time that --timeout allows; nothing was changed")
	}
	return problem(Interrupted, "interrupted", "", "interrupted; nothing was changed")
}

// bare drops the operation and path that a file error carries, where the
// message names them already.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
