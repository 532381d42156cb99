package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// shellPrograms are the programs on the PATH of a container's shell, besides those that the container has.
var shellPrograms = []string{"head", "sleep"}

// shellTools are where the stand-ins for the programs of the shells go: a folder for each set of programs.
func (e *engine) shellTools() []string {
	var paths []string
	for _, program := range []string{"wget", "curl"} {
		for _, name := range append([]string{program}, shellPrograms...) {
			paths = append(paths, filepath.Join(e.bin, program, name))
		}
	}
	return paths
}

// path is the PATH of the container's shell.
func (b *box) path() string {
	var folders []string
	for _, program := range []string{"wget", "curl"} {
		if slices.Contains(b.tools, program) {
			folders = append(folders, filepath.Join(b.engine.bin, program))
		}
	}
	return strings.Join(folders, ":")
}

// shell is a shell in a container: the machine's own, with nothing on its PATH but stand-ins, which come back to the engine to do their work.
// That one is the only tool of the machine that the sandbox makes use of; every Unix has it.
func shell(ctx context.Context, p *containerProcess) int {
	cmd := exec.Command("/bin/sh", p.argv...)
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, p.box.shellEnv...)
	cmd.Env = append(cmd.Env, "PATH="+p.box.path(), envContainer+"="+p.box.id)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = p.out, p.err
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(p.err, "sh: %v\n", err)
		return 127
	}
	stop := context.AfterFunc(ctx, func() { signalGroup(cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	_ = cmd.Wait() // the exit code tells
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// insideMain is a program that a container's shell started. The engine does its work.
func insideMain(name string) func(args []string) int {
	return func(args []string) int {
		conn, err := send(name, args)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: no sandbox: %v\n", name, err)
			return 1
		}
		defer conn.Close()
		frames := json.NewDecoder(conn)
		var a answer
		if err := frames.Decode(&a); err != nil || !a.Pass {
			fmt.Fprintf(os.Stderr, "%s: no sandbox: %v\n", name, err)
			return 1
		}
		return printFrames(frames)
	}
}

// answerInside does the work of a program that a container's shell started.
func (e *engine) answerInside(conn net.Conn, r request) {
	c := newDockerCall(e, conn)
	code := 1
	if b, ctx, err := c.running(r.Container); err != nil {
		c.fail(err)
	} else {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go c.watch(cancel)
		code = programs[r.Tool](ctx, &containerProcess{box: b, argv: r.Args, env: environment(r.Env), out: c.out, err: c.err})
	}
	c.finish(code)
}

// proxyVariables are those of the environment that name proxies.
func proxyVariables(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !strings.HasSuffix(strings.ToLower(name), "_proxy")
	})
}

// headMain is head -c BYTES.
func headMain(args []string) int {
	if len(args) != 2 || args[0] != "-c" {
		fmt.Fprintln(os.Stderr, "head: the stand-in knows -c only")
		return 1
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		fmt.Fprintf(os.Stderr, "head: invalid number '%s'\n", args[1])
		return 1
	}
	_, _ = io.CopyN(os.Stdout, os.Stdin, n) // less is fine
	return 0
}

// sleepMain is sleep SECONDS.
func sleepMain(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "sleep: missing operand")
		return 1
	}
	n, err := strconv.ParseUint(args[0], 10, 31)
	if err != nil {
		fmt.Fprintf(os.Stderr, "sleep: invalid number '%s'\n", args[0])
		return 1
	}
	time.Sleep(time.Duration(n) * time.Second)
	return 0
}
