package container

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// insideError turns what a runtime's exec or run said into an errNoProgram
// where it means that the program is not in the container.
//
// Some versions of docker exec say it on standard output (docker/cli#2025),
// where only fetch sees it.
func insideError(err error) error {
	if err == nil || errors.Is(err, errNoProgram) || !absent(nil, err) {
		return err
	}
	return fmt.Errorf("%w: %w", errNoProgram, err)
}

// absent reports whether a program was not found inside. The exit status alone
// does not tell, because a program's own is passed through; nor do the words
// alone.
func absent(stdout []byte, err error) bool {
	var exit *launchctl.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	switch exit.Code {
	case 126, 127: // exec and run
		return saysAbsent(exit.Stderr) || saysAbsent(string(stdout[:min(len(stdout), maxSaid)]))
	case 1, 125: // start --attach of docker and podman; nerdctl has no other than 1
		return saysAbsent(exit.Stderr)
	}
	return false
}

// maxSaid is far above the length of what an engine says on standard output.
const maxSaid = 4 << 10

// saysAbsent reports whether a line says so that comes from the engine.
func saysAbsent(text string) bool {
	for line := range strings.Lines(text) {
		if engineLine.MatchString(line) && absentLine.MatchString(line) {
			return true
		}
	}
	return false
}

// The lines are made by runc or crun, and passed on by all engines with
// something before:
//
//	OCI runtime exec failed: exec failed: unable to start container process: exec: "node": executable file not found in $PATH: unknown
//	Error response from daemon: … OCI runtime create failed: … exec: "/bin/node": stat /bin/node: no such file or directory: unknown
//	Error: runc: exec failed: unable to start container process: exec: "/bin/node": permission denied: OCI permission denied
//	Error: crun: executable file `node` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found
//	time="…" level=fatal msg="OCI runtime exec failed: … exec: \"node\": executable file not found in $PATH: unknown"
var (
	engineLine = lazyregexp.New(`^(?:docker: )?(?:Error|OCI runtime|FATA\[|time="|rpc error)`)
	absentLine = lazyregexp.New(`(?i)\b(?:oci|runc|crun)\b.*(?:executable file .*not found in \$PATH|exec: .*no such file or directory|exec: .*permission denied|command that was not found)`)
)
