//go:build !windows

package main

import (
	"context"
	"fmt"
	"maps"
	neturl "net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// urlTime bounds url, which asks the runtimes what they are.
const urlTime = 15 * time.Second

// hostNames are the host's names by runtime, for those who name one. "host" is a
// container on the host's own network.
var hostNames = map[string]string{
	"docker":          "host.docker.internal",
	"docker-desktop":  "host.docker.internal",
	"orbstack":        "host.docker.internal",
	"colima":          "host.docker.internal",
	"podman":          "host.containers.internal",
	"lima":            "host.lima.internal",
	"nerdctl":         "host.lima.internal",
	"rancher":         "host.rancher-desktop.internal",
	"rancher-desktop": "host.rancher-desktop.internal",
	"host":            "localhost",
}

func (p program) urlCommand() *cli.Command {
	return &cli.Command{
		Name:      "url",
		ArgsUsage: "[URL]",
		Usage:     "print the URL at which a container finds this machine's Ollama",
		Description: "Replaces localhost, and other addresses that mean this machine, with the runtime's\n" +
			"name for it. Everything else stays as it is. Without a URL it takes that of the\n" +
			"Ollama that runs here. For scripts:\n" +
			"\n" +
			"   export OLLAMA_BASE_URL=$(ollama-bind url)",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "the `URL` that works on this machine"},
			&cli.StringFlag{Name: "runtime", Usage: "use the name of `RUNTIME`, and ask none: " + strings.Join(sortedKeys(hostNames), ", ")},
			jsonFlag(),
		},
		Action: p.url,
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// urlReport is what url has to say, as data.
type urlReport struct {
	answer.Head
	URL      string           `json:"url"`
	Host     string           `json:"host"`
	Runtime  *answer.Runtime  `json:"runtime"`
	Warnings []answer.Warning `json:"warnings"`
	Error    *answer.Error    `json:"error"`
}

func (p program) url(c *cli.Context) error {
	from, err := p.readFrom(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, urlTime)
	defer cancel()
	r := urlReport{Head: answer.NewHead("url"), Warnings: []answer.Warning{}}
	host, err := p.hostName(ctx, c, &r)
	if err != nil {
		return err
	}
	if r.URL, err = container.Convert(from, host); err != nil {
		return err
	}
	r.OK, r.Host = true, host
	if kept, err := neturl.Parse(r.URL); err == nil && kept.Hostname() != host && !strings.HasSuffix(kept.Hostname(), ".internal") {
		r.Warnings = append(r.Warnings, answer.Warn("host-kept", "only localhost and what means the same is replaced: "+kept.Hostname()+" stays as it is"))
	}
	if c.Bool("json") {
		p.tell.out.JSON(r)
		return nil
	}
	p.tell.printf("%s", r.URL)
	p.tell.warnings(r.Warnings, nil)
	return nil
}

// readFrom is the URL on this machine: the one given, or the service's.
func (p program) readFrom(c *cli.Context) (string, error) {
	given := c.Args().Slice()
	if c.IsSet("from") {
		given = append(given, c.String("from"))
	}
	switch len(given) {
	case 0:
		m, err := p.machine()
		if err != nil {
			return "", err
		}
		ctx, cancel := context.WithTimeout(c.Context, urlTime)
		defer cancel()
		here := doctor.Question{Machine: m, Goal: service.GoalFor(ollama.Host{Port: ollama.DefaultPort}, true), System: runtime.GOOS}
		return fmt.Sprintf("http://localhost:%d", here.Port(ctx)), nil
	case 1:
		if _, err := container.Convert(given[0], "host.docker.internal"); err != nil {
			return "", commandline.Wrong(commandline.Replaced(c, given[0], "http://localhost:11434"), "%v", err)
		}
		return given[0], nil
	}
	return "", commandline.Wrong(name+" url http://localhost:11434", "url takes one URL")
}

// hostName is what a container calls this machine.
func (p program) hostName(ctx context.Context, c *cli.Context, r *urlReport) (string, error) {
	if c.IsSet("runtime") {
		host, ok := hostNames[c.String("runtime")]
		if !ok {
			return "", commandline.Wrong(commandline.WithFlag(c, "runtime", "docker"), "--runtime %q is not one of %s", c.String("runtime"), strings.Join(sortedKeys(hostNames), ", "))
		}
		return host, nil
	}
	runner := p.runner(runtimeDeadline)
	found := container.Probe{Runner: runner}.Find(ctx)
	if ctx.Err() != nil {
		return "", cutShort(ctx, name+" url --runtime docker")
	}
	if len(found.Runtimes) == 0 {
		none := noRuntime(found.Unusable, "url")
		none.Hint = name + " url --runtime docker" // which asks no runtime
		return "", none
	}
	rt := found.Runtimes[0]
	row := answer.NewRuntime(rt)
	r.Runtime = &row
	r.Warnings = append(r.Warnings, answer.Elsewhere(rt)...)
	if rt.HasName() {
		return rt.HostName(), nil
	}
	gateway, err := container.DefaultGateway(ctx, runner, rt)
	if err != nil {
		return "", orDoctor(advice.NoneAsked(err, rt.Tool))
	}
	r.Warnings = append(r.Warnings, answer.Warn("gateway", fmt.Sprintf("%s has no name for this machine, so this is the address of its default bridge; "+
		"a container that is started with --add-host %s:host-gateway has one", rt.Tool, rt.HostName())))
	return gateway, nil
}
