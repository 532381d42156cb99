package sandbox

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below the ranges that Linux (from 32768) and macOS (from 49152) give to outgoing connections. The port's guard, a
// listener guardOffset above it, keeps other sandboxes off it, also those of other processes, and goes when its process goes.
const (
	firstPort   = 20000
	portCount   = 6000
	guardOffset = portCount
)

// reservations are the ports that one Mac has taken.
type reservations struct {
	mu     sync.Mutex
	guards []net.Listener
}

// reserve returns a port that nobody listens on and that no other sandbox will choose.
func (r *reservations) reserve() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(portCount)
		guard, err := net.Listen("tcp", loopback(port+guardOffset))
		if err != nil {
			continue
		}
		if !isFree(port) {
			_ = guard.Close()
			continue
		}
		r.guards = append(r.guards, guard)
		return port, nil
	}
	return 0, errors.New("no free port")
}

func (r *reservations) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, guard := range r.guards {
		_ = guard.Close()
	}
	r.guards = nil
}

// isFree tries the wildcard and loopback, since macOS allows one while the other is taken.
func isFree(port int) bool {
	for _, address := range []string{net.JoinHostPort("", strconv.Itoa(port)), loopback(port)} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
