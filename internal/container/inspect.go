package container

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/clients"
	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// ErrNoContainer: the runtime has no container of that name.
var ErrNoContainer = errors.New("no such container")

// atOnce is how many containers one call inspects. One can take 20 KiB and more of the
// 4 MiB that a Runner accepts.
const atOnce = 50

// maxName is the length of the longest name of a container or a host, in bytes.
const maxName = 255

// isContainerName reports whether Docker, Podman and nerdctl allow a name, or an ID. It
// never begins with a dash, so it is never taken for a flag.
func isContainerName(name string) bool {
	return name != "" && len(name) <= maxName && text.IsAlphanumeric(rune(name[0])) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !text.IsAlphanumeric(r) && !strings.ContainsRune("_.-", r) })
}

// inspectOne reads how a container is set up, whether it runs or not. The name may be
// an ID. An ErrNoContainer says that there is none, or that no container can have that
// name.
func inspectOne(ctx context.Context, r Runner, rt Runtime, name string) (Container, error) {
	if !isContainerName(name) {
		return Container{}, fmt.Errorf("%q cannot be a container's name: %w", name, ErrNoContainer)
	}
	all, err := inspect(ctx, r, rt, name)
	if err == nil && len(all) != 1 {
		err = ErrNoContainer
	}
	if err != nil {
		return Container{}, fmt.Errorf("container %s: %w", name, err)
	}
	return all[0], nil
}

// list lists all containers, running or not, in the runtime's order.
func list(ctx context.Context, r Runner, rt Runtime, filters ...string) ([]Container, error) {
	args := []string{"ps", "--all", "-q", "--no-trunc"}
	for _, filter := range filters {
		args = append(args, "--filter", filter)
	}
	out, err := r.Run(ctx, rt.Tool, args...)
	if err != nil {
		return nil, toolError(rt.Tool, "listing containers", err)
	}
	ids := strings.Fields(string(out))
	if i := slices.IndexFunc(ids, func(id string) bool { return !isContainerName(id) }); i >= 0 {
		return nil, fmt.Errorf("listing containers with %s: %w: %q is no ID", rt.Tool, launchctl.ErrFormat, ids[i])
	}
	var all []Container
	for some := range slices.Chunk(ids, atOnce) {
		containers, err := inspect(ctx, r, rt, some...)
		// One that has ended since is missing; the others are there.
		if err != nil && !errors.Is(err, ErrNoContainer) {
			return nil, err
		}
		all = append(all, containers...)
	}
	return all, nil
}

// inspect reads those of the containers that exist. For the others there is an
// ErrNoContainer as well.
func inspect(ctx context.Context, r Runner, rt Runtime, names ...string) ([]Container, error) {
	args := append([]string{"inspect", "--type", "container", "--"}, names...)
	out, runErr := run(ctx, r, rt.Tool, args...)
	if runErr != nil && !errors.Is(runErr, ErrNoContainer) {
		return nil, runErr
	}
	containers, err := parseInspect(out, rt)
	if err != nil {
		return nil, cmp.Or(runErr, err)
	}
	if rt.Tool == "nerdctl" {
		if err := addNerdctlEnv(ctx, r, containers); err != nil {
			return nil, err
		}
	}
	return containers, runErr
}

// run asks about containers. Docker, Podman and nerdctl print those that they find, and
// fail if one is missing.
func run(ctx context.Context, r Runner, tool string, args ...string) ([]byte, error) {
	out, err := r.Run(ctx, tool, args...)
	if err == nil {
		return out, nil
	}
	if exit, ok := errors.AsType[*launchctl.ExitError](err); ok && noSuchContainer.MatchString(exit.Stderr) {
		return out, fmt.Errorf("%s has %w", tool, ErrNoContainer)
	}
	return nil, toolError(tool, "inspecting", err)
}

var noSuchContainer = regexp.MustCompile(`(?i)no such (container|object)`)

