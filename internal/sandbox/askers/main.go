// Command askers is the sandbox's launchctl, docker and lsof, each under its own name.
// Tests have it built.
package main

import (
	"os"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/asking"
)

func main() {
	asking.Main()
	os.Exit(2) // under another name
}
