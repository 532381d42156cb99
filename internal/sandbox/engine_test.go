package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newEngineMac is a Mac with an engine and containers.
func newEngineMac(t *testing.T, product string, containers ...Container) *Mac {
	t.Helper()
	m := newMac(t, userOptions())
	check(t, m.StartEngine(Engine{Product: product}))
	for _, c := range containers {
		check(t, m.RunContainer(c))
	}
	return m
}

// webUI is a container with all tools.
func webUI() Container {
	return Container{Name: "webui", Image: "open-webui:main", Tools: []string{"curl", "wget"}}
}

// hostServer is an HTTP server on the host; it returns its port.
func hostServer(t *testing.T, host string, handler http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	check(t, err)
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func echo(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s", r.Host, strings.Split(r.RemoteAddr, ":")[0])
}

// curlIn fetches with curl inside the container.
func curlIn(m *Mac, container string, args ...string) (stdout, stderr string, code int) {
	return m.Docker(append([]string{"exec", container, "curl", "-q", "-sS", "-m", "2"}, args...)...)
}

func TestContainersReachTheHost(t *testing.T) {
	t.Parallel()
	const gateway = "host.docker.internal:host-gateway"
	containers := []Container{
		{Name: "plain"}, {Name: "extra", ExtraHosts: []string{gateway}}, {Name: "none", Network: "none"}, {Name: "host", Network: "host"},
		{Name: "own", Network: "app_default", ExtraHosts: []string{gateway}}, {Name: "wrong", ExtraHosts: []string{"host.docker.internal:127.0.0.1"}},
	}
	loopbackPort, wildcardPort := hostServer(t, "127.0.0.1", echo), hostServer(t, "", echo)
	type truth struct{ container, host, loopback, wildcard string } // with the exit codes of curl, 0 and whence the server was asked
	const h = "host.docker.internal"
	for product, truths := range map[string][]truth{
		ProductDesktop: {
			{"plain", h, "0 127.0.0.1", "0 127.0.0.1"}, {"extra", h, "0 127.0.0.1", "0 127.0.0.1"}, {"own", h, "0 127.0.0.1", "0 127.0.0.1"},
			{"plain", "192.168.65.254", "0 127.0.0.1", "0 127.0.0.1"}, {"plain", "172.17.0.1", "7", "7"}, {"plain", "localhost", "7", "7"},
			{"wrong", h, "7", "7"}, {"none", h, "6", "6"}, {"none", "192.168.65.254", "7", "7"},
			{"host", "localhost", "7", "7"}, {"host", h, "0 127.0.0.1", "0 127.0.0.1"},
		},
		ProductLinux: {
			{"plain", h, "6", "6"}, {"extra", h, "7", "0 " + bridgeAddress()}, {"plain", "172.17.0.1", "7", "0 " + bridgeAddress()},
			{"own", "172.18.0.1", "7", "0 " + bridgeAddress()}, {"own", h, "7", "0 " + bridgeAddress()}, {"plain", "127.0.0.1", "7", "7"},
			{"plain", "[::1]", "7", "7"}, {"none", "172.17.0.1", "7", "7"},
			{"host", "localhost", "0 127.0.0.1", "0 127.0.0.1"}, {"host", h, "6", "6"}, {"host", "172.17.0.1", "7", "0 " + bridgeAddress()},
		},
		ProductRancher: {
			{"plain", h, "0 127.0.0.1", "0 127.0.0.1"}, {"extra", h, "7", "7"}, {"own", "172.18.0.1", "7", "7"},
			{"plain", "host.rancher-desktop.internal", "0 127.0.0.1", "0 127.0.0.1"}, {"plain", "172.17.0.1", "7", "7"}, {"none", h, "6", "6"},
		},
	} {
		t.Run(product, func(t *testing.T) {
			t.Parallel()
			m := newEngineMac(t, product)
			for _, c := range containers {
				c.Image, c.Tools = "tools", []string{"curl"}
				check(t, m.RunContainer(c))
			}
			for _, want := range truths {
				got := truth{want.container, want.host, outcome(m, want.container, want.host+":"+loopbackPort),
					outcome(m, want.container, want.host+":"+wildcardPort)}
				if got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// outcome is curl's exit code, and for an answer whence the server was asked.
func outcome(m *Mac, container, at string) string {
	stdout, _, code := curlIn(m, container, "http://"+at+"/")
	if code == 0 {
		host, from, _ := strings.Cut(stdout, " ")
		if host != at {
			return "wrong Host: " + host
		}
		return "0 " + from
	}
	return strconv.Itoa(code)
}

func TestContainerReachesOllama(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"127.0.0.1": "7", "0.0.0.0": "0"} {
		m := newEngineMac(t, ProductLinux, webUI())
		service(t, m, "OLLAMA_HOST="+host+":"+strconv.Itoa(m.Port))
		stdout, _, code := curlIn(m, "webui", "http://"+m.at("172.17.0.1")+"/api/version")
		if strconv.Itoa(code) != want || code == 0 && !strings.Contains(stdout, "version") {
			t.Errorf("Ollama at %s: %d %s", host, code, stdout)
		}
	}
}

// twisted answers in the ways that a server can go wrong.
func twisted(w http.ResponseWriter, r *http.Request) {
	hijack := func(text string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	switch r.URL.Path {
	case "/403":
		w.WriteHeader(http.StatusForbidden)
	case "/302":
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	case "/close":
		hijack("")
	case "/garbage":
		hijack("hello there\n")
	case "/half":
		hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
	case "/slow":
		<-r.Context().Done()
	default:
		fmt.Fprint(w, `{"version":"1"}`)
	}
}

// said is what a program printed and its exit code.
type said struct {
	Out, Err string
	Code     int
}

// TestCurlSays compares with what curl 7.88.1 said.
func TestCurlSays(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductDesktop, webUI())
	base := "http://host.docker.internal:" + hostServer(t, "127.0.0.1", twisted)
	const ip = "192.168.65.254"
	for _, c := range []struct {
		args string
		want said
	}{
		{base + "/x", said{`{"version":"1"}` + "\n200 " + ip + " 0\n", "", 0}},
		{base + "/403", said{"\n403 " + ip + " 0\n", "", 0}},
		{"-f " + base + "/403", said{"\n403 " + ip + " 22\n", "curl: (22) The requested URL returned error: 403\n", 22}},
		{"-o /dev/null " + base + "/302", said{"\n302 " + ip + " 0\n", "", 0}},
		{base + "/close", said{"\n000 " + ip + " 52\n", "curl: (52) Empty reply from server\n", 52}},
		{base + "/garbage", said{"\n000 " + ip + " 1\n", "curl: (1) Received HTTP/0.9 when not allowed\n", 1}},
		{base + "/half", said{"part\n200 " + ip + " 18\n", "curl: (18) transfer closed with 96 bytes remaining to read\n", 18}},
		{"-m 0.3 " + base + "/slow", said{"\n000 " + ip + " 28\n", "curl: (28) Operation timed out after N milliseconds with 0 bytes received\n", 28}},
		{"http://127.0.0.1:1/", said{"\n000  7\n", "curl: (7) Failed to connect to 127.0.0.1 port 1 after N ms: Couldn't connect to server\n", 7}},
		{"http://localhost:1", said{"\n000  7\n", "curl: (7) Failed to connect to localhost port 1 after N ms: Couldn't connect to server\n", 7}},
		{"http://[::1]:1/", said{"\n000  7\n", "curl: (7) Failed to connect to ::1 port 1 after N ms: Couldn't connect to server\n", 7}},
		{"http://nosuch.invalid:1/", said{"\n000  6\n", "curl: (6) Could not resolve host: nosuch.invalid\n", 6}},
		{"-m 0.3 http://192.0.2.1:1/", said{"\n000  28\n", "curl: (28) Connection timed out after N milliseconds\n", 28}},
		{"--connect-timeout 0.3 http://192.0.2.1:1/", said{"\n000  28\n", "curl: (28) Connection timed out after N milliseconds\n", 28}},
		{"-x http://nosuch.invalid:1 http://foo.bar/", said{"\n000  5\n", "curl: (5) Could not resolve proxy: nosuch.invalid\n", 5}},
		{"-x " + base + " http://foo.bar:77/x", said{`{"version":"1"}` + "\n200 " + ip + " 0\n", "", 0}},
		{"--noproxy * -x " + base + " http://foo.bar/", said{"\n000  6\n", "curl: (6) Could not resolve host: foo.bar\n", 6}},
		{"foo://x", said{"\n000  1\n", "curl: (1) Protocol \"foo\" not supported or disabled in libcurl\n", 1}},
		{"http://", said{"\n000  3\n", "curl: (3) URL using bad/illegal format or missing URL\n", 3}},
		{"--bogus", said{"", "curl: option --bogus: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n", 2}},
		{"-m x http://a", said{"", "curl: option --max-time: expected a proper numerical parameter\ncurl: try 'curl --help' or 'curl --manual' for more information\n", 2}},
		{"--", said{"", "curl: no URL specified!\ncurl: try 'curl --help' or 'curl --manual' for more information\n", 2}},
	} {
		args := append([]string{"-g", "-w", `\n%{http_code} %{remote_ip} %{exitcode}\n`}, strings.Fields(c.args)...)
		stdout, stderr, code := curlIn(m, "webui", args...)
		if diff := cmp.Diff(c.want, said{stdout, withoutTimes(stderr), code}); diff != "" {
			t.Errorf("curl %s:\n%s", c.args, diff)
		}
	}
}

// withoutTimes replaces the number before "ms" and "milliseconds".
func withoutTimes(s string) string {
	words := strings.Split(s, " ")
	for i := 1; i < len(words); i++ {
		if strings.HasPrefix(words[i], "ms") || strings.HasPrefix(words[i], "milliseconds") {
			words[i-1] = "N"
		}
	}
	return strings.Join(words, " ")
}

func TestCurlSendsHeaders(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductDesktop, webUI())
	asked := make(chan []string, 3)
	port := hostServer(t, "127.0.0.1", func(_ http.ResponseWriter, r *http.Request) {
		asked <- []string{r.RequestURI, r.Host, r.Header.Get("Origin"), r.Header.Get("Range"), r.Header.Get("Proxy-Authorization")}
	})
	at := "host.docker.internal:" + port
	_, _, _ = curlIn(m, "webui", "-H", "Host: foo", "-H", "Origin: o", "-r", "0-3", "http://"+at+"/x")
	_, _, _ = curlIn(m, "webui", "-x", "http://u:p@"+at, "http://foo.bar:77/x")
	for _, want := range [][]string{{"/x", "foo", "o", "bytes=0-3", ""}, {"http://foo.bar:77/x", "foo.bar:77", "", "", "Basic dTpw"}} {
		if diff := cmp.Diff(want, <-asked); diff != "" {
			t.Error(diff)
		}
	}
	stdout, _, _ := curlIn(m, "webui", "-i", "http://"+at+"/")
	if !strings.HasPrefix(stdout, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(stdout, "\r\n\r\n") {
		t.Errorf("-i: %q", stdout)
	}
}

// TestProxyOfTheEnvironment: curl has exceptions, busybox's wget has none, and neither takes HTTP_PROXY.
func TestProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	port := hostServer(t, "127.0.0.1", twisted)
	proxy := "http_proxy=http://host.docker.internal:" + port
	m := newEngineMac(t, ProductDesktop, webUI())
	for _, c := range []struct {
		tool, env, flag string
		code            int
	}{
		{"curl", proxy, "-s", 0}, {"wget", proxy, "-q", 0},
		{"curl", proxy + " no_proxy=foo.bar", "-s", 6}, {"wget", proxy + " no_proxy=foo.bar", "-q", 0},
		{"curl", strings.ToUpper(proxy[:10]) + proxy[10:], "-s", 6}, {"wget", strings.ToUpper(proxy[:10]) + proxy[10:], "-q", 1},
		{"curl", proxy, "--noproxy=*", 6}, {"wget", proxy, "-Yoff", 1},
		{"curl", "ALL_PROXY=" + proxy[11:], "-s", 0}, {"curl", proxy + " no_proxy=.bar", "-s", 6},
	} {
		args := []string{"exec"}
		for kv := range strings.FieldsSeq(c.env) {
			args = append(args, "-e", kv)
		}
		args = append(args, "webui", c.tool, c.flag, "http://foo.bar/")
		if c.tool == "wget" {
			args = append(args, "-O", "-")
		}
		if stdout, stderr, code := m.Docker(args...); code != c.code {
			t.Errorf("%v: %d %s %s", args, code, stdout, stderr)
		}
	}
	check(t, m.RunContainer(Container{Name: "proxied", Image: "open-webui:main", Tools: []string{"curl"}, Env: []string{proxy}}))
	if _, stderr, code := curlIn(m, "proxied", "http://foo.bar/"); code != 0 {
		t.Errorf("the container's own environment: %d %s", code, stderr)
	}
}

// TestWgetSays compares with what busybox 1.35 said.
func TestWgetSays(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductDesktop, webUI(), Container{Name: "none", Image: "open-webui:main", Network: "none", Tools: []string{"wget"}})
	at := "host.docker.internal:" + hostServer(t, "127.0.0.1", twisted)
	connecting := "Connecting to " + at + " (192.168.65.254:" + strings.Split(at, ":")[1] + ")\n"
	base := "http://" + at
	for _, c := range []struct {
		container, args string
		want            said
	}{
		{"webui", "-q " + base + "/x", said{`{"version":"1"}`, "", 0}},
		{"webui", base + "/x", said{`{"version":"1"}`, connecting + "writing to stdout\nwritten to stdout\n", 0}},
		{"webui", "-q " + base + "/403", said{"", "wget: server returned error: HTTP/1.1 403 Forbidden\n", 1}},
		{"webui", "-S " + base + "/403", said{"", connecting + "  HTTP/1.1 403 Forbidden\nwget: server returned error: HTTP/1.1 403 Forbidden\n", 1}},
		{"webui", "-q " + base + "/302", said{"", "wget: can't connect to remote host (127.0.0.1): Connection refused\n", 1}},
		{"webui", "-q " + base + "/close", said{"", "wget: error getting response\n", 1}},
		{"webui", "-q " + base + "/garbage", said{"", "wget: error getting response\n", 1}},
		{"webui", "-q " + base + "/half", said{"part", "wget: connection closed prematurely\n", 1}},
		{"webui", "-q -T 1 " + base + "/slow", said{"", "wget: download timed out\n", 1}},
		{"webui", "-q http://localhost:1/", said{"", "wget: can't connect to remote host (127.0.0.1): Connection refused\n", 1}},
		{"webui", "-q http://[::1]:1/", said{"", "wget: can't connect to remote host: Cannot assign requested address\n", 1}},
		{"webui", "-q http://nosuch.internal:1/", said{"", "wget: bad address 'nosuch.internal:1'\n", 1}},
		{"webui", "-q http://172.17.0.77:1/", said{"", "wget: can't connect to remote host (172.17.0.77): No route to host\n", 1}},
		{"none", "-q http://172.17.0.1:1/", said{"", "wget: can't connect to remote host (172.17.0.1): Network is unreachable\n", 1}},
		{"webui", "--bogus x", said{"", "wget: unrecognized option '--bogus'\n" + wgetUsage, 1}},
		{"webui", "-T", said{"", "wget: option requires an argument -- 'T'\n" + wgetUsage, 1}},
		{"webui", "-q", said{"", wgetUsage, 1}},
	} {
		args := append([]string{"exec", c.container, "wget", "-Y", "off", "-O", "-"}, strings.Fields(c.args)...)
		stdout, stderr, code := m.Docker(args...)
		if diff := cmp.Diff(c.want, said{stdout, stderr, code}); diff != "" {
			t.Errorf("wget %s:\n%s", c.args, diff)
		}
	}
	stdout, stderr, code := m.Docker("exec", "webui", "wget", "-q", "-S", "-O", "-", base+"/x")
	if code != 0 || !strings.HasPrefix(stderr, "  HTTP/1.1 200 OK\n  ") || !strings.HasSuffix(stderr, "\n  \n") || stdout != `{"version":"1"}` {
		t.Errorf("wget -S: %d %q %q", code, stdout, stderr)
	}
}

func TestShellInAContainer(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductDesktop, webUI(), Container{Name: "bare", Image: "bare", Tools: []string{"sh"}})
	base := "http://host.docker.internal:" + hostServer(t, "127.0.0.1", twisted)
	script := `wget -q -O - "$1" | head -c 9; exit 3`
	stdout, stderr, code := m.Docker("exec", "webui", "sh", "-c", script, "sh", base)
	if diff := cmp.Diff(said{`{"version`, "", 3}, said{stdout, stderr, code}); diff != "" {
		t.Error(diff)
	}
	if _, _, code := m.Docker("exec", "bare", "sh", "-c", "command -v wget"); code != 127 && code != 1 {
		t.Errorf("command -v wget: %d", code)
	}
	proxied := `http_proxy=` + base + ` wget -q -O - http://foo.bar/`
	if stdout, stderr, code := m.Docker("exec", "webui", "sh", "-c", proxied); code != 0 || stdout != `{"version":"1"}` {
		t.Errorf("proxy: %d %q %q", code, stdout, stderr)
	}
}

// TestDockerSays compares with what the command line 28.2 said before an engine 20.10.
func TestDockerSays(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductLinux, webUI(),
		Container{Name: "distroless", Image: "distroless"}, Container{Name: "stopped", Image: "distroless", Stopped: true})
	id := inspectOne(t, m, "stopped").ID
	const (
		missing = `exec: "curl": executable file not found in $PATH: unknown`
		create  = "Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
		seeRun  = "\nRun 'docker run --help' for more information\n"
	)
	for _, c := range []struct {
		args string
		want said
	}{
		{"exec distroless curl x", said{"OCI runtime exec failed: exec failed: unable to start container process: " + missing + "\r\n", "", 126}},
		{"exec -i distroless /usr/bin/curl x", said{"OCI runtime exec failed: exec failed: unable to start container process: " +
			"exec: \"/usr/bin/curl\": stat /usr/bin/curl: no such file or directory: unknown\r\n", "", 126}},
		{"exec nix curl", said{"", "Error response from daemon: No such container: nix\n", 1}},
		{"exec stopped curl", said{"", "Error response from daemon: Container " + id + " is not running\n", 1}},
		{"exec webui", said{"", "docker: 'docker exec' requires at least 2 arguments\n\nUsage:  docker exec [OPTIONS] CONTAINER COMMAND [ARG...]\n\n" +
			"See 'docker exec --help' for more information\n", 1}},
		{"exec --bogus webui curl", said{"", "unknown flag: --bogus\n\nUsage:  docker exec [OPTIONS] CONTAINER COMMAND [ARG...]\n\n" +
			"Run 'docker exec --help' for more information\n", 125}},
		{"run --rm --name rr --entrypoint curl distroless x", said{"", "docker: " + create + missing + "\n" + seeRun, 127}},
		{"run --rm --pull never nosuch", said{"", "docker: Error response from daemon: No such image: nosuch:latest\n" + seeRun, 125}},
		{"run --rm --network container:nix --entrypoint curl open-webui:main", said{"", "docker: Error response from daemon: No such container: nix\n" + seeRun, 125}},
		{"run --rm --network container:stopped --entrypoint curl open-webui:main",
			said{"", "docker: Error response from daemon: cannot join network of a non running container: " + id + "\n" + seeRun, 125}},
		{"run --rm --network container:webui --add-host h:1.2.3.4 --entrypoint curl open-webui:main",
			said{"", "docker: Error response from daemon: conflicting options: custom host-to-IP mapping and the network mode\n" + seeRun, 125}},
		{"run --rm --network nix --entrypoint curl open-webui:main", said{"", "docker: Error response from daemon: network nix not found\n" + seeRun, 125}},
		{"run --rm --name stopped --entrypoint curl open-webui:main", said{"", "docker: Error response from daemon: Conflict. The container name \"/stopped\" " +
			"is already in use by container \"" + id + "\". You have to remove (or rename) that container to be able to reuse that name.\n" + seeRun, 125}},
		{"create --pull never --name c nosuch", said{"", "Error response from daemon: No such image: nosuch:latest\n", 1}},
		{"start --attach nix", said{"", "Error response from daemon: No such container: nix\n", 1}},
		{"rm -f nix", said{"", "Error response from daemon: No such container: nix\n", 0}},
		{"rm nix", said{"", "Error response from daemon: No such container: nix\n", 1}},
		{"kill nix", said{"", "Error response from daemon: Cannot kill container: nix: No such container: nix\n", 1}},
		{"kill stopped", said{"", "Error response from daemon: Cannot kill container: stopped: Container " + id + " is not running\n", 1}},
		{"inspect nix", said{"[]\n", "Error: No such object: nix\n", 1}},
		{"inspect --type container -- nix", said{"[]\n", "Error response from daemon: No such container: nix\n", 1}},
		{"inspect -f {{.Name}} nix webui", said{"/webui\n", "Error: No such object: nix\n", 1}},
		{"inspect -f {{.Bogus}} webui", said{"", "template parsing error: template: :1:2: executing \"\" at <.Bogus>: map has no entry for key \"Bogus\"\n", 1}},
		{"image inspect nosuch:9", said{"[]\n", "Error response from daemon: no such image: nosuch:9: No such image: nosuch:9\n", 1}},
		{"network inspect nix", said{"[]\n", "Error response from daemon: network nix not found\n", 1}},
		{"network inspect bridge --format {{json.IPAM.Config}}", said{`[{"Subnet":"172.17.0.0/16"}]` + "\n", "", 0}},
		{"bogus", said{"", "docker: unknown command: docker bogus\n\nRun 'docker --help' for more information\n", 1}},
		{"context show", said{"default\n", "", 0}},
		{"images --format {{.Repository}}:{{.Tag}}", said{"distroless:latest\nopen-webui:main\n", "", 0}},
	} {
		args := strings.Fields(strings.ReplaceAll(c.args, "{{json.", "{{json~."))
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "~", " ")
		}
		stdout, stderr, code := m.Docker(args...)
		if diff := cmp.Diff(c.want, said{stdout, stderr, code}); diff != "" {
			t.Errorf("docker %s:\n%s", c.args, diff)
		}
	}
	if diff := cmp.Diff([]string{"distroless", "stopped", "webui"}, m.Containers()); diff != "" {
		t.Error(diff)
	}
}

