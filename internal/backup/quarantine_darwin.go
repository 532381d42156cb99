package backup

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// liftQuarantine takes away the mark that macOS gives to what some programs write, a
// sandboxed terminal among them: since macOS 27 launchd refuses a plist that
// has it (Apple's release notes, 166415497).
func liftQuarantine(f *os.File) error {
	err := unix.Fremovexattr(int(f.Fd()), "com.apple.quarantine")
	if errors.Is(err, unix.ENOATTR) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
