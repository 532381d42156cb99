package sandbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the ranges that Linux (from 32768) and macOS (from 49152)
// give to outgoing connections. The port's guard, a listener guardOffset above it,
// keeps other sandboxes off it, also those of other processes, and goes when its
// process goes.
const (
	firstPort   = 20000
	portCount   = 6000
	guardOffset = portCount
)

// FreePort returns a port that nobody listens on, and that no other sandbox will choose
// for as long as the Mac is up.
func (m *Mac) FreePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(portCount)
		guard, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+guardOffset))
		if err != nil {
			continue
		}
		if IsFree(port) {
			context.AfterFunc(m.ctx, func() { _ = guard.Close() })
			return port, nil
		}
		_ = guard.Close()
	}
	return 0, errors.New("no free port")
}

// IsFree reports whether nobody listens on the port. It tries the wildcard and loopback,
// since macOS allows one while the other is taken.
func IsFree(port int) bool {
	for _, host := range []string{"", "127.0.0.1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}