// inspectOne reads docker inspect as a stranger would.
func inspectOne(t *testing.T, m *Mac, name string) containerJSON {
	t.Helper()
	stdout, stderr, code := m.Docker("inspect", name)
	var all []containerJSON
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || len(all) != 1 || code != 0 {
		t.Fatalf("inspect %s: %d %s %v", name, code, stderr, err)
	}
	return all[0]
}

func TestDockerInspect(t *testing.T) {
	t.Parallel()
	c := webUI()
	c.Env, c.ExtraHosts = []string{"OLLAMA_BASE_URL=http://localhost:11434"}, []string{"host.docker.internal:host-gateway"}
	m := newEngineMac(t, ProductLinux, c, Container{Name: "none", Image: "x", Network: "none"}, Container{Name: "host", Image: "x", Network: "host"},
		Container{Name: "own", Image: "x", Network: "app_default"}, Container{Name: "stopped", Image: "x", Stopped: true})
	got := inspectOne(t, m, "webui")
	if got.Name != "/webui" || got.Config.Image != "open-webui:main" || !got.State.Running || got.HostConfig.NetworkMode != "default" ||
		got.Config.Hostname != got.ID[:12] || !slices.Equal(got.Config.Env, c.Env) || !slices.Equal(got.HostConfig.ExtraHosts, c.ExtraHosts) {
		t.Errorf("%+v", got)
	}
	if n := got.NetworkSettings.Networks["bridge"]; n.Gateway != "172.17.0.1" || n.IPAddress != "172.17.0.2" || n.MacAddress != "02:42:ac:11:00:02" ||
		got.NetworkSettings.IPAddress != n.IPAddress {
		t.Errorf("%+v", got.NetworkSettings)
	}
	if own := inspectOne(t, m, "own").NetworkSettings; own.Gateway != "" || own.Networks["app_default"].Gateway != "172.18.0.1" {
		t.Errorf("own network: %+v", own)
	}
	if s := inspectOne(t, m, "stopped"); s.State.Running || s.State.Status != "exited" || s.NetworkSettings.Networks["bridge"].IPAddress != "" {
		t.Errorf("stopped: %+v", s)
	}
	host, _ := os.Hostname()
	if h := inspectOne(t, m, "host"); h.Config.Hostname != host || h.HostConfig.NetworkMode != "host" || h.HostConfig.ExtraHosts != nil {
		t.Errorf("host: %+v", h)
	}
	if mode := inspectOne(t, m, "none").HostConfig.NetworkMode; mode != "none" {
		t.Errorf("none: %s", mode)
	}
}

