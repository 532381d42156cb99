package docker

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// hostGateway is the word for the engine's idea of where the host is.
const hostGateway = "host-gateway"

// owner is the container whose network and /etc/hosts this one has.
func (b *box) owner() *box {
	for b.shared != nil {
		b = b.shared
	}
	return b
}

// lookup finds the address of a name as a program in the container does: in /etc/hosts
// first, then at the engine's name server. No name leaves the sandbox.
func (b *box) lookup(name string) (ip netip.Addr, found bool) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip, true
	}
	b = b.owner()
	address := ""
	switch line := b.hostsLine(name); {
	case name == "localhost":
		address = "127.0.0.1"
	case line == hostGateway:
		address = b.product.gateway
	case line != "":
		address = line
	case b.Network != "none" && slices.Contains(b.product.names, name):
		address = b.product.forwarder
	default:
		return netip.Addr{}, false
	}
	return netip.MustParseAddr(address), true
}

// hostsLine is the address that the container's ExtraHosts have for a name, or "".
func (b *box) hostsLine(name string) string {
	for _, line := range b.ExtraHosts {
		if host, address, _ := strings.Cut(line, ":"); host == name {
			return address
		}
	}
	return ""
}

// dial connects from inside the container.
func (b *box) dial(ctx context.Context, ip netip.Addr, port string) (net.Conn, error) {
	host, err := b.route(ctx, ip)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
}

// route is the address of the real machine that an address in the container leads to.
// Nothing listens in a container, nor in the machine that an engine brings along. An
// address elsewhere never answers.
func (b *box) route(ctx context.Context, ip netip.Addr) (string, error) {
	b = b.owner()
	p, itself := b.product, ip.IsLoopback() || ip.IsUnspecified()
	switch {
	case itself && p.native && b.Network == "host":
		return "127.0.0.1", nil
	case itself:
		return "", syscall.ECONNREFUSED
	case b.Network == "none":
		return "", syscall.ENETUNREACH
	case ip.Is6() && b.Network != "host": // the engine gives no IPv6 to its networks
		return "", syscall.EADDRNOTAVAIL
	case ip.String() == p.forwarder:
		return "127.0.0.1", nil
	}
	onBridge, isGateway := b.engine.neighbour(ip)
	switch {
	case isGateway && p.native:
		return outsideAddress(), nil
	case onBridge:
		return "", syscall.ECONNREFUSED
	case slices.Contains(ownAddresses(), ip):
		return ip.String(), nil
	}
	<-ctx.Done()
	return "", ctx.Err()
}

// neighbour reports whether an address is on one of the engine's bridges, and whether it
// is the engine's own there.
func (e *Engine) neighbour(ip netip.Addr) (onBridge, isGateway bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range e.bridges {
		gateway := netip.MustParseAddr(e.gateway(name))
		if netip.PrefixFrom(gateway, 16).Masked().Contains(ip) {
			return true, ip == gateway
		}
	}
	return false, false
}

// outsideAddress is an address of this machine that only a listener on the wildcard
// answers at, as at a bridge's: one that is not loopback, or else another one of
// loopback. macOS has no 127.0.0.2, so there the machine must have one of the first kind.
func outsideAddress() string {
	for _, ip := range ownAddresses() {
		if ip.Is4() && ip.IsGlobalUnicast() {
			return ip.String()
		}
	}
	return "127.0.0.2"
}

// ownAddresses are those of the machine's interfaces that are up.
func ownAddresses() []netip.Addr {
	var own []netip.Addr
	interfaces, _ := net.Interfaces() // without them there are none
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				own = append(own, p.Addr())
			}
		}
	}
	return own
}
