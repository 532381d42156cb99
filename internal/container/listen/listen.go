// Package listen opens two temporary HTTP listeners, which show what a container
// reaches without touching Ollama.
package listen

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// strangersTime is how long a connection may take to say what it wants, and again
	// to take the answer.
	strangersTime = 2 * time.Second
	maxRequest    = 4 << 10 // to which net/http adds 4 KiB
	maxGuests     = 64      // connections at a time
)

// Pair is a listener on 127.0.0.1 and one on all interfaces.
type Pair struct{ Loopback, Wildcard *Listener }

// Open opens both, on ports that the system picks. The wildcard one is what Ollama
// opens when told 0.0.0.0: IPv6 and IPv4, if the machine has both.
func Open() (*Pair, error) {
	loopback, err := newListener("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	wildcard, err := newListener("0.0.0.0:0")
	if err != nil {
		return nil, errors.Join(err, loopback.server.Close())
	}
	return &Pair{loopback, wildcard}, nil
}

// Close closes both, and every connection to them.
func (p *Pair) Close() {
	p.Loopback.server.Close()
	p.Wildcard.server.Close()
}

// Listener answers requests that know its nonce, and hangs up on others.
type Listener struct {
	server *http.Server
	port   int
	nonce  string // who knows it was told by us
	answer string // who shows it got it from here

	mu    sync.Mutex
	peers map[string]netip.Addr // by tag; the zero address until something asks
}

func newListener(address string) (*Listener, error) {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	l := &Listener{
		port:   socket.Addr().(*net.TCPAddr).Port,
		nonce:  rand.Text(),
		answer: rand.Text(),
		peers:  make(map[string]netip.Addr),
	}
	l.server = &http.Server{
		Handler:        l,
		ReadTimeout:    strangersTime,
		WriteTimeout:   strangersTime,
		MaxHeaderBytes: maxRequest,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	l.server.SetKeepAlivesEnabled(false)
	go l.server.Serve(netutil.LimitListener(socket, maxGuests))
	return l, nil
}

// ServeHTTP answers a GET of what URL gave.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tag, known := strings.CutPrefix(r.URL.Path, "/"+l.nonce+"/")
	if !known || r.Method != http.MethodGet || !l.note(tag, r.RemoteAddr) {
		panic(http.ErrAbortHandler) // which closes the connection
	}
	io.WriteString(w, l.answer)
}

// URL is the URL to fetch from host, a name or an IP address. The tag lets Peer tell
// one fetch from another.
func (l *Listener) URL(host, tag string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peers[tag] = netip.Addr{}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(l.port)) + "/" + l.nonce + "/" + tag
}

// Answered reports whether body is this listener's own answer. No part of it is in the
// URL: a server that echoes its input cannot produce it.
func (l *Listener) Answered(body string) bool { return body == l.answer }

// note keeps the first address that asked with tag, and reports whether the tag is
// ours.
func (l *Listener) note(tag, remote string) (known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	peer, known := l.peers[tag]
	if from, err := netip.ParseAddrPort(remote); err == nil && known && !peer.IsValid() {
		l.peers[tag] = from.Addr().Unmap()
	}
	return known
}

// Peer is the first address that asked with tag, or "".
func (l *Listener) Peer(tag string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if peer := l.peers[tag]; peer.IsValid() {
		return peer.String()
	}
	return ""
}
