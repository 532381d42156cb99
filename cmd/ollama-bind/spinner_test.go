package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

func lively(w *bytes.Buffer) teller { return teller{err: stream{Writer: w, lively: true}} }

// TestSpinner: the spinner shows the total time, not that of the last step, and leaves
// nothing behind.
func TestSpinner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		say, done := lively(&out).spin("looking")
		for _, step := range []string{"stopping", "starting", "waiting"} {
			time.Sleep(1100 * time.Millisecond)
			say(step)
		}
		time.Sleep(3 * spinEvery)
		done()
		text := out.String()
		inOrder(t, text, "looking, 0 s\x1b[K", "looking, 1 s", "stopping, 1 s", "starting, 2 s", "waiting, 3 s")
		if !strings.HasSuffix(text, "\r\x1b[K") {
			t.Errorf("%q", text)
		}
		time.Sleep(2 * spinEvery)
		if out.String() != text {
			t.Errorf("it goes on: %q", out.String())
		}
	})
}

func inOrder(t *testing.T, text string, wanted ...string) {
	t.Helper()
	rest, found := text, true
	for _, want := range wanted {
		if _, rest, found = strings.Cut(rest, want); !found {
			t.Fatalf("%q is not where it should be in %q", want, text)
		}
	}
}

// TestNoSpinner: quick work shows nothing at all, and neither does output that is not
// for a terminal.
func TestNoSpinner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		_, done := lively(&out).spin("looking")
		done()
		for _, tell := range []teller{{err: stream{Writer: &out}}, lively(&out).plain()} {
			_, done := tell.spin("looking")
			_, fixed := tell.watch(t.Context(), service.Machine{}, false)
			time.Sleep(spinAfter + 2*spinEvery)
			fixed()
			done()
		}
		m, done := lively(&out).watch(t.Context(), service.Machine{}, true)
		m.Waiting(42)
		time.Sleep(spinAfter + 2*spinEvery)
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
		time.Sleep(spinAfter + spinEvery)
		m.Waiting(42)
		time.Sleep(2 * spinEvery)
		m.Progress(launchctl.StepBootstrap)
		m.Progress(launchctl.StepWait)
		time.Sleep(2 * spinEvery)
		cancel()
		m.Progress(launchctl.StepBootout)
		time.Sleep(2 * spinEvery)
		done()
		inOrder(t, out.String(), "looking at the service, 0 s", "waiting for another run (pid 42) to finish, 0 s", "starting Ollama, 0 s", "putting things back, 0 s")
	})
}

// TestOtherRun: it is reported without a terminal, too.
func TestOtherRun(t *testing.T) {
	var out bytes.Buffer
	m, done := teller{err: stream{Writer: &out}}.watch(t.Context(), service.Machine{}, false)
	defer done()
	m.Waiting(42)
	if got, want := out.String(), "ollama-bind: note: waiting for another run (pid 42) to finish\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// stuck is a stopped terminal: it accepts nothing.
type stuck struct{ free chan struct{} }

func (s stuck) Write(b []byte) (int, error) { <-s.free; return len(b), nil }

// TestSpinnerHoldsNobodyUp: a stopped terminal does not stop the work.
func TestSpinnerHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal := stuck{make(chan struct{})}
		say, done := teller{err: stream{Writer: terminal, lively: true}}.spin("looking")
		time.Sleep(spinAfter + 2*spinEvery) // it is writing by now
		said := make(chan struct{})
		go func() {
			say("stopping")
			say("starting")
			close(said)
		}()
		select {
		case <-said:
		case <-time.After(5 * time.Second):
			t.Error("a step waits for the terminal")
		}
		close(terminal.free)
		done()
	})
}
