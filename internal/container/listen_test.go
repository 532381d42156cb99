package container

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

func newListeners(t *testing.T) *Listeners {
	t.Helper()
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// get fetches without a proxy.
func get(url string) (status int, body string, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestListenersAnswer(t *testing.T) {
	l := newListeners(t)
	for name, listener := range map[string]*Listener{"loopback": l.Loopback(), "wildcard": l.Wildcard()} {
		if _, seen := listener.Peer("web.1"); seen {
			t.Errorf("%s: seen before anybody asked", name)
		}
		status, body, err := get(listener.URL("127.0.0.1", "web.1"))
		if err != nil || status != 200 || !listener.Answered(body) {
			t.Errorf("%s: %d %q: %v", name, status, body, err)
		}
		if peer, seen := listener.Peer("web.1"); !seen || peer.String() != "127.0.0.1" {
			t.Errorf("%s: peer %s, %v", name, peer, seen)
		}
		if _, seen := listener.Peer("web.2"); seen {
			t.Errorf("%s: another tag is seen, too", name)
		}
	}
	_, body, _ := get(l.Loopback().URL("127.0.0.1", "x"))
	if l.Wildcard().Answered(body) {
		t.Error("one listener's answer is taken for the other's")
	}
	if l.Loopback().Answered("") || l.Loopback().Answered(l.Loopback().URL("127.0.0.1", "x")) {
		t.Error("something else is taken for the answer")
	}
}

func TestWildcardIsDualStack(t *testing.T) {
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6")
	}
	six.Close()
	l := newListeners(t)
	if status, body, err := get(l.Wildcard().URL("::1", "x")); err != nil || status != 200 || !l.Wildcard().Answered(body) {
		t.Errorf("%d %q: %v", status, body, err)
	}
	if peer, _ := l.Wildcard().Peer("x"); peer.String() != "::1" {
		t.Errorf("peer %s", peer)
	}
	if _, _, err := get(l.Loopback().URL("::1", "x")); err == nil {
		t.Error("the loopback listener answers on another address")
	}
}

// say writes to the listener and returns all that it answers.
func say(t *testing.T, l *Listener, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * strangersTime))
	io.WriteString(conn, text)
	answer, err := io.ReadAll(conn)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Errorf("%.60q: the connection is kept", text)
	}
	return string(answer)
}

func TestStrangersAreToldNothing(t *testing.T) {
	listener := newListeners(t).Loopback()
	path := "/" + listener.nonce + "/x"
	for name, text := range map[string]string{
		"another path":     "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"no tag":           "GET /" + listener.nonce + " HTTP/1.1\r\nHost: h\r\n\r\n",
		"half of it":       "GET " + path[:20] + "/x HTTP/1.1\r\nHost: h\r\n\r\n",
		"a query":          "GET " + path + "?a=b HTTP/1.1\r\nHost: h\r\n\r\n",
		"more path":        "GET " + path + "/y HTTP/1.1\r\nHost: h\r\n\r\n",
		"a long tag":       "GET " + path + strings.Repeat("x", maxTag) + " HTTP/1.1\r\nHost: h\r\n\r\n",
		"another method":   "POST " + path + " HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD":             "HEAD " + path + " HTTP/1.1\r\nHost: h\r\n\r\n",
		"options":          "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"a body to follow": "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		"garbage":          "garbage\r\n\r\n",
		"no host":          "GET " + path + " HTTP/1.1\r\n\r\n",
		"an empty query":   "GET " + path + "? HTTP/1.1\r\nHost: h\r\n\r\n",
		"HTTP/0.9":         "GET " + path + "\r\n\r\n",
		"too many headers": "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: "+strings.Repeat("b", 100)+"\r\n", 200) + "\r\n",
		"HTTP/2":           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"nothing":          "",
		"half a request":   "GET " + path + " HTTP/1.1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if answer := say(t, listener, text); answer != "" {
				t.Errorf("answer %q", answer)
			}
		})
	}
	t.Cleanup(func() {
		if _, seen := listener.Peer("x"); seen {
			t.Error("a stranger is taken for a peer")
		}
	})
}

