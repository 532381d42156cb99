package advice

import (
	"errors"
	"fmt"

	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Unasked is why nothing could be fetched from inside of a container. Its hint is
// empty where nobody knows what to do.
func Unasked(u container.ClientURL) *service.Error {
	err, tool := u.Err, u.Container.Runtime.Tool
	if u.Container.Err == nil && u.Container.Name != "" { // else it names the container itself, or there is none
		err = fmt.Errorf("%s: %w", u.Container.Name, err)
	}
	switch {
	case errors.Is(err, container.ErrNotRunning):
		return &service.Error{ID: "container-stopped", Hint: tool + " start " + shell.Quote(u.Container.Name), Err: err}
	case errors.Is(err, container.ErrPaused):
		return &service.Error{ID: "container-paused", Hint: tool + " unpause " + shell.Quote(u.Container.Name), Err: err}
	case errors.Is(err, container.ErrNoImage) && u.Image != "":
		return &service.Error{ID: "no-image", Hint: tool + " pull " + shell.Quote(u.Image), Err: err}
	}
	return NoneAsked(err, tool)
}

// NoneAsked is Unasked for an error that is about no one container.
func NoneAsked(err error, tool string) *service.Error {
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return &service.Error{ID: "no-container", Hint: tool + " ps --all", Err: err}
	case errors.Is(err, container.ErrNoImage): // any that is here is found, so nothing has to name it
		return &service.Error{ID: "no-image", Hint: tool + " pull curlimages/curl", Err: err}
	case errors.Is(err, launchctl.ErrNoAnswer):
		return &service.Error{ID: "no-answer", Hint: tool + " info", Err: err}
	}
	return &service.Error{ID: "probe-failed", Err: err}
}
