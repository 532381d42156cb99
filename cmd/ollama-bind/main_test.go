package main

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// TestMain lets the test binary be everything that a story needs: ollama-bind
// itself, and the sandbox's launchctl, ollama and lsof.
func TestMain(m *testing.M) {
	sandbox.Main()
	testscript.Main(m, map[string]func(){
		"ollama-bind": func() {
			p := program{tell: newTeller(os.Stdout, os.Stderr), daemons: homebrew.Daemons, ownApp: os.Getenv("APP")}
			if dir := os.Getenv("DAEMONS"); dir != "" {
				p.daemons = dir // never the machine's own
			}
			os.Exit(p.run(append([]string{"ollama-bind"}, os.Args[1:]...)))
		},
	})
}

// TestStories runs the program as a whole, one story a file.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	schemas.start(t)
	var told atomic.Int32
	t.Cleanup(func() {
		if int(told.Load()) == len(files) { // and not a few of them, by -run
			schemas.checkCoverage(t)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			told.Add(1)
			return setup(env)
		},
		Cmds:                commands,
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
