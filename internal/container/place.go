package container

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Errors of the places that fetches are made in.
var (
	// ErrNoImage says that no throw-away container could be made: there is no
	// image with a tool that fetches.
	ErrNoImage = errors.New("there is no image to make a container of that fetches")
	// ErrPaused says that the container is paused.
	ErrPaused = errors.New("the container is paused")
	// ErrNotRunning says that the container is stopped.
	ErrNotRunning = errors.New("the container is not running")
)

// noProxy empties the variables from which tools take a proxy: what is measured
// is the container's network.
func noProxy() []string {
	var args []string
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy"} {
		args = append(args, "-e", name+"=", "-e", strings.ToUpper(name)+"=")
	}
	return args
}

// inside is the container itself.
func inside(r Runner, c Container) place {
	return func(ctx context.Context, argv ...string) ([]byte, error) {
		args := append([]string{"exec"}, noProxy()...)
		args = append(append(args, c.ID), argv...)
		out, err := r.Run(ctx, c.Runtime.Tool, args...)
		return out, insideError(err)
	}
}

// beside is a throw-away container on the network of c, or on the default one
// if c has no name. Each program gets a container of its own.
func (p Probe) beside(c Container, image string) place {
	return func(ctx context.Context, argv ...string) ([]byte, error) {
		name := fmt.Sprintf("%s%d-%s", throwAwayName, os.Getpid(), newMarker())
		args := []string{"create", "--pull", "never", "--name", name, "--label", throwAwayLabel}
		if c.Name != "" {
			args = append(args, "--network", "container:"+c.ID)
		}
		args = append(append(args, noProxy()...), "--entrypoint", argv[0], image)
		// Whatever becomes of the command: a container that is made is also removed.
		defer p.remove(ctx, c.Runtime, name)
		err := p.create(ctx, c.Runtime, append(args, argv[1:]...))
		if errors.Is(err, launchctl.ErrNoAnswer) {
			defer p.remove(ctx, c.Runtime, name) // the engine may have been about to make it
		}
		if err != nil {
			return nil, err
		}
		out, err := p.Runner.Run(ctx, c.Runtime.Tool, "start", "--attach", name)
		return out, insideError(err)
	}
}

// create makes a container and does not start it. It is not cut short when ctx
// ends: an engine that is asked and not listened to may make it all the same,
// after it was looked for to be removed.
func (p Probe) create(ctx context.Context, rt Runtime, args []string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ctx, cancel := p.afterwards(ctx, making)
	defer cancel()
	_, err := p.Runner.Run(ctx, rt.Tool, args...)
	var exit *launchctl.ExitError
	if errors.As(err, &exit) && noSuchImage(exit.Stderr) {
		return fmt.Errorf("%w: %s", ErrNoImage, reason(exit.Stderr))
	}
	return err
}

// noSuchImage goes by wording: docker, podman and nerdctl have no exit status
// for it.
func noSuchImage(stderr string) bool {
	for _, text := range []string{"No such image", "image not known", "no such image"} {
		if strings.Contains(stderr, text) {
			return true
		}
	}
	return false
}

// What our containers are called, and how they are marked.
const (
	throwAwayName  = "ollama-bind-"
	throwAwayLabel = "ollama-bind=probe"
)

// How long making a container and removing it may take, when the time of the
// command itself has run out.
const (
	making  = 4 * time.Second
	removal = 4 * time.Second
)

func (p Probe) remove(ctx context.Context, rt Runtime, names ...string) {
	ctx, cancel := p.afterwards(ctx, removal)
	defer cancel()
	args := append([]string{"rm", "--force", "--volumes"}, names...)
	_, _ = p.Runner.Run(ctx, rt.Tool, args...) // one that was never made cannot be removed
}

// sweep removes the throw-away containers of runs that were killed: those that do
// not run, and whose name has the process ID of nobody.
func (p Probe) sweep(ctx context.Context, rt Runtime) {
	out, err := p.Runner.Run(ctx, rt.Tool, "ps", "--all", "--filter", "label="+throwAwayLabel,
		"--filter", "status=created", "--filter", "status=exited", "--format", "{{.Names}}")
	if err != nil {
		return // what can be measured all the same, is
	}
	var dead []string
	for _, name := range strings.Fields(string(out)) {
		id, _, _ := strings.Cut(strings.TrimPrefix(name, throwAwayName), "-")
		pid, err := strconv.Atoi(id)
		if err == nil && strings.HasPrefix(name, throwAwayName) && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			dead = append(dead, name)
		}
	}
	if len(dead) > 0 {
		p.remove(ctx, rt, dead...)
	}
}

// fetchers are images that are known to have a tool, the one that tells most
// first.
var fetchers = []string{"python", "node", "curl", "busybox", "alpine"}

// localImage finds an image that is here already; nothing is pulled.
func localImage(ctx context.Context, r Runner, rt Runtime) (string, error) {
	out, err := r.Run(ctx, rt.Tool, "images", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil {
		return "", fmt.Errorf("looking for an image: %w", err)
	}
	best, rank := "", len(fetchers)
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		image := lines.Text()
		if at := rankOf(image); at < rank {
			best, rank = image, at
		}
	}
	if best == "" {
		return "", ErrNoImage
	}
	return best, nil
}

// rankOf is the place of an image among the fetchers: "docker.io/library/python:3.13"
// is a python.
func rankOf(image string) int {
	repository, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	for i, name := range fetchers {
		if repository == name && tag != "<none>" {
			return i
		}
	}
	return len(fetchers)
}
