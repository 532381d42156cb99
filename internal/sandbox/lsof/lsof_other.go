//go:build !linux

package lsof

import "github.com/ollama-bind/ollama-bind/internal/sandbox/standin"

// list reads Linux's /proc; elsewhere the machine's own lsof has to do.
func list(string, []string) standin.Answer {
	return standin.Fail(1, "lsof: the stand-in works on Linux only")
}

func tabulate(string) string { return "" }
