package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Ending is how a command that failed has ended.
type Ending int

// The endings.
const (
	// Failed: nothing was changed.
	Failed Ending = iota
	// NothingHere: this machine has nothing to work on.
	NothingHere
	// Undone: the change was made, did not prove itself, and was taken back.
	Undone
	// Interrupted: a signal came, and what was done has been taken back.
	Interrupted
)

// Error is an error with what scripts and package advice need.
type Error struct {
	Ending Ending
	ID     string // kebab-case, for scripts
	Path   string // of the file in question, if there is one
	// Hint is a command to paste. This package leaves it to package advice.
	Hint string
	// Log holds the service's last lines of log, if they may explain the error.
	Log []string
	Err error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether err is an Error with that ID.
func Is(err error, id string) bool {
	var e *Error
	return errors.As(err, &e) && e.ID == id
}

func Fail(id, path, format string, args ...any) *Error {
	return &Error{ID: id, Path: path, Err: fmt.Errorf(format, args...)}
}

// CutShort says why ctx ended before anything was changed.
func CutShort(ctx context.Context) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Fail("timeout", "", "gave up after the time that --timeout allows; nothing was changed")
	}
	return &Error{Ending: Interrupted, ID: "interrupted", Err: errors.New("interrupted; nothing was changed")}
}

// Bare strips operation and path from a file error whose message already names them.
func Bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
