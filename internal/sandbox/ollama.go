package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const ollamaVersion = "0.33.0"

// hostAndPort is where OLLAMA_HOST says to listen.
type hostAndPort struct {
	host, port string
	badPort    string // what stood there, when it was no port
}

func (h hostAndPort) String() string { return net.JoinHostPort(h.host, h.port) }

// reachable is an address of this machine at which a listener on h answers.
func (h hostAndPort) reachable() string {
	if ip, err := netip.ParseAddr(h.host); err != nil || ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", h.port)
	}
	return h.String()
}

// parseHost reads OLLAMA_HOST as Ollama does. defaultPort stands for 11434.
func parseHost(value, defaultPort string) hostAndPort {
	value = strings.TrimSpace(strings.Trim(strings.TrimSpace(value), `"'`))
	scheme, rest, ok := strings.Cut(value, "://")
	switch {
	case !ok:
		rest = value
	case scheme == "http":
		defaultPort = "80"
	case scheme == "https":
		defaultPort = "443"
	}
	rest, _, _ = strings.Cut(rest, "/")
	h := splitHost(rest, defaultPort)
	if n, err := strconv.ParseInt(h.port, 10, 32); err != nil || n < 0 || n > 65535 {
		h.badPort, h.port = h.port, defaultPort
	}
	return h
}

// splitHost takes what is no host:port for a host.
func splitHost(s, defaultPort string) hostAndPort {
	if host, port, err := net.SplitHostPort(s); err == nil {
		return hostAndPort{host: host, port: port}
	}
	h := hostAndPort{host: "127.0.0.1", port: defaultPort}
	if ip := net.ParseIP(strings.Trim(s, "[]")); ip != nil {
		h.host = ip.String()
	} else if s != "" {
		h.host = s
	}
	return h
}

func ollamaMain(args []string) int {
	if len(args) == 0 {
		fmt.Println("Usage:\n  ollama [flags]\n  ollama [command]")
		return 0
	}
	switch args[0] {
	case "serve", "start":
		return ollamaServe()
	case "--version", "-v":
		fmt.Println("ollama version is " + ollamaVersion)
		return 0
	default:
		fmt.Fprintf(os.Stderr, "Error: unknown command %q for \"ollama\"\n", args[0])
		return 1
	}
}

// ollamaServe returns when the server could not start, was told to end, or has lost its parent.
func ollamaServe() int {
	faults, _ := url.ParseQuery(os.Getenv(envFaults)) // launchd wrote it
	if faults.Has("exit-at-once") {
		fmt.Fprintln(os.Stderr, faults.Get("exit-at-once"))
		return 1
	}
	end := make(chan int, 1)
	watchSignals(end, faults.Has("ignore-term"))
	go watchParent(end)
	go serveOllama(end, faults)
	return <-end
}

// watchSignals ends on SIGTERM and SIGINT as Ollama does: with exit code 0.
func watchSignals(end chan<- int, ignoreTerm bool) {
	signals := make(chan os.Signal, 1)
	if ignoreTerm {
		signal.Ignore(syscall.SIGTERM)
		signal.Notify(signals, syscall.SIGINT)
	} else {
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	}
	go func() {
		<-signals
		end <- 0
	}()
}

// watchParent ends when the process that started this one has died. launchd says who that is, since it may have died already.
func watchParent(end chan<- int) {
	parent, err := strconv.Atoi(os.Getenv(envParent))
	if err != nil {
		parent = os.Getppid()
	}
	for os.Getppid() == parent {
		time.Sleep(200 * time.Millisecond)
	}
	end <- 1
}

