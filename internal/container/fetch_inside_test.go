package container

import (
	"errors"
	"testing"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

func TestInsideError(t *testing.T) {
	const (
		runcName = `unable to start container process: exec: "python3": executable file not found in $PATH: `
		runcPath = `unable to start container process: exec: "/opt/python3": stat /opt/python3: no such file or directory: `
		runcDir  = `unable to start container process: exec: "/etc": permission denied: `
		created  = "Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: "
	)
	tests := []struct {
		name   string
		code   int
		stderr string
		want   bool
	}{
		{"docker exec, since 23", 127, "OCI runtime exec failed: exec failed: " + runcName + "unknown", true},
		{"docker exec, path", 127, "OCI runtime exec failed: exec failed: " + runcPath + "unknown", true},
		{"docker exec, folder", 126, "OCI runtime exec failed: exec failed: " + runcDir + "unknown", true},
		{"docker exec, 18.09", 126, `OCI runtime exec failed: exec failed: container_linux.go:344: starting container process caused "exec: \"x\": executable file not found in $PATH": unknown`, true},
		{"docker exec, 1.12", 126, `rpc error: code = 13 desc = invalid header field value "oci runtime error: exec failed: container_linux.go:247: starting container process caused \"exec: \\\"cd\\\": executable file not found in $PATH\"\n"`, true},
		{"docker run", 127, "docker: " + created + runcName + "unknown\n\nRun 'docker run --help' for more information", true},
		{"docker run, other platform", 127, "WARNING: The requested image's platform (linux/amd64) does not match\ndocker: " + created + runcName + "unknown", true},
		{"docker start", 1, created + runcPath + "unknown", true},
		{"podman exec with runc", 127, "Error: runc: exec failed: " + runcName + "OCI runtime attempted to invoke a command that was not found", true},
		{"podman exec with runc, folder", 126, "Error: runc: exec failed: " + runcDir + "OCI permission denied", true},
		{"podman exec with crun", 127, "Error: crun: executable file `python3` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found", true},
		{"podman start", 125, "Error: unable to start container c394: runc: runc create failed: " + runcName + "OCI runtime attempted to invoke a command that was not found", true},
		{"nerdctl exec", 1, `time="2026-11-20T10:00:00Z" level=fatal msg="OCI runtime exec failed: exec failed: unable to start container process: exec: \"python3\": executable file not found in $PATH"`, true},
		{"nerdctl exec at a terminal", 1, "FATA[0000] OCI runtime exec failed: exec failed: " + runcName + "unknown", true},

		{"a shell's own", 127, "sh: nosuch: not found", false},
		{"the program's own status", 127, "", false},
		{"the program's own words", 1, `exec: "python3": executable file not found in $PATH`, false},
		{"words of a program that quotes an engine", 1, `Traceback: OCI runtime exec failed: exec: "x": executable file not found in $PATH`, false},
		{"other status", 2, "OCI runtime exec failed: exec failed: " + runcName, false},
		{"no such container", 1, "Error response from daemon: No such container: x", false},
		{"no such image", 125, "docker: Error response from daemon: No such image: x:1", false},
		{"a container that cannot start", 126, "Error: runc: runc create failed: unable to start container process: error during container init: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted: OCI permission denied", false},
	}
	for _, tt := range tests {
		err := error(&launchctl.ExitError{Args: []string{"docker"}, Code: tt.code, Stderr: tt.stderr})
		got := insideError(err)
		if errors.Is(got, errNoProgram) != tt.want || !errors.Is(got, err) {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if insideError(nil) != nil || !errors.Is(insideError(launchctl.ErrNoTool), launchctl.ErrNoTool) || errors.Is(insideError(launchctl.ErrNoTool), errNoProgram) {
		t.Error("other errors are not left alone")
	}
}