// inspected is what we read about a container, in Docker's layout, which Podman and
// nerdctl follow, each with gaps.
type inspected struct {
	ID           string
	Name         string
	Image        string // its ID; nerdctl: its name
	ImageName    string // Podman
	RestartCount int
	State        struct {
		Status                      string
		Running, Paused, Restarting bool
	}
	Config struct {
		Image        string
		Hostname     string
		Env          []string
		Labels       map[string]string
		ExposedPorts map[string]any // by "11434/tcp"
	}
	HostConfig struct {
		ExtraHosts  []string
		NetworkMode string
		Dns         []string
	}
	NetworkSettings struct {
		Ports    map[string]any // the same, including published ones
		Networks map[string]struct {
			Gateway     string
			IPv6Gateway string
			IPAddress   string
			Aliases     []string
		}
	}
}

// parseInspect reads what `inspect` printed.
func parseInspect(data []byte, rt Runtime) ([]Container, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	var all []inspected
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("reading the answer of %s inspect: %w: %w", rt.Tool, launchctl.ErrFormat, err)
	}
	var containers []Container
	for _, i := range all {
		c := i.container(rt)
		c.Name = cmp.Or(c.Name, c.ID)
		if !isContainerName(c.ID) || !isContainerName(c.Name) { // they become arguments
			return nil, fmt.Errorf("reading the answer of %s inspect: %w: a container without a proper name or ID", rt.Tool, launchctl.ErrFormat)
		}
		containers = append(containers, c)
	}
	return containers, nil
}

func (i inspected) container(rt Runtime) Container {
	c := Container{
		Runtime:     rt,
		Name:        text.Printable(strings.TrimPrefix(i.Name, "/"), text.MaxValue),
		ID:          text.Printable(i.ID, text.MaxValue),
		Image:       text.Printable(cmp.Or(i.Config.Image, i.ImageName, i.Image), text.MaxValue),
		Running:     i.State.Running,
		Paused:      i.State.Paused,
		Restarting:  i.State.Restarting,
		Restarts:    i.RestartCount,
		Created:     i.State.Status == "created" || i.State.Status == "configured",
		Env:         clients.Keep(i.Config.Env),
		ExtraHosts:  readExtraHosts(i.HostConfig.ExtraHosts),
		NetworkMode: text.Printable(i.HostConfig.NetworkMode, text.MaxValue),
		Networks:    i.networks(),
		Hostname:    text.Printable(i.Config.Hostname, text.MaxValue),
	}
	for _, ip := range i.HostConfig.Dns {
		c.DNS = append(c.DNS, text.Printable(ip, text.MaxDetail))
	}
	for _, ports := range []map[string]any{i.Config.ExposedPorts, i.NetworkSettings.Ports} {
		_, serves := ports[fmt.Sprintf("%d/tcp", ollama.DefaultPort)]
		c.ServesOllama = c.ServesOllama || serves
	}
	c.Origin = origin(i.Config.Labels)
	return c
}

// origin reads the labels that Compose and Swarm put on a container. The paths are
// those of the machine that Compose ran on.
func origin(labels map[string]string) Origin {
	label := func(name string) string { return text.Printable(labels[name], text.MaxValue) }
	o := Origin{
		Project: label("com.docker.compose.project"),
		Service: label("com.docker.compose.service"),
		Dir:     label("com.docker.compose.project.working_dir"),
		Swarm:   label("com.docker.swarm.service.name"),
	}
	for file := range strings.SplitSeq(label("com.docker.compose.project.config_files"), ",") {
		if file != "" && o.Service != "" {
			o.Files = append(o.Files, file)
		}
	}
	return o
}

