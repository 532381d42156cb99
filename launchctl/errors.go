package launchctl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// Errors to look for with errors.Is. Where a program gave the reason, what is
// found is its *ExitError.
var (
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
	// ErrStillLoaded: launchd was told to forget the job, and has shown it
	// after that.
	ErrStillLoaded = errors.New("job is still loaded")
	// ErrOtherPath: the label is taken by a job from another plist, which launchd keeps.
	ErrOtherPath = errors.New("another plist is loaded under this label")
	// ErrNotStarted: the plist is loaded, and kickstart did not say that the job
	// runs. It may: a job that is to run at load needs no kickstart.
	ErrNotStarted = errors.New("job was not seen to be started")
	// ErrFormat: a program's answer is not in a known layout.
	ErrFormat = errors.New("answer not understood")

	errNoTarget = errors.New("no domain target or no label")
)

// What the exit statuses of launchctl stand for. They are errno and xpc error
// numbers; `launchctl error N` prints the text of each. A caller who is not root is
// told 5 instead of 37, 119, 122 and others, so 5 says nothing.
var (
	exitMeans = map[int]error{
		37:  ErrInProgress, // bootstrap: already loaded; kickstart: already running
		112: ErrNoDomain,   // Could not find specified domain
		113: ErrNotLoaded,  // Could not find specified service
		119: ErrDisabled,   // Service is disabled
		125: ErrNoDomain,   // Domain does not support specified action: no login of that kind
	}
	// 37 from bootout is unverified, and taken for 36: Unload looks at the job,
	// whatever bootout says. So is 36 from kickstart, launchd's own number for a start
	// that it holds back.
	verbExitMeans = map[string]map[int]error{
		"bootout": {
			3:  ErrNotLoaded,  // No such process: not loaded, by label
			36: ErrInProgress, // the process is still dying
		},
		"kickstart": {36: ErrInProgress},
	}
)

// notStarted is an error of kickstart.
type notStarted struct{ error }

func (e notStarted) Unwrap() error        { return e.error }
func (e notStarted) Is(target error) bool { return target == ErrNotStarted }

// ExitError is a program that ran and failed.
type ExitError struct {
	Args   []string       // the program's name and its arguments
	Code   int            // exit status; -1 when a signal ended the program
	Signal syscall.Signal // the signal that ended it, or 0
	Stderr string         // the first 8 KiB of standard error, trimmed
}

// Is reports whether target is what the exit status of a launchctl verb stands
// for, such as ErrNotLoaded.
func (e *ExitError) Is(target error) bool {
	if len(e.Args) < 2 || e.Args[0] != "launchctl" {
		return false
	}
	return exitMeans[e.Code] == target || verbExitMeans[e.Args[1]][e.Code] == target
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
