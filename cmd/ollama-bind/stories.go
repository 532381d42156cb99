//go:build stories && !windows

package main

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/ollama-bind/ollama-bind/internal/service"
)

// A story's Mac keeps in its own folder what HOME does not move, never the machine's
// own.
func init() {
	if dir := os.Getenv("DAEMONS"); dir != "" {
		daemons = dir
	}
	if app := os.Getenv("APP"); app != "" {
		applications = filepath.Dir(app)
	}
	if port, err := strconv.Atoi(os.Getenv("SANDBOX_PORT")); err == nil {
		service.AppPort = port
	}
}