// networks are sorted by name.
func (i inspected) networks() []Network {
	var all []Network
	for name, e := range i.NetworkSettings.Networks {
		n := Network{
			Name:    text.Printable(name, text.MaxValue),
			Gateway: address4or6(e.Gateway, e.IPv6Gateway),
			Address: address4or6(e.IPAddress),
		}
		for _, alias := range e.Aliases {
			n.Aliases = append(n.Aliases, text.Printable(alias, text.MaxValue))
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b Network) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// address4or6 is the first text that is an IP address.
func address4or6(texts ...string) string {
	for _, text := range texts {
		if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
			return ip.String()
		}
	}
	return ""
}

// readExtraHosts reads lines such as "name:10.0.0.1", "name:::1",
// "name=[::1]" and "name:host-gateway". Any other line is left out.
func readExtraHosts(lines []string) []ExtraHost {
	var all []ExtraHost
	for _, line := range lines {
		i := strings.IndexAny(line, ":=")
		if i <= 0 || i > maxName || !text.IsHost(line[:i]) {
			continue
		}
		to := strings.Trim(line[i+1:], "[]")
		if ip := address4or6(to); ip != "" || to == "host-gateway" {
			all = append(all, ExtraHost{line[:i], cmp.Or(ip, to)})
		}
	}
	return all
}

// addNerdctlEnv adds the environment, which nerdctl shows in its own layout only.
func addNerdctlEnv(ctx context.Context, r Runner, containers []Container) error {
	if len(containers) == 0 {
		return nil
	}
	args := []string{"inspect", "--mode=native", "--type", "container", "--"}
	for _, c := range containers {
		args = append(args, c.ID)
	}
	out, err := run(ctx, r, "nerdctl", args...)
	if err != nil && !errors.Is(err, ErrNoContainer) {
		return err
	}
	var native []struct {
		ID   string
		Spec struct{ Process struct{ Env []string } }
	}
	if err := json.Unmarshal(out, &native); err != nil {
		return fmt.Errorf("reading the answer of nerdctl inspect --mode=native: %w: %w", launchctl.ErrFormat, err)
	}
	for _, n := range native {
		if i := slices.IndexFunc(containers, func(c Container) bool { return c.ID == n.ID }); i >= 0 {
			containers[i].Env = clients.Keep(n.Spec.Process.Env)
		}
	}
	return nil
}

// IsClient reports whether something in the environment points out of the container:
// not the address that its own Ollama listens on, nor an Ollama included in its image.
func (c Container) IsClient(port int) bool {
	return slices.ContainsFunc(clients.Targets(c.Env, port), func(t clients.Target) bool {
		if t.Variable == ollama.Variable {
			host := ollama.ParseHost(t.Value)
			return !host.Wildcard() && !(host.Loopback() && c.isOllama())
		}
		return !(clients.IsWebUIDefault(t.Variable, t.Value) && clients.BundlesOllama(c.Env))
	})
}

// isOllama reports whether the image is Ollama's own, from any registry.
func (c Container) isOllama() bool { return ollamaImage.MatchString(c.Image) }

var ollamaImage = regexp.MustCompile(`(^|/)ollama/ollama(:[^/@]*)?(@.*)?$`)

// Proxy is the proxy variable that a usual client in the container obeys for a
// URL, and its value; both are "" where it goes there directly. The lower case
// of a variable goes before the upper, and one that is set to nothing means no
// proxy. Unlike a program written in Go, most clients ask a proxy for localhost too.
func (c Container) Proxy(u *url.URL) (variable, value string) {
	if c.exempt(u) {
		return "", ""
	}
	return c.firstSet(u.Scheme+"_proxy", strings.ToUpper(u.Scheme)+"_PROXY", "all_proxy", "ALL_PROXY")
}

// firstSet is the first of the variables that is set, even if empty.
func (c Container) firstSet(names ...string) (variable, value string) {
	for _, name := range names {
		if value, ok := c.Env[name]; ok && value != "" {
			return name, value
		} else if ok {
			break
		}
	}
	return "", ""
}

// exempt reports whether no_proxy keeps a URL from the proxy.
func (c Container) exempt(u *url.URL) bool {
	_, list := c.firstSet("no_proxy", "NO_PROXY")
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	port := strconv.Itoa(text.PortOf(u))
	for _, entry := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if exempts(strings.ToLower(entry), host, port) {
			return true
		}
	}
	return false
}

// exempts reports whether a no_proxy entry covers a host: a star for all, a range of
// addresses, or a host or domain with everything below it; with a port, that port only.
func exempts(entry, host, port string) bool {
	if prefix, err := netip.ParsePrefix(entry); err == nil {
		return prefix.Contains(text.ParseIP(host))
	}
	domain := strings.Trim(strings.TrimPrefix(entry, "*"), ".")
	is := func(host string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
	return entry == "*" || domain != "" && (is(host) || is(net.JoinHostPort(host, port)))
}