func TestDockerPs(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductDesktop, webUI(), Container{Name: "stopped", Image: "x", Stopped: true}, Container{Name: "last", Image: "x"})
	webui, last := inspectOne(t, m, "webui").ID, inspectOne(t, m, "last").ID
	for args, want := range map[string]string{
		"-q --no-trunc":                     last + "\n" + webui + "\n",
		"-q":                                last[:12] + "\n" + webui[:12] + "\n",
		"-a --format {{.Names}}":            "last\nstopped\nwebui\n",
		"-aq --filter name=stop --no-trunc": inspectOne(t, m, "stopped").ID + "\n",
	} {
		if stdout, stderr, code := m.Docker(append([]string{"ps"}, strings.Fields(args)...)...); stdout != want || code != 0 {
			t.Errorf("ps %s: %d %q %q", args, code, stdout, stderr)
		}
	}
	if stdout, _, _ := m.Docker("ps"); !strings.HasPrefix(stdout, "CONTAINER ID   IMAGE") || strings.Count(stdout, "\n") != 3 {
		t.Errorf("ps:\n%s", stdout)
	}
}

func TestDockerInfo(t *testing.T) {
	t.Parallel()
	for product, want := range map[string][3]string{
		ProductDesktop: {"Docker Desktop", "docker-desktop", "desktop-linux"},
		ProductRancher: {"Alpine Linux v3.20", "lima-rancher-desktop", "rancher-desktop"},
		ProductLinux:   {"Debian GNU/Linux 12 (bookworm)", machineName(), "default"},
	} {
		m := newEngineMac(t, product)
		stdout, stderr, code := m.Docker("info", "--format", "{{json .}}")
		var info infoJSON
		if err := json.Unmarshal([]byte(stdout), &info); err != nil || code != 0 || stderr != "" {
			t.Fatalf("%d %s %v", code, stderr, err)
		}
		got := [3]string{info.OperatingSystem, info.Name, info.ClientInfo.Context}
		if got != want || info.ServerVersion == "" {
			t.Errorf("%s: %+v", product, info)
		}
		if stdout, _, code := m.Docker("version", "--format", "{{.Server.Version}}"); stdout != info.ServerVersion+"\n" || code != 0 {
			t.Errorf("version: %d %q", code, stdout)
		}
	}
}

