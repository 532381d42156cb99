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

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// ErrNoContainer: the runtime has no container of that name.
var ErrNoContainer = errors.New("no such container")

// atOnce is how many containers are inspected by one call. One can take 20 KiB
// and more of the 4 MiB that a Runner lets a program say.
const atOnce = 50

// maxName is the length of the longest name of a container or a host, in bytes.
const maxName = 255

// isContainerName reports whether Docker, Podman and nerdctl allow a name, or an
// ID. It begins with no dash: a name is never a flag.
func isContainerName(name string) bool {
	return name != "" && len(name) <= maxName && isAlphanumeric(rune(name[0])) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("_.-", r) })
}

// inspectOne reads how a container is set up, whether it runs or not. The name may
// be an ID. An ErrNoContainer says that there is none, or that nothing can be
// named so.
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

// clients are the running containers whose environment points to Ollama, in the
// order in which the runtime lists them.
func clients(ctx context.Context, r Runner, rt Runtime) ([]Container, error) {
	out, err := r.Run(ctx, rt.Tool, "ps", "-q", "--no-trunc")
	if err != nil {
		return nil, toolError(rt.Tool, "listing containers", err)
	}
	ids := strings.Fields(string(out))
	if i := slices.IndexFunc(ids, func(id string) bool { return !isContainerName(id) }); i >= 0 {
		return nil, fmt.Errorf("listing containers with %s: %w: %q is no ID", rt.Tool, launchctl.ErrFormat, ids[i])
	}
	var clients []Container
	for some := range slices.Chunk(ids, atOnce) {
		containers, err := inspect(ctx, r, rt, some...)
		// One that ended meanwhile is missing, the others are there.
		if err != nil && !errors.Is(err, ErrNoContainer) {
			return nil, err
		}
		clients = append(clients, slices.DeleteFunc(containers, notClient)...)
	}
	return clients, nil
}

// inspect reads those of the containers that are there. That others are not is
// an ErrNoContainer beside them.
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

// run asks for containers. Docker, Podman and nerdctl print those that they
// found and fail when one is missing.
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

