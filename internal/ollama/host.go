// Package ollama knows what Ollama itself does with OLLAMA_HOST, and asks a
// running Ollama for its version.
package ollama

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Variable is the environment variable that this program is about.
const Variable = "OLLAMA_HOST"

// DefaultPort is the port that Ollama listens on when OLLAMA_HOST names none
// and has no scheme (ollama/ollama envconfig/config.go).
const DefaultPort = 11434

// Default is where Ollama listens when OLLAMA_HOST is unset or blank.
var Default = Host{Name: "127.0.0.1", Port: DefaultPort}

// Host is an OLLAMA_HOST value as Ollama on a Mac reads it: the one address that it
// will try to listen on.
type Host struct {
	Name string // an IP address without brackets, a name, or "" for every interface
	Port int    // 0 lets the system choose one
}

// ParseHost reads a value of OLLAMA_HOST by Ollama's own rules
// (ollama/ollama envconfig/config.go). Like Ollama it never fails: what it
// cannot use becomes the default.
func ParseHost(value string) Host {
	hostport, defaultPort := cutScheme(trim(value))
	hostport, _, _ = strings.Cut(hostport, "/")
	name, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return Host{resolve(nameWithoutPort(hostport)), defaultPort}
	}
	if n, err := parsePort(port); err == nil {
		return Host{resolve(name), n}
	}
	return Host{resolve(name), defaultPort}
}

// parsePort takes a sign, as Ollama does, and so does what it calls to listen.
func parsePort(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err == nil && (n < 0 || n > 65535) {
		err = strconv.ErrRange
	}
	return int(n), err
}

// resolve reads the name of a host as a Mac's resolver does, as far as that takes no
// look-up: letters of any case, and IPv4 addresses in all forms of inet_aton(3).
func resolve(name string) string {
	if again, _, err := net.SplitHostPort(net.JoinHostPort(name, "0")); err == nil {
		name = again // brackets around anything are dropped when it listens
	}
	if strings.EqualFold(name, "localhost") {
		return "localhost"
	}
	if ip, ok := parseIPv4(name); ok {
		return ip.String()
	}
	return name
}

// inetNumber accepts less than strconv does for a number of any base.
var inetNumber = regexp.MustCompile(`^(0[xX][0-9a-fA-F]+|[0-9]+)$`)

// parseIPv4 reads one to four numbers, of which the last fills what the others leave,
// each decimal, octal behind a 0 or hexadecimal behind 0x.
func parseIPv4(s string) (ip netip.Addr, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return ip, false
	}
	var address uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		if !inetNumber.MatchString(part) {
			return ip, false
		}
		n, err := strconv.ParseUint(part, 0, bits)
		if err != nil {
			return ip, false
		}
		address = address<<bits | n
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(address)))), true
}

// trim strips the blanks and quotes that Ollama strips.
func trim(value string) string {
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(value), `"'`))
}

// cutScheme splits "http://" off and says which port is then the default: a scheme in
// small letters brings the web's port with it, not Ollama's, and so does Ollama's cloud.
func cutScheme(value string) (hostport string, defaultPort int) {
	scheme, rest, found := strings.Cut(value, "://")
	switch {
	case value == "ollama.com":
		return value, 443
	case !found:
		return value, DefaultPort
	case scheme == "http":
		return rest, 80
	case scheme == "https":
		return rest, 443
	}
	return rest, DefaultPort
}

func nameWithoutPort(hostport string) string {
	if ip := net.ParseIP(strings.Trim(hostport, "[]")); ip != nil {
		return ip.String()
	}
	if hostport == "" {
		return Default.Name
	}
	return hostport
}

// The traps of OLLAMA_HOST that CheckHost tells apart.
var (
	ErrEmpty      = errors.New("is empty: Ollama would stay on 127.0.0.1")
	errList       = errors.New("is a list: Ollama listens on one address only")
	errPortOnly   = errors.New("is a port alone: Ollama would take the number for an address")
	errStar       = errors.New("has a star: that is how lsof prints every interface, Ollama calls it 0.0.0.0")
	errSchemePort = errors.New("has a scheme and no port: Ollama would listen on the web's port, 80 or 443")
	ErrPath       = errors.New("has a path: the listener has none")
	ErrBadPort    = errors.New("has no port between 1 and 65535: Ollama would quietly take its default or a random one")
	ErrName       = errors.New("is not an IP address: a name is looked up at every start, and may be missing then")
	ErrCharacters = errors.New("has characters that do not belong into an address")
)

