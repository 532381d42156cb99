package container

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// The names that products give the host. The first two are also what people write into
// extra_hosts if a product has no name of its own.
const (
	nameDocker  = "host.docker.internal"
	namePodman  = "host.containers.internal"
	nameLima    = "host.lima.internal"
	nameOrb     = "host.orb.internal"
	nameRancher = "host.rancher-desktop.internal"
)

// genericNames are worth a try if nothing is known.
var genericNames = []string{nameDocker, namePodman, nameLima, nameOrb, nameRancher}

var productNames = map[Product][]string{
	DockerDesktop:  {nameDocker},
	OrbStack:       {nameDocker, nameOrb},
	Colima:         {nameDocker, nameLima},
	Lima:           {nameLima},
	RancherDesktop: {nameDocker, nameRancher},
	PodmanMachine:  {namePodman, nameDocker},
	Remote:         nil,
	UnknownProduct: genericNames,
}

// VM reports whether the engine is known to run in a virtual machine, or on another
// machine. Then a bridge's gateway is that machine, not the host.
func (r Runtime) VM() bool {
	_, known := productNames[r.Product]
	return known && r.Product != UnknownProduct
}

// HostName is the host's name to recommend if no container is at hand. Docker Engine on
// Linux knows it only in containers started with
// --add-host=host.docker.internal:host-gateway.
func (r Runtime) HostName() string {
	if names := r.names(); len(names) > 0 {
		return names[0]
	}
	return nameDocker
}

// HasName reports whether every container of this runtime has a name for the host.
func (r Runtime) HasName() bool { return len(r.names()) > 0 }

// names are those that every container of this runtime can resolve.
func (r Runtime) names() []string {
	switch {
	case r.Product == Remote:
		return []string{r.Address}
	case r.Product == Native && !r.Podman:
		return nil
	// Podman has Docker's name as well since 4.7 (containers/common#1592).
	case r.Podman && (r.Product == Native || r.before(4, 7)):
		return []string{namePodman}
	}
	return productNames[r.Product]
}

// before reports whether the engine is known to be older than version.
func (r Runtime) before(major, minor int) bool {
	var a, b int
	n, _ := fmt.Sscanf(r.Version, "%d.%d", &a, &b)
	return n == 2 && (a < major || a == major && b < minor)
}

// hostNames are the names and addresses that may lead from this container to the host,
// best first. None is certain.
func (c Container) hostNames() []string {
	var names []string
	add := func(more ...string) {
		for _, name := range more {
			if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
				names = append(names, name)
			}
		}
	}
	if c.NetworkMode == "host" {
		add("localhost")
	}
	if c.Runtime.Product == Native {
		add(c.hostLines()...)
	}
	add(c.Runtime.names()...)
	add(c.hostLines()...)
	if c.borrowsNetwork() {
		add(genericNames...)
	}
	if !c.Runtime.VM() {
		add(c.gateways()...)
	}
	return names
}

// askedNames are the hostNames to ask. If a name leads to a bridge of this machine, the
// bridge's address adds nothing.
func (c Container) askedNames() []string {
	toGateway := func(e ExtraHost) bool { return e.Address == "host-gateway" || slices.Contains(c.gateways(), e.Address) }
	names := c.hostNames()
	if c.Runtime.Product == Native && slices.ContainsFunc(c.ExtraHosts, toGateway) {
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(c.gateways(), name) })
	}
	return names
}

// borrowsNetwork: the names that lead out of the network that it borrows are in another
// container.
func (c Container) borrowsNetwork() bool { return strings.HasPrefix(c.NetworkMode, "container:") }

// hostLines are the extra hosts that mean the host: by address, or by a name that means
// nothing else.
func (c Container) hostLines() []string {
	var names []string
	for _, extra := range c.ExtraHosts {
		byAddress := extra.Address == "host-gateway" && c.Runtime.Product != Remote || slices.Contains(c.gateways(), extra.Address)
		if byAddress || slices.Contains(genericNames, strings.ToLower(extra.Name)) {
			names = append(names, extra.Name)
		}
	}
	return names
}

func (c Container) gateways() []string {
	var all []string
	if c.Runtime.Product == Remote {
		return nil
	}
	for _, n := range c.Networks {
		if n.Gateway != "" {
			all = append(all, n.Gateway)
		}
	}
	return all
}

// DefaultGateway is the host's address on the default bridge of an engine on this
// machine. If the engine is in a virtual machine, the bridge leads only there, so that
// is an error.
func DefaultGateway(ctx context.Context, r Runner, rt Runtime) (string, error) {
	if rt.VM() {
		return "", fmt.Errorf("%s runs in a virtual machine: the gateway of its bridge is not this host", rt.Tool)
	}
	network := "bridge"
	if rt.Podman {
		network = "podman"
	}
	op := "inspecting the network " + network
	out, err := r.Run(ctx, rt.Tool, "network", "inspect", network)
	if err != nil {
		return "", toolError(rt.Tool, op, err)
	}
	gateway, err := parseGateway(out)
	if err != nil {
		return "", fmt.Errorf("%s with %s: %w", op, rt.Tool, err)
	}
	return gateway, nil
}

// subnet is an address range of a network, in both layouts.
type subnet struct{ Subnet, Gateway string }

// parseGateway reads `network inspect`: Docker and nerdctl have IPAM, Podman
// has subnets. IPv4 goes first.
func parseGateway(data []byte) (string, error) {
	var networks []struct {
		IPAM    struct{ Config []subnet }
		Subnets []subnet
	}
	if err := json.Unmarshal(data, &networks); err != nil {
		return "", fmt.Errorf("%w: %w", launchctl.ErrFormat, err)
	}
	var gateway netip.Addr
	for _, n := range networks {
		for _, s := range slices.Concat(n.IPAM.Config, n.Subnets) {
			ip := text.ParseIP(s.Gateway)
			// Docker 20.10 names no gateway for a bridge that it set up itself, and
			// takes the first address.
			if prefix, err := netip.ParsePrefix(s.Subnet); err == nil && s.Gateway == "" {
				ip = prefix.Masked().Addr().Next()
			}
			if !gateway.IsValid() || ip.Is4() && gateway.Is6() {
				gateway = ip
			}
		}
	}
	if !gateway.IsValid() {
		return "", fmt.Errorf("%w: the network has no gateway", launchctl.ErrFormat)
	}
	return gateway.String(), nil
}
