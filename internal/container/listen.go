package container

import (
	"bufio"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// strangersTime is what a connection gets to say what it wants.
	strangersTime = 2 * time.Second
	maxGuests     = 64 // connections at a time; more have to wait
	maxRequest    = 4 << 10
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
// It speaks the little HTTP that this takes: net/http answers some malformed
// requests all by itself.
type Listener struct {
	socket net.Listener
	port   int
	nonce  string // who knows it was told by us
	answer string // who shows it has got it from here
	close  func() error

	mu     sync.Mutex
	closed bool
	guests map[net.Conn]bool
	peers  map[string]netip.Addr // by tag
}

func listen(address string) (*Listener, error) {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	l := &Listener{
		socket: socket,
		port:   socket.Addr().(*net.TCPAddr).Port,
		nonce:  newMarker(),
		answer: newMarker(),
		guests: make(map[net.Conn]bool),
		peers:  make(map[string]netip.Addr),
	}
	l.close = sync.OnceValue(l.shut)
	go l.serve()
	return l, nil
}

// serve lets in so many connections at a time, and no more.
func (l *Listener) serve() {
	seats := make(chan struct{}, maxGuests)
	for {
		seats <- struct{}{} // strangersTime frees one, sooner or later
		conn, err := l.socket.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // too many open files, for one: that passes
			time.Sleep(10 * time.Millisecond)
			<-seats
			continue
		}
		go func() {
			defer func() { <-seats }()
			l.receive(conn)
		}()
	}
}

// receive answers a guest, or hangs up on a stranger.
func (l *Listener) receive(conn net.Conn) {
	defer conn.Close()
	if !l.admit(conn) {
		return
	}
	defer l.forget(conn)
	conn.SetDeadline(time.Now().Add(strangersTime))
	target, err := readGet(conn)
	if err != nil {
		return
	}
	tag, ok := l.tag(target)
	if !ok {
		return
	}
	l.note(tag, conn.RemoteAddr().String())
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		len(l.answer), l.answer)
}

func (l *Listener) admit(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.guests[conn] = true
	}
	return !l.closed
}

func (l *Listener) forget(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.guests, conn)
}

// shut hangs up on everybody.
func (l *Listener) shut() error {
	err := l.socket.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for conn := range l.guests {
		conn.Close()
	}
	return err
}

// errNoGet: whoever it is does not fetch.
var errNoGet = errors.New("not a GET request")

// readGet reads a request to its end, and returns its target.
func readGet(from io.Reader) (*url.URL, error) {
	lines := bufio.NewReader(io.LimitReader(from, maxRequest))
	first, err := lines.ReadString('\n')
	if err != nil {
		return nil, err
	}
	f := strings.Split(strings.TrimRight(first, "\r\n"), " ")
	if len(f) != 3 || f[0] != "GET" || !strings.HasPrefix(f[2], "HTTP/1.") {
		return nil, errNoGet
	}
	named := f[2] == "HTTP/1.0" // which had no Host yet
	for line := first; strings.TrimRight(line, "\r\n") != ""; {
		if line, err = lines.ReadString('\n'); err != nil {
			return nil, err
		}
		field, _, _ := strings.Cut(line, ":")
		named = named || strings.EqualFold(field, "Host")
	}
	if !named {
		return nil, errNoGet
	}
	return url.ParseRequestURI(f[1])
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

// tag is that of a request which knows the nonce.
func (l *Listener) tag(target *url.URL) (string, bool) {
	nonce, tag, _ := strings.Cut(strings.TrimPrefix(target.Path, "/"), "/")
	known := subtle.ConstantTimeCompare([]byte(nonce), []byte(l.nonce)) == 1
	return tag, known && target.RawQuery == "" && !target.ForceQuery && isTag(tag)
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