func TestRunLeavesNothing(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductDesktop, webUI())
	check(t, m.AddImage("curlimages/curl", "curl"))
	at := "http://host.docker.internal:" + hostServer(t, "127.0.0.1", twisted)
	run := []string{"run", "--rm", "--pull", "never", "--name", "probe", "--label", "a=b", "-e", "A=b"}
	image := []string{"--entrypoint", "curl", "curlimages/curl", "-q", "-sS", "-m", "2"}
	for _, c := range []struct {
		flags, url string
		code       int
	}{
		{"", at, 0}, {"", "http://localhost:1", 7}, {"--network container:webui", at, 0}, {"--network none", at, 6},
		{"--add-host h:192.168.65.254", strings.Replace(at, "host.docker.internal", "h", 1), 0}, {"--network nix", at, 125},
	} {
		args := slices.Concat(run, strings.Fields(c.flags), image, []string{c.url})
		if stdout, stderr, code := m.Docker(args...); code != c.code {
			t.Errorf("%v: %d %s %s", args, code, stdout, stderr)
		}
		wantContainers(t, m, "webui")
	}
}

func wantContainers(t *testing.T, m *Mac, names ...string) {
	t.Helper()
	if diff := cmp.Diff(names, m.Containers()); diff != "" {
		t.Error(diff)
	}
}