// inspected is what is read of a container, in the layout of Docker that Podman
// and nerdctl follow, each with gaps.
type inspected struct {
	ID        string
	Name      string
	Image     string // its ID; nerdctl: its name
	ImageName string // Podman
	State     struct{ Running, Paused bool }
	Config    struct {
		Image    string
		Hostname string
		Env      []string
	}
	HostConfig struct {
		ExtraHosts  []string
		NetworkMode string
	}
	NetworkSettings struct {
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
	return Container{
		Runtime:     rt,
		Name:        printable(strings.TrimPrefix(i.Name, "/"), maxValue),
		ID:          printable(i.ID, maxValue),
		Image:       printable(cmp.Or(i.Config.Image, i.ImageName, i.Image), maxValue),
		Running:     i.State.Running,
		Paused:      i.State.Paused,
		Env:         relevant(i.Config.Env),
		ExtraHosts:  readExtraHosts(i.HostConfig.ExtraHosts),
		NetworkMode: printable(i.HostConfig.NetworkMode, maxValue),
		Networks:    i.networks(),
		Hostname:    printable(i.Config.Hostname, maxValue),
	}
}

// networks are sorted by name.
func (i inspected) networks() []Network {
	var all []Network
	for name, e := range i.NetworkSettings.Networks {
		n := Network{
			Name:    printable(name, maxValue),
			Gateway: address4or6(e.Gateway, e.IPv6Gateway),
			Address: address4or6(e.IPAddress),
		}
		for _, alias := range e.Aliases {
			n.Aliases = append(n.Aliases, printable(alias, maxValue))
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
// "name=[::1]" and "name:host-gateway". A line that is none of them is left out.
func readExtraHosts(lines []string) []ExtraHost {
	var all []ExtraHost
	for _, line := range lines {
		i := strings.IndexAny(line, ":=")
		if i <= 0 || i > maxName || !isHost(line[:i]) {
			continue
		}
		to := strings.Trim(line[i+1:], "[]")
		if ip := address4or6(to); ip != "" || to == "host-gateway" {
			all = append(all, ExtraHost{line[:i], cmp.Or(ip, to)})
		}
	}
	return all
}

// ollamaVariables are those that clients read, in the order in which they are
// looked at. All but the last belong to Open WebUI, LiteLLM and the like.
var ollamaVariables = []string{
	"OLLAMA_BASE_URL", "OLLAMA_BASE_URLS", "OLLAMA_API_BASE", "OLLAMA_API_BASE_URL", ollama.Variable,
}

// bundled is set in the image of Open WebUI that has an Ollama of its own inside.
const bundled = "USE_OLLAMA_DOCKER"

// relevant picks the variables that name Ollama or a proxy. A variable that is
// there twice has its last value.
func relevant(env []string) map[string]string {
	picked := map[string]string{}
	for _, line := range env {
		name, value, found := strings.Cut(line, "=")
		isProxy := strings.HasSuffix(strings.ToLower(name), "_proxy")
		if found && (isProxy || name == bundled || slices.Contains(ollamaVariables, name)) {
			picked[name] = printable(value, maxValue)
		}
	}
	return picked
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
			containers[i].Env = relevant(n.Spec.Process.Env)
		}
	}
	return nil
}

// setting is a place in a container's environment that points to Ollama.
type setting struct {
	variable string
	value    string // as it is set, or one part of a list
	// url is what a client makes of the value. Where that is not to be known,
	// because a scheme is missing, it is the URL that was probably meant.
	url string
}

// ollamaURLs is what the container's environment points to, in a fixed order
// and each URL once. OLLAMA_BASE_URLS is split at its semicolons.
func (c Container) ollamaURLs() []setting {
	var all []setting
	for _, variable := range ollamaVariables {
		values := []string{c.Env[variable]}
		if variable == "OLLAMA_BASE_URLS" {
			values = strings.Split(values[0], ";")
		}
		for _, value := range values {
			value = strings.TrimSpace(value)
			s := setting{variable, value, c.clientURL(variable, value)}
			known := slices.ContainsFunc(all, func(o setting) bool { return o.url == s.url })
			// Open WebUI does not look at its default when a list is set.
			unused := isWebUIDefault(variable, value) && c.Env["OLLAMA_BASE_URLS"] != ""
			if value != "" && !known && !unused {
				all = append(all, s)
			}
		}
	}
	return all
}

// webUIDefault is the value that the image of Open WebUI comes with; the
// program replaces it by a URL (open-webui/open-webui backend config).
const webUIDefault = "/ollama"

// clientURL is what a client makes of a value.
func (c Container) clientURL(variable, value string) string {
	switch {
	case variable == ollama.Variable:
		return hostVariableURL(value)
	case isWebUIDefault(variable, value) && c.bundlesOllama():
		return "http://localhost:11434"
	case isWebUIDefault(variable, value):
		return "http://" + nameDocker + ":11434"
	}
	if u, bare, err := readURL(value); err == nil && bare {
		return u.String()
	}
	return value
}

// hostVariableURL is where Ollama's own client connects for a value of OLLAMA_HOST.
func hostVariableURL(value string) string {
	scheme, rest, found := strings.Cut(value, "://")
	if !found {
		scheme, rest = "http", value
	}
	_, path, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(scheme+"://"+ollama.ParseHost(value).String()+"/"+path, "/")
}

func isWebUIDefault(variable, value string) bool {
	return variable == "OLLAMA_BASE_URL" && value == webUIDefault
}

func (c Container) bundlesOllama() bool { return strings.EqualFold(c.Env[bundled], "true") }

// notClient reports whether nothing in the environment points out of the
// container: nothing at all, the address that its own Ollama listens on, or an
// Ollama that its image brings along.
func notClient(c Container) bool {
	return !slices.ContainsFunc(c.ollamaURLs(), func(s setting) bool {
		if s.variable == ollama.Variable {
			host := ollama.ParseHost(s.value)
			return !host.Wildcard() && !(host.Loopback() && c.isOllama())
		}
		return !(isWebUIDefault(s.variable, s.value) && c.bundlesOllama())
	})
}

// isOllama reports whether the image is Ollama's own, from whatever registry.
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

// firstSet is the first of the variables that is set at all, unless to nothing.
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
	port := strconv.Itoa(portOf(u))
	for _, entry := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if exempts(strings.ToLower(entry), host, port) {
			return true
		}
	}
	return false
}

// exempts reports whether an entry of no_proxy is about a host: a star for all, a
// range of addresses, a host or a domain with everything below it; with a port
// for that port alone.
func exempts(entry, host, port string) bool {
	if prefix, err := netip.ParsePrefix(entry); err == nil {
		return prefix.Contains(parseIP(host))
	}
	domain := strings.Trim(strings.TrimPrefix(entry, "*"), ".")
	is := func(host string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
	return entry == "*" || domain != "" && (is(host) || is(net.JoinHostPort(host, port)))
}
