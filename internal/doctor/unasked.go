package doctor

import (
	"errors"
	"fmt"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Unasked is why nothing could be fetched from inside of a container. Its hint is
// empty where nobody knows what to do.
func Unasked(t container.Target) *bind.Problem {
	err, tool := t.Err, t.Container.Runtime.Tool
	if t.Container.Err == nil && t.Container.Name != "" { // else it names the container itself, or there is none
		err = fmt.Errorf("%s: %w", t.Container.Name, err)
	}
	switch {
	case errors.Is(err, container.ErrNotRunning):
		return &bind.Problem{ID: "container-stopped", Hint: tool + " start " + shell.Quote(t.Container.Name), Err: err}
	case errors.Is(err, container.ErrPaused):
		return &bind.Problem{ID: "container-paused", Hint: tool + " unpause " + shell.Quote(t.Container.Name), Err: err}
	case errors.Is(err, container.ErrNoImage) && t.Image != "":
		return &bind.Problem{ID: "no-image", Hint: tool + " pull " + shell.Quote(t.Image), Err: err}
	}
	return NoneAsked(err, tool)
}

// NoneAsked is Unasked for an error that is about no one container.
func NoneAsked(err error, tool string) *bind.Problem {
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return &bind.Problem{ID: "no-container", Hint: tool + " ps --all", Err: err}
	case errors.Is(err, container.ErrNoImage): // any that is here is found, so nothing has to name it
		return &bind.Problem{ID: "no-image", Hint: tool + " pull curlimages/curl", Err: err}
	case errors.Is(err, launchctl.ErrNoAnswer):
		return &bind.Problem{ID: "no-answer", Hint: tool + " info", Err: err}
	}
	return &bind.Problem{ID: "probe-failed", Err: err}
}