func TestCreateAndStart(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductLinux, webUI())
	base := "http://172.17.0.1:" + hostServer(t, "", twisted)
	stdout, stderr, code := m.Docker("create", "--pull", "never", "--name", "probe", "--label", "ollama-bind=probe",
		"--network", "container:"+inspectOne(t, m, "webui").ID, "-e", "http_proxy=", "--entrypoint", "wget", "open-webui:main", "-q", "-O", "-", base)
	if code != 0 || len(stdout) != 65 {
		t.Fatalf("create: %d %q %q", code, stdout, stderr)
	}
	wantContainers(t, m, "probe", "webui")
	if s := inspectOne(t, m, "probe").State.Status; s != "created" {
		t.Errorf("status %s", s)
	}
	if stdout, stderr, code := m.Docker("start", "--attach", "probe"); code != 0 || stdout != `{"version":"1"}` {
		t.Errorf("start: %d %q %q", code, stdout, stderr)
	}
	if s := inspectOne(t, m, "probe").State.Status; s != "exited" {
		t.Errorf("status %s", s)
	}
	if _, _, code := m.Docker("rm", "--force", "--volumes", "probe"); code != 0 {
		t.Errorf("rm: %d", code)
	}
	wantContainers(t, m, "webui")
	_, _, _ = m.Docker("create", "--name", "probe", "--entrypoint", "python3", "open-webui:main")
	want := "Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: " +
		"unable to start container process: exec: \"python3\": executable file not found in $PATH: unknown\n"
	if _, stderr, code := m.Docker("start", "--attach", "probe"); code != 1 || stderr != want {
		t.Errorf("start: %d %q", code, stderr)
	}
}

