package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

func (p program) probeCommand() *cli.Command {
	return &cli.Command{
		Name:  "probe",
		Usage: "fetch Ollama from inside of containers, and say what it takes to reach it",
		Description: "Fetches from inside of the containers: the URLs that their environment has for\n" +
			"Ollama, Ollama by each of the host's names, and two listeners of its own, one on\n" +
			"127.0.0.1 and one on all interfaces, which are there for as long as the probe takes.\n" +
			"So it shows whether a rebind helps. Without --container it asks every running container\n" +
			"whose environment names Ollama, or else a throw-away one. Nothing is pulled.",
		Flags: []cli.Flag{
			containerFlag(),
			&cli.StringFlag{Name: "image", Usage: "fetch from a throw-away container of `IMAGE`, on the network of each container"},
			runtimeFlag(),
			&cli.StringFlag{Name: "url", Usage: "fetch `URL`, whatever the containers' environment says"},
			&cli.StringFlag{Name: "origin", Usage: "send `ORIGIN` along, as a web page from there would"},
			hostFlag(),
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "`TIME` that all of it may take"},
			jsonFlag(),
		},
		Action: p.probe,
	}
}

func containerFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "container", Usage: "the container's `NAME`; again for another one"}
}

func runtimeFlag() cli.Flag {
	return &cli.StringFlag{Name: "runtime", Usage: "ask `TOOL` alone: " + strings.Join(container.Tools(), ", ")}
}

const (
	// patience is how long one fetch from inside may take. What answers at all
	// does so in milliseconds.
	patience = 3 * time.Second
	// runtimeDeadline is how long one command of a runtime may take. An engine
	// in a virtual machine may have to be woken up first.
	runtimeDeadline = 10 * time.Second
	// leastProbe is the shortest --timeout that is taken.
	leastProbe = time.Second
)

func (p program) probe(c *cli.Context) error {
	host, err := readHost(c)
	if err != nil {
		return err
	}
	question, err := readProbe(c)
	if err != nil {
		return err
	}
	m, err := p.machine(false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	result := question.Run(ctx, func(ctx context.Context) container.Server {
		return doctor.Server(ctx, m, bind.GoalFor(host, true), c.IsSet("host"))
	})
	return p.reportProbe(c, result, ctx)
}

// readProbe reads what is to be asked, and refuses what could be taken for
// something else further on.
func readProbe(c *cli.Context) (container.Probe, error) {
	help := name + " " + c.Command.Name + " --help"
	for _, flag := range []string{"image", "url", "origin", "runtime"} {
		if c.IsSet(flag) && c.String(flag) == "" {
			return container.Probe{}, &usageError{"--" + flag + " has no value", help}
		}
	}
	if slices.Contains(c.StringSlice("container"), "") {
		return container.Probe{}, &usageError{"--container has no value", help}
	}
	if strings.HasPrefix(c.String("image"), "-") {
		return container.Probe{}, &usageError{fmt.Sprintf("--image %q is no image", c.String("image")), help}
	}
	if u := c.String("url"); u != "" && !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
		return container.Probe{}, &usageError{fmt.Sprintf("--url %q does not begin with http:// or https://", u), name + " probe --url http://" + u}
	}
	if t := c.Duration("timeout"); c.Command.Name == "probe" && t < leastProbe {
		return container.Probe{}, &usageError{fmt.Sprintf("--timeout %s is too short to fetch anything", t), name + " probe --timeout 30s"}
	}
	tools, err := readTools(c)
	return container.Probe{
		Runner:   launchctl.Exec{Deadline: runtimeDeadline},
		Tools:    tools,
		Names:    c.StringSlice("container"),
		URL:      c.String("url"),
		Image:    c.String("image"),
		Origin:   c.String("origin"),
		Patience: patience,
		Fix:      func(port int) string { return doctor.Rebind(runtime.GOOS, port) },
	}, err
}

func readTools(c *cli.Context) ([]string, error) {
	tool := c.String("runtime")
	switch {
	case tool == "":
		return nil, nil
	case !slices.Contains(container.Tools(), tool):
		return nil, &usageError{fmt.Sprintf("--runtime %q is none of %s", tool, strings.Join(container.Tools(), ", ")),
			fmt.Sprintf("%s %s --runtime docker", name, c.Command.Name)}
	}
	return []string{tool}, nil
}

func (p program) reportProbe(c *cli.Context, result container.Report, ctx context.Context) error {
	err := probeError(ctx, result)
	r := newProbeReport(p.tell, result, err)
	if err == nil && !r.OK {
		err = errNotWanted
	}
	if c.Bool("json") {
		p.tell.json(r)
		return asReported(err)
	}
	p.printProbe(r, result)
	return err
}

// probeError is what a person has to know who gets no verdict, or not all of
// them.
func probeError(ctx context.Context, result container.Report) error {
	switch {
	case ctx.Err() != nil:
		return cutShort(ctx)
	case len(result.Runtimes) == 0:
		return noRuntime(result.Absent, "")
	case result.Err != nil:
		return containerProblem(result.Err)
	}
	for _, t := range result.Targets {
		if t.Err != nil {
			return targetProblem(t)
		}
	}
	return nil
}

func cutShort(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &bind.Problem{ID: "timeout", Hint: name + " probe --timeout 60s", Err: errors.New("gave up after the time that --timeout allows")}
	}
	return &bind.Problem{Kind: bind.Interrupted, ID: "interrupted", Err: errors.New("interrupted")}
}

// noRuntime says of each runtime why it is of no use. One that is not there is
// only worth a word if all are.
func noRuntime(absent []container.Absent, hint string) error {
	var said []string
	for _, a := range absent {
		if !errors.Is(a.Err, launchctl.ErrNoTool) {
			said = append(said, a.Err.Error())
		}
		if errors.Is(a.Err, container.ErrNoPermission) {
			hint = orElse(hint, "docker context ls")
		}
	}
	if len(said) == 0 {
		said = append(said, "none of "+strings.Join(container.Tools(), ", ")+" is here")
	}
	return &bind.Problem{Kind: bind.NothingHere, ID: string(container.NoRuntime),
		Hint: orElse(hint, "start Docker Desktop, OrbStack, Colima or another one, and run it again"),
		Err:  fmt.Errorf("no container runtime answers: %s", strings.Join(said, "; "))}
}

// targetProblem is why nothing could be fetched from inside of a container.
func targetProblem(t container.Target) error {
	if errors.Is(t.Err, container.ErrNotRunning) {
		return &bind.Problem{ID: "container-stopped", Hint: t.Container.Runtime.Tool + " start " + t.Container.Name, Err: t.Err}
	}
	return containerProblem(t.Err)
}

// containerProblem gives an error of package container its id and hint.
func containerProblem(err error) error {
	id, hint := "probe-failed", name+" doctor"
	switch {
	case errors.Is(err, container.ErrNoContainer):
		id, hint = "no-container", "docker ps --all"
	case errors.Is(err, container.ErrNoImage):
		id, hint = "no-image", "docker pull curlimages/curl && "+name+" probe --image curlimages/curl"
	case errors.Is(err, launchctl.ErrNoAnswer):
		id, hint = "no-answer", "docker info"
	}
	return &bind.Problem{ID: id, Hint: hint, Err: err}
}
