// Package lsof is the Mac's lsof and netstat: the machine's own where it has one, or a
// stand-in that finds the listening TCP sockets of this machine, Linux, by /proc, much
// quicker. It knows the options that this project uses.
package lsof

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Main is the executable. It asks the Mac for faults first.
func Main(args []string) int {
	a, err := standin.Ask("lsof", args)
	if err != nil || !a.Pass {
		return a.Print()
	}
	own := os.Getenv(standin.EnvLsof)
	if own == "" {
		return list(args, os.Stdout, os.Stderr)
	}
	if runtime.GOOS == "linux" { // where -b keeps lsof from finding the sockets
		args = slices.DeleteFunc(args, func(arg string) bool { return arg == "-b" })
	}
	return become(own, args)
}

// become is the machine's own tool from here on.
func become(path string, args []string) int {
	err := syscall.Exec(path, append([]string{filepath.Base(path)}, args...), os.Environ())
	fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
	return 1
}

// Netstat is the executable of that name.
func Netstat(args []string) int {
	a, err := standin.Ask("netstat", args)
	switch {
	case err != nil || !a.Pass:
		return a.Print()
	case runtime.GOOS == "darwin":
		return become("/usr/sbin/netstat", args)
	case !slices.Equal(args, []string{"-anv", "-p", "tcp"}):
		fmt.Fprintf(os.Stderr, "netstat: the stand-in knows -anv -p tcp, not %q\n", args)
		return 1
	}
	return tabulate(os.Stdout)
}
