package fetch

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// local is an executor that is this machine: it has only the named programs, and an
// environment whose proxies are dead ones. Tools that take proxies from there
// would fail every test.
func local(t *testing.T, programs map[string]string) Executor {
	t.Helper()
	bin := t.TempDir()
	for name, path := range programs {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"-i", "PATH=" + bin, "HOME=" + t.TempDir()}
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy"} {
		env = append(env, name+"=http://127.0.0.1:1", strings.ToUpper(name)+"=http://127.0.0.1:1")
	}
	return func(ctx context.Context, stdin string, argv ...string) ([]byte, error) {
		path, ok := programs[argv[0]]
		if !ok {
			return nil, fmt.Errorf("%s: %w", argv[0], errNoProgram)
		}
		if strings.HasSuffix(path, "busybox") {
			path = filepath.Join(bin, argv[0]) // which applet it is goes by the name
		}
		args := append(env[:len(env):len(env)], path)
		return launchctl.Exec{Deadline: time.Minute}.Run(launchctl.WithInput(ctx, stdin), "env", append(args, argv[1:]...)...)
	}
}

// machinesTools are the tools to test, as far as this machine has them.
var machinesTools = []struct {
	name, tool string
	programs   []string
}{
	{"python3", "python3", []string{"python3"}},
	{"node", "node", []string{"node"}},
	{"python3 by a shell", "python3", []string{"sh", "python3", "head"}},
	{"node by a shell", "node", []string{"sh", "node", "head"}},
	{"curl", "curl", []string{"curl"}},
	{"curl by a shell", "curl", []string{"sh", "curl", "head", "cat"}},
	{"wget", "wget", []string{"sh", "wget", "head", "sleep", "cat"}},
	{"wget by bash", "wget", []string{"sh=bash", "wget", "head", "sleep", "cat"}},
	{"wget of BusyBox", "wget", []string{"sh=busybox", "wget=busybox", "head=busybox", "sleep=busybox", "ssl_client=busybox", "cat=busybox", "nc=busybox", "timeout=busybox", "true=busybox"}},
}

// findPrograms resolves "name" and "name=program", or skips the test.
func findPrograms(t *testing.T, programs []string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, p := range programs {
		name, program, _ := strings.Cut(p, "=")
		path, err := exec.LookPath(cmp.Or(program, name))
		if err != nil {
			t.Skipf("this machine has no %s", cmp.Or(program, name))
		}
		if name == "python3" {
			path = realPython(t, path)
		}
		found[name] = path
	}
	return found
}

// realPython looks behind the scripts that choose a Python by the environment.
func realPython(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command(path, "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skipf("this machine's python3 does not run: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// serveRaw gives every connection to handle, and the address of the server.
func serveRaw(t *testing.T, handle func(*net.TCPConn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn.(*net.TCPConn))
			}()
		}
	}()
	return listener.Addr().String()
}

// heard reads a Request, so that closing the connection is no reset.
func heard(conn net.Conn) {
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "" {
			return
		}
	}
}

// drip sends first, then a byte now and then until nobody takes it.
func drip(first, more string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		heard(conn)
		for _, err := io.WriteString(conn, first); err == nil; _, err = io.WriteString(conn, more) {
			time.Sleep(250 * time.Millisecond) // Python takes no more than 100 headers
		}
	}
}

// situation is one thing that a container may meet, and what every tool has to
// make of it.
type situation struct {
	name   string
	url    string
	origin string
	proxy  string
	want   Result
	body   string // a part of it
	detail string // a part of it; only those tools that can tell
}

