package container

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/clients"
	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// URLProblem is what is wrong with a URL in a container's environment.
type URLProblem struct {
	ID Cause
	// Host is the host that the URL names, or "".
	Host string
	// Address is where an extra_hosts line wrongly sends Host, or "".
	Address string
}

// What can be wrong with a URL.
const (
	NotAURL           Cause = "not-a-url"           // it is no http or https URL
	Quotes            Cause = "quotes"              // it stands in quotes, which are part of it
	NoScheme          Cause = "no-scheme"           // many clients refuse it without http://
	HTTPS             Cause = "https"               // Ollama speaks no TLS
	NoPort            Cause = "no-port"             // it goes to port 80
	Localhost         Cause = "localhost"           // Host is the container itself
	IPv6Loopback      Cause = "ipv6-loopback"       // ::1 is the container itself
	Unspecified       Cause = "unspecified"         // Host is an address to listen on
	OwnName           Cause = "own-name"            // Host is the container itself
	ExtraHostLoopback Cause = "extra-host-loopback" // extra_hosts make Host the container itself
	HostGatewayOnVM   Cause = "host-gateway-on-vm"  // Host is the runtime's virtual machine
	BasePath          Cause = "base-path"           // most clients add that path themselves
	HostCheck         Cause = "host-check"          // Ollama on loopback refuses that name
)

// URLProblem names what is wrong with the value that a variable has in this container,
// zero if nothing is. It goes only by how the container is set up: nothing is resolved,
// so it never returns HostCheck.
func (c Container) URLProblem(variable, value string) URLProblem {
	value = strings.TrimSpace(value)
	if clients.IsWebUIDefault(variable, value) {
		return URLProblem{}
	}
	if bare := strings.Trim(value, `"'`); bare != value && clients.IsAddress(bare) {
		return URLProblem{ID: Quotes}
	}
	u, bare, err := text.ReadURL(value)
	if err != nil {
		return URLProblem{ID: NotAURL}
	}
	host := u.Hostname()
	if id := c.leadsToSelf(host); id != "" {
		return URLProblem{ID: id, Host: host}
	}
	if problem := c.extraProblem(host); problem.ID != "" {
		return problem
	}
	if id := c.serverProblem(u, bare, variable); id != "" {
		return URLProblem{ID: id, Host: host}
	}
	if id := pathProblem(variable, u); id != "" {
		return URLProblem{ID: id, Host: host}
	}
	return URLProblem{}
}

// pathProblem: most clients that call the variable Ollama's add a path of Ollama's by
// themselves, /api/tags to /api (open-webui docs#18, lobehub#1633). /v1 is right for
// those that speak as OpenAI does, and /api for those whose variable says API.
func pathProblem(variable string, u *url.URL) Cause {
	path := strings.TrimRight(u.Path, "/") + "/"
	name := strings.ToUpper(variable)
	switch {
	case !strings.Contains(name, "OLLAMA"):
		return ""
	case strings.HasSuffix(path, "/api/"):
		if strings.Contains(name, "API") {
			return ""
		}
		return BasePath
	case strings.HasSuffix(path, "/v1/"):
		if strings.Contains(name, "OPENAI") {
			return ""
		}
		return BasePath
	case strings.Contains(path, "/api/"), strings.Contains(path, "/v1/"):
		return BasePath
	}
	return ""
}

// addsPath reports whether the client is known to add Ollama's path to what this
// variable holds: Open WebUI is.
func (c Container) addsPath(variable string) bool {
	return strings.Contains(c.Image, "open-webui") && strings.HasPrefix(variable, "OLLAMA_BASE_URL")
}

// leadsToSelf: names and addresses that lead back to the container itself.
func (c Container) leadsToSelf(host string) Cause {
	if !c.sharesNetwork() && !clients.BundlesOllama(c.Env) {
		switch ip := text.ParseIP(host); {
		case ip == netip.IPv6Loopback():
			return IPv6Loopback
		case text.IsLoopback(host):
			return Localhost
		case host == "", ip.IsUnspecified():
			return Unspecified
		}
	}
	if c.isMe(host) {
		return OwnName
	}
	return ""
}

// sharesNetwork reports whether the container's localhost is this machine's.
func (c Container) sharesNetwork() bool {
	return c.NetworkMode == "host" && c.Runtime.Product == Native
}

// isMe reports whether a host is one of this container's own names or addresses. A
// container without its own network has no host name of its own either.
func (c Container) isMe(host string) bool {
	if c.NetworkMode == "host" || c.borrowsNetwork() {
		return false
	}
	mine := []string{c.Name, c.Hostname}
	for _, n := range c.Networks {
		mine = append(mine, n.Address)
		mine = append(mine, n.Aliases...)
	}
	shortID := len(host) >= 12 && strings.HasPrefix(c.ID, strings.ToLower(host))
	return shortID || slices.ContainsFunc(mine, func(s string) bool { return s != "" && strings.EqualFold(s, host) })
}

// extraProblem: addresses that lead to the container itself, or to the virtual
// machine that the engine runs in, where its bridges end.
func (c Container) extraProblem(host string) URLProblem {
	if c.Runtime.VM() && c.isBridge(host) {
		return URLProblem{ID: HostGatewayOnVM, Host: host}
	}
	for _, extra := range c.ExtraHosts {
		toVM := c.isBridge(extra.Address) || extra.Address == "host-gateway" && c.hostGatewayIsVM()
		switch {
		case !strings.EqualFold(extra.Name, host):
		case text.IsLoopback(extra.Address) && !c.sharesNetwork():
			return URLProblem{ExtraHostLoopback, extra.Name, extra.Address}
		case c.Runtime.VM() && toVM:
			return URLProblem{HostGatewayOnVM, extra.Name, extra.Address}
		}
	}
	return URLProblem{}
}

// isBridge reports whether an address is the gateway of a bridge.
func (c Container) isBridge(host string) bool {
	return host == "172.17.0.1" || slices.Contains(c.gateways(), host)
}

// hostGatewayIsVM: these leave Docker's host-gateway at the bridge
// (lima-vm/lima#450, rancher-sandbox/rancher-desktop#5095). The others set it
// to an address of the host.
func (c Container) hostGatewayIsVM() bool {
	return c.Runtime.Product == Lima || c.Runtime.Product == RancherDesktop
}

// serverProblem: how not to talk to Ollama on the host. About a host with another name
// nothing is known: a proxy there may speak TLS on the usual port.
func (c Container) serverProblem(u *url.URL, bare bool, variable string) Cause {
	isHost := func(name string) bool { return strings.EqualFold(name, u.Hostname()) }
	switch {
	case bare && variable != ollama.Variable:
		return NoScheme
	case bare || !slices.ContainsFunc(slices.Concat(c.hostNames(), genericNames), isHost):
		return ""
	case u.Scheme == "https":
		return HTTPS
	case u.Port() == "":
		return NoPort
	}
	return ""
}
