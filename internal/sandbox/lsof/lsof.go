// Package lsof is the Mac's lsof and netstat: the machine's own where it has one, or a
// stand-in that finds listening TCP sockets on Linux, by /proc, much quicker. It knows the
// options that this project uses.
package lsof

import (
	"bytes"
	"context"
	"os/exec"
	"runtime"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Answer is what lsof says on the Mac with that server: the machine's own where that is
// given.
func Answer(ctx context.Context, own, server string, args []string) standin.Answer {
	if own == "" {
		return list(server, args)
	}
	if runtime.GOOS == "linux" { // where -b keeps lsof from finding the sockets
		args = slices.DeleteFunc(args, func(arg string) bool { return arg == "-b" })
	}
	return run(ctx, own, args)
}

// run runs the machine's own tool.
func run(ctx context.Context, path string, args []string) standin.Answer {
	cmd := exec.CommandContext(ctx, path, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); cmd.ProcessState == nil {
		return standin.Fail(1, "%s: %v", path, err)
	}
	return standin.Answer{Stdout: out.String(), Stderr: errOut.String(), Code: cmd.ProcessState.ExitCode()}
}

// Netstat is what netstat says there.
func Netstat(ctx context.Context, server string, args []string) standin.Answer {
	switch {
	case runtime.GOOS == "darwin":
		return run(ctx, "/usr/sbin/netstat", args)
	case !slices.Equal(args, []string{"-anv", "-p", "tcp"}):
		return standin.Fail(1, "netstat: the stand-in knows -anv -p tcp, not %q", args)
	}
	return standin.Answer{Stdout: tabulate(server)}
}