func serveOllama(end chan<- int, faults url.Values) {
	delay, _ := time.ParseDuration(faults.Get("slow-start")) // 0 when it is off
	time.Sleep(delay)
	h := parseHost(os.Getenv("OLLAMA_HOST"), os.Getenv(envPort))
	if faults.Has("wrong-bind") {
		h.host = "127.0.0.1"
	}
	listener, err := listen(h)
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		end <- 1
		return
	}
	if h.badPort != "" {
		logOllama("WARN", "config.go:54", `msg="invalid port, using default" port=%s default=%s`, h.badPort, h.port)
	}
	logOllama("INFO", "routes.go:1951", `msg="server config" env="map[OLLAMA_HOST:http://%s]"`, h)
	logOllama("INFO", "routes.go:2008", `msg="Listening on %s (version %s)"`, listener.Addr(), ollamaVersion)
	if faults.Has("deaf") {
		listener = deafListener{listener}
	}
	server := &http.Server{Handler: checkHost(listener.Addr(), ollamaRoutes()), ReadHeaderTimeout: time.Minute}
	fmt.Fprintf(os.Stderr, "Error: %v\n", server.Serve(listener))
	end <- 1
}

// listen opens one socket, as Ollama does: a wildcard becomes a dual-stack one where there is IPv6. Names are not looked up, because a
// test must not depend on the network; the error for one is what the lookup of a name that nobody has ends with.
func listen(h hostAndPort) (net.Listener, error) {
	if h.host == "localhost" {
		h.host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(h.host); err != nil && h.host != "" {
		return nil, fmt.Errorf("listen tcp: lookup %s: no such host", h.host)
	}
	return net.Listen("tcp", h.String())
}

func logOllama(level, source, format string, args ...any) {
	prefix := fmt.Sprintf("time=%s level=%s source=%s ", time.Now().Format("2006-01-02T15:04:05.000Z07:00"), level, source)
	fmt.Fprintf(os.Stderr, prefix+format+"\n", args...)
}

// deafListener takes connections and keeps them to itself.
type deafListener struct{ net.Listener }

func (d deafListener) Accept() (net.Conn, error) {
	var kept []net.Conn // so that none is closed when it is collected
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, errors.Join(err, closeAll(kept))
		}
		kept = append(kept, conn)
	}
}

func closeAll(conns []net.Conn) error {
	var err error
	for _, c := range conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

const tagsBody = `{"models":[` +
	`{"name":"llama3.2:3b","model":"llama3.2:3b","modified_at":"2026-10-01T09:00:00.000000000Z","size":2019393189,` +
	`"digest":"a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72",` +
	`"details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"}},` +
	`{"name":"nomic-embed-text:latest","model":"nomic-embed-text:latest","modified_at":"2026-09-01T09:00:00.000000000Z","size":274302450,` +
	`"digest":"0a109f422b47e3a30ba2b10eca18548e944e8a23073ee3f3e947efcf3c45e59f",` +
	`"details":{"parent_model":"","format":"gguf","family":"nomic-bert","families":["nomic-bert"],"parameter_size":"137M","quantization_level":"F16"}}]}`

const modelsBody = `{"object":"list","data":[` +
	`{"id":"llama3.2:3b","object":"model","created":1790845200,"owned_by":"library"},` +
	`{"id":"nomic-embed-text:latest","object":"model","created":1788253200,"owned_by":"library"}]}`

func ollamaRoutes() http.Handler {
	const text, json = "text/plain; charset=utf-8", "application/json; charset=utf-8"
	bodies := map[string][2]string{
		"/":            {text, "Ollama is running"},
		"/api/version": {json, `{"version":"` + ollamaVersion + `"}`},
		"/api/tags":    {json, tagsBody},
		"/v1/models":   {json, modelsBody},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := bodies[r.URL.Path]
		if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "404 page not found")
			return
		}
		w.Header().Set("Content-Type", body[0])
		_, _ = io.WriteString(w, body[1]) // a client that has gone needs no answer
	})
}

// checkHost is Ollama's defence against DNS rebinding, which is on only when the listener is on loopback.
func checkHost(address net.Addr, next http.Handler) http.Handler {
	if bound, err := netip.ParseAddrPort(address.String()); err == nil && !bound.Addr().IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowedHost(r.Host) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allowedHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() || isOwnAddress(ip)
	}
	host = strings.ToLower(host)
	if name, err := os.Hostname(); err == nil && strings.ToLower(name) == host {
		return true
	}
	return host == "" || host == "localhost" ||
		strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
}

func isOwnAddress(ip netip.Addr) bool {
	addresses, _ := net.InterfaceAddrs() // without them none is
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == ip {
			return true
		}
	}
	return false
}
