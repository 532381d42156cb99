package main

import (
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

func TestMain(m *testing.M) { sandbox.RunTests(m, name) }

// TestStories runs the program as a whole, one story a file.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
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
