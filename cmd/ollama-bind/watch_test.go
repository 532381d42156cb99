package main

import (
	"bytes"
	"context"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/screen"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

func lively(w *bytes.Buffer) teller { return teller{err: screen.Stream{Writer: w, Lively: true}} }

// TestNoSpinner: quick work shows nothing at all, and neither does output that is not
// for a terminal.
func TestNoSpinner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		_, done := lively(&out).spin("looking")
		done()
		for _, tell := range []teller{{err: screen.Stream{Writer: &out}}, lively(&out).plain()} {
			_, done := tell.spin("looking")
			_, fixed := tell.watch(t.Context(), service.Machine{}, false)
			time.Sleep(time.Second)
			fixed()
			done()
		}
		m, done := lively(&out).watch(t.Context(), service.Machine{}, true)
		m.Waiting(42)
		time.Sleep(time.Second)
		done()
		if out.Len() > 0 {
			t.Errorf("%q", out.String())
		}
	})
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		m, done := lively(&out).watch(ctx, service.Machine{}, false)
		time.Sleep(time.Second)
		m.Waiting(42)
		time.Sleep(time.Second)
		m.Progress(launchctl.StepBootstrap)
		m.Progress(launchctl.StepWait)
		time.Sleep(time.Second)
		cancel()
		m.Progress(launchctl.StepBootout)
		time.Sleep(time.Second)
		done()
		if want := `(?s)looking at the service, 0 s.*waiting for another run \(pid 42\) to finish, 1 s.*starting Ollama, 2 s.*putting things back, 3 s`; !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%q is not like %s", out.String(), want)
		}
	})
}

// TestOtherRun: it is reported without a terminal, too.
func TestOtherRun(t *testing.T) {
	var out bytes.Buffer
	m, done := teller{err: screen.Stream{Writer: &out}}.watch(t.Context(), service.Machine{}, false)
	defer done()
	m.Waiting(42)
	if got, want := out.String(), "ollama-bind: note: waiting for another run (pid 42) to finish\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
