package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// command is a program to run.
type command struct {
	argv []string
	env  []string // nil means that of this process
	dir  string
	want int // the exit code, or anyCode
}

// anyCode lets a command end as it likes.
const anyCode = -1

func (c command) ends(code int) command {
	c.want = code
	return c
}

// work is commands: those of a group run side by side, the groups one after the
// other.
type work [][]command

// alone is work that is one command.
func alone(c command) work { return work{{c}} }

// run does the work, and tells what it took.
func (w work) run(ctx context.Context) (sample, error) {
	var total sample
	start := time.Now()
	for _, group := range w {
		if err := runGroup(ctx, group, &total); err != nil {
			return total, err
		}
	}
	total.wall = time.Since(start)
	return total, nil
}

func runGroup(ctx context.Context, group []command, total *sample) error {
	started := make([]*running, len(group))
	var failed error
	for i, c := range group {
		started[i] = c.start(ctx)
	}
	for _, r := range started {
		if err := r.wait(total); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// running is a command that was started.
type running struct {
	command
	ctx    context.Context
	cmd    *exec.Cmd
	out    bytes.Buffer
	failed error // to start
}

// start starts a command in a process group of its own, which the end of ctx kills.
// Its output goes through a pipe, as that of a program does whose output is read.
func (c command) start(ctx context.Context) *running {
	r := &running{command: c, ctx: ctx, cmd: exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)}
	r.cmd.Env, r.cmd.Dir = c.env, c.dir
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Cancel = func() error { return syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) }
	r.cmd.WaitDelay = time.Second
	r.failed = r.cmd.Start()
	return r
}

func (r *running) wait(total *sample) error {
	if r.failed != nil {
		return r.failed
	}
	r.cmd.Wait() // the state tells how it ended
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	state := r.cmd.ProcessState
	total.cpu += state.UserTime() + state.SystemTime()
	if code := state.ExitCode(); r.want != anyCode && code != r.want {
		name := strings.Join(append([]string{filepath.Base(r.argv[0])}, r.argv[1:]...), " ")
		return fmt.Errorf("%s %w: exit status %d, not %d:\n%s", name, errEnd, code, r.want, r.out.Bytes())
	}
	return nil
}

// end ends a command with a signal.
func (r *running) end(signal syscall.Signal) {
	if r.failed == nil {
		r.cmd.Process.Signal(signal)
		r.cmd.Wait()
	}
}

// side is one of the sides of a comparison.
type side struct {
	name string
	work work
}

// compare runs the sides by turns, each as often, after one turn that does not
// count. A side without work is not there.
func compare(ctx context.Context, turns int, sides []side) (map[string][]sample, error) {
	samples := map[string][]sample{}
	for turn := range turns + 1 {
		for _, s := range sides {
			if s.work == nil {
				continue
			}
			taken, err := s.work.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if turn > 0 {
				samples[s.name] = append(samples[s.name], taken)
			}
		}
	}
	return samples, nil
}