// requestFor makes a request that can be made.
func requestFor(t *testing.T, url, origin, proxy string) Request {
	t.Helper()
	r, err := NewRequest(url, origin)
	if err == nil && proxy != "" {
		r, err = r.Through(proxy)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func situations(t *testing.T) []situation {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":"0.33.0"}`) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s host=%s origin=%s user=%s", r.RequestURI, r.Host, r.Header.Get("Origin"), r.Header.Get("Authorization"))
	})
	mux.HandleFunc("/403", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
	mux.HandleFunc("/500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", 500) })
	mux.HandleFunc("/302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) {
		if !strings.Contains(t.Name(), "BusyBox") { // which cannot be kept from it
			t.Error("a redirect is followed")
		}
	})
	mux.HandleFunc("/204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			fmt.Fprint(w, "chunk ")
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		block := strings.Repeat("0123456789abcde\n", 4<<10)
		for range 1600 {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	})
	plain := httptest.NewServer(mux)
	t.Cleanup(plain.Close)
	// localhost may be ::1 first, and not every tool tries the other one then.
	everywhere, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	named := &httptest.Server{Listener: everywhere, Config: &http.Server{Handler: mux}}
	named.Start()
	t.Cleanup(named.Close)
	_, namedPort, _ := net.SplitHostPort(everywhere.Addr().String())
	secure := httptest.NewTLSServer(mux)
	secure.Config.ErrorLog = nil
	t.Cleanup(secure.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.RequestURI, "bad-gateway") {
			w.WriteHeader(502)
			return
		}
		fmt.Fprintf(w, "proxied %s user=%s", r.RequestURI, r.Header.Get("Proxy-Authorization"))
	}))
	t.Cleanup(proxy.Close)
	port := plain.URL[strings.LastIndex(plain.URL, ":")+1:]
	refusing := freePort(t)

	list := []situation{
		{name: "a JSON answer", url: plain.URL + "/json", want: OK, body: `{"version":"0.33.0"}`},
		{name: "a name", url: "http://localhost:" + namedPort + "/json", want: OK, body: `{"version":"0.33.0"}`},
		{name: "a query", url: plain.URL + "/echo?a=[1]&b=2#no", want: OK, body: "/echo?a=[1]&b=2 host=127.0.0.1:" + port + " origin= user="},
		{name: "no path", url: plain.URL, want: "http-404"},
		{name: "headers", url: plain.URL + "/echo", origin: "http://a.example", want: OK, body: "origin=http://a.example"},
		{name: "credentials", url: strings.Replace(plain.URL, "//", "//me:it@", 1) + "/echo", want: OK, body: "user=Basic bWU6aXQ="},
		{name: "forbidden", url: plain.URL + "/403", want: "http-403"},
		{name: "a failing server", url: plain.URL + "/500", want: "http-500"},
		{name: "a redirect", url: plain.URL + "/302", want: "http-302"},
		{name: "no content", url: plain.URL + "/204", want: "http-204"},
		{name: "chunks", url: plain.URL + "/chunks", want: OK, body: "chunk chunk chunk "},
		{name: "100 MB", url: plain.URL + "/stream", want: OK, body: strings.Repeat("0123456789abcde\n", 4<<10)},
		{name: "TLS", url: secure.URL + "/json", want: OK, body: `{"version":"0.33.0"}`},
		{name: "no TLS", url: "https://127.0.0.1:" + port + "/json", want: Empty, detail: "no TLS there"},
		{name: "TLS with one that closes", url: "https://" + serveRaw(t, func(*net.TCPConn) {}) + "/", want: Empty, detail: "no TLS there"},
		{name: "closed at once", url: "http://" + serveRaw(t, func(*net.TCPConn) {}) + "/", want: Empty},
		{name: "closed after the request", url: "http://" + serveRaw(t, func(c *net.TCPConn) { heard(c) }) + "/", want: Empty},
		{name: "reset", url: "http://" + serveRaw(t, func(c *net.TCPConn) { heard(c); c.SetLinger(0) }) + "/", want: Empty},
		{name: "garbage", url: "http://" + serveRaw(t, func(c *net.TCPConn) { heard(c); io.WriteString(c, "SSH-2.0-x\r\ngarbage\r\n") }) + "/", want: Empty},
		{name: "silence", url: "http://" + serveRaw(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) }) + "/", want: Timeout},
		{name: "silence for TLS", url: "https://" + serveRaw(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) }) + "/", want: Timeout},
		{name: "a status that drips", url: "http://" + serveRaw(t, drip("HTTP/1.1 200 O", "K")) + "/", want: Timeout},
		{name: "headers that drip", url: "http://" + serveRaw(t, drip("HTTP/1.1 200 OK\r\n", "A: b\r\n")) + "/", want: Timeout},
		{name: "a body that never comes", url: "http://" + serveRaw(t, func(c *net.TCPConn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			io.Copy(io.Discard, c)
		}) + "/", want: Timeout},
		{name: "a body that drips", url: "http://" + serveRaw(t, drip("HTTP/1.1 200 OK\r\n\r\nfirst", ".")) + "/", want: OK, body: "first"},
		{name: "a body that is cut off", url: "http://" + serveRaw(t, func(c *net.TCPConn) {
			heard(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst")
		}) + "/", want: OK, body: "first"},
		{name: "no such name", url: "http://nowhere.invalid:11434/", want: DNS},
		{name: "nobody listens", url: "http://127.0.0.1:" + refusing + "/", want: Refused},
		{name: "a proxy", url: "http://nowhere.invalid:11434/x", proxy: proxy.URL, want: OK, body: "proxied http://nowhere.invalid:11434/x user="},
		{name: "a proxy with credentials", url: "http://nowhere.invalid/x", proxy: strings.Replace(proxy.URL, "//", "//me:it@", 1), want: OK, body: "user=Basic bWU6aXQ="},
		{name: "a proxy that fails", url: "http://nowhere.invalid/bad-gateway", proxy: proxy.URL, want: "http-502"},
		{name: "a dead proxy", url: plain.URL + "/json", proxy: "http://127.0.0.1:" + refusing, want: Refused},
		{name: "a proxy without address", url: plain.URL + "/json", proxy: "http://nowhere.invalid:3128", want: DNS},
	}
	if listener, err := net.Listen("tcp", "[::1]:0"); err == nil {
		server := httptest.NewUnstartedServer(mux)
		server.Listener.Close()
		server.Listener = listener
		server.Start()
		t.Cleanup(server.Close)
		list = append(list, situation{name: "IPv6", url: server.URL + "/json", want: OK, body: `{"version":"0.33.0"}`})
	}
	return list
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// sample is for the tools that have been tried on all of them in another way.
var sample = []string{"a JSON answer", "credentials", "a proxy with credentials", "silence", "no such name"}

