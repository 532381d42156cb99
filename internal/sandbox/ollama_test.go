package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestOllamaAnswers(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	_, stop, err := m.HoldPort(m.Port, "")
	check(t, err)
	defer stop()
	for _, c := range []struct {
		method, path, host string
		code               int
		body               string
	}{
		{"GET", "/", "", 200, "Ollama is running"},
		{"HEAD", "/", "", 200, ""},
		{"GET", "/api/version", "", 200, `{"version":"0.33.0"}`},
		{"GET", "/api/tags", "", 200, `{"models":[{"name":"llama3.2:3b"`},
		{"GET", "/nothing", "", 404, "404 page not found"},
		{"POST", "/api/version", "", 404, "404 page not found"},
		{"GET", "/", "host.docker.internal:11434", 200, "Ollama is running"},
		{"GET", "/", "192.168.1.7", 200, "Ollama is running"},
		{"GET", "/", "ollama.example.com", 403, ""},
		{"GET", "/", "8.8.8.8:11434", 403, ""},
	} {
		code, body := get(t, c.method, "http://"+m.at("127.0.0.1")+c.path, c.host)
		if code != c.code || !strings.HasPrefix(body, c.body) {
			t.Errorf("%s %s of %q: %d %q", c.method, c.path, c.host, code, body)
		}
	}
}

func get(t *testing.T, method, url, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	check(t, err)
	req.Host = host
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, string(body)
}

func TestOllamaHostListens(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	service(t, m, "OLLAMA_HOST=0.0.0.0:abc")
	mustContain(t, readLog(t, m), fmt.Sprintf("Listening on %s%d ", wildcard(t), m.Port))

	m = newMac(t, userOptions())
	path := install(t, m, agent(runAtLoad, "OLLAMA_HOST=host.docker.internal:11434"))
	mustRun(t, m, "bootstrap", m.Domain(), path)
	waitUntil(t, "no such host", func() bool {
		return strings.HasSuffix(readLog(t, m), ": no such host\n")
	})
}
