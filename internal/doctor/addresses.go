package doctor

import (
	"net"
	"net/netip"
)

// Addresses lists the machine's own addresses that others could use: not
// loopback, and not link-local, which needs a zone to be dialled.
func Addresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var usable []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if ip := prefix.Addr().Unmap(); err == nil && ip.IsGlobalUnicast() {
			usable = append(usable, ip)
		}
	}
	return usable
}
