package main

import (
	"errors"

	"github.com/ollama-bind/ollama-bind/internal/service"
)

// The exit codes, the same for every command. They are an interface.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotWanted   = 3
	exitUndone      = 4
	exitNothingHere = 5
	exitInterrupted = 130
)

// exitStatus explains them; every help text ends with it.
const exitStatus = `EXIT STATUS:
   0    done, or already in the wanted state
   1    failed, and nothing is left half done (an error that says otherwise excepted)
   2    wrong usage
   3    not in the wanted state (status, fix --dry-run with changes, a doctor check that
        fails, a probe that did not get through)
   4    applied, but the proof failed, and the previous state was restored
   5    nothing to work on here: no launchctl, no Homebrew Ollama service, or for probe
        and url no container runtime
   130  interrupted, after undoing
`

// errNotWanted is the answer "no" of a command that did its work.
var errNotWanted = errors.New("not in the wanted state")

// usageError is a command line that nothing was run for.
type usageError struct {
	message string
	hint    string
}

func (e *usageError) Error() string { return e.message }

func exitCode(err error) int {
	var usage *usageError
	var p *service.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errNotWanted):
		return exitNotWanted
	case !errors.As(err, &p):
		return exitFailed
	case p.Ending == service.NothingHere:
		return exitNothingHere
	case p.Ending == service.Undone:
		return exitUndone
	case p.Ending == service.Interrupted:
		return exitInterrupted
	}
	return exitFailed
}
