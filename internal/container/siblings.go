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
	// Ollama says that it serves Ollama's port, 11434, inside.
	Ollama  bool
	Running bool
	Shared  bool // it is on a network of the container that asks
}

// host is the one that the container's URL names, "" where it names none.
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

// onNetwork reports whether an address is on a network of the container, but for
// the gateways. Networks are taken for as big as Docker makes them.
func (c Container) onNetwork(ip netip.Addr) bool {
	return slices.ContainsFunc(c.Networks, func(n Network) bool {
		own := text.ParseIP(n.Address)
		if !own.Is4() {
			return false
		}
		return netip.PrefixFrom(own, 16).Contains(ip) && ip.String() != n.Gateway
	})
}

// siblingOf is the container that a URL leads to, nil for none.
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

// lookAtNetworks finds out what may keep a container from everything: that its
// networks are internal, or are another container's.
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
		return // what is known without it is said
	}
	c.Networks = slices.Clone(c.Networks) // which others see, too
	for i := range c.Networks {
		for _, n := range all {
			if n.Name == c.Networks[i].Name {
				c.Networks[i].Internal = n.Internal
			}
		}
	}
}

// internal reports whether all of its networks lead to no other.
func (c Container) internal() bool {
	return len(c.Networks) > 0 && !slices.ContainsFunc(c.Networks, func(n Network) bool { return !n.Internal })
}
