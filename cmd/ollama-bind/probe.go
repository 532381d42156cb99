//go:build !windows

package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

func (p program) probeCommand() *cli.Command {
	return &cli.Command{
		Name:      "probe",
		Usage:     "ask from inside containers whether they reach Ollama, and what it takes",
		ArgsUsage: "[CONTAINER...]",
		Description: "Asks from inside containers: for Ollama, at the URLs in their environment and " +
			"by each name of the host, and for two listeners of its own, one on 127.0.0.1 and " +
			"one on all interfaces. That shows whether a rebind would help. A CONTAINER can " +
			"also be a service of Compose or Swarm. Without one, it asks every running " +
			"container whose environment names Ollama, or a temporary one. It asks with the " +
			"container's own python3, node, curl or wget; if there is none, a temporary " +
			"container on the same network asks instead. It never pulls an image.",
		Flags: []cli.Flag{
			containerFlag(),
			&cli.StringFlag{Name: "image", Usage: "ask from a temporary container of `IMAGE`, on the network of each container"},
			runtimeFlag(),
			&cli.StringFlag{Name: "url", Usage: "ask for `URL`, whatever the environment of the containers says"},
			&cli.StringFlag{Name: "origin", Usage: "send `ORIGIN`, as a web page from there would"},
			hostFlag(),
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "the `TIME` that the whole command may take"},
			jsonFlag(),
		},
		Action: p.probe,
	}
}

func containerFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "container", Usage: "ask from inside the container `NAME`; can be given again"}
}

func runtimeFlag() cli.Flag {
	return &cli.StringFlag{Name: "runtime", Usage: "ask only `TOOL`: " + strings.Join(container.Tools(), ", ")}
}

const (
	// patience bounds one fetch from inside. Whatever answers at all answers within
	// milliseconds.
	patience = 3 * time.Second
	// runtimeDeadline bounds one command of a runtime. An engine in a virtual machine
	// may have to wake up first.
	runtimeDeadline = 10 * time.Second
	// leastProbe is the shortest --timeout allowed.
	leastProbe = time.Second
)

func (p program) probe(c *cli.Context) error {
	wanted, err := readHost(c)
	if err != nil {
		return err
	}
	question, err := readProbe(c)
	if err != nil {
		return err
	}
	question.Runner, question.Port = p.runner(runtimeDeadline), wanted.Port
	m, err := p.machine()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	host := doctor.Question{Machine: m, Goal: service.GoalFor(wanted, true), Asked: c.IsSet("host"), System: runtime.GOOS}
	_, done := p.tell.spin("asking from inside containers")
	var local advice.Local
	result := question.Run(ctx, question.Find, func(ctx context.Context) (server container.Server) {
		server, local = host.Host(ctx)
		return server
	})
	done()
	return p.reportProbe(ctx, c, result, local)
}

// readProbe reads the question, and refuses what another program could take for
// something else.
func readProbe(c *cli.Context) (container.Probe, error) {
	help := name + " " + c.Command.Name + " --help"
	names := append(c.StringSlice("container"), c.Args().Slice()...)
	if slices.Contains(names, "") {
		return container.Probe{}, commandline.Wrong(help, "a container has no name")
	}
	if strings.HasPrefix(c.String("image"), "-") {
		return container.Probe{}, commandline.Wrong(help, "--image %q is no image", c.String("image"))
	}
	if err := container.CheckURL(cmp.Or(c.String("url"), "http://localhost"), c.String("origin")); err != nil {
		return container.Probe{}, commandline.Wrong(commandline.WithFlag(c, "url", "http://host.docker.internal:11434"), "--url or --origin: %v", err)
	}
	if t := c.Duration("timeout"); c.Command.Name == "probe" && t < leastProbe {
		return container.Probe{}, commandline.Wrong(commandline.WithFlag(c, "timeout", "30s"), "--timeout %s is too short to fetch anything", t)
	}
	tools, err := readTools(c)
	return container.Probe{
		Tools:    tools,
		Names:    names,
		URL:      c.String("url"),
		Image:    c.String("image"),
		Origin:   c.String("origin"),
		Patience: patience,
	}, err
}

func readTools(c *cli.Context) ([]string, error) {
	tool := c.String("runtime")
	switch {
	case tool == "":
		return nil, nil
	case !slices.Contains(container.Tools(), tool):
		return nil, commandline.Wrong(commandline.WithFlag(c, "runtime", "docker"), "--runtime %q is not one of %s", tool, strings.Join(container.Tools(), ", "))
	}
	return []string{tool}, nil
}

func (p program) reportProbe(ctx context.Context, c *cli.Context, result container.Report, local advice.Local) error {
	err := probeError(ctx, result)
	r := newProbeReport(p.tell, result, local, err)
	if err == nil && !r.OK {
		err = errNotWanted
	}
	if c.Bool("json") {
		p.tell.out.JSON(r)
		return err
	}
	p.printProbe(result, local, r.Warnings)
	p.printUnasked(result, err)
	return err
}

// probeError is the reason for no verdict, or only part of one.
func probeError(ctx context.Context, result container.Report) error {
	switch {
	case ctx.Err() != nil, errors.Is(result.Err, context.DeadlineExceeded):
		return cutShort(ctx, name+" probe --timeout 60s")
	case len(result.Runtimes) == 0:
		return noRuntime(result.Unusable, "probe")
	case errors.Is(result.Err, container.ErrNoImage) && len(result.Others) > 0:
		return advice.NoClient(result.Others)
	case result.Err != nil:
		return orDoctor(advice.NoneAsked(result.Err, result.Runtimes[0].Tool))
	}
	for _, u := range result.URLs {
		switch {
		case errors.Is(u.Err, container.ErrNoImage) && u.Container.Name == "" && len(result.Others) > 0:
			return advice.NoClient(result.Others)
		case u.Err != nil:
			return urlProblem(u)
		}
	}
	return nil
}

// cutShort says why ctx ended.
func cutShort(ctx context.Context, hint string) error {
	if !errors.Is(ctx.Err(), context.Canceled) { // some time is kept for cleaning up
		return &service.Error{ID: "timeout", Hint: hint, Err: errors.New("gave up, because the time was over")}
	}
	return &service.Error{Ending: service.Interrupted, ID: "interrupted", Err: errors.New("interrupted")}
}

// isCutShort reports whether an error came before there was anything to report.
func isCutShort(err error) bool {
	var p *service.Error
	return !errors.As(err, &p) || p.ID == "timeout" || p.ID == "interrupted"
}

// noRuntime says why there is no engine to ask.
func noRuntime(tried []container.Unusable, command string) *service.Error {
	var here []string
	for _, tool := range container.Tools() {
		_, err := launchctl.Lookup(tool)
		if err == nil && !slices.ContainsFunc(tried, func(a container.Unusable) bool { return a.Tool == tool }) {
			here = append(here, tool)
		}
	}
	return advice.NoRuntime(tried, here, os.Getenv, command)
}

// urlProblem says why nothing could be fetched from inside a container.
func urlProblem(u container.ClientURL) *service.Error { return orDoctor(advice.Unasked(u)) }

// orDoctor is the hint for errors that have no other.
func orDoctor(p *service.Error) *service.Error {
	p.Hint = cmp.Or(p.Hint, name+" doctor")
	return p
}
