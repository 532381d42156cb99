package sandbox

import (
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// asking are the tools that ask the Mac for all that they say and do.
var asking = []string{"launchctl", "docker", "lsof", "netstat", "ps", "pgrep", "pkill", "open", "osascript"}

// ask plays one of them by the executable's name, and exits. Under any other name it
// returns. Tests start these tools thousands of times: where there is a C compiler, they
// have askers/ask.c in its place.
func ask() {
	tool, args := filepath.Base(os.Args[0]), os.Args[1:]
	if !slices.Contains(asking, tool) {
		return
	}
	if tool == "docker" && len(args) > 0 && (args[0] == "start" || args[0] == "exec") {
		// The real one passes them on, and a container's program does not mind them.
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	}
	if tool == "open" { // which passes the caller's environment on, as far as Ollama reads it
		for _, pair := range os.Environ() {
			if strings.HasPrefix(pair, "OLLAMA_") {
				args = append([]string{"--env", pair}, args...)
			}
		}
	}
	a, _ := standin.Ask(tool, args) // the answer tells of an error
	os.Exit(a.Print())
}