// startDocker starts docker in the background.
func startDocker(t *testing.T, m *Mac, args ...string) (cmd *exec.Cmd, stdout *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command(filepath.Join(m.Bin(), "docker"), args...)
	stdout = &bytes.Buffer{}
	cmd.Env, cmd.Stdout = m.Env(), stdout
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, stdout
}

// TestRunOutlivesItsClient as with a real engine: who kills docker run has to remove the container.
func TestRunOutlivesItsClient(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductDesktop)
	check(t, m.AddImage("box", "wget"))
	m.Fault("hang-exec", "")
	run := []string{"run", "--rm", "--name", "probe", "--entrypoint", "wget", "box"}
	cmd, _ := startDocker(t, m, run...)
	waitUntil(t, "a container", func() bool { return slices.Contains(m.Containers(), "probe") })
	check(t, cmd.Process.Kill())
	_ = cmd.Wait()
	time.Sleep(50 * time.Millisecond)
	wantContainers(t, m, "probe")
	if stdout, _, code := m.Docker("rm", "-f", "probe"); code != 0 || stdout != "probe\n" {
		t.Errorf("rm: %d %q", code, stdout)
	}
	wantContainers(t, m)
	cmd, _ = startDocker(t, m, run...)
	waitUntil(t, "a running container", func() bool { out, _, _ := m.Docker("ps", "-q"); return out != "" })
	if _, _, code := m.Docker("kill", "probe"); code != 0 {
		t.Errorf("kill: %d", code)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != killed {
		t.Errorf("docker run ended with %d", code)
	}
	wantContainers(t, m)
}

