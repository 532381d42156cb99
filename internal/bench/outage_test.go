package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

func TestWatch(t *testing.T) {
	const refusals = 3 // each of them a pause after the last answer or refusal
	var down atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, `{"version":"1"}`)
	}))
	defer s.Close()
	got, err := watch(t.Context(), s.Listener.Addr().String(), func() error {
		down.Store(refusals)
		return nil // Ollama is still down when the restart has ended
	})
	if least := (refusals + 1) * pause; err != nil || got < least {
		t.Errorf("watch = %v, %v, want at least %v", got, err, least)
	}
	failed := errors.New("refused")
	if _, err := watch(t.Context(), s.Listener.Addr().String(), func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("the restart's error comes back as %v", err)
	}
}