// That all tools agree is the point: what is concluded from an answer must not
// depend on which of them a container happens to have.
func TestEveryToolSeesTheSame(t *testing.T) {
	for _, tool := range machinesTools {
		t.Run(tool.name, func(t *testing.T) {
			t.Parallel()
			in := local(t, findPrograms(t, tool.programs))
			list := slices.DeleteFunc(situations(t), func(s situation) bool {
				sampled := strings.Contains(tool.name, " by ") && !slices.Contains(sample, s.name)
				return s.name == "100 MB" && tool.tool == "curl" || sampled // curl is stopped for them
			})
			var requests []Request
			for _, s := range list {
				requests = append(requests, requestFor(t, s.url, s.origin, s.proxy))
			}
			start := time.Now()
			answers, name, err := Fetch(t.Context(), in, requests, 12*time.Second)
			if err != nil || name != tool.tool {
				t.Fatalf("fetch with %q: %v", name, err)
			}
			t.Logf("took %s", time.Since(start))
			for i, s := range list {
				s.check(t, tool.tool, answers[i])
			}
		})
	}
}

func (s situation) check(t *testing.T, tool string, got Answer) {
	t.Helper()
	t.Logf("%s: %s %d %q %s %.30q", s.name, got.Result, got.Status, got.Address, got.Detail, got.Body)
	if s.name == "TLS" && strings.Contains(got.Detail, "TLS error") {
		return // BusyBox's own is too old for Go's server
	}
	if got.Result != s.want {
		t.Errorf("%s: result %s (%s), want %s", s.name, got.Result, got.Detail, s.want)
	}
	if !strings.Contains(got.Body, s.body) {
		t.Errorf("%s: body %.300q, want %.300q", s.name, got.Body, s.body)
	}
	if len(got.Body) > maxBody {
		t.Errorf("%s: body of %d bytes", s.name, len(got.Body))
	}
	if tool != "wget" && !strings.HasPrefix(got.Detail, s.detail) {
		t.Errorf("%s: detail %q, want %q", s.name, got.Detail, s.detail)
	}
	if (got.Status == 0) == (got.Result == OK || strings.HasPrefix(string(got.Result), "http-")) {
		t.Errorf("%s: status %d with result %s", s.name, got.Status, got.Result)
	}
	if got.Status == 0 && got.Detail == "" {
		t.Errorf("%s: no detail", s.name)
	}
	local := got.Address == "127.0.0.1" || got.Address == "::1"
	if got.Status != 0 && !local && !(s.name == "credentials" && strings.Contains(t.Name(), "BusyBox")) { // its nc does not tell
		t.Errorf("%s: address %q", s.name, got.Address)
	}
}