func TestEngineDownOrForbidden(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	if _, _, code := m.Docker("ps"); code != -1 {
		t.Errorf("there is a docker before there is an engine: %d", code)
	}
	check(t, m.StartEngine(Engine{Product: ProductDesktop, Down: true}))
	socket := m.Home() + "/.docker/run/docker.sock"
	down := "Cannot connect to the Docker daemon at unix://" + socket + ". Is the docker daemon running?\n"
	for _, args := range [][]string{{"info", "--format", "{{json .}}"}, {"ps", "-q"}, {"exec", "x", "y"}, {"inspect", "x"}, {"rm", "-f", "x"}, {"start", "--attach", "x"}} {
		if _, stderr, code := m.Docker(args...); code != 1 || stderr != down {
			t.Errorf("%v: %d %q", args, code, stderr)
		}
	}
	if _, stderr, code := m.Docker("run", "--rm", "x"); code != 125 || !strings.HasPrefix(stderr, "docker: "+down) {
		t.Errorf("run: %d %q", code, stderr)
	}
	if stdout, _, code := m.Docker("context", "show"); stdout != "desktop-linux\n" || code != 0 {
		t.Errorf("context show: %d %q", code, stdout)
	}
	check(t, m.StartEngine(Engine{Product: ProductLinux}))
	m.Fault("docker-no-permission", "")
	want := `permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: ` +
		`Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info": dial unix /var/run/docker.sock: connect: permission denied` + "\n"
	if _, stderr, code := m.Docker("info", "--format", "{{json .}}"); code != 1 || stderr != want {
		t.Errorf("info: %d %q", code, stderr)
	}
	if _, _, code := m.Docker("run", "x"); code != 126 {
		t.Errorf("run: %d", code)
	}
}

