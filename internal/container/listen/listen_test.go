package listen

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func openListeners(t *testing.T) *Pair {
	t.Helper()
	l, err := Open()
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
	l := openListeners(t)
	for name, listener := range map[string]*Listener{"loopback": l.Loopback, "wildcard": l.Wildcard} {
		status, body, err := get(listener.URL("127.0.0.1", "web.1"))
		if err != nil || status != 200 || !listener.Answered(body) {
			t.Errorf("%s: %d %q: %v", name, status, body, err)
		}
		if peer := listener.Peer("web.1"); peer != "127.0.0.1" {
			t.Errorf("%s: peer %q", name, peer)
		}
	}
	_, body, _ := get(l.Loopback.URL("127.0.0.1", "x"))
	if l.Wildcard.Answered(body) {
		t.Error("one listener's answer is taken for the other's")
	}
	if l.Loopback.Answered("") || l.Loopback.Answered(l.Loopback.URL("127.0.0.1", "x")) {
		t.Error("something else is taken for the answer")
	}
}

func TestWildcardIsDualStack(t *testing.T) {
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6")
	}
	six.Close()
	l := openListeners(t)
	if status, body, err := get(l.Wildcard.URL("::1", "x")); err != nil || status != 200 || !l.Wildcard.Answered(body) {
		t.Errorf("%d %q: %v", status, body, err)
	}
	if peer := l.Wildcard.Peer("x"); peer != "::1" {
		t.Errorf("peer %s", peer)
	}
	if _, _, err := get(l.Loopback.URL("::1", "x")); err == nil {
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
	listener := openListeners(t).Loopback
	listener.URL("127.0.0.1", "x")
	path := "/" + listener.nonce + "/x"
	for name, text := range map[string]string{
		"another path":   "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"no tag":         "GET /" + listener.nonce + " HTTP/1.1\r\nHost: h\r\n\r\n",
		"half of it":     "GET " + path[:20] + "/x HTTP/1.1\r\nHost: h\r\n\r\n",
		"more path":      "GET " + path + "/y HTTP/1.1\r\nHost: h\r\n\r\n",
		"another tag":    "GET " + path + "x HTTP/1.1\r\nHost: h\r\n\r\n",
		"another method": "POST " + path + " HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD":           "HEAD " + path + " HTTP/1.1\r\nHost: h\r\n\r\n",
		"nothing":        "",
		"half a request": "GET " + path + " HTTP/1.1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if answer := say(t, listener, text); answer != "" {
				t.Errorf("answer %q", answer)
			}
		})
	}
	t.Cleanup(func() {
		if peer := listener.Peer("x"); peer != "" {
			t.Errorf("a stranger is taken for a peer: %s", peer)
		}
	})
}

func TestCloseClosesEverything(t *testing.T) {
	l := openListeners(t)
	var all sync.WaitGroup
	for _, listener := range []*Listener{l.Loopback, l.Wildcard} {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", listener.port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		all.Go(func() { io.ReadAll(conn) })
	}
	l.Close()
	all.Wait()
	for _, listener := range []*Listener{l.Loopback, l.Wildcard} {
		if _, _, err := get(listener.URL("127.0.0.1", "x")); err == nil {
			t.Error("it answers after Close")
		}
	}
}

func TestPeerIsTheFirst(t *testing.T) {
	l := &Listener{peers: make(map[string]netip.Addr)}
	l.URL("h", "x")
	for _, remote := range []string{"not an address", "[::ffff:10.0.0.1]:1", "10.0.0.2:1"} {
		l.note("x", remote)
	}
	if peer := l.Peer("x"); peer != "10.0.0.1" {
		t.Errorf("peer %s", peer)
	}
}
