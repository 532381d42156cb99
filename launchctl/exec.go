package launchctl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// defaultDeadline is far above the tens of milliseconds that launchctl
	// takes, and far enough below the 15 seconds and more of a step of Load,
	// Unload and Reload that one lost answer leaves time to ask again.
	defaultDeadline = 5 * time.Second
	maxStdout       = 4 << 20
	maxStderr       = 8 << 10
	// pipeDelay is how long output is awaited after a program has ended or
	// was killed: a child that it left behind may hold the pipe.
	pipeDelay = 2 * time.Second
)

// Runner runs one external program to its end and returns what it wrote to
// standard output. A program that ran and failed is an error with an
// *ExitError inside; what it wrote until then is returned beside it. One that
// was stopped because ctx ended is ctx.Err(), one that took longer than the
// Runner itself allows is an ErrNoAnswer.
type Runner interface {
	Run(ctx context.Context, name string, args ...string) (stdout []byte, err error)
}

// Exec is the Runner for real programs. Its zero value is ready to use.
type Exec struct {
	// Deadline bounds each program; 0 means 5 seconds. A program that takes
	// longer is an ErrNoAnswer. A context that ends earlier wins.
	Deadline time.Duration
	// Ran, if set, is called with each program that was started, after it has
	// ended, from the goroutine that called Run.
	Ran func(Ran)
}

type inputKey struct{}

// WithInput is a context in which Exec gives input to a program's standard input.
// What is secret goes there: everybody can see a program's arguments.
func WithInput(ctx context.Context, input string) context.Context {
	return context.WithValue(ctx, inputKey{}, input)
}

// Run finds the program with [Lookup] and runs it without a shell, with LC_ALL=C, and
// an empty standard input but for [WithInput].
//
// The program gets its own process group. When the deadline passes, the
// context ends or the output grows beyond 4 MiB, the whole group is killed.
// What a program leaves running when it ends by itself is its own affair: a
// service that it was asked to start, say. Run does not wait for it.
func (e Exec) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	path, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	argv := append([]string{name}, args...)
	start := time.Now()
	bounded, stop := context.WithTimeoutCause(ctx, cmp.Or(e.Deadline, defaultDeadline), ErrNoAnswer)
	defer stop()

	stdout := &capped{max: maxStdout, overflow: stop}
	stderr := &capped{max: maxStderr}
	cmd := command(bounded, path, argv)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if input, ok := ctx.Value(inputKey{}).(string); ok {
		cmd.Stdin = strings.NewReader(input)
	}
	if err := cmd.Start(); err != nil {
		return nil, startError(name, cmp.Or(whyEnded(ctx, bounded), err))
	}
	err = exitError(argv, stderr, cmd.Wait())

	var exit *ExitError
	killed := errors.As(err, &exit) && exit.Signal == syscall.SIGKILL || errors.Is(err, bounded.Err())
	switch {
	case stdout.full:
		err = fmt.Errorf("%s: %w: more than %d bytes", quoteArgs(argv), ErrTooMuch, maxStdout)
	case bounded.Err() != nil && killed:
		took := time.Since(start).Round(time.Millisecond)
		err = fmt.Errorf("%s: stopped after %s: %w", quoteArgs(argv), took, whyEnded(ctx, bounded))
	}
	if e.Ran != nil {
		e.Ran(Ran{argv, stdout.buf.Bytes(), strings.TrimSpace(stderr.buf.String()), err, time.Since(start)})
	}
	return stdout.buf.Bytes(), err
}

// Ran is a program that was run to its end.
type Ran struct {
	Args   []string // the program's name and its arguments
	Stdout []byte
	Stderr string // the first 8 KiB, trimmed
	Err    error  // what Run returned
	Took   time.Duration
}

// String is one line: the command, how it ended, the time it took, and the
// first line of standard error.
func (r Ran) String() string {
	text := fmt.Sprintf("%s (%s, %d ms)", quoteArgs(r.Args), r.ending(), r.Took.Milliseconds())
	if said := firstLines(r.Stderr, 1); said != "" {
		text += ": " + said
	}
	return text
}

func (r Ran) ending() string {
	var exit *ExitError
	switch {
	case r.Err == nil:
		return "exit 0"
	case errors.As(r.Err, &exit) && exit.Signal != 0:
		return fmt.Sprintf("signal %d", int(exit.Signal))
	case errors.As(r.Err, &exit):
		return fmt.Sprintf("exit %d", exit.Code)
	case errors.Is(r.Err, ErrNoAnswer), errors.Is(r.Err, context.DeadlineExceeded):
		return "killed, no answer"
	case errors.Is(r.Err, context.Canceled):
		return "killed, interrupted"
	case errors.Is(r.Err, ErrTooMuch):
		return "killed, too much output"
	}
	return "failed"
}

// command is a program that is ready to be started, in a group of its own, which
// the end of ctx kills.
func command(ctx context.Context, path string, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = argv
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = pipeDelay
	cmd.Cancel = func() error {
		if syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) != nil {
			return os.ErrProcessDone // nobody in the group is alive
		}
		return nil
	}
	return cmd
}

// whyEnded is why a context, or the bounded one made from it, has ended: nil
// while neither has.
func whyEnded(ctx, bounded context.Context) error {
	if errors.Is(context.Cause(bounded), ErrNoAnswer) {
		return ErrNoAnswer
	}
	return ctx.Err()
}

// startError tells a program that cannot be run from other failures.
func startError(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w: %w", name, ErrNoTool, err)
	}
	return fmt.Errorf("starting %s: %w", name, err)
}

// exitError turns what Wait said into an *ExitError. A program that ended well
// and left a child behind with the pipe in its hands has ended well.
func exitError(argv []string, stderr *capped, err error) error {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", quoteArgs(argv), err)
	}
	e := &ExitError{Args: argv, Code: exit.ExitCode(), Stderr: strings.TrimSpace(stderr.buf.String())}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = status.Signal()
	}
	return e
}

// capped keeps the first max bytes written to it and drops the rest. Before
// it drops the first byte it calls overflow, if there is one.
type capped struct {
	buf      bytes.Buffer
	max      int
	full     bool
	overflow func()
}

// Write never fails: a program that says too much is not made to fail by it.
func (w *capped) Write(p []byte) (int, error) {
	room := w.max - w.buf.Len()
	if len(p) <= room {
		return w.buf.Write(p)
	}
	w.full = true
	if w.overflow != nil {
		w.overflow()
	}
	w.buf.Write(p[:room])
	return len(p), nil
}

// places is where macOS keeps the programs that are not on every PATH.
// A shell set up by hand often lacks /usr/sbin.
var places = map[string]string{
	"launchctl": "/bin/launchctl",
	"lsof":      "/usr/sbin/lsof",
	"netstat":   "/usr/sbin/netstat",
	"ps":        "/bin/ps",
	"open":      "/usr/bin/open",
	"sqlite3":   "/usr/bin/sqlite3",
}

// Lookup finds a program: on PATH first, then where macOS keeps it. A name
// with a slash is a path and is only checked. The error is an ErrNoTool.
func Lookup(name string) (path string, err error) {
	for _, place := range []string{name, places[name]} {
		if path, err := exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrNoTool)
}
