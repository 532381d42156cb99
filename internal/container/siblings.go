package container

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
)

// Sibling is another container of the same engine that a URL leads to.
type Sibling struct {
	Name string
	// Ollama: it serves Ollama's port, 11434, inside.
	Ollama  bool
	Running bool
	Shared  bool // it shares a network with the asking container
}

// host is the host in the container's URL, or "".
func (u ClientURL) host() string {
	parsed, bare, err := text.ReadURL(u.URL)
	if err != nil || bare {
		return ""
	}
	return parsed.Hostname()
}

// mayBeContainer reports whether a URL's host looks like the name of a container, or an
// address on one of its networks.
func (u ClientURL) mayBeContainer() bool {
	host := u.host()
	if ip := text.ParseIP(host); ip.IsValid() {
		return u.Container.onNetwork(ip)
	}
	return host != "" && !strings.Contains(host, ".") && u.Container.leadsToSelf(host) == ""
}

// onNetwork reports whether an address is on one of the container's networks, gateways
// excepted. Networks count as large as Docker makes them.
func (c Container) onNetwork(ip netip.Addr) bool {
	return slices.ContainsFunc(c.Networks, func(n Network) bool {
		own := text.ParseIP(n.Address)
		if !own.Is4() {
			return false
		}
		return netip.PrefixFrom(own, 16).Contains(ip) && ip.String() != n.Gateway
	})
}

// siblingOf is the container that a URL leads to, or nil.
func siblingOf(u *ClientURL, all []Container) *Sibling {
	host := u.host()
	for _, c := range all {
		if c.ID == u.Container.ID || !c.isMe(host) && !strings.EqualFold(c.Origin.Service, host) {
			continue
		}
		shared := slices.ContainsFunc(c.Networks, func(n Network) bool {
			return slices.ContainsFunc(u.Container.Networks, func(o Network) bool { return o.Name == n.Name })
		})
		return &Sibling{c.Name, c.ServesOllama || c.isOllama(), c.Running && !c.Restarting && !c.Paused, shared}
	}
	return nil
}

// lookAtNetworks finds out what may cut a container off: networks that are internal, or
// another container's.
func (m *measurement) lookAtNetworks(ctx context.Context, c *Container) {
	if owner, ok := strings.CutPrefix(c.NetworkMode, "container:"); ok {
		if o, err := inspectOne(ctx, m.Runner, c.Runtime, owner); err == nil {
			c.NetworkOf = o.Name
		}
		return
	}
	args := []string{"network", "inspect", "--"}
	for _, n := range c.Networks {
		args = append(args, n.Name)
	}
	out, err := m.Runner.Run(ctx, c.Runtime.Tool, args...)
	var all []struct {
		Name     string
		Internal bool
	}
	if err != nil || len(c.Networks) == 0 || json.Unmarshal(out, &all) != nil {
		return // the rest is reported without it
	}
	c.Networks = slices.Clone(c.Networks) // which other goroutines read, too
	for i := range c.Networks {
		for _, n := range all {
			if n.Name == c.Networks[i].Name {
				c.Networks[i].Internal = n.Internal
			}
		}
	}
}

// internal reports whether all of its networks are cut off from others.
func (c Container) internal() bool {
	return len(c.Networks) > 0 && !slices.ContainsFunc(c.Networks, func(n Network) bool { return !n.Internal })
}
