package doctor

import (
	"net"
	"net/netip"
)

// Interface is one of the machine's network interfaces.
type Interface struct {
	Name      string
	Addresses []netip.Addr
}

// Interfaces lists the machine's network interfaces.
func Interfaces() []Interface {
	found, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var all []Interface
	for _, i := range found {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		all = append(all, Interface{i.Name, plain(addresses)})
	}
	return all
}

func plain(addresses []net.Addr) []netip.Addr {
	var all []netip.Addr
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return all
}

// nameOf is the interface that has the address, "" if none has.
func nameOf(all []Interface, ip netip.Addr) string {
	for _, i := range all {
		for _, a := range i.Addresses {
			if a == ip {
				return i.Name
			}
		}
	}
	return ""
}

// Networks that are not global, and that netip does not know as private.
var (
	sharedNetwork    = netip.MustParsePrefix("100.64.0.0/10")       // RFC 6598; Tailscale's as well
	tailscaleNetwork = netip.MustParsePrefix("fd7a:115c:a1e0::/48") // within RFC 4193's
)

// kindOf says who can reach an address.
func kindOf(ip netip.Addr) string {
	switch {
	case sharedNetwork.Contains(ip), tailscaleNetwork.Contains(ip):
		return "VPN, such as Tailscale"
	case ip.IsPrivate():
		return "private"
	case ip.Is4():
		return "public IPv4"
	}
	return globalIPv6
}

// globalIPv6 addresses have no NAT in front.
const globalIPv6 = "global IPv6"