// The first tool that is there and does its work is taken.
func TestFetchTriesTools(t *testing.T) {
	for name, test := range map[string]struct {
		run   Executor
		asked string
		want  error
		says  string
	}{
		"none is there": {func(context.Context, string, ...string) ([]byte, error) { return nil, errNoProgram }, "sh python3 node curl", ErrNoFetcher, ""},
		"none is there, as standard output says": {func(_ context.Context, _ string, argv ...string) ([]byte, error) {
			out := `OCI runtime exec failed: exec failed: unable to start container process: exec: "` + argv[0] + `": executable file not found in $PATH: unknown` + "\r\n"
			return []byte(out), &launchctl.ExitError{Args: argv[:1], Code: 126}
		}, "sh python3 node curl", ErrNoFetcher, ""},
		"all hang": {func(context.Context, string, ...string) ([]byte, error) { return nil, launchctl.ErrNoAnswer }, "sh", launchctl.ErrNoAnswer, "with sh: no answer"},
		"two are broken": {func(_ context.Context, _ string, argv ...string) ([]byte, error) {
			switch argv[0] {
			case "python3":
				return nil, &launchctl.ExitError{Args: argv[:1], Code: 1, Stderr: "ModuleNotFoundError: No module named 'json'"}
			case "node":
				return []byte("Bun v1.0\n"), nil
			}
			return nil, errNoProgram
		}, "sh python3 node curl", nil, "python3: exit status 1: ModuleNotFoundError"},
	} {
		var mu sync.Mutex
		var asked []string
		in := func(ctx context.Context, stdin string, argv ...string) ([]byte, error) {
			mu.Lock()
			asked = append(asked, argv[0])
			mu.Unlock()
			return test.run(ctx, stdin, argv...)
		}
		_, _, err := Fetch(t.Context(), in, []Request{requestFor(t, "http://h/", "", "")}, time.Second)
		if got := strings.Join(asked, " "); got != test.asked || err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: asked %s: %v", name, got, err)
		}
		if test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
}

// What some tool could take for something else is no request.
func TestRequestsRefused(t *testing.T) {
	for _, url := range []string{
		"", "-o/etc/passwd", "--help", "file:///etc/passwd", "ftp://h/", "http://", "http:///x", "http://h:99999/",
		"http://h:0/", "http://a b/", "http://h\r\nX: y/", "http://-x/", "http://h{1,2}/", "http://ü/", "h:1",
	} {
		if CheckURL(url, "") == nil {
			t.Errorf("%s is not refused", url)
		}
	}
	if CheckURL("http://h/", "a\nb") == nil {
		t.Error("two headers in one are not refused")
	}
	for url, proxy := range map[string]string{
		"http://h/a": "socks5://p:1", "http://h/b": "-K/etc/passwd", "https://h/": "http://p:1", "http://h/c": "https://p:1",
	} {
		if _, err := requestFor(t, url, "", "").Through(proxy); err == nil {
			t.Errorf("%s through %s is not refused", url, proxy)
		}
	}
	err := CheckURL("ftp://me:secret@h/", "")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows a password: %v", err)
	}
}

func TestRequest(t *testing.T) {
	got := requestFor(t, "http://me:it@[fe80::1]/a%20b?c#d", "", "http://p")
	want := Request{
		url: "http://[fe80::1]/a%20b?c", login: url.UserPassword("me", "it"), proxy: "http://p:80", Host: "p", Port: 80, Target: "http://[fe80::1]/a%20b?c",
		Headers: [][2]string{{"Host", "[fe80::1]"}, {"Authorization", "Basic bWU6aXQ="}},
	}
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(Request{}, url.Userinfo{})); diff != "" {
		t.Error(diff)
	}
}

// An error is for a person to read: it has neither our programs in it nor a password.
func TestErrorsAreDiscreet(t *testing.T) {
	in := func(_ context.Context, _ string, argv ...string) ([]byte, error) {
		return nil, fmt.Errorf("inside: %w", &launchctl.ExitError{Args: append([]string{"docker", "exec", "web"}, argv...), Code: 9, Stderr: "no luck"})
	}
	r := requestFor(t, "http://me:it@h/", "", "")
	for _, f := range tools {
		_, _, err := f.fetch(t.Context(), in, task{[]Request{r}, time.Second, mark, []string{mark}})
		if err == nil || len(err.Error()) > 300 || strings.Contains(err.Error(), "bWU6aXQ=") || !strings.Contains(err.Error(), "exit status 9: no luck") {
			t.Errorf("%s: %v", f.name, err)
		}
		var exit *launchctl.ExitError
		if !errors.As(err, &exit) || exit.Code != 9 {
			t.Errorf("%s: the exit status is lost", f.name)
		}
	}
}

func TestSettleTrustsNothing(t *testing.T) {
	a := settle(5, Empty, "body", "not an address", strings.Repeat("\x1b[31m\n\u202eü", 100))
	if a.Status != 0 || a.Body != "" || a.Address != "" || a.Result != Empty {
		t.Errorf("%+v", a)
	}
	if len(a.Detail) > text.MaxDetail || strings.ContainsAny(a.Detail, "\x1b\n\u202e") {
		t.Errorf("detail %q", a.Detail)
	}
	if a := settle(200, "", strings.Repeat("x", maxBody+1), "::ffff:1.2.3.4", ""); len(a.Body) != maxBody || a.Address != "1.2.3.4" {
		t.Errorf("%d bytes, %s", len(a.Body), a.Address)
	}
}
