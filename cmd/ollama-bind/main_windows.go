// Ollama-bind makes the Ollama on a Mac reachable from containers. Windows has neither
// launchd nor Homebrew, so there it only says where to read on.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "ollama-bind: error: this program is for macOS; on Windows, set OLLAMA_HOST in your account's environment variables and restart Ollama")
	fmt.Fprintln(os.Stderr, "ollama-bind: hint: https://github.com/ollama-bind/ollama-bind/blob/main/docs/platforms.md")
	os.Exit(5)
}
