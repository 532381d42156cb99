package ollama

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// ParseHost reads OLLAMA_HOST as the product does, whose table of values is from Ollama
// itself. standIn stands for 11434.
func ParseHost(value string, standIn int) ollama.Host {
	h := ollama.ParseHost(value)
	if h.Port == ollama.DefaultPort {
		h.Port = standIn
	}
	return h
}

// listen opens one socket, as Ollama does: a wildcard becomes a dual-stack one where
// there is IPv6. Names are not looked up, because a test must not depend on the
// network; the error for one is that of a name that does not exist.
func listen(h ollama.Host) (net.Listener, error) {
	if h.Name == "localhost" {
		h.Name = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(h.Name); err != nil && h.Name != "" {
		return nil, fmt.Errorf("listen tcp: lookup %s: no such host", h.Name)
	}
	return net.Listen("tcp", h.String())
}

// checkHost is Ollama's defence against DNS rebinding, which is on only when the
// listener is on loopback. That it lets this machine's public addresses pass too is not
// modelled.
func checkHost(address net.Addr, next http.Handler) http.Handler {
	bound, err := netip.ParseAddrPort(address.String())
	if err == nil && !bound.Addr().IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowedHost(r.Host) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allowedHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified()
	}
	host = strings.ToLower(host)
	if name, err := os.Hostname(); err == nil && strings.ToLower(name) == host {
		return true
	}
	local := func(end string) bool { return strings.HasSuffix(host, end) }
	return host == "" || host == "localhost" || local(".localhost") || local(".local") ||
		local(".internal")
}
