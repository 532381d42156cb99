// Command standins is the sandbox's ollama and brew, each under its own name. Tests have
// it built.
package main

import (
	"os"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

func main() {
	sandbox.Main()
	os.Exit(2) // under another name
}