func TestFaultsOfDocker(t *testing.T) {
	t.Parallel()
	m := newEngineMac(t, ProductDesktop, webUI())
	m.Fault("garbage", "docker")
	if stdout, _, code := m.Docker("ps"); code != 0 || !strings.Contains(stdout, "{{ =>") {
		t.Errorf("garbage: %d %q", code, stdout)
	}
	m.ClearFaults()
	m.Fault("exit-code", "docker:3:oh no")
	if _, stderr, code := m.Docker("ps"); code != 3 || stderr != "oh no\n" {
		t.Errorf("exit-code: %d %q", code, stderr)
	}
	m.ClearFaults()
	m.Fault("exec-floods", "3000000")
	if stdout, _, code := m.Docker("exec", "webui", "curl", "x"); code != 0 || len(stdout) != 3000000 {
		t.Errorf("exec-floods: %d, %d bytes", code, len(stdout))
	}
	m.ClearFaults()
	for fault, arg := range map[string]string{"hang": "docker", "hang-exec": ""} {
		m.Fault(fault, arg)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		cmd := exec.CommandContext(ctx, filepath.Join(m.Bin(), "docker"), "exec", "webui", "curl", "x")
		cmd.Env = m.Env()
		_ = cmd.Run()
		cancel()
		if cmd.ProcessState.ExitCode() != -1 {
			t.Errorf("%s: docker ended by itself", fault)
		}
		m.ClearFaults()
	}
}

func TestContainersAreChecked(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	if m.RunContainer(webUI()) == nil || m.AddImage("x") == nil || m.StartEngine(Engine{Product: "lxc"}) == nil {
		t.Error("there is no engine")
	}
	check(t, m.StartEngine(Engine{Product: ProductDesktop}))
	for _, c := range []Container{{Name: "a b", Image: "x"}, {Name: "ok", Image: "x", Tools: []string{"vi"}}, {Name: "ok", Image: "x", ExtraHosts: []string{"h"}},
		{Name: "ok", Image: "x", Network: "container:nix"}} {
		if m.RunContainer(c) == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	wantContainers(t, m)
}
