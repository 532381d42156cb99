package container

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// strangersTime is what a connection gets to say what it wants.
	strangersTime = 2 * time.Second
	maxGuests     = 64 // connections at a time; more have to wait
	maxTag        = 64
)

// Listeners are two throw-away HTTP listeners of our own, which show what a
// container reaches without touching Ollama.
type Listeners struct {
	loopback, wildcard *Listener
}

// Listen opens both, on ports that the system picks. The wildcard one is what
// Ollama opens when it is told 0.0.0.0: IPv6 and IPv4 where there is both.
func Listen() (*Listeners, error) {
	loopback, err := listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	wildcard, err := listen("0.0.0.0:0")
	if err != nil {
		return nil, errors.Join(err, loopback.close())
	}
	return &Listeners{loopback: loopback, wildcard: wildcard}, nil
}

// Loopback is the one on 127.0.0.1.
func (l *Listeners) Loopback() *Listener { return l.loopback }

// Wildcard is the one on every interface.
func (l *Listeners) Wildcard() *Listener { return l.wildcard }

// Close closes both, and every connection to them. It may be called again.
func (l *Listeners) Close() error {
	return errors.Join(l.loopback.close(), l.wildcard.close())
}

// Listener answers those who know its nonce, and says nothing at all to others.
type Listener struct {
	port   int
	nonce  string // who knows it was told by us
	answer string // who shows it has got it from here
	close  func() error

	mu    sync.Mutex
	peers map[string]netip.Addr // by tag
}

func listen(address string) (*Listener, error) {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	l := &Listener{
		port:   socket.Addr().(*net.TCPAddr).Port,
		nonce:  newMarker(),
		answer: newMarker(),
		peers:  make(map[string]netip.Addr),
	}
	server := &http.Server{
		Handler:           l,
		ReadHeaderTimeout: strangersTime,
		ReadTimeout:       strangersTime,
		WriteTimeout:      2 * strangersTime,
		MaxHeaderBytes:    4 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // strangers cause what it would say
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, guestKey{}, conn)
		},
	}
	server.SetKeepAlivesEnabled(false)
	l.close = sync.OnceValue(server.Close)
	go server.Serve(&door{Listener: socket, seats: make(chan struct{}, maxGuests)})
	return l, nil
}

// URL is what to fetch from host, a name or an IP address. By the tag, made of
// letters, digits and ".-_", Peer tells one fetch from the other.
func (l *Listener) URL(host, tag string) string {
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(l.port)), Path: "/" + l.nonce + "/" + tag}
	return u.String()
}

// Answered reports whether body is this listener's own answer. It is not made
// of anything in the URL: a server that echoes what it gets cannot give it.
func (l *Listener) Answered(body string) bool { return body == l.answer }

// Peer is the address that was the first to ask with tag.
func (l *Listener) Peer(tag string) (netip.Addr, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	peer, ok := l.peers[tag]
	return peer, ok
}

// ServeHTTP answers a GET of the nonce, and drops everybody else.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tag, ok := l.tag(r)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	r.Context().Value(guestKey{}).(*guest).known.Store(true)
	l.note(tag, r.RemoteAddr)
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprint(w, l.answer)
}

// tag is that of a request which knows the nonce.
func (l *Listener) tag(r *http.Request) (string, bool) {
	nonce, tag, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	known := subtle.ConstantTimeCompare([]byte(nonce), []byte(l.nonce)) == 1
	return tag, known && r.Method == http.MethodGet && r.URL.RawQuery == "" && isTag(tag)
}

func isTag(tag string) bool {
	return tag != "" && len(tag) <= maxTag && !strings.ContainsFunc(tag, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_", r))
	})
}

func (l *Listener) note(tag, remote string) {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.peers[tag]; !known {
		l.peers[tag] = peer.Addr().Unmap()
	}
}

// door lets in so many connections at a time, and no more.
type door struct {
	net.Listener
	seats chan struct{}
}

// Accept waits for a seat to become free, then for a connection.
func (d *door) Accept() (net.Conn, error) {
	d.seats <- struct{}{} // strangersTime frees one, sooner or later
	conn, err := d.Listener.Accept()
	if err != nil {
		<-d.seats
		return nil, err
	}
	return &guest{Conn: conn, leave: sync.OnceFunc(func() { <-d.seats })}, nil
}

// guest is a connection that is told nothing before it is known. net/http
// answers some malformed requests all by itself.
type guest struct {
	net.Conn
	known atomic.Bool
	leave func()
}

type guestKey struct{}

// errStranger: the connection has not shown the nonce.
var errStranger = errors.New("not known")

// Write writes nothing to a stranger.
func (g *guest) Write(b []byte) (int, error) {
	if !g.known.Load() {
		return 0, errStranger
	}
	return g.Conn.Write(b)
}

// Close gives the seat back.
func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}