func TestConnectionIsClosedAfterTheAnswer(t *testing.T) {
	listener := newListeners(t).Loopback()
	answer := say(t, listener, "GET /"+listener.nonce+"/x HTTP/1.1\r\nHost: h\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.Contains(answer, "\r\nConnection: close\r\n") || !strings.HasSuffix(answer, listener.answer) {
		t.Errorf("answer %q", answer)
	}
}

// Strangers that take every seat lose them again.
func TestListenerOutlastsStrangers(t *testing.T) {
	listener := newListeners(t).Loopback()
	var conns []net.Conn
	for range maxGuests * 2 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", listener.port))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	status, body, err := get(listener.URL("127.0.0.1", "x"))
	if err != nil || status != 200 || !listener.Answered(body) {
		t.Errorf("%d %q: %v", status, body, err)
	}
	listener.mu.Lock()
	defer listener.mu.Unlock()
	if len(listener.guests) > maxGuests {
		t.Errorf("%d connections at a time", len(listener.guests))
	}
	for _, conn := range conns {
		conn.Close()
	}
}

func TestSeatsAreLimited(t *testing.T) {
	listener := newListeners(t).Loopback()
	address := fmt.Sprintf("127.0.0.1:%d", listener.port)
	var strangers []net.Conn
	for range maxGuests {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		strangers = append(strangers, conn)
	}
	seated := func() int {
		listener.mu.Lock()
		defer listener.mu.Unlock()
		return len(listener.guests)
	}
	for end := time.Now().Add(strangersTime / 2); seated() < maxGuests; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d are let in, not %d", seated(), maxGuests)
		}
	}
	answer := make(chan string)
	go func() { answer <- say(t, listener, "GET /"+listener.nonce+"/x HTTP/1.1\r\nHost: h\r\n\r\n") }()
	select {
	case <-answer:
		t.Error("one more let in than there are seats")
		return
	case <-time.After(50 * time.Millisecond):
	}
	strangers[0].Close()
	if text := <-answer; !strings.HasSuffix(text, listener.answer) {
		t.Errorf("answer %q", text)
	}
}

func TestCloseClosesEverything(t *testing.T) {
	l := newListeners(t)
	var all sync.WaitGroup
	for _, listener := range []*Listener{l.Loopback(), l.Wildcard()} {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", listener.port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		all.Go(func() { io.ReadAll(conn) })
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	for _, listener := range []*Listener{l.Loopback(), l.Wildcard()} {
		if _, _, err := get(listener.URL("127.0.0.1", "x")); err == nil {
			t.Error("it answers after Close")
		}
	}
}

func TestPeerIsTheFirst(t *testing.T) {
	l := &Listener{peers: make(map[string]netip.Addr)}
	for _, remote := range []string{"not an address", "[::ffff:10.0.0.1]:1", "10.0.0.2:1"} {
		l.note("x", remote)
	}
	if peer, seen := l.Peer("x"); !seen || peer.String() != "10.0.0.1" {
		t.Errorf("peer %s, %v", peer, seen)
	}
}

func TestListenerURL(t *testing.T) {
	l := &Listener{port: 8080, nonce: "n"}
	for host, want := range map[string]string{
		"host.docker.internal": "http://host.docker.internal:8080/n/t",
		"::1":                  "http://[::1]:8080/n/t",
		"fe80::1%eth0":         "http://[fe80::1%25eth0]:8080/n/t",
	} {
		if got := l.URL(host, "t"); got != want {
			t.Errorf("URL(%q) = %s, want %s", host, got, want)
		}
		if err := (Request{URL: l.URL(host, "t")}).Check(); err != nil {
			t.Errorf("no tool may fetch it: %v", err)
		}
	}
}
