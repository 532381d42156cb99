package container

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// ErrNoContainer: the runtime has no container of that name.
var ErrNoContainer = errors.New("no such container")

// atOnce is how many containers are inspected by one call. One can take 20 KiB
// and more of the 4 MiB that a Runner lets a program say.
const atOnce = 50

// atMost is how many lines, networks and variables of one container are read.
const atMost = 200

// containerName is what Docker, Podman and nerdctl allow as a name, and what an
// ID looks like too. It begins with no dash: a name is never a flag.
var containerName = lazyregexp.New(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$`)

// Inspect reads how a container is set up, whether it runs or not. The name may
// be an ID. An ErrNoContainer says that there is none, or that nothing can be
// named so.
func Inspect(ctx context.Context, r Runner, rt Runtime, name string) (Container, error) {
	if !containerName.MatchString(name) {
		return Container{}, fmt.Errorf("%q cannot be a container's name: %w", name, ErrNoContainer)
	}
	all, err := inspect(ctx, r, rt, name)
	if err != nil {
		return Container{}, fmt.Errorf("container %s: %w", name, err)
	}
	if len(all) != 1 {
		return Container{}, fmt.Errorf("container %s: %w", name, ErrNoContainer)
	}
	return all[0], nil
}

// Clients are the running containers whose environment points to Ollama, in the
// order in which the runtime lists them.
func Clients(ctx context.Context, r Runner, rt Runtime) ([]Container, error) {
	out, err := r.Run(ctx, rt.Tool, "ps", "-q", "--no-trunc")
	if err != nil {
		return nil, toolError(rt.Tool, "listing containers", err)
	}
	ids := strings.Fields(string(out))
	if i := slices.IndexFunc(ids, func(id string) bool { return !containerName.MatchString(id) }); i >= 0 {
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
	if exit, ok := errors.AsType[*launchctl.ExitError](err); ok && noSuchContainer(exit.Stderr) {
		return out, fmt.Errorf("%s has %w", tool, ErrNoContainer)
	}
	return nil, toolError(tool, "inspecting", err)
}

func noSuchContainer(said string) bool {
	said = strings.ToLower(said)
	return strings.Contains(said, "no such container") || strings.Contains(said, "no such object")
}

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
		Labels   map[string]string
	}
	HostConfig struct {
		ExtraHosts  []string
		NetworkMode string
	}
	NetworkSettings struct {
		endpoint
		Networks map[string]endpoint
	}
}

type endpoint struct {
	Gateway     string
	IPv6Gateway string
	IPAddress   string
	Aliases     []string
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
		if !containerName.MatchString(c.ID) || !containerName.MatchString(c.Name) { // they become arguments
			return nil, fmt.Errorf("reading the answer of %s inspect: %w: a container without a proper name or ID", rt.Tool, launchctl.ErrFormat)
		}
		containers = append(containers, c)
	}
	return containers, nil
}

func (i inspected) container(rt Runtime) Container {
	return Container{
		Runtime:     rt,
		Name:        plain(strings.TrimPrefix(i.Name, "/")),
		ID:          plain(i.ID),
		Image:       plain(cmp.Or(i.Config.Image, i.ImageName, i.Image)),
		Running:     i.State.Running,
		Paused:      i.State.Paused,
		Env:         relevant(i.Config.Env),
		ExtraHosts:  readExtraHosts(i.HostConfig.ExtraHosts),
		NetworkMode: i.networkMode(),
		Networks:    i.networks(),
		Hostname:    plain(i.Config.Hostname),
	}
}

// networkMode: Docker's "default" is its bridge. nerdctl has no mode, but a
// label with a list.
func (i inspected) networkMode() string {
	switch mode := i.HostConfig.NetworkMode; mode {
	case "":
		var names []string
		if json.Unmarshal([]byte(i.Config.Labels["nerdctl/networks"]), &names) == nil && len(names) > 0 {
			return plain(names[0])
		}
		return ""
	case "default":
		return "bridge"
	default:
		return plain(mode)
	}
}

// networks are sorted by name. Where none has a name, what the container itself
// says about its gateway and address makes one.
func (i inspected) networks() []Network {
	var all []Network
	for name, e := range i.NetworkSettings.Networks {
		all = append(all, e.network(name))
	}
	slices.SortFunc(all, func(a, b Network) int { return cmp.Compare(a.Name, b.Name) })
	if own := i.NetworkSettings.endpoint; len(all) == 0 && own.IPAddress != "" {
		all = append(all, own.network(i.networkMode()))
	}
	return all[:min(len(all), atMost)]
}

func (e endpoint) network(name string) Network {
	n := Network{Name: plain(name), Gateway: address4or6(e.Gateway, e.IPv6Gateway), Address: address4or6(e.IPAddress)}
	for _, alias := range e.Aliases[:min(len(e.Aliases), atMost)] {
		n.Aliases = append(n.Aliases, plain(alias))
	}
	return n
}

// address4or6 is the first text that is an IP address.
func address4or6(texts ...string) string {
	for _, text := range texts {
		if ip, err := netip.ParseAddr(text); err == nil {
			return ip.String()
		}
	}
	return ""
}

// readExtraHosts reads lines such as "name:10.0.0.1", "name:::1",
// "name=[::1]" and "name:host-gateway". A line that is none of them is left out.
func readExtraHosts(lines []string) []ExtraHost {
	var all []ExtraHost
	for _, line := range lines[:min(len(lines), atMost)] {
		i := strings.IndexAny(line, ":=")
		if i <= 0 {
			continue
		}
		name, to := line[:i], strings.Trim(line[i+1:], "[]")
		if ip := address4or6(to); ip != "" {
			to = ip
		} else if to != "host-gateway" {
			continue
		}
		all = append(all, ExtraHost{plain(name), to})
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

var proxyVariables = []string{
	"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
	"all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
}

// relevant picks the variables that name Ollama or a proxy. A variable that is
// there twice has its last value.
func relevant(env []string) map[string]string {
	picked := map[string]string{}
	for _, line := range env {
		name, value, found := strings.Cut(line, "=")
		if found && (name == bundled || slices.Contains(ollamaVariables, name) || slices.Contains(proxyVariables, name)) {
			picked[name] = plain(value)
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
	env, err := parseNative(out)
	if err != nil {
		return err
	}
	for i, c := range containers {
		if lines, ok := env[c.ID]; ok {
			containers[i].Env = relevant(lines)
		}
	}
	return nil
}

// parseNative reads the environments in what `nerdctl inspect --mode=native` printed.
func parseNative(data []byte) (map[string][]string, error) {
	var all []struct {
		ID   string
		Spec struct{ Process struct{ Env []string } }
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("reading the answer of nerdctl inspect --mode=native: %w: %w", launchctl.ErrFormat, err)
	}
	env := map[string][]string{}
	for _, c := range all {
		env[c.ID] = c.Spec.Process.Env
	}
	return env, nil
}

// Setting is a place in a container's environment that points to Ollama.
type Setting struct {
	Variable string
	Value    string // as it is set, or one part of a list
	// URL is what a client makes of the value. Where that is not to be known,
	// because a scheme is missing, it is the URL that was probably meant.
	URL string
}

// OllamaURLs is what the container's environment points to, in a fixed order
// and each URL once. OLLAMA_BASE_URLS is split at its semicolons.
func (c Container) OllamaURLs() []Setting {
	var all []Setting
	for _, variable := range ollamaVariables {
		values := []string{c.Env[variable]}
		if variable == "OLLAMA_BASE_URLS" {
			values = strings.Split(values[0], ";")
		}
		for _, value := range values {
			value = strings.TrimSpace(value)
			s := Setting{variable, value, c.clientURL(variable, value)}
			known := slices.ContainsFunc(all, func(o Setting) bool { return o.URL == s.URL })
			if value != "" && !known && !c.overridden(s) {
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
	if a, err := cutURL(value); err == nil && a.scheme == "" {
		a.scheme = "http"
		return a.String()
	}
	return value
}

// hostVariableURL is where Ollama's own client connects for a value of OLLAMA_HOST.
func hostVariableURL(value string) string {
	scheme, rest, found := strings.Cut(value, "://")
	if !found {
		scheme, rest = "http", value
	}
	u := scheme + "://" + ollama.ParseHost(value).String()
	if _, path, found := strings.Cut(rest, "/"); found {
		u += "/" + path
	}
	return u
}

func isWebUIDefault(variable, value string) bool {
	return variable == "OLLAMA_BASE_URL" && value == webUIDefault
}

func (c Container) bundlesOllama() bool { return strings.EqualFold(c.Env[bundled], "true") }

// overridden: Open WebUI does not look at its default when a list is set.
func (c Container) overridden(s Setting) bool {
	return isWebUIDefault(s.Variable, s.Value) && c.Env["OLLAMA_BASE_URLS"] != ""
}

// notClient reports whether nothing in the environment points out of the
// container: nothing at all, the address that its own Ollama listens on, or an
// Ollama that its image brings along.
func notClient(c Container) bool {
	return !slices.ContainsFunc(c.OllamaURLs(), func(s Setting) bool {
		if s.Variable == ollama.Variable {
			host := ollama.ParseHost(s.Value)
			return !host.Wildcard() && !(host.Loopback() && c.isOllama())
		}
		return !(isWebUIDefault(s.Variable, s.Value) && c.bundlesOllama())
	})
}

// isOllama reports whether the image is Ollama's own, from whatever registry.
func (c Container) isOllama() bool {
	image, _, _ := strings.Cut(c.Image, "@")
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		image = image[:i]
	}
	return image == "ollama/ollama" || strings.HasSuffix(image, "/ollama/ollama")
}

// Proxy is the proxy variable that a usual client in the container obeys for a
// URL, and its value; both are "" where it goes there directly. The lower case
// of a variable goes before the upper, and one that is set to nothing means no
// proxy. Unlike a program written in Go, most clients ask a proxy for localhost too.
func (c Container) Proxy(u *url.URL) (variable, value string) {
	if c.exempt(u) {
		return "", ""
	}
	names := []string{"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}
	if u.Scheme == "https" {
		names = []string{"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}
	}
	return c.firstSet(names)
}

// firstSet is the first of the variables that is set at all, unless to nothing.
func (c Container) firstSet(names []string) (variable, value string) {
	for _, name := range names {
		if value, ok := c.Env[name]; ok {
			if value == "" {
				return "", ""
			}
			return name, value
		}
	}
	return "", ""
}

// exempt reports whether no_proxy keeps a URL from the proxy.
func (c Container) exempt(u *url.URL) bool {
	_, list := c.firstSet([]string{"no_proxy", "NO_PROXY"})
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	for _, entry := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if exempts(strings.ToLower(entry), host, port) {
			return true
		}
	}
	return false
}

// exempts reports whether an entry of no_proxy is about a host: a star for all,
// a domain with everything below it, an address, a range of addresses; with a
// port for that port alone.
func exempts(entry, host, port string) bool {
	if entry == "*" {
		return true
	}
	if prefix, err := netip.ParsePrefix(entry); err == nil {
		return prefix.Contains(parseIP(host))
	}
	entry, entryPort := cutPort(entry)
	if entryPort != "" && entryPort != ":"+port {
		return false
	}
	if ip := parseIP(entry); ip.IsValid() {
		return ip == parseIP(host)
	}
	domain := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(entry, "*"), "."), ".")
	below := strings.HasSuffix(host, "."+domain) && !parseIP(host).IsValid()
	return domain != "" && (host == domain || below)
}
