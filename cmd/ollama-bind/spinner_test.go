package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// silent is a Runner that does nothing.
type silent struct{}

func (silent) Run(context.Context, string, ...string) ([]byte, error) { return nil, nil }

func lively(w *bytes.Buffer) teller {
	return teller{err: w, aside: screen{lively: true, width: 40}}
}

func TestSpinnerHears(t *testing.T) {
	s := teller{aside: screen{width: 80}}.newSpinner("looking at the service", "putting things back")
	for _, step := range []struct{ verb, want string }{
		{"bootout", "⠋ stopping Ollama, 3 s"},
		{"bootout", "⠋ stopping Ollama, 3 s"}, // again, because it takes long
		{"bootstrap", "⠋ starting Ollama, 3 s"},
		{"print", "⠋ starting Ollama, 3 s"},
		{"kickstart", "⠋ waiting for Ollama to answer, 3 s"},
		{"bootout", "⠋ putting things back, 3 s"},
		{"kickstart", "⠋ putting things back, 3 s"},
	} {
		s.hear(step.verb)
		if got := s.text(0, 3*time.Second+time.Millisecond); got != step.want {
			t.Errorf("%s: %q, want %q", step.verb, got, step.want)
		}
	}
}

// TestSpinnerNarrow: what goes on to a second line could not be erased.
func TestSpinnerNarrow(t *testing.T) {
	for width := 1; width < 50; width++ {
		s := teller{aside: screen{width: width, ascii: true}}.newSpinner("", "")
		s.hear("kickstart")
		if got := s.text(1, 12*time.Second); columns(got) > max(width-3, len("/ , 12 s")) {
			t.Errorf("%d columns: %q", width, got)
		}
	}
}

func TestSpinnerLeavesNothing(t *testing.T) { synctest.Test(t, spinnerLeavesNothing) }

func spinnerLeavesNothing(t *testing.T) {
	var out bytes.Buffer
	m, done := lively(&out).watch(t.Context(), bind.Machine{Launchd: launchctl.Client{Runner: silent{}}}, false)
	m.Launchd.Runner.Run(t.Context(), "launchctl", "bootstrap")
	time.Sleep(spinAfter + 3*spinEvery)
	done()
	text := out.String()
	if !strings.Contains(text, "starting Ollama, 0 s") || !strings.HasSuffix(text, "\r\x1b[K") {
		t.Errorf("%q", text)
	}
	time.Sleep(2 * spinEvery)
	if out.String() != text {
		t.Errorf("it goes on: %q", out.String())
	}
}

// TestSpinnerCounts: it is the whole time that is shown, not that of the last step.
func TestSpinnerCounts(t *testing.T) { synctest.Test(t, spinnerCounts) }

func spinnerCounts(t *testing.T) {
	var out bytes.Buffer
	m, done := lively(&out).watch(t.Context(), bind.Machine{Launchd: launchctl.Client{Runner: silent{}}}, false)
	for _, verb := range []string{"bootout", "bootstrap", "kickstart"} {
		m.Launchd.Runner.Run(t.Context(), "launchctl", verb)
		time.Sleep(1100 * time.Millisecond)
	}
	done()
	inOrder(t, out.String(), "stopping Ollama, 0 s", "stopping Ollama, 1 s", "starting Ollama, 2 s", "waiting for Ollama to answer, 3 s")
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

// TestBusy is about commands that look and change nothing.
func TestBusy(t *testing.T) { synctest.Test(t, busy) }

func busy(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	done := lively(&out).busy(ctx, "looking at everything")
	time.Sleep(spinAfter + 3*spinEvery)
	cancel()
	time.Sleep(2 * spinEvery)
	done()
	inOrder(t, out.String(), "looking at everything, 0 s\x1b[K", "clearing up, 0 s\x1b[K")
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("%q", out.String())
	}
}

// TestSpinnerQuick: what is done at once shows nothing at all.
func TestSpinnerQuick(t *testing.T) { synctest.Test(t, spinnerQuick) }

func spinnerQuick(t *testing.T) {
	var out bytes.Buffer
	_, done := lively(&out).watch(t.Context(), bind.Machine{}, false)
	done()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}

func TestSpinnerInterrupted(t *testing.T) { synctest.Test(t, spinnerInterrupted) }

func spinnerInterrupted(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	_, done := lively(&out).watch(ctx, bind.Machine{}, false)
	cancel()
	time.Sleep(spinAfter + 3*spinEvery)
	done()
	if !strings.Contains(out.String(), "putting things back, 0 s") {
		t.Errorf("%q", out.String())
	}
}

// stuck is a terminal that was stopped: it takes nothing.
type stuck struct{ free chan struct{} }

func (s stuck) Write(b []byte) (int, error) { <-s.free; return len(b), nil }

// TestSpinnerHoldsNobodyUp: while a terminal is stopped, the service is not.
func TestSpinnerHoldsNobodyUp(t *testing.T) { synctest.Test(t, spinnerHoldsNobodyUp) }

func spinnerHoldsNobodyUp(t *testing.T) {
	terminal := stuck{make(chan struct{})}
	tell := teller{err: terminal, aside: screen{lively: true}}
	m, done := tell.watch(t.Context(), bind.Machine{Launchd: launchctl.Client{Runner: silent{}}}, false)
	time.Sleep(spinAfter + 2*spinEvery) // it is writing by now
	ran := make(chan struct{})
	go func() {
		for _, verb := range []string{"enable", "bootout", "bootstrap", "kickstart"} {
			m.Launchd.Runner.Run(t.Context(), "launchctl", verb)
		}
		close(ran)
	}()
	select {
	case <-ran:
	case <-time.After(5 * time.Second):
		t.Error("launchctl waits for the terminal")
	}
	close(terminal.free)
	done()
}

// TestSpinnerOtherRun: what is said meanwhile gets a line of its own.
func TestSpinnerOtherRun(t *testing.T) { synctest.Test(t, spinnerOtherRun) }

func spinnerOtherRun(t *testing.T) {
	var out bytes.Buffer
	m, done := lively(&out).watch(t.Context(), bind.Machine{}, false)
	time.Sleep(spinAfter + 3*spinEvery)
	m.Waiting(42)
	time.Sleep(3 * spinEvery)
	done()
	text := out.String()
	if !strings.Contains(text, "\r\x1b[Kollama-bind: note: waiting for another\n  run (pid 42) to finish\n") || !strings.Contains(text, "waiting for another run, 0 s") {
		t.Errorf("%q", text)
	}
}

func TestNoSpinner(t *testing.T) { synctest.Test(t, noSpinner) }

func noSpinner(t *testing.T) {
	var out bytes.Buffer
	for _, tell := range []teller{{err: &out}, lively(&out).plain()} {
		_, done := tell.watch(t.Context(), bind.Machine{}, false)
		asked := tell.busy(t.Context(), "looking at everything")
		time.Sleep(spinAfter + 2*spinEvery)
		asked()
		done()
	}
	_, done := lively(&out).watch(t.Context(), bind.Machine{}, true)
	time.Sleep(spinAfter + 2*spinEvery)
	done()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}
