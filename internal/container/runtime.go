package container

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Errors to look for with errors.Is, beside ErrNoTool, ErrNoAnswer and
// ErrFormat of the launchctl package.
var (
	// ErrNoEngine: the program is there, but no engine answers.
	ErrNoEngine = errors.New("no engine answers")
	// ErrNoPermission: an engine is there, but this user may not use it.
	ErrNoPermission = errors.New("no permission to use the engine")
)

// thisKernel is what uname -r prints if an engine can share this machine's kernel,
// which tells it from one in a virtual machine: on Linux. Otherwise it is "".
func thisKernel() string {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(release))
}

// Tools lists the programs that we know, in the order in which they are asked.
func Tools() []string { return []string{"docker", "podman", "nerdctl"} }

// Find asks all p.Tools at once whether an engine answers. Both lists are in the order
// of the names. Two programs for one engine are both found.
func (p Probe) Find(ctx context.Context) Found {
	tools := p.Tools
	if len(tools) == 0 {
		tools = Tools()
	}
	return find(ctx, p.Runner, thisKernel(), tools)
}

func find(ctx context.Context, r Runner, kernel string, tools []string) (f Found) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	runtimes, errs := make([]Runtime, len(tools)), make([]error, len(tools))
	var wg sync.WaitGroup
	for i, tool := range tools {
		wg.Go(func() {
			if runtimes[i], errs[i] = askTool(ctx, r, kernel, tool); errs[i] == nil {
				time.AfterFunc(grace, func() { stop(launchctl.ErrNoAnswer) })
			}
		})
	}
	wg.Wait()
	for i, tool := range tools {
		if errs[i] != nil {
			f.Unusable = append(f.Unusable, Unusable{tool, errs[i]})
			continue
		}
		f.Runtimes = append(f.Runtimes, runtimes[i])
	}
	return f
}

// grace is how long the other runtimes have left once one has answered: an engine that
// hangs must not delay one that works.
const grace = 2 * time.Second

func askTool(ctx context.Context, r Runner, kernel string, tool string) (Runtime, error) {
	format := "{{json .}}"
	if tool == "podman" {
		format = "json"
	}
	var endpoint string
	var asking sync.WaitGroup
	if tool == "docker" {
		asking.Go(func() { endpoint = dockerEndpoint(ctx, r) })
	}
	out, err := r.Run(ctx, tool, "info", "--format", format)
	asking.Wait()
	if err != nil {
		return Runtime{}, toolError(tool, askingEngine, err)
	}
	rt, err := parseInfo(tool, out, kernel)
	if address := addressFrom(endpoint); address != "" {
		rt.Product, rt.Endpoint, rt.Address = Remote, endpoint, address
	}
	return rt, err
}

// dockerEndpoint is where docker finds its engine, "" if it does not say.
func dockerEndpoint(ctx context.Context, r Runner) string {
	out, err := r.Run(ctx, "docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	if err != nil {
		return ""
	}
	return text.WithoutSecrets(text.Printable(string(out), text.MaxDetail))
}

// addressFrom is this machine's address for an engine at that endpoint, "" for an
// engine on this machine.
func addressFrom(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || text.IsLoopback(u.Hostname()) || !slices.Contains([]string{"ssh", "tcp", "http", "https"}, u.Scheme) {
		return ""
	}
	// No packet is sent: this only asks which address would be used.
	if conn, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), "9")); err == nil {
		defer conn.Close()
		own, _ := netip.ParseAddrPort(conn.LocalAddr().String())
		there, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
		if own.Addr() == there.Addr() {
			return ""
		}
		return own.Addr().String()
	}
	addresses, _ := net.InterfaceAddrs() // a name that only ssh knows
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() && prefix.Addr().IsGlobalUnicast() {
			return prefix.Addr().String()
		}
	}
	return ""
}

// askingEngine is the operation that fails, for whatever reason, if there is no engine
// to work with.
const askingEngine = "asking for the engine"

// toolError says why a program could not do what it was asked, with its own first line
// if that is a known state of the engine.
func toolError(tool, op string, err error) error {
	if errors.Is(err, launchctl.ErrNoTool) {
		return err
	}
	if exit, ok := errors.AsType[*launchctl.ExitError](err); ok {
		kind := engineState(exit.Stderr)
		if op == askingEngine {
			kind = cmp.Or(kind, ErrNoEngine)
		}
		if kind != nil {
			return fmt.Errorf("%s: %w: %s", tool, kind, text.Reason(exit.Stderr))
		}
	}
	return fmt.Errorf("%s with %s: %w", op, tool, err)
}

