package launchctl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// Errors to look for with errors.Is. Where a program gave the reason, the
// error holds its *ExitError too.
var (
	// ErrNoTarget says that a domain or a label is missing.
	ErrNoTarget = errors.New("no domain target or no label")

	// ErrNoTool: a program is not there, or is no program.
	ErrNoTool = errors.New("program not found or not executable")
	// ErrNoAnswer: a program did not answer in the time that its Runner, or
	// the step of the work that it is part of, allows. It is no
	// context.DeadlineExceeded: that is the end of the caller's own time.
	ErrNoAnswer = errors.New("no answer")
	// ErrTooMuch: a program wrote more to standard output than anybody reads.
	ErrTooMuch = errors.New("too much output")
	// ErrNotLoaded: launchd has no job of that label in that domain.
	ErrNotLoaded = errors.New("job is not loaded")
	// ErrNoDomain: the domain is not there, such as gui/501 while that user
	// is not logged in at the screen.
	ErrNoDomain = errors.New("domain does not exist")
	// ErrDisabled: an override in launchd's database keeps the job from being loaded.
	ErrDisabled = errors.New("job is disabled")
	// ErrInProgress: launchd is at it already. From bootout: the job is
	// being removed. From kickstart: it runs. From bootstrap: it is loaded,
	// or its previous instance is not gone yet.
	ErrInProgress = errors.New("operation in progress")
	// ErrUnknownSubcommand: this launchctl is too old for the verb.
	ErrUnknownSubcommand = errors.New("unknown launchctl subcommand")
	// ErrStillLoaded: launchd was told to forget the job, and has shown it
	// after that.
	ErrStillLoaded = errors.New("job is still loaded")
	// ErrOtherPath: the label is taken by a job from another plist, which launchd keeps.
	ErrOtherPath = errors.New("another plist is loaded under this label")
	// ErrFormat: a program's answer is not in a known layout.
	ErrFormat = errors.New("answer not understood")
)

// Exit statuses of launchctl are errno and xpc error numbers;
// `launchctl error N` prints the text of each.
const (
	codeNoProcess         = 3   // bootout by label: not loaded
	codeIO                = 5   // what a non-root caller is told instead of 37, 119, 122 and others
	codeInProgress        = 36  // bootout: the process is still dying
	codeAlreadyInProgress = 37  // bootstrap: already loaded; kickstart: already running
	codeNoDomain          = 112 // Could not find specified domain
	codeNoService         = 113 // Could not find specified service
	codeDisabled          = 119 // Service is disabled
	codeUnsupported       = 125 // Domain does not support specified action: no login of that kind
)

// ExitError is a program that ran and failed.
type ExitError struct {
	Args   []string       // the program's name and its arguments
	Code   int            // exit status; -1 when a signal ended the program
	Signal syscall.Signal // the signal that ended it, or 0
	Stderr string         // the first 8 KiB of standard error, trimmed
}

// Error names the command, how it ended, and its first lines of standard
// error in one line, without control characters.
func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s: exit status %d", quoteArgs(e.Args), e.Code)
	if e.Signal != 0 {
		text = fmt.Sprintf("%s: ended by signal %d (%s)", quoteArgs(e.Args), int(e.Signal), e.Signal)
	}
	if said := firstLines(e.Stderr, 3); said != "" {
		text += ": " + said
	}
	return text
}

// longestCommand is how many characters of a command line an error shows: what is
// run inside of a container can be a whole script.
const longestCommand = 240

// quoteArgs joins a command line, with quotes where a word has anything in it
// that a shell or a terminal would act on, and cuts a long one.
func quoteArgs(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if arg == "" || strings.ContainsFunc(arg, notPlain) {
			words[i] = strconv.Quote(arg)
		}
	}
	line := []rune(strings.Join(words, " "))
	if len(line) > longestCommand {
		return string(line[:longestCommand]) + "…"
	}
	return string(line)
}

// notPlain reports whether a character needs quotes in a command line.
func notPlain(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:,=@%+", r)
}

// firstLines joins the first max lines that are not blank.
func firstLines(text string, max int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && len(lines) < max {
			lines = append(lines, strings.Map(printable, line))
		}
	}
	return strings.Join(lines, "; ")
}

// printable replaces what could move a terminal's cursor or hide text.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// opError is an error with the operation that met it and, where the exit
// status has a meaning, the error that stands for it.
type opError struct {
	op   string
	kind error // one of the Err variables, or nil
	err  error
}

// Error is the operation and what went wrong.
func (e *opError) Error() string { return e.op + ": " + e.err.Error() }

// Unwrap makes both the meaning and the cause visible to errors.Is and As.
func (e *opError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.err}
	}
	return []error{e.kind, e.err}
}

// meaning is the error that stands for the exit status of a launchctl verb,
// or nil where the status says nothing in particular.
func meaning(verb string, err error) error {
	var exit *ExitError
	if !errors.As(err, &exit) {
		return nil
	}
	switch exit.Code {
	case codeNoProcess:
		if verb == "bootout" {
			return ErrNotLoaded
		}
	case codeNoService:
		return ErrNotLoaded
	case codeNoDomain, codeUnsupported:
		return ErrNoDomain
	case codeDisabled:
		return ErrDisabled
	case codeInProgress:
		if verb == "bootout" {
			return ErrInProgress
		}
	case codeAlreadyInProgress:
		// From bootout it is unverified, and taken for 36: Unload looks at
		// the job, whatever bootout says.
		return ErrInProgress
	case 1:
		if unknownSubcommand(exit.Stderr) {
			return ErrUnknownSubcommand
		}
	}
	return nil
}

// unknownSubcommand is the one place that goes by wording: exit status 1 alone
// is also what a caller without permission gets. The text is that of the
// clean-room launchctl of ProcursusTeam; Apple's own, and that of a launchctl
// older than macOS 10.10, is unverified.
func unknownSubcommand(stderr string) bool {
	return strings.HasPrefix(stderr, "Unrecognized subcommand: ")
}

// cause is an error without the operation that met it.
func cause(err error) error {
	var op *opError
	if errors.As(err, &op) {
		return op.err
	}
	return err
}

// exitCode is the exit status inside an error, or -1.
func exitCode(err error) int {
	var exit *ExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	return -1
}
