package ollama

import (
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

const patience = 5 * time.Second

func TestVersion(t *testing.T) {
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	got, err := Version(t.Context(), serve(t, 200, `{"version":"0.33.0"}`), patience)
	if err != nil || got != "0.33.0" {
		t.Errorf("Version = %q, %v", got, err)
	}
}

func TestVersionOfSomethingElse(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
	}{
		{200, ""},
		{200, "Ollama is running"},
		{200, `{"release":"1"}`},
		{200, strings.Repeat(" ", 2*maxAnswer) + `{"version":"0.33.0"}`},
		{403, ""},
		{302, ""},
		{404, `{"version":"0.33.0"}`},
	} {
		got, err := Version(t.Context(), serve(t, tc.status, tc.body), patience)
		if !errors.Is(err, ErrNotOllama) {
			t.Errorf("status %d, body %.20q: %q, %v, want ErrNotOllama", tc.status, tc.body, got, err)
		}
	}
}

func TestVersionWithoutAnswer(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	_, err := Version(t.Context(), s.Listener.Addr().String(), 50*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline", err)
	}
}

func TestVersionRefused(t *testing.T) {
	s := httptest.NewServer(nil)
	address := s.Listener.Addr().String()
	s.Close()
	_, err := Version(t.Context(), address, patience)
	if err == nil || strings.Contains(err.Error(), "http://") {
		t.Errorf("got %v, want the refusal without a URL around it", err)
	}
}

func serve(t *testing.T, status int, body string) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status == 302 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		if _, err := w.Write([]byte(body)); err != nil && status == 200 {
			t.Log(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
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

// Whoever holds the port may speak anything, or nothing at all.
func TestVersionOfNoHTTP(t *testing.T) {
	for _, tc := range []struct {
		said string
		want error
	}{
		{"", io.EOF},
		{"SSH-2.0-OpenSSH_9.9\r\n", ErrNotOllama},
		{"HTTP/1.1 200 OK\r\n", ErrNotOllama},
		{"HTTP/1.1 200\r\n\r\n{\"version\":\"0.33.0\"}", nil},
		{"HTTP/1.1 2000 OK\r\n\r\n{\"version\":\"0.33.0\"}", ErrNotOllama},
		{"HTTP/1.1\r\n\r\n{\"version\":\"0.33.0\"}", ErrNotOllama},
		{"\r\n\r\n", ErrNotOllama},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1024)) // or closing would reset the connection
			io.WriteString(conn, tc.said)
			conn.Close()
		}()
		if _, err := Version(t.Context(), l.Addr().String(), patience); !errors.Is(err, tc.want) {
			t.Errorf("%q: %v, want %v", tc.said, err, tc.want)
		}
		l.Close()
	}
}

// What Ollama is asked, and by which name: it refuses foreign ones on loopback.
func TestVersionAsksAsBrowsersDo(t *testing.T) {
	var host, path string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, path = r.Host, r.URL.Path
		io.WriteString(w, `{"version":"1"}`)
	}))
	defer s.Close()
	address := s.Listener.Addr().String()
	if _, err := Version(t.Context(), address, patience); err != nil || host != address || path != "/api/version" {
		t.Errorf("asked %q of %q: %v", path, host, err)
	}
	if got := withoutZone("[fe80::1%en0]:11434"); got != "[fe80::1]:11434" {
		t.Errorf("Host: %s", got)
	}
}
