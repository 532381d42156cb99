package backup

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropped are the attributes that a new file is not to have: macOS asks about what is
// quarantined, and writes down itself where a file comes from.
var dropped = map[string]bool{"com.apple.quarantine": true, "com.apple.provenance": true}

// keepAttributes gives temp the extended attributes of the file at path. What the
// system does not let be read or set is left out.
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
