package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Errors to look for with errors.Is, beside ErrNoTool, ErrNoAnswer and
// ErrFormat of the launchctl package.
var (
	// ErrNoEngine: the program is there, and no engine answers it.
	ErrNoEngine = errors.New("no engine answers")
	// ErrNoPermission: an engine is there, and this user may not use it.
	ErrNoPermission = errors.New("no permission to use the engine")
)

// Here is the machine that this process runs on, as far as it tells an engine
// on the same machine from one in a virtual machine.
type Here struct {
	System   string // runtime.GOOS
	Kernel   string // what uname -r prints, "" where it does not matter
	Hostname string
}

// ThisMachine looks at the machine that this process runs on. The kernel is
// read on Linux only: elsewhere no engine shares it.
func ThisMachine() Here {
	here := Here{System: runtime.GOOS}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		here.Kernel = strings.TrimSpace(string(release))
	}
	if name, err := os.Hostname(); err == nil {
		here.Hostname = name
	}
	return here
}

// Tools names the programs that are known, in the order in which they are asked.
func Tools() []string { return []string{"docker", "podman", "nerdctl"} }

// Find asks the named programs, or all of Tools, side by side whether an engine
// answers. Both lists are in the order of the names. Two programs in front of
// one engine are both found.
func Find(ctx context.Context, r Runner, tools ...string) (found []Runtime, absent []Absent) {
	return find(ctx, r, ThisMachine(), tools)
}

func find(ctx context.Context, r Runner, here Here, tools []string) (found []Runtime, absent []Absent) {
	if len(tools) == 0 {
		tools = Tools()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	runtimes, errs := make([]Runtime, len(tools)), make([]error, len(tools))
	var wg sync.WaitGroup
	for i, tool := range tools {
		wg.Go(func() {
			if runtimes[i], errs[i] = askTool(ctx, r, here, tool); errs[i] == nil {
				time.AfterFunc(grace, func() { stop(launchctl.ErrNoAnswer) })
			}
		})
	}
	wg.Wait()
	for i, tool := range tools {
		if errs[i] != nil {
			absent = append(absent, Absent{tool, errs[i]})
			continue
		}
		found = append(found, runtimes[i])
	}
	return found, absent
}

// grace is what the other runtimes get when one has answered: an engine that
// hangs is not to hold up one that works.
const grace = 2 * time.Second

func askTool(ctx context.Context, r Runner, here Here, tool string) (Runtime, error) {
	if !slices.Contains(Tools(), tool) {
		return Runtime{}, fmt.Errorf("%q is none of %s", tool, strings.Join(Tools(), ", "))
	}
	format := "{{json .}}"
	if tool == "podman" {
		format = "json"
	}
	out, err := r.Run(ctx, tool, "info", "--format", format)
	if err != nil {
		return Runtime{}, toolError(tool, askingEngine, err)
	}
	return parseInfo(tool, out, here)
}

// askingEngine is the operation whose failure, for whatever reason, means that
// there is no engine to work with.
const askingEngine = "asking for the engine"

// toolError is why a program could not do what it was asked, with the program's
// own first line where that is a known state of the engine.
func toolError(tool, op string, err error) error {
	var exit *launchctl.ExitError
	switch {
	case errors.Is(err, launchctl.ErrNoTool):
		return err
	case !errors.As(err, &exit):
		return fmt.Errorf("%s with %s: %w", op, tool, err)
	}
	if kind := engineState(exit.Stderr); kind != nil {
		return fmt.Errorf("%s: %w: %s", tool, kind, reason(exit.Stderr))
	}
	if op == askingEngine {
		return fmt.Errorf("%s: %w: %s", tool, ErrNoEngine, reason(exit.Stderr))
	}
	return fmt.Errorf("%s with %s: %w", op, tool, err)
}

// engineState is what a program's words say about its engine, or nil.
func engineState(said string) error {
	said = strings.ToLower(said)
	switch {
	case strings.Contains(said, "permission denied"):
		return ErrNoPermission
	case strings.Contains(said, "cannot connect to"),
		strings.Contains(said, "failed to connect to"),
		strings.Contains(said, "error during connect"),
		strings.Contains(said, "cannot access containerd socket"),
		strings.Contains(said, "rootless containerd not running"):
		return ErrNoEngine
	}
	return nil
}

// reason is the first line that is no mere notice.
func reason(said string) string {
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		notice := line == "" || strings.HasPrefix(line, "WARN") || strings.Contains(line, "level=warning") ||
			strings.HasPrefix(line, "Emulate Docker CLI")
		if !notice {
			return plain(line)
		}
	}
	return "no reason given"
}

