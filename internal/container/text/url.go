package text

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// ErrNotURL is a text that is no web address, with or without a scheme.
var ErrNotURL = errors.New("not an http or https URL")

// Convert gives the URL that a container uses for what this machine calls from.
// localhost, 127.0.0.0/8, ::1, 0.0.0.0 and :: become host, a name or an IP
// address; any other host stays. Scheme, user, port, path and query stay as they
// are, and no port is added.
//
// A text without a scheme is read as Ollama reads OLLAMA_HOST: "localhost",
// ":11434" and "localhost:11434/v1" mean http, and port 11434 where none is
// named. A number alone is taken for a port, and a word alone for a slip.
func Convert(from, host string) (string, error) {
	u, bare, err := ReadURL(from)
	if err != nil {
		return "", fmt.Errorf("converting %q: %w", from, err)
	}
	name, port := u.Hostname(), u.Port()
	isOwn := name == "" || IsLoopback(name) || ParseIP(name).IsUnspecified()
	if bare && !isOwn && port == "" && !strings.ContainsAny(name, ".:") {
		return "", fmt.Errorf("converting %q: %w", from, ErrNotURL)
	}
	if port == "" && bare {
		port = strconv.Itoa(ollama.DefaultPort)
	}
	if !isOwn {
		host = name
	}
	u.Host = strings.TrimSuffix(net.JoinHostPort(host, port), ":")
	return u.String(), nil
}

// ReadURL reads an http or https URL. One that is bare, without a scheme, comes
// with http, and may be a port alone.
func ReadURL(raw string) (u *url.URL, bare bool, err error) {
	raw = strings.TrimSpace(raw)
	if bare = !strings.Contains(raw, "://"); bare {
		if strings.Trim(raw, "0123456789") == "" {
			raw = ":" + raw
		} else if ParseIP(raw).Is6() {
			raw = "[" + raw + "]"
		}
		raw = "http://" + raw
	}
	isBlank := func(r rune) bool { return r <= ' ' || r == 0x7f }
	u, err = url.Parse(raw)
	if err != nil || strings.ContainsFunc(raw, isBlank) || !isWeb(u, bare) {
		return nil, bare, ErrNotURL
	}
	return u, bare, nil
}

func isWeb(u *url.URL, bare bool) bool {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https", PortOf(u) < 1, PortOf(u) > 65535:
		return false
	case host == "":
		return bare && u.Port() != ""
	// "http:/localhost" is not about a host named http, nor "0/v1" about one named 0.
	case bare && (host == "http" || host == "https" || strings.Trim(host, "0123456789") == ""):
		return false
	}
	return IsHost(host)
}

// IsHost rejects what a tool could take for a flag or for several URLs: a host with
// other characters means something else to each tool.
func IsHost(host string) bool {
	if strings.ContainsFunc(host, func(r rune) bool {
		return !IsAlphanumeric(r) && !strings.ContainsRune(".-_:%", r)
	}) {
		return false
	}
	return host[0] != '-' && (!strings.ContainsAny(host, ":%") || ParseIP(host).IsValid())
}

func IsAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// PortOf is the port that a URL leads to.
func PortOf(u *url.URL) int {
	switch {
	case u.Port() != "":
		port, _ := strconv.Atoi(u.Port())
		return port
	case u.Scheme == "https":
		return 443
	}
	return 80
}

// IsLoopback reports whether a host is the machine, or container, that asks.
func IsLoopback(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || ParseIP(host).IsLoopback()
}

// ParseIP is the zero address for a name.
func ParseIP(host string) netip.Addr {
	ip, _ := netip.ParseAddr(host)
	return ip.Unmap()
}

// login matches what may be a user name and a password. It reaches to the last @:
// better to hide too much than too little.
var login = regexp.MustCompile(`(?s)^([a-zA-Z0-9+.-]*:?//)?.*@`)

// WithoutSecrets is a URL, or what should be one, without what comes before its host
// and after its path: names, passwords and keys.
func WithoutSecrets(raw string) string {
	rest, _, _ := strings.Cut(login.ReplaceAllString(raw, "$1"), "#")
	rest, query, _ := strings.Cut(rest, "?")
	if query != "" {
		rest += "?..."
	}
	return rest
}
