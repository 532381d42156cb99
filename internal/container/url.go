package container

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// errNotURL is a text that is no web address, with or without a scheme.
var errNotURL = errors.New("not an http or https URL")

// Convert gives the URL that a container uses for what this machine calls from.
// localhost, 127.0.0.0/8, ::1, 0.0.0.0 and :: become host; any other host
// stays. Scheme, user, port, path and query stay as they are, byte by byte, and
// no port is added.
//
// A text without a scheme is read as Ollama reads OLLAMA_HOST: "localhost",
// ":11434" and "localhost:11434/v1" mean http, and port 11434 where none is
// named. A number alone is taken for a port.
func Convert(from, host string) (string, error) {
	if !canBeHost(host) {
		return "", fmt.Errorf("converting %q: %q is not a host name or an IP address", from, host)
	}
	a, err := cutURL(from)
	if err != nil {
		return "", fmt.Errorf("converting %q: %w", from, err)
	}
	a = a.withDefaults()
	if a.host == "" || isLoopback(a.host) || isUnspecified(a.host) {
		a.host = host
	}
	return a.String(), nil
}

// address is a web address in pieces that put together are the same bytes.
type address struct {
	scheme string // "" where it was left out
	user   string // with its @
	host   string // without brackets
	port   string // with its colon
	rest   string // path, query and fragment
}

func (a address) String() string {
	host := a.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return a.scheme + "://" + a.user + host + a.port + a.rest
}

// withDefaults adds what Ollama adds to an address without a scheme.
func (a address) withDefaults() address {
	if a.scheme != "" {
		return a
	}
	a.scheme = "http"
	if a.port == "" || a.port == ":" {
		a.port = ":" + strconv.Itoa(ollama.DefaultPort)
	}
	return a
}

// cutURL takes an address apart. net/url reads it a second time: what both do
// not read alike is none.
func cutURL(raw string) (address, error) {
	raw = strings.TrimSpace(raw)
	var a address
	authority := raw
	if scheme, rest, found := strings.Cut(raw, "://"); found {
		a.scheme, authority = scheme, rest
		if scheme == "" {
			return address{}, errNotURL
		}
	} else if strings.Trim(raw, "0123456789") == "" {
		authority = ":" + raw
	}
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority, a.rest = authority[:i], authority[i:]
	}
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		a.user, authority = authority[:i+1], authority[i+1:]
	}
	a.host, a.port = cutPort(authority)
	if !a.valid() {
		return address{}, errNotURL
	}
	return a, nil
}

// cutPort splits host and port. An IPv6 address without brackets has no port,
// and what has too many colons is left whole.
func cutPort(authority string) (host, port string) {
	host = authority
	if ip, err := netip.ParseAddr(authority); err == nil && ip.Is6() {
		return host, ""
	}
	if i := strings.LastIndex(authority, ":"); i > strings.LastIndex(authority, "]") {
		host, port = authority[:i], authority[i:]
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && isIPv6(inner) {
			return inner, port
		}
	}
	if strings.Contains(host, ":") {
		return authority, ""
	}
	return host, port
}

func (a address) valid() bool {
	scheme := strings.ToLower(a.scheme)
	switch {
	case scheme != "" && scheme != "http" && scheme != "https":
		return false
	case a.host == "" && (scheme != "" || strings.Trim(a.port, ":") == ""):
		return false
	case a.host != "" && !canBeHost(a.host):
		return false
	// "http:/localhost" and "http//localhost" are not about a host named http,
	// nor is "0/v1" about one named 0.
	case scheme == "" && slices.Contains([]string{"http", "https"}, strings.ToLower(a.host)),
		scheme == "" && a.host != "" && strings.Trim(a.host, "0123456789") == "":
		return false
	case strings.ContainsFunc(a.user+a.rest, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return false
	}
	if port := strings.TrimPrefix(a.port, ":"); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	u, err := url.Parse(a.withDefaults().String())
	return err == nil && strings.EqualFold(unescapedZone(a.host), u.Hostname())
}

// unescapedZone: "%25" in front of an IPv6 zone is a percent sign.
func unescapedZone(host string) string { return strings.Replace(host, "%25", "%", 1) }

// canBeHost reports whether a text can stand for a host in a URL.
func canBeHost(host string) bool {
	if isIPv6(host) {
		return true
	}
	return host != "" && !strings.ContainsFunc(host, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\?#@:[]%"'<>{}|^`+"`", r)
	})
}

func isIPv6(host string) bool {
	ip, err := netip.ParseAddr(unescapedZone(host))
	return err == nil && ip.Is6()
}

// isLoopback reports whether a host is the machine, or the container, that asks.
func isLoopback(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || parseIP(host).IsLoopback()
}

func isUnspecified(host string) bool { return parseIP(host).IsUnspecified() }

// parseIP is the zero address for a name.
func parseIP(host string) netip.Addr {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}
