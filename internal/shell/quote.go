// Package shell makes commands that can be pasted into a shell.
package shell

import "strings"

// Quote gives a word as a shell takes it: as it is if it is plain, and else in
// single quotes.
func Quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Sudo begins a command that only root may give, if this is one.
func Sudo(needed bool) string {
	if needed {
		return "sudo "
	}
	return ""
}
