package container

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/container/fetch"
	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Errors of the containers that fetches are made in.
var (
	// ErrNoImage: there is no image with a tool that fetches, so no temporary container
	// could be made.
	ErrNoImage = errors.New("no image here has anything to fetch with")
	// ErrPaused: the container is paused.
	ErrPaused = errors.New("the container is paused")
	// ErrNotRunning: the container is stopped.
	ErrNotRunning = errors.New("the container is not running")
	// ErrCreated: the container was never started.
	ErrCreated = errors.New("the container was never started")
	// ErrRestarting: the container ends each time it is started.
	ErrRestarting = errors.New("the container ends, and is started again, over and over")
)

// inside runs programs in the container itself.
func inside(r Runner, c Container) fetch.Executor {
	return func(ctx context.Context, stdin string, argv ...string) ([]byte, error) {
		return r.Run(launchctl.WithInput(ctx, stdin), c.Runtime.Tool, append([]string{"exec", "-i", c.ID}, argv...)...)
	}
}

// beside runs each program in a temporary container on the network of c, or on the
// default network if c has no name.
func (p Probe) beside(c Container, image string) fetch.Executor {
	return func(ctx context.Context, stdin string, argv ...string) ([]byte, error) {
		name := fmt.Sprintf("%s%d-%s", temporaryName, os.Getpid(), rand.Text())
		args := []string{"create", "--interactive", "--pull", "never", "--name", name, "--label", temporaryLabel}
		if c.Name != "" {
			args = append(args, "--network", "container:"+c.ID)
		}
		args = append(append(args, "--entrypoint", argv[0], image), argv[1:]...)
		// Whatever happens to the command, a container that was made is removed.
		defer p.remove(ctx, c.Runtime, name)
		if c.Runtime.Tool == "nerdctl" { // whose start knows no --interactive
			return p.Runner.Run(launchctl.WithInput(ctx, stdin), "nerdctl", append([]string{"run"}, args[1:]...)...)
		}
		err := p.create(ctx, c.Runtime, args)
		if errors.Is(err, launchctl.ErrNoAnswer) {
			defer p.remove(ctx, c.Runtime, name) // the engine may have been making it
		}
		if err != nil {
			return nil, err
		}
		return p.Runner.Run(launchctl.WithInput(ctx, stdin), c.Runtime.Tool, "start", "--attach", "--interactive", name)
	}
}

// create makes a container and does not start it. It goes on when ctx ends: an engine
// whose client went away may still make the container, after we looked for it to remove
// it.
func (p Probe) create(ctx context.Context, rt Runtime, args []string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ctx, cancel := p.afterwards(ctx)
	defer cancel()
	_, err := p.Runner.Run(ctx, rt.Tool, args...)
	var exit *launchctl.ExitError
	if errors.As(err, &exit) && noSuchImage.MatchString(exit.Stderr) {
		return fmt.Errorf("%w: %s", ErrNoImage, text.Reason(exit.Stderr))
	}
	return err
}

// noSuchImage goes by wording: docker, podman and nerdctl have no exit status for this.
var noSuchImage = regexp.MustCompile(`[Nn]o such image|image not known`)

// making is how long an engine gets to make a container, or to remove it.
const making = 4 * time.Second

// withoutReserve is ctx minus the time to make and remove a container.
func withoutReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithTimeout(ctx, left-min(left/2, 2*making))
}

// afterwards is the context for making and removing a container, which happens even if
// time is up, or the run was interrupted. It ends a second before the hard limit.
func (p Probe) afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	allowance := making
	if !p.until.IsZero() {
		allowance = max(time.Second, min(allowance, time.Until(p.until)))
	}
	return context.WithTimeoutCause(context.WithoutCancel(ctx), allowance, launchctl.ErrNoAnswer)
}

func (p Probe) remove(ctx context.Context, rt Runtime, names ...string) {
	ctx, cancel := p.afterwards(ctx)
	defer cancel()
	args := append([]string{"rm", "--force", "--volumes"}, names...)
	_, _ = p.Runner.Run(ctx, rt.Tool, args...) // one that was never made cannot be removed
}

// sweep removes temporary containers of killed runs: those that do not run, and whose
// name has the ID of no living process.
func (p Probe) sweep(ctx context.Context, rt Runtime) {
	out, err := p.Runner.Run(ctx, rt.Tool, "ps", "--all", "--filter", "label="+temporaryLabel,
		"--filter", "status=created", "--filter", "status=exited", "--format", "{{.Names}}")
	if err != nil {
		return // measure what can be measured anyway
	}
	var dead []string
	for _, name := range strings.Fields(string(out)) {
		rest, ours := strings.CutPrefix(name, temporaryName)
		id, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(id)
		if ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			dead = append(dead, name)
		}
	}
	if len(dead) > 0 {
		p.remove(ctx, rt, dead...)
	}
}

// The names and labels of our containers.
const (
	temporaryName  = "ollama-bind-"
	temporaryLabel = "ollama-bind=probe"
)

// fetchingImages are images known to include a tool, the most informative first.
var fetchingImages = []string{"python", "node", "curl", "busybox", "alpine"}

// localImage finds an image that is already here; nothing is pulled. The name of
// "docker.io/library/python:3.13" is python.
func localImage(ctx context.Context, r Runner, rt Runtime) (string, error) {
	out, err := r.Run(ctx, rt.Tool, "images", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil {
		return "", fmt.Errorf("looking for an image: %w", err)
	}
	best, rank := "", len(fetchingImages)
	for _, image := range strings.Fields(string(out)) {
		name, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
		i := slices.Index(fetchingImages, name)
		if i >= 0 && i < rank && tag != "<none>" {
			best, rank = image, i
		}
	}
	if best == "" {
		return "", ErrNoImage
	}
	return best, nil
}
