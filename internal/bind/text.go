package bind

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
)

// quote makes a path safe to paste into a shell.
func quote(path string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%"
	if path != "" && strings.Trim(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// samePath compares paths as launchd may have resolved them. A path that
// launchd did not tell is taken for the same.
func samePath(a, b string) bool {
	return a == "" || resolved(a) == resolved(b)
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// nobodyThere is set when connecting failed in a way that shows that no process
// has the address.
func nobodyThere(err error) bool {
	for _, e := range []error{syscall.ECONNREFUSED, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.EHOSTUNREACH} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// cutShort says why ctx ended before anything was changed.
func cutShort(ctx context.Context) *Problem {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return problem(Failed, "timeout", "", "gave up after the time that --timeout allows; nothing was changed")
	}
	return problem(Interrupted, "interrupted", "", "interrupted; nothing was changed")
}
