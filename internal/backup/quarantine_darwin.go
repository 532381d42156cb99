package backup

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// liftQuarantine removes the mark that macOS puts on what some programs write, such as
// a sandboxed terminal: since macOS 27, launchd refuses a plist that has it (Apple's
// release notes, 166415497).
func liftQuarantine(f *os.File) error {
	err := unix.Fremovexattr(int(f.Fd()), "com.apple.quarantine")
	if errors.Is(err, unix.ENOATTR) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
