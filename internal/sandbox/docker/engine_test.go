package docker

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newEngine is an engine with containers that have curl.
func newEngine(t *testing.T, product string, all ...Container) *Engine {
	t.Helper()
	e := New(t.Context(), func(string) (string, bool) { return "", false })
	check(t, e.Start(Options{Product: product}))
	for _, c := range all {
		c.Image, c.Tools = "app:1", []string{"curl"}
		check(t, e.Run(c))
	}
	return e
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said is what the docker executable prints, and its exit code.
type said struct {
	Out, Err string
	Code     int
}

// run is a command to its end. A tilde stands for a space in a word.
func run(e *Engine, line string) said { return answer(context.Background(), e, line) }

func answer(ctx context.Context, e *Engine, line string) said {
	args := strings.Fields(line)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "~", " ")
	}
	a := e.Answer(ctx, args, "")
	return said{a.Stdout, a.Stderr, a.Code}
}

// hostServer is a server on the host; it returns its port.
func hostServer(t *testing.T, host string, handler http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	check(t, err)
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// echo answers with the Host of the request and the client's address.
func echo(w http.ResponseWriter, r *http.Request) {
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	fmt.Fprintf(w, "%s %s", r.Host, from)
}

func TestContainersReachTheHost(t *testing.T) {
	t.Parallel()
	const h, forwarded = "host.docker.internal", "0 127.0.0.1"
	line := h + ":host-gateway"
	containers := []Container{
		{Name: "plain"}, {Name: "extra", ExtraHosts: []string{line}},
		{Name: "none", Network: "none"}, {Name: "host", Network: "host"},
		{Name: "own", Network: "app_default", ExtraHosts: []string{line}},
		{Name: "wrong", ExtraHosts: []string{h + ":127.0.0.1"}},
	}
	onLoopback, onWildcard := hostServer(t, "127.0.0.1", echo), hostServer(t, "", echo)
	outside := "0 " + outsideAddress()
	if strings.HasPrefix(outsideAddress(), "127.") { // loopback is all there is, and comes from its first address
		outside = forwarded
	}
	// The exit codes of curl; 0 is followed by the client's address.
	type truth struct{ container, host, loopback, wildcard string }
	for product, truths := range map[string][]truth{
		Desktop: {
			{"plain", h, forwarded, forwarded}, {"extra", h, forwarded, forwarded},
			{"own", h, forwarded, forwarded}, {"host", h, forwarded, forwarded},
			{"plain", "172.17.0.1", "7", "7"}, {"plain", "localhost", "7", "7"},
			{"wrong", h, "7", "7"}, {"host", "localhost", "7", "7"},
			{"none", h, "6", "6"}, {"none", "192.168.65.254", "7", "7"},
		},
		Linux: {
			{"extra", h, "7", outside}, {"plain", "172.17.0.1", "7", outside},
			{"own", "172.18.0.1", "7", outside}, {"own", h, "7", outside},
			{"plain", "172.17.0.2", "7", "7"}, {"plain", "127.0.0.1", "7", "7"},
			{"plain", h, "6", "6"}, {"plain", "[fd00::1]", "7", "7"},
			{"none", "172.17.0.1", "7", "7"}, {"host", "172.17.0.1", "7", outside},
			{"host", "localhost", forwarded, forwarded}, {"host", h, "6", "6"},
		},
		Rancher: {
			{"plain", h, forwarded, forwarded}, {"extra", h, "7", "7"}, {"none", h, "6", "6"},
			{"plain", "host.rancher-desktop.internal", forwarded, forwarded},
			{"own", "172.18.0.1", "7", "7"}, {"plain", "172.17.0.1", "7", "7"},
		},
	} {
		t.Run(product, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, product, containers...)
			for _, want := range truths {
				got := want
				got.loopback = outcome(e, want.container, want.host+":"+onLoopback)
				got.wildcard = outcome(e, want.container, want.host+":"+onWildcard)
				if got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// outcome is curl's exit code; 0 is followed by the client's address.
func outcome(e *Engine, container, at string) string {
	s := run(e, "exec -i "+container+" curl -sS --max-time 5 http://"+at)
	if s.Code != 0 {
		return strconv.Itoa(s.Code)
	}
	if host, from, _ := strings.Cut(s.Out, " "); host == at {
		return "0 " + from
	}
	return "wrong host: " + s.Out
}

// twisted answers in the ways that a server can go wrong.
func twisted(w http.ResponseWriter, r *http.Request) {
	text := map[string]string{
		"/302":   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1\r\n\r\nmoved",
		"/close": "", "/garbage": "hello there\n",
		"/half": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
	}
	switch answer, raw := text[r.URL.Path]; {
	case raw:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	case r.URL.Path == "/slow":
		<-r.Context().Done()
	case r.URL.Path == "/asked":
		fmt.Fprintf(w, "%s%s%s", r.Host, r.Header["Origin"], r.Header["Authorization"])
	default:
		fmt.Fprintf(w, "%s%s", r.RequestURI, r.Header["Proxy-Authorization"])
	}
}

// TestCurl compares with what curl 7.88.1 said.
func TestCurl(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Desktop, Container{Name: "web"})
	at := "host.docker.internal:" + hostServer(t, "127.0.0.1", twisted)
	u, end := "http://"+at, "|192.168.65.254\n"
	for args, want := range map[string]said{
		u + "/x":                       {"/x[]" + end, "", 0},
		"-H Origin:~o " + u + "/asked": {at + "[o][]" + end, "", 0},
		"-H Host:~foo " + u + "/asked": {"foo[][]" + end, "", 0},
		"http://u:p@" + at + "/asked":  {at + "[][Basic dTpw]" + end, "", 0},
		"-x http://u:p@" + at + " http://foo.bar/x": {
			"http://foo.bar/x[Basic dTpw]" + end, "", 0},
		"-x http://no.invalid " + u:        {"|\n", "Could not resolve proxy: no.invalid", 5},
		"http://no.invalid":                {"|\n", "Could not resolve host: no.invalid", 6},
		"http://localhost:1":               {"|\n", "Failed to connect to localhost port 1", 7},
		"--max-time 0.2 http://192.0.2.1":  {"|\n", "Operation timed out after", 28},
		"--max-time 0.2 " + u + "/slow":    {end, "Operation timed out after", 28},
		u + "/close":                       {end, "Empty reply from server", 52},
		u + "/garbage":                     {end, "Received HTTP/0.9 when not allowed", 1},
		`-w |%{http_code}\n ` + u + "/302": {"moved|302\n", "", 0},
		u + "/half":                        {"part" + end, "transfer closed with", 18},
		"--bogus " + u:                     {"", "flag provided but not defined: -bogus", 2},
		u + " -sS":                         {"", "takes one URL, as the last argument", 2},
	} {
		wantSaid(t, run(e, `exec -i web curl -sS -w |%{remote_ip}\n `+args), want)
	}
}

// wantSaid compares the two; stderr need only contain what is wanted.
func wantSaid(t *testing.T, got, want said) {
	t.Helper()
	if want.Err != "" && strings.Contains(got.Err, want.Err) {
		got.Err = want.Err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTemporaryContainer(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Linux, Container{Name: "web"})
	e.AddImage("curlimages/curl", "curl")
	create := "create --interactive --pull never --name probe --label l=1 " +
		"--network container:web --entrypoint "
	u := "http://172.17.0.1:" + hostServer(t, "", twisted) + "/x"
	if s := run(e, create+"curl curlimages/curl -sS "+u); len(s.Out) != 65 || s.Code != 0 {
		t.Errorf("create: %+v", s)
	}
	const list = "ps --all --filter label=l=1 --filter status=created --filter status=exited " +
		"--format {{.Names}}"
	wantSaid(t, run(e, list), said{"probe\n", "", 0})
	wantSaid(t, run(e, "start --attach --interactive probe"), said{"/x[]", "", 0})
	wantSaid(t, run(e, list), said{"probe\n", "", 0})
	wantSaid(t, run(e, "rm --force --volumes probe nix"),
		said{"probe\n", "Error response from daemon: No such container: nix\n", 0})
	wantSaid(t, run(e, list), said{})
	run(e, create+"python3 curlimages/curl")
	wantSaid(t, run(e, "start --attach --interactive probe"),
		said{"", `runc create failed: unable to start container process: exec: "python3": ` +
			"executable file not found in $PATH: unknown\n", 1})
	run(e, "rm --force --volumes probe")
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Desktop, Container{Name: "web"}, Container{Name: "off", Stopped: true})
	const daemon, none = "Error response from daemon: ", "No such container: nix\n"
	for line, want := range map[string]said{
		"exec -i web sh": {"OCI runtime exec failed: exec failed: unable to start container " +
			"process: exec: \"sh\": executable file not found in $PATH: unknown\r\n", "", 127},
		"exec -i nix curl":                      {"", daemon + none, 1},
		"exec -i off curl":                      {"", " is not running\n", 1},
		"create --interactive --pull never nix": {"", daemon + "No such image: nix:latest\n", 1},
		"start --attach --interactive nix":      {"", daemon + none, 1},
		"inspect --type container -- nix":       {"[]\n", daemon + none, 1},
		"network inspect nix":                   {"", daemon + "network nix not found\n", 1},
		"ps":                                    {"", "the sandbox does not know", 125},
	} {
		wantSaid(t, run(e, line), want)
	}
	check(t, e.Start(Options{Product: Desktop, Down: true}))
	wantSaid(t, run(e, "ps -q --no-trunc"),
		said{"", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", 1})
	e = New(t.Context(), func(name string) (string, bool) {
		return "", name == "docker-no-permission"
	})
	wantSaid(t, run(e, "ps -q --no-trunc"), said{"", "permission denied while trying", 1})
}
