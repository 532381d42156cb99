// Command standins is the sandbox's launchctl, lsof, ollama, brew and docker, each
// under its own name. Every program that has a sandbox can be these itself; make test
// takes this one, which starts sooner than a test with the race detector in it.
package main

import (
	"os"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

func main() {
	sandbox.Main()
	os.Exit(2) // under another name
}
