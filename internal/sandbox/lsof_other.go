//go:build !linux

package sandbox

import (
	"fmt"
	"io"
)

// lsofStandIn reads Linux's /proc; elsewhere the machine's own lsof has to do.
func lsofStandIn(_ []string, _, stderr io.Writer) int {
	fmt.Fprintln(stderr, "lsof: the stand-in works on Linux only")
	return 1
}
