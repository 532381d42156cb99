package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	var down atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, `{"version":"1"}`)
	}))
	defer s.Close()
	const outage = 100 * time.Millisecond
	got, err := watch(t.Context(), s.Listener.Addr().String(), func() error {
		down.Store(true)
		time.AfterFunc(outage, func() { down.Store(false) }) // after the restart has ended
		return nil
	})
	if err != nil || got < outage {
		t.Errorf("watch = %v, %v, want at least %v", got, err, outage)
	}
	failed := errors.New("refused")
	if _, err := watch(t.Context(), s.Listener.Addr().String(), func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("the restart's error comes back as %v", err)
	}
}
