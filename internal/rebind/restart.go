// Package rebind makes a service listen where it is wanted, and takes that back.
//
// A [Plan] says what has to change. Applying it writes the settings, makes the service
// read them, proves the socket, and undoes everything when the proof fails. Nothing else
// is state: a run that was killed half way is healed by the next one, because it looks
// at the layers.
package rebind

import (
	"context"

	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// machine is the Mac that is changed.
type machine struct{ service.Machine }

// restarter makes a service read its settings again: by launchd, or by an app that
// supervises Ollama itself.
type restarter interface {
	// reload makes the service read its settings, or starts it.
	reload(ctx context.Context, t *transaction) (launchctl.Target, error)
	// unload ends a service that a fix started.
	unload(ctx context.Context, t *transaction) error
	// steps are reload and unload as commands.
	steps(p Plan) []string
	// restore returns the service to how the plan found it, settings excepted.
	restore(ctx context.Context, t *transaction) error
}

func restarterOf(s service.Service) restarter {
	if s.KindName() == service.App {
		return byApp{}
	}
	return byLaunchd{}
}
