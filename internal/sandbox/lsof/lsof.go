// Package lsof is the Mac's lsof: the machine's own where it has one, or a stand-in
// that finds the listening TCP sockets of this machine, Linux, by /proc, much quicker.
// It knows the options that this project uses.
package lsof

import (
	"fmt"
	"os"
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
	err = syscall.Exec(own, append([]string{"lsof"}, args...), os.Environ())
	fmt.Fprintf(os.Stderr, "lsof: %s: %v\n", own, err)
	return 1
}