var noEngine = regexp.MustCompile(`(?i)cannot connect to|failed to connect to|error during connect|` +
	`cannot access containerd socket|rootless containerd not running`)

// engineState is what a program says about its engine, or nil.
func engineState(said string) error {
	switch {
	case strings.Contains(strings.ToLower(said), "permission denied"):
		return ErrNoPermission
	case noEngine.MatchString(said):
		return ErrNoEngine
	}
	return nil
}

// info is the output of `info`: docker and nerdctl print the fields above, podman those
// below.
type info struct {
	Name            string
	OperatingSystem string
	KernelVersion   string
	ServerVersion   string
	DockerRootDir   string
	Labels          []string
	SecurityOptions []string
	ServerErrors    []string
	ClientInfo      struct{ Context string }

	Host    *podmanHost
	Version struct{ Version string }
}

type podmanHost struct {
	Hostname        string
	Kernel          string
	ServiceIsRemote bool
	Distribution    struct{ Variant string }
	Security        struct{ Rootless bool }
}

// parseInfo reads the output of `info`. Podman's layout is recognised whatever the
// program was called: a docker command may be Podman.
func parseInfo(tool string, data []byte, kernel string) (Runtime, error) {
	var i info
	if err := json.Unmarshal(data, &i); err != nil {
		return Runtime{}, fmt.Errorf("reading the answer of %s info: %w: %w", tool, launchctl.ErrFormat, err)
	}
	if i.Host != nil {
		return Runtime{
			Tool:     tool,
			Product:  i.Host.product(kernel),
			Version:  text.Printable(i.Version.Version, text.MaxValue),
			Rootless: i.Host.Security.Rootless,
			Podman:   true,
		}, nil
	}
	// Older docker commands succeed without an engine, and say so here.
	if len(i.ServerErrors) > 0 {
		said := strings.Join(i.ServerErrors, "\n")
		return Runtime{}, fmt.Errorf("%s: %w: %s", tool, cmp.Or(engineState(said), ErrNoEngine), text.Reason(said))
	}
	if i.ServerVersion == "" {
		return Runtime{}, fmt.Errorf("%s: %w: its info names no version", tool, ErrNoEngine)
	}
	return Runtime{
		Tool:     tool,
		Product:  i.product(kernel),
		Context:  text.Printable(i.ClientInfo.Context, text.MaxValue),
		Version:  text.Printable(i.ServerVersion, text.MaxValue),
		Rootless: slices.ContainsFunc(i.SecurityOptions, func(o string) bool { return strings.Contains(o, "rootless") }),
		Podman:   i.podman(),
	}, nil
}

// podman reports whether a docker command's engine is Podman, which keeps its
// containers in a folder that Docker does not have.
func (i info) podman() bool {
	return strings.HasSuffix(i.DockerRootDir, "/containers/storage")
}

// product goes by marks that products leave on purpose, then by the kernel, and last by
// names. Linux distributions in WSL share theirs, and are told apart by the marks.
func (i info) product(kernel string) Product {
	system, name := strings.ToLower(i.OperatingSystem), strings.ToLower(i.Name)
	switch {
	case strings.Contains(system, "docker desktop") || i.label("com.docker.desktop."):
		return DockerDesktop
	case strings.Contains(system, "orbstack") || i.label("dev.orbstack."):
		return OrbStack
	case strings.Contains(system, "rancher desktop") || i.label("dev.rancherdesktop."):
		return RancherDesktop
	case kernel != "" && i.KernelVersion == kernel:
		return Native
	case strings.HasPrefix(name, "orbstack"):
		return OrbStack
	case strings.Contains(name, "rancher-desktop"):
		return RancherDesktop
	case strings.HasPrefix(name, "colima"):
		return Colima
	case strings.HasPrefix(name, "lima-"):
		return Lima
	case i.podman() && kernel == "":
		return PodmanMachine
	}
	return UnknownProduct
}

// label reports whether one of the engine's labels has this prefix.
func (i info) label(prefix string) bool {
	return slices.ContainsFunc(i.Labels, func(l string) bool { return strings.HasPrefix(l, prefix) })
}

// product: Podman has an engine of its own only on Linux; elsewhere it is always the
// client of another machine.
func (h podmanHost) product(kernel string) Product {
	switch {
	case kernel == "":
		return PodmanMachine
	case !h.ServiceIsRemote, h.Kernel == kernel:
		return Native
	case h.Distribution.Variant == "coreos", h.Hostname == "localhost.localdomain":
		return PodmanMachine
	}
	return UnknownProduct
}
