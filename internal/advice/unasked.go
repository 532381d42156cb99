package advice

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/internal/shell"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Unasked says why nothing could be fetched from inside a container. Its hint is empty
// if nothing is known to help.
func Unasked(u container.ClientURL) *service.Error {
	err, tool := u.Err, u.Container.Runtime.Tool
	if u.Container.Err == nil && u.Container.Name != "" { // otherwise it names the container itself, or there is none
		err = fmt.Errorf("%s: %w", u.Container.Name, err)
	}
	name := shell.Quote(u.Container.Name)
	switch {
	case errors.Is(err, container.ErrRestarting):
		return &service.Error{ID: "container-restarting", Hint: tool + " logs --tail 20 " + name, Err: err}
	case errors.Is(err, container.ErrNotRunning) && u.Container.Origin.Service != "":
		return &service.Error{ID: "container-stopped", Hint: compose(u.Container) + " up -d " + shell.Quote(u.Container.Origin.Service), Err: err}
	case errors.Is(err, container.ErrCreated), errors.Is(err, container.ErrNotRunning):
		return &service.Error{ID: "container-stopped", Hint: tool + " start " + name, Err: err}
	case errors.Is(err, container.ErrPaused):
		return &service.Error{ID: "container-paused", Hint: tool + " unpause " + name, Err: err}
	case errors.Is(err, container.ErrNoImage) && u.Image != "":
		return &service.Error{ID: "no-image", Hint: tool + " pull " + shell.Quote(u.Image), Err: err}
	}
	return NoneAsked(err, tool)
}

// NoneAsked is Unasked for an error that concerns no container in particular.
func NoneAsked(err error, tool string) *service.Error {
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return &service.Error{ID: "no-container", Hint: tool + " ps --all", Err: err}
	case errors.Is(err, container.ErrNoImage): // any that is here is found without being named
		return &service.Error{ID: "no-image", Hint: tool + " pull curlimages/curl", Err: err}
	case errors.Is(err, launchctl.ErrNoAnswer):
		return &service.Error{ID: "no-answer", Hint: tool + " info", Err: err}
	}
	return &service.Error{ID: "probe-failed", Err: err}
}

// NoClient is for a machine where no container names Ollama.
func NoClient(others []container.Container) *service.Error {
	var names []string
	for _, c := range others {
		names = append(names, c.Name)
	}
	more := ""
	if len(names) > 10 {
		names, more = names[:10], ", ..."
	}
	return &service.Error{ID: "no-client", Hint: "ollama-bind probe " + shell.Quote(names[0]),
		Err: fmt.Errorf("no running container names Ollama in its environment; these run: %s%s", strings.Join(names, ", "), more)}
}

// Elsewhere says that the engine is on another machine; "" if it is on this one.
func Elsewhere(rt container.Runtime) string {
	if rt.Product != container.Remote {
		return ""
	}
	return fmt.Sprintf("the engine of %s is on another machine (%s), and from there this one is %s", rt.Tool, rt.Endpoint, rt.Address)
}

// NoRuntime says why there is no engine to ask. tried are the programs that failed;
// those that are not installed are mentioned only if none is. here are programs that
// are installed and were not tried.
func NoRuntime(tried []container.Unusable, here []string, getenv func(string) string, again string) *service.Error {
	e := &service.Error{Ending: service.NothingHere, ID: string(container.NoRuntime)}
	var said, missing []string
	for _, a := range tried {
		if errors.Is(a.Err, launchctl.ErrNoTool) {
			missing = append(missing, a.Tool)
			continue
		}
		said = append(said, a.Err.Error())
		e.Hint = cmp.Or(e.Hint, runtimeHint(a, getenv))
		if host := getenv("DOCKER_HOST"); host != "" && a.Tool == "docker" {
			said[len(said)-1] += ", which is what DOCKER_HOST says (" + host + ")"
		}
	}
	switch {
	case len(said) > 0:
	case len(here) > 0:
		said = []string{fmt.Sprintf("%s is not here, and %s is", strings.Join(missing, ", "), here[0])}
		e.Hint = "ollama-bind " + again + " --runtime " + here[0]
	default:
		said = []string{fmt.Sprintf("none of %s is here", strings.Join(missing, ", "))}
	}
	e.Hint = cmp.Or(e.Hint, "docker info")
	e.Err = fmt.Errorf("no container runtime answers: %s", strings.Join(said, "; "))
	return e
}

// runtimeHint may get an engine to answer.
func runtimeHint(a container.Unusable, getenv func(string) string) string {
	said := a.Err.Error()
	switch {
	case errors.Is(a.Err, container.ErrNoPermission) && a.Tool == "docker" && strings.Contains(said, "/var/run/docker.sock"):
		return `sudo usermod -aG docker "$USER" && newgrp docker`
	case errors.Is(a.Err, container.ErrNoPermission):
		return a.Tool + " info"
	case a.Tool == "docker" && getenv("DOCKER_HOST") != "":
		return "unset DOCKER_HOST"
	case a.Tool == "docker" && getenv("DOCKER_CONTEXT") != "":
		return "unset DOCKER_CONTEXT"
	case a.Tool == "docker" && strings.Contains(said, "context"):
		return "docker context use default"
	case a.Tool == "podman":
		return "podman machine start"
	}
	return ""
}
