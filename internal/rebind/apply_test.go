package rebind

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/service"
)

// TestAfterUndo: what is said of the end is what was seen, and an answer of another
// process is not the service's.
func TestAfterUndo(t *testing.T) {
	unload := func(s *service.State) { s.Service.Loaded, s.Job = false, service.Job{} }
	for want, change := range map[string]func(s *service.State){
		"is up":                      func(*service.State) {},
		"in an unknown state":        func(s *service.State) { s.Job.Err = errors.New("hangs") },
		"not loaded now":             unload,
		"its plist is gone":          func(s *service.State) { unload(s); s.Settings[1].Err = fs.ErrNotExist },
		"does not answer":            func(s *service.State) { s.Socket.APIVersion = "" },
		"another process answers":    func(s *service.State) { s.Socket.Listeners[0].PID = 7 },
		"another process answers in": func(s *service.State) { s.Socket.Listeners, s.Socket.Unseen = nil, true },
		"who answers on its port is": func(s *service.State) { s.Socket.Listeners, s.Socket.Err = nil, errors.New("no lsof") },
	} {
		s := bound()
		change(&s)
		if got := afterUndo(s); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
