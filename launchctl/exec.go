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
	defaultDeadline = 10 * time.Second
	maxStdout       = 4 << 20
	maxStderr       = 8 << 10
	// pipeDelay is how long output is awaited after a program has ended or
	// was killed: a child that it left behind may hold the pipe.
	pipeDelay = 500 * time.Millisecond
)

// Runner runs one external program to its end and returns what it wrote to
// standard output. A program that ran and failed is an error with an
// *ExitError inside; what it wrote until then is returned beside it.
type Runner interface {
	Run(ctx context.Context, name string, args ...string) (stdout []byte, err error)
}

// Exec is the Runner for real programs. Its zero value is ready to use.
type Exec struct {
	// Deadline bounds each program; 0 means 10 seconds. A context that ends
	// earlier wins.
	Deadline time.Duration
}

// Run finds the program with [Lookup] and runs it without a shell, with an
// empty standard input and LC_ALL=C.
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
	start, deadline := time.Now(), cmp.Or(e.Deadline, defaultDeadline)
	bounded, stop := context.WithTimeout(ctx, deadline)
	defer stop()

	stdout := &capped{max: maxStdout, overflow: stop}
	stderr := &capped{max: maxStderr}
	cmd := command(bounded, path, argv)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	killed := false
	cmd.Cancel = func() error {
		killed = true
		return killGroup(cmd.Process.Pid)
	}
	if err := cmd.Start(); err != nil {
		return nil, startError(name, err)
	}
	err = cmd.Wait()
	// Usually nothing is left to kill. A system does not give the number to
	// another group while one process of this one lives, nor at once after.

	switch {
	case stdout.full:
		err = fmt.Errorf("%s: wrote more than %d bytes to standard output", quoteArgs(argv), maxStdout)
	case killed && ctx.Err() == nil:
		err = fmt.Errorf("%s: no answer within %s: %w", quoteArgs(argv), deadline, context.DeadlineExceeded)
	case killed:
		err = fmt.Errorf("%s: stopped after %s: %w", quoteArgs(argv), time.Since(start).Round(time.Millisecond), ctx.Err())
	default:
		err = exitError(argv, stderr, err)
	}
	return stdout.buf.Bytes(), err
}

// command is a program that is ready to be started, in a group of its own.
func command(ctx context.Context, path string, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = argv
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = pipeDelay
	return cmd
}

// killGroup kills a process group. The caller started its leader.
func killGroup(pgid int) error {
	err := syscall.Kill(-pgid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
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
}

// Lookup finds a program: on PATH first, then where macOS keeps it. A name
// with a slash is a path and is only checked. The error is an ErrNoTool.
func Lookup(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if place, ok := places[name]; ok {
		if path, err := exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrNoTool)
}
