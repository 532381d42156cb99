package doctor

import (
	"github.com/ollama-bind/ollama-bind/internal/bind"
)

// Case is what the checks look at. What several checks need is looked at once,
// when the first of them asks.
type Case struct {
	Machine bind.Machine
	Subject bind.Subject
	Goal    bind.Goal
	Getenv  func(string) string // this shell's environment
	System  string              // the operating system, as runtime.GOOS has it
}
