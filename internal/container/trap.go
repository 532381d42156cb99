package container

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// Trap is what is wrong with a URL in a container's environment.
type Trap struct {
	ID   string // kebab-case
	Text string // one line, lower case, no full stop: what is wrong, and no advice
}

// Trap names what is wrong with the value that a variable has in this
// container, if anything is. It goes by how the container is set up alone:
// nothing is looked up.
//
// The IDs are localhost, ipv6-loopback, unspecified, own-name,
// extra-host-loopback, host-gateway-on-vm, no-scheme, https, no-port and
// not-a-url.
func (c Container) Trap(variable, value string) (Trap, bool) {
	value = strings.TrimSpace(value)
	if isWebUIDefault(variable, value) {
		return Trap{}, false
	}
	a, err := cutURL(value)
	if err != nil {
		return Trap{"not-a-url", "it is no http or https URL"}, true
	}
	for _, find := range []func(address) (Trap, bool){c.selfTrap, c.nameTrap, c.gatewayTrap} {
		if trap, found := find(a); found {
			return trap, true
		}
	}
	if a.scheme == "" && variable != ollama.Variable {
		return Trap{"no-scheme", "it has no http:// in front, and many clients refuse it then"}, true
	}
	return c.serverTrap(a)
}

// selfTrap: addresses that mean whoever uses them.
func (c Container) selfTrap(a address) (Trap, bool) {
	if c.sharesNetwork() || c.bundlesOllama() {
		return Trap{}, false
	}
	switch ip := parseIP(a.host); {
	case ip == netip.IPv6Loopback():
		return Trap{"ipv6-loopback", "::1 is the container itself"}, true
	case isLoopback(a.host):
		return Trap{"localhost", fmt.Sprintf("%s is the container itself", a.host)}, true
	case a.host == "", ip.IsUnspecified():
		return Trap{"unspecified", fmt.Sprintf("%s is an address to listen on, and leads a client to the container itself", unspecifiedName(a.host))}, true
	}
	return Trap{}, false
}

func unspecifiedName(host string) string {
	if host == "" {
		return "an address without a host"
	}
	return host
}

// sharesNetwork reports whether the container's localhost is this machine's.
func (c Container) sharesNetwork() bool {
	return c.NetworkMode == "host" && c.Runtime.Product == Native
}

// nameTrap: names and addresses that lead back to the container.
func (c Container) nameTrap(a address) (Trap, bool) {
	if c.isMe(a.host) {
		return Trap{"own-name", fmt.Sprintf("%s is the container itself", a.host)}, true
	}
	for _, extra := range c.ExtraHosts {
		if strings.EqualFold(extra.Name, a.host) && isLoopback(extra.Address) && !c.sharesNetwork() {
			return Trap{"extra-host-loopback", fmt.Sprintf("an extra_hosts line makes %s the container itself (%s)", extra.Name, extra.Address)}, true
		}
	}
	return Trap{}, false
}

// isMe reports whether a host is one of the names or addresses of this very
// container. One that has no network of its own has no host name of its own either.
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

// gatewayTrap: where the engine runs in a virtual machine, its bridges end there.
func (c Container) gatewayTrap(a address) (Trap, bool) {
	if !c.Runtime.VM() {
		return Trap{}, false
	}
	if c.isBridge(a.host) {
		return Trap{"host-gateway-on-vm", fmt.Sprintf("%s is the virtual machine of the runtime", a.host)}, true
	}
	for _, extra := range c.ExtraHosts {
		wrong := c.isBridge(extra.Address) || extra.Address == "host-gateway" && c.hostGatewayIsVM()
		if strings.EqualFold(extra.Name, a.host) && wrong {
			return Trap{"host-gateway-on-vm", fmt.Sprintf("an extra_hosts line (%s) makes %s the virtual machine of the runtime", extra.Address, extra.Name)}, true
		}
	}
	return Trap{}, false
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

// serverTrap: how Ollama on the host is not to be talked to. About a host by
// another name nothing is known: a proxy there may speak TLS on the usual port.
func (c Container) serverTrap(a address) (Trap, bool) {
	host := strings.ToLower(a.host)
	names := slices.Concat(c.HostNames(), genericNames)
	theHost := slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, host) })
	switch {
	case !theHost:
		return Trap{}, false
	case strings.EqualFold(a.scheme, "https"):
		return Trap{"https", "it says https, and Ollama speaks no TLS"}, true
	case a.scheme != "" && (a.port == "" || a.port == ":"):
		return Trap{"no-port", "it names no port, so it goes to port 80"}, true
	}
	return Trap{}, false
}
