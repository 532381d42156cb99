package ollama

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Host is where OLLAMA_HOST says to listen.
type Host struct {
	host, port string
	badPort    string // what stood there, when it was no port
}

func (h Host) String() string { return net.JoinHostPort(h.host, h.port) }

// Reachable is an address of this machine at which a listener on h answers.
func (h Host) Reachable() string {
	if ip, err := netip.ParseAddr(h.host); err != nil || ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", h.port)
	}
	return h.String()
}

// ParseHost reads OLLAMA_HOST as Ollama does. defaultPort stands for 11434.
func ParseHost(value, defaultPort string) Host {
	value = strings.TrimSpace(strings.Trim(strings.TrimSpace(value), `"'`))
	scheme, rest, ok := strings.Cut(value, "://")
	switch {
	case !ok:
		rest = value
	case scheme == "http":
		defaultPort = "80"
	case scheme == "https":
		defaultPort = "443"
	}
	rest, _, _ = strings.Cut(rest, "/")
	h := splitHost(rest, defaultPort)
	if n, err := strconv.ParseInt(h.port, 10, 32); err != nil || n < 0 || n > 65535 {
		h.badPort, h.port = h.port, defaultPort
	}
	return h
}

// splitHost takes what is no host:port for a host.
func splitHost(s, defaultPort string) Host {
	if host, port, err := net.SplitHostPort(s); err == nil {
		return Host{host: host, port: port}
	}
	h := Host{host: "127.0.0.1", port: defaultPort}
	if ip := net.ParseIP(strings.Trim(s, "[]")); ip != nil {
		h.host = ip.String()
	} else if s != "" {
		h.host = s
	}
	return h
}

// listen opens one socket, as Ollama does: a wildcard becomes a dual-stack one where
// there is IPv6. Names are not looked up, because a test must not depend on the
// network; the error for one is that of a name that does not exist.
func listen(h Host) (net.Listener, error) {
	if h.host == "localhost" {
		h.host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(h.host); err != nil && h.host != "" {
		return nil, fmt.Errorf("listen tcp: lookup %s: no such host", h.host)
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
