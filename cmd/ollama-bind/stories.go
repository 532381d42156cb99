//go:build stories

package main

import "os"

// A story's Mac has in its own folder what HOME does not move: never the machine's own.
func init() {
	if dir := os.Getenv("DAEMONS"); dir != "" {
		daemons = dir
	}
	ownApp = os.Getenv("APP")
}
