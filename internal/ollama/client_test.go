package ollama

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const patience = 30 * time.Second

func TestVersionRefused(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	_, err := Version(t.Context(), s.Listener.Addr().String(), patience)
	if err == nil || strings.Contains(err.Error(), "http://") {
		t.Errorf("got %v, want the refusal without a URL around it", err)
	}
}

func TestParseTags(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
		err        error
	}{
		{"two models", `{"models":[{"name":"llama3.2:3b","size":1},{"name":"b"}]}`, []string{"llama3.2:3b", "b"}, nil},
		{"none", `{"models":[]}`, []string{}, nil},
		{"null", `{"models":null}`, nil, ErrNotOllama},
		{"something else", `{"data":[]}`, nil, ErrNotOllama},
		{"cut short", `{"models":[{"name":"a"},`, nil, ErrNotOllama},
		{"a page", `<html>`, nil, ErrNotOllama},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseTags([]byte(test.body))
			if !errors.Is(err, test.err) {
				t.Errorf("error = %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What holds the port may speak anything, or nothing at all.
func TestVersionOfSomethingElse(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n\r\n"
	for _, tc := range []struct {
		said string
		want error
	}{
		{"", io.EOF},
		{"SSH-2.0-OpenSSH_9.9\r\n", ErrNotOllama},
		{`{"version":"0.33.0"}`, ErrNotOllama}, // HTTP/0.9
		{"HTTP/1.1 200 OK\r\n", ErrNotOllama},
		{"HTTP/1.1 200\r\n\r\n{\"version\":\"0.33.0\"}", nil},
		{"HTTP/1.0 200 OK\r\n\r\n{\"version\":\"0.33.0\"}", nil},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"version\":", ErrNotOllama},
		{"HTTP/1.1 2000 OK\r\n\r\n{\"version\":\"0.33.0\"}", ErrNotOllama},
		{"HTTP/1.1\r\n\r\n{\"version\":\"0.33.0\"}", ErrNotOllama},
		{"HTTP/1.1 200 OK\r\nno colon\r\n\r\n{\"version\":\"0.33.0\"}", ErrNotOllama},
		{"\r\n\r\n", ErrNotOllama},
		{ok, ErrNotOllama},
		{ok + "Ollama is running", ErrNotOllama},
		{ok + `{"release":"1"}`, ErrNotOllama},
		{ok + strings.Repeat(" ", 2*maxAnswer) + `{"version":"0.33.0"}`, ErrNotOllama},
		{"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n", ErrNotOllama},
		{"HTTP/1.1 404 Not Found\r\n\r\n{\"version\":\"0.33.0\"}", ErrNotOllama},
		{strings.Repeat("\x00", 2*maxAnswer), ErrNotOllama},
	} {
		address := answering(t, func(conn net.Conn) {
			conn.Read(make([]byte, 1024)) // or closing would reset the connection
			io.WriteString(conn, tc.said)
		})
		if _, err := Version(t.Context(), address, patience); !errors.Is(err, tc.want) {
			t.Errorf("%.40q: %v, want %v", tc.said, err, tc.want)
		}
	}
}

// What never ends is left at the limit or at the deadline, and the connection is
// closed.
func TestVersionOfWhatNeverEnds(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	for name, tc := range map[string]struct {
		first, again string
		pause        time.Duration
		want         error
	}{
		"headers":       {head, "X: y\r\n", 0, ErrNotOllama},
		"one header":    {head + "X: ", "y", 0, ErrNotOllama},
		"body":          {head + "\r\n", "y", 0, ErrNotOllama},
		"chunks":        {head + "Transfer-Encoding: chunked\r\n\r\n", "1\r\ny\r\n", 0, ErrNotOllama},
		"status line":   {"", "HTTP/1.1 ", 0, ErrNotOllama},
		"interim":       {"", "HTTP/1.1 100 Continue\r\n\r\n", 0, ErrNotOllama},
		"slow headers":  {head, "X: y\r\n", 10 * time.Millisecond, context.DeadlineExceeded},
		"slow body":     {head + "\r\n", " ", 10 * time.Millisecond, context.DeadlineExceeded},
		"silence after": {head + "\r\n{\"version\":\"1\"}", "", time.Millisecond, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			left := make(chan struct{})
			address := answering(t, func(conn net.Conn) {
				go func() {
					io.Copy(io.Discard, conn) // until we close it
					close(left)
				}()
				_, err := io.WriteString(conn, tc.first)
				for err == nil {
					_, err = io.WriteString(conn, tc.again)
					select {
					case <-left:
						return
					case <-time.After(tc.pause):
					}
				}
				<-left
			})
			limit := patience
			if tc.pause > 0 {
				limit = 100 * time.Millisecond
			}
			if _, err := Version(t.Context(), address, limit); !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
			select {
			case <-left:
			case <-time.After(patience):
				t.Error("the connection stays open")
			}
		})
	}
}

// answering serves one connection.
func answering(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		serve(conn)
	}()
	return l.Addr().String()
}

// What Ollama is asked, and by which name: it refuses foreign ones on loopback.
func TestVersion(t *testing.T) {
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	var host, path string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, path = r.Host, r.URL.Path
		io.WriteString(w, `{"version":"0.33.0"}`)
	}))
	defer s.Close()
	address := s.Listener.Addr().String()
	got, err := Version(t.Context(), address, patience)
	if err != nil || got != "0.33.0" || host != address || path != "/api/version" {
		t.Errorf("asked %q of %q: %q, %v", path, host, got, err)
	}
}

// What follows a % means something on this machine only.
func TestHostHeaderHasNoZone(t *testing.T) {
	ours, theirs := net.Pipe()
	asked := make(chan string, 1)
	go func() {
		defer close(asked)
		defer theirs.Close()
		if req, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
			asked <- req.Host
		}
	}()
	exchange(ours, "[fe80::1%en0]:11434")
	if got := <-asked; got != "[fe80::1]:11434" {
		t.Errorf("Host: %s", got)
	}
}