// plain makes a text from outside fit for a line on a terminal: without what
// could move a cursor or hide something, and not endless.
func plain(s string) string {
	const max = 4 << 10
	if len(s) > max {
		s = s[:max]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(s, "?"))
}

// info is what `info` prints: docker and nerdctl the fields above, podman those below.
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

// parseInfo reads what `info` printed. Podman's layout tells itself, under
// whatever name the program was called: a docker command may be Podman.
func parseInfo(tool string, data []byte, here Here) (Runtime, error) {
	var i info
	if err := json.Unmarshal(data, &i); err != nil {
		return Runtime{}, fmt.Errorf("reading the answer of %s info: %w: %w", tool, launchctl.ErrFormat, err)
	}
	if i.Host != nil {
		return Runtime{
			Tool:     tool,
			Product:  i.Host.product(here),
			Version:  plain(i.Version.Version),
			Rootless: i.Host.Security.Rootless,
			Podman:   true,
		}, nil
	}
	// Older docker commands end well without an engine, and say so in here.
	if len(i.ServerErrors) > 0 {
		said := strings.Join(i.ServerErrors, "\n")
		kind := ErrNoEngine
		if errors.Is(engineState(said), ErrNoPermission) {
			kind = ErrNoPermission
		}
		return Runtime{}, fmt.Errorf("%s: %w: %s", tool, kind, reason(said))
	}
	if i.ServerVersion == "" {
		return Runtime{}, fmt.Errorf("%s: %w: its info names no version", tool, ErrNoEngine)
	}
	return Runtime{
		Tool:     tool,
		Product:  i.product(here),
		Context:  plain(i.ClientInfo.Context),
		Version:  plain(i.ServerVersion),
		Rootless: slices.ContainsFunc(i.SecurityOptions, isRootless),
		Podman:   i.podman(),
	}, nil
}

func isRootless(option string) bool {
	return option == "rootless" || option == "name=rootless" || strings.HasPrefix(option, "name=rootless,")
}

// podman reports whether the engine behind a docker command is Podman, which
// keeps its containers in a folder that Docker does not have.
func (i info) podman() bool {
	return strings.HasSuffix(i.DockerRootDir, "/containers/storage")
}

// product goes by the marks that the products leave on purpose, then by the
// machine, and by mere names last. Linux distributions in WSL share their
// kernel and host name, and are told apart by the first.
func (i info) product(here Here) Product {
	system, name := strings.ToLower(i.OperatingSystem), strings.ToLower(i.Name)
	switch {
	case strings.Contains(system, "docker desktop") || i.label("com.docker.desktop."):
		return DockerDesktop
	case strings.Contains(system, "orbstack") || i.label("dev.orbstack."):
		return OrbStack
	case strings.Contains(system, "rancher desktop") || i.label("dev.rancherdesktop."):
		return RancherDesktop
	case here.is(i.KernelVersion, i.Name):
		return Native
	case strings.HasPrefix(name, "orbstack"):
		return OrbStack
	case strings.HasPrefix(name, "rancher-desktop"), strings.HasPrefix(name, "lima-rancher-desktop"):
		return RancherDesktop
	case strings.HasPrefix(name, "colima"):
		return Colima
	case strings.HasPrefix(name, "lima-"):
		return Lima
	case i.podman() && here.System != "linux":
		return PodmanMachine
	case name == "localhost.localdomain" && len(i.Labels) == 0 && here.System != "linux":
		return PodmanMachine
	}
	return UnknownProduct
}

// label reports whether one of the engine's labels begins so.
func (i info) label(prefix string) bool {
	return slices.ContainsFunc(i.Labels, func(l string) bool { return strings.HasPrefix(l, prefix) })
}

// is reports whether an engine that names this kernel and this host runs on
// this machine. Either alone proves little: cloud machines share kernels, and
// names repeat.
func (h Here) is(kernel, name string) bool {
	return h.System == "linux" && h.Kernel != "" && h.Kernel == kernel && h.Hostname == name
}

// product: Podman has an engine of its own on Linux only; elsewhere it is
// always the client of another machine.
func (h podmanHost) product(here Here) Product {
	switch {
	case here.System != "linux":
		return PodmanMachine
	case !h.ServiceIsRemote, here.is(h.Kernel, h.Hostname):
		return Native
	case h.Distribution.Variant == "coreos", h.Hostname == "localhost.localdomain":
		return PodmanMachine
	}
	return UnknownProduct
}
