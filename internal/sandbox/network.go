package sandbox

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// errNoName is what a lookup ends with that finds nothing.
var errNoName = errors.New("no such name")

// noRouteDelay is how long a bridge asks for a neighbour that is not there.
const noRouteDelay = 3 * time.Second

// lookup finds the address of a name as a program in the container does: /etc/hosts first, then the engine's name server. No name leaves
// the sandbox.
func (b *box) lookup(name string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip, nil
	}
	o := b.owner()
	if name == "localhost" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	for _, h := range o.extraHosts {
		if h.name == name {
			return o.extraAddress(h), nil
		}
	}
	if found := o.serve(name); found != "" {
		return netip.MustParseAddr(found), nil
	}
	return netip.Addr{}, errNoName
}

// extraAddress is what stands in /etc/hosts for the line.
func (b *box) extraAddress(h extraHost) netip.Addr {
	if h.address == hostGateway {
		return netip.MustParseAddr(b.product.gateway)
	}
	return netip.MustParseAddr(h.address)
}

// serve is what is left of /etc/hosts, and the name server. A network that the user made knows its containers by name.
func (b *box) serve(name string) string {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if b.net != nil && name == b.hostname {
		return b.address
	}
	if b.network == "none" {
		return ""
	}
	if slices.Contains(b.product.names, name) {
		return b.product.forwarder
	}
	if b.net == nil || b.net.name == "bridge" {
		return ""
	}
	if other := e.find(name); other != nil && other.net == b.net {
		return other.address
	}
	return ""
}

// dial connects from inside the container.
func (b *box) dial(ctx context.Context, ip netip.Addr, port int) (net.Conn, error) {
	host, err := b.route(ctx, ip)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// route is the address on the real machine that an address in the container leads to. In a container nothing listens, nor in the machine
// that an engine brings along.
func (b *box) route(ctx context.Context, ip netip.Addr) (string, error) {
	o := b.owner()
	p := o.product
	switch address := ip.String(); {
	case o.network == "host" && p.ownLinux && (ip.IsLoopback() || ip.IsUnspecified()):
		return "127.0.0.1", nil
	case ip.Is6() && o.network != "host": // the engine gives no IPv6 to its networks
		return "", syscall.EADDRNOTAVAIL
	case ip.IsLoopback(), ip.IsUnspecified():
		return "", syscall.ECONNREFUSED
	case o.network == "none":
		return "", syscall.ENETUNREACH
	case address == p.forwarder:
		return "127.0.0.1", nil
	default:
		return o.routeBridge(ctx, ip)
	}
}

// routeBridge is route for the engine's own addresses, for the host's, and for those of elsewhere, from where nothing comes back.
func (b *box) routeBridge(ctx context.Context, ip netip.Addr) (string, error) {
	switch b.neighbour(ip) {
	case isGateway:
		if b.product.ownLinux {
			return bridgeAddress(), nil
		}
		return "", syscall.ECONNREFUSED
	case isContainer:
		return "", syscall.ECONNREFUSED
	case isMissing:
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(noRouteDelay):
			return "", syscall.EHOSTUNREACH
		}
	}
	if isOwnAddress(ip) {
		return ip.String(), nil
	}
	<-ctx.Done()
	return "", ctx.Err()
}

// neighbourhood says what an address is on the engine's bridges.
type neighbourhood int

const (
	isElsewhere neighbourhood = iota
	isGateway
	isContainer
	isMissing
)

func (b *box) neighbour(ip netip.Addr) neighbourhood {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range e.networks {
		subnet := netip.PrefixFrom(netip.MustParseAddr(n.address(0)), 16)
		switch {
		case !subnet.Contains(ip):
		case ip.String() == n.gateway():
			return isGateway
		case slices.ContainsFunc(e.boxes, func(other *box) bool { return other.address == ip.String() }):
			return isContainer
		default:
			return isMissing
		}
	}
	return isElsewhere
}

// bridgeAddress is an address of this machine that only a listener on the wildcard answers at, as on the bridge's own: one that is not
// loopback, or else another one of loopback. macOS has no 127.0.0.2, so there it must have one of the first kind.
func bridgeAddress() string {
	interfaces, _ := net.Interfaces() // without them there are none
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() {
				return p.Addr().String()
			}
		}
	}
	return "127.0.0.2"
}
