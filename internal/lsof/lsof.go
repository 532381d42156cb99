// Package lsof asks who listens on TCP ports: lsof, and netstat where lsof does not
// answer.
package lsof

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Listener is one listening TCP socket.
type Listener struct {
	PID     int
	Command string // full length; "" if unknown
	User    string // "" where it is not known
	Family  string // "IPv4" or "IPv6"
	// Address is the name of the socket as lsof writes it: "*:11434",
	// "127.0.0.1:11434", "[::1]:11434". A socket that takes IPv4 and IPv6
	// on every interface is "*:11434" with family IPv6.
	Address string
}

// Host is the address without the port and without brackets; "*" is any.
func (l Listener) Host() string {
	host, _, _ := net.SplitHostPort(l.Address)
	return host
}

// Port is the port of the address, or 0 if it is not a number.
func (l Listener) Port() int {
	_, port, _ := net.SplitHostPort(l.Address)
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// Wildcard reports whether the socket takes connections on every interface.
func (l Listener) Wildcard() bool { return l.Host() == "*" }

// patience is how long lsof may take before netstat is asked instead. If no share is
// away, it takes tens of milliseconds.
const patience = 2 * time.Second

// Listeners asks lsof who listens on the TCP ports, or on any without ports. Where lsof
// does not answer, or fails, netstat is asked: its answers have no User, and before
// macOS 26 no Command. Where neither answers in time, the error is an
// [launchctl.ErrNoAnswer].
//
// Without root, lsof sees the caller's own processes only and does not say so:
// no answer does not mean that a port is free.
func Listeners(ctx context.Context, run launchctl.Runner, ports ...int) ([]Listener, error) {
	found, err := ask(ctx, run, ports, "-b")
	if err == nil && len(found) == 0 && runtime.GOOS == "linux" { // whose lsof finds no sockets with -b
		found, err = ask(ctx, run, ports)
	}
	if err == nil || ctx.Err() != nil {
		return found, err
	}
	found, other := askNetstat(ctx, run, ports)
	switch {
	case other == nil:
		return found, nil
	case ctx.Err() == nil:
		err = fmt.Errorf("%w; %v", err, other) // netstat's only as text: lsof's error is the one that matters
	}
	return nil, err
}

// ask asks lsof. Without -b, Apple's looks at every mounted file system, whatever the
// question, and waits for a share that is away. The address family is left open on
// purpose (-i, not -i4): a socket for both families counts as IPv6.
//
// The address family is left open on purpose (-i, not -i4): a socket for both
// families counts as IPv6.
func ask(ctx context.Context, run launchctl.Runner, ports []int, options ...string) ([]Listener, error) {
	bounded, stop := context.WithTimeoutCause(ctx, patience, launchctl.ErrNoAnswer)
	defer stop()
	options = append(options, "-nP", "-w", tcpPorts(ports), "-sTCP:LISTEN", "-F", "pcfLnPtT")
	out, err := run.Run(bounded, "lsof", options...)
	var listeners []Listener
	if err == nil || foundLess(out, err) {
		listeners, err = Parse(out)
	}
	if err != nil {
		return nil, fmt.Errorf("listing listeners: %w", err)
	}
	return listeners, nil
}

// tcpPorts is lsof's option for TCP sockets with any of the ports.
func tcpPorts(ports []int) string {
	if len(ports) == 0 {
		return "-iTCP"
	}
	words := make([]string, len(ports))
	for i, port := range ports {
		words[i] = strconv.Itoa(port)
	}
	return "-iTCP:" + strings.Join(words, ",")
}

// foundLess reports whether lsof failed only because it did not find everything it was
// asked for. It exits 1 without a word if it found nothing, or found something for one
// port and nothing for another; a usage error has the same exit status, but a text on
// standard error.
func foundLess(out []byte, err error) bool {
	var exit *launchctl.ExitError
	return errors.As(err, &exit) && exit.Code == 1 && (len(out) > 0 || exit.Stderr == "")
}

// Parse reads the answer of `lsof -F` with at least the fields p, f
// and n. A line is one field: its first character says which. See OUTPUT FOR
// OTHER PROGRAMS in lsof(8).
//
// Connections are left out: files with a state other than LISTEN, with a
// protocol other than TCP, or with two addresses.
func Parse(out []byte) ([]Listener, error) {
	r := reader{pid: -1, file: map[byte]string{}}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			r.field(line[0], line[1:])
		}
	}
	r.endFile()
	if r.err != nil {
		return nil, r.err
	}
	return r.found, nil
}

// reader collects fields: those of a process come first and hold for all its files,
// those of a file end with the next file or process.
type reader struct {
	found         []Listener
	pid           int
	command, user string
	file          map[byte]string
	err           error // the last reason not to trust the answer
}

// field reads one field.
func (r *reader) field(id byte, value string) {
	switch id {
	case 'p':
		r.endFile()
		pid, err := strconv.Atoi(value)
		if err != nil {
			r.err = fmt.Errorf("%w: no process id: %q", launchctl.ErrFormat, value)
		}
		r.pid, r.command, r.user = pid, "", ""
	case 'c':
		r.command = value
	case 'L':
		r.user = value
	case 'f':
		r.endFile()
	case 'T': // of several kinds; only the state counts
		if state, ok := strings.CutPrefix(value, "ST="); ok {
			r.file[id] = state
		}
	default:
		r.file[id] = value
	}
}

// endFile keeps the file that was being read, if it is a listener.
func (r *reader) endFile() {
	file := r.file
	r.file = map[byte]string{}
	address := file['n']
	switch {
	case address == "", strings.Contains(address, "->"):
	case file['P'] != "" && file['P'] != "TCP", file['T'] != "" && file['T'] != "LISTEN":
	case r.pid < 0: // as at first, or as lsof says
		r.err = fmt.Errorf("%w: a socket without a process", launchctl.ErrFormat)
	default:
		r.found = append(r.found, Listener{r.pid, r.command, r.user, file['t'], address})
	}
}