// CheckHost reads a value that someone wants to write, and refuses what ParseHost would
// read in a way that nobody can mean. Its error wraps one of the traps above.
func CheckHost(value string) (Host, error) {
	h, err := checkHost(value)
	if err != nil {
		return Host{}, fmt.Errorf("%q %w", value, err)
	}
	return h, nil
}

func checkHost(value string) (Host, error) {
	hostport, defaultPort := cutScheme(value)
	name, port, err := net.SplitHostPort(hostport)
	hasPort := err == nil
	bracketed := strings.ContainsAny(hostport, "[]")
	if !hasPort {
		name = strings.Trim(hostport, "[]")
	}
	n, portErr := parsePort(port)
	_, notNumber := strconv.Atoi(hostport)
	switch {
	case strings.TrimSpace(value) == "":
		return Host{}, ErrEmpty
	case strings.Contains(value, ","):
		return Host{}, errList
	case strings.ContainsAny(value, " \t\r\n\"'#\\"):
		return Host{}, ErrCharacters
	case strings.Contains(hostport, "/"):
		return Host{}, ErrPath
	case strings.HasPrefix(hostport, "*"):
		return Host{}, errStar
	case notNumber == nil:
		return Host{}, errPortOnly
	case hasPort && (portErr != nil || n == 0):
		return Host{}, ErrBadPort
	case !hasPort && hostport != value && defaultPort != DefaultPort:
		return Host{}, errSchemePort
	case !isAddress(name, bracketed), name == "" && !hasPort:
		return Host{}, ErrName
	}
	return ParseHost(value), nil
}

// isAddress reports whether name is an address that means the same on every
// start. A zone ("fe80::1%en0") is left out: Ollama has not been seen with one.
func isAddress(name string, bracketed bool) bool {
	if !bracketed && (name == "" || strings.EqualFold(name, "localhost")) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Zone() == ""
}

// String is the value to write: host and port, nothing left to defaults.
func (h Host) String() string {
	name := h.Name
	if name == "" {
		name = "0.0.0.0"
	}
	return net.JoinHostPort(name, strconv.Itoa(h.Port))
}

// Wildcard reports whether Ollama listens on every interface. Both families
// come at once: Go opens 0.0.0.0 as a dual-stack IPv6 socket.
func (h Host) Wildcard() bool {
	return h.Name == "" || h.ip().WithZone("").IsUnspecified()
}

// Loopback reports whether only this machine can reach the address.
func (h Host) Loopback() bool {
	return h.Name == "localhost" || h.ip().IsLoopback()
}

// Elsewhere reports whether the address is not one of the machine's. Only Ollama can
// tell that about a name.
func (h Host) Elsewhere(addresses []netip.Addr) bool {
	ip := h.ip()
	return ip.IsValid() && !h.Wildcard() && !h.Loopback() && !slices.Contains(addresses, ip)
}

// ip is the zero Addr for a name.
func (h Host) ip() netip.Addr {
	ip, _ := netip.ParseAddr(h.Name)
	return ip.Unmap()
}

// Equal reports whether both make Ollama open the same socket.
func (h Host) Equal(o Host) bool {
	return h.Wildcard() == o.Wildcard() && h.Socket() == o.Socket()
}

// Socket is the address as lsof prints it: "*:11434", "127.0.0.1:11434".
func (h Host) Socket() string {
	name := h.Name
	switch {
	case h.Wildcard():
		name = "*"
	case h.Name == "localhost":
		name = "127.0.0.1"
	case h.ip().IsValid():
		name = h.ip().String()
	}
	return net.JoinHostPort(name, strconv.Itoa(h.Port))
}

// Dial is where a client on this machine connects: loopback for a wildcard.
func (h Host) Dial() string {
	if h.Wildcard() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(h.Port))
	}
	return h.Socket()
}

// FromSocket turns an address as lsof prints it back into a Host.
func FromSocket(address string) (Host, error) {
	name, port, err := net.SplitHostPort(address)
	n, portErr := parsePort(port)
	if err := cmp.Or(err, portErr); err != nil {
		return Host{}, fmt.Errorf("reading socket address %q: %w", address, err)
	}
	if name == "*" {
		name = "0.0.0.0"
	}
	return Host{name, n}, nil
}
