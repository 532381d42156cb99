package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/masked"
	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

func TestTellError(t *testing.T) {
	var out, err bytes.Buffer
	tell := teller{out: screen.Stream{Writer: &out}, err: screen.Stream{Writer: &err}, log: &runLog{Runs: masked.NewRuns()}, home: "/Users/alice"}
	tell.error(&service.Error{
		Err:  errors.New("reading /Users/alice/a.plist: \x1b]0;x\a denied"),
		Hint: "chmod u+r '/Users/alice/a.plist'",
		Log:  []string{"a\x1b[2Jb"},
	})
	want := `ollama-bind: error: reading ~/a.plist: \x1b]0;x\a denied
ollama-bind: log: a\x1b[2Jb
ollama-bind: hint: chmod u+r '/Users/alice/a.plist'
`
	if err.String() != want || out.Len() > 0 {
		t.Errorf("stderr:\n%s\nwant:\n%s\nstdout: %q", err.String(), want, out.String())
	}
}
