// Package asking plays the tools that ask the Mac for all that they say, launchctl,
// docker and open, and those that look at its processes, lsof, netstat, ps and pkill.
// The tests start them thousands of times, so they are kept apart from
// the stand-ins that carry an HTTP server and take twice as long to start.
package asking

import (
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/lsof"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/ps"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// parts are the tools, by the names of their executables.
var parts = map[string]func(args []string) int{
	"launchctl": launchctl, "docker": docker, "lsof": lsof.Main,
	"ps": ps.Main, "pgrep": ps.GrepMain, "pkill": ps.KillMain,
	"open": open, "osascript": osascript,
	"netstat": lsof.Netstat,
}

// Plays reports whether a tool of that name is one of them.
func Plays(name string) bool { return parts[name] != nil }

// Main plays the part that the executable's name asks for, and exits. Under any other
// name it returns.
func Main() {
	if part, ok := parts[filepath.Base(os.Args[0])]; ok {
		os.Exit(part(os.Args[1:]))
	}
}

func launchctl(args []string) int {
	a, _ := standin.Ask("launchctl", args) // the answer tells of an error
	return a.Print()
}

func docker(args []string) int {
	if len(args) > 0 && slices.Contains([]string{"start", "exec"}, args[0]) {
		// The real one passes them on, and a container's program does not mind them.
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	}
	a, _ := standin.Ask("docker", args)
	return a.Print()
}

// open passes the caller's environment on, as far as Ollama reads it.
func open(args []string) int {
	for _, pair := range os.Environ() {
		if strings.HasPrefix(pair, "OLLAMA_") {
			args = append([]string{"--env", pair}, args...)
		}
	}
	a, _ := standin.Ask("open", args)
	return a.Print()
}

// osascript tells the app to quit, which then only hides its window.
func osascript(args []string) int {
	a, _ := standin.Ask("osascript", args)
	return a.Print()
}
