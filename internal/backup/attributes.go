package backup

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropped are attributes that a new file must not have: macOS asks about quarantined
// files, and records by itself where a file comes from.
var dropped = map[string]bool{"com.apple.quarantine": true, "com.apple.provenance": true}

// keepAttributes copies the extended attributes of the file at path to temp, as far as
// the system allows.
func keepAttributes(path string, temp *os.File) {
	names := make([]byte, 64<<10)
	n, err := unix.Listxattr(path, names)
	if err != nil {
		return
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		if name == "" || dropped[name] {
			continue
		}
		if n, err := unix.Getxattr(path, name, value); err == nil {
			unix.Fsetxattr(int(temp.Fd()), name, value[:n], 0)
		}
	}
}
