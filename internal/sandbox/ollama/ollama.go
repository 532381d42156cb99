// Package ollama is the Mac's ollama: a real server with two models that cannot run,
// which listens where OLLAMA_HOST says and logs and fails as Ollama does. It ends with
// the Mac. Its faults come in its environment.
package ollama

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// Version is what every Ollama here calls itself, upgraded or not.
const Version = "0.33.0"

// Main is the executable.
func Main(args []string) int {
	switch command := strings.Join(args, " "); command {
	case "serve":
		return serve()
	case "--version":
		fmt.Println("ollama version is " + Version)
		return 0
	default:
		fmt.Fprintf(os.Stderr, "Error: unknown command %q for \"ollama\"\n", command)
		return 1
	}
}

// serve returns when the server could not start, was told to end, or has lost its Mac.
func serve() int {
	faults, _ := url.ParseQuery(os.Getenv(standin.EnvFaults)) // launchd wrote it
	if faults.Has("exit-at-once") {
		fmt.Fprintln(os.Stderr, faults.Get("exit-at-once"))
		return 1
	}
	end := make(chan int, 1)
	watchSignals(end, faults.Has("ignore-term"))
	go func() {
		standin.Outlive()
		end <- 1
	}()
	go listenAndServe(end, faults)
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

func listenAndServe(end chan<- int, faults url.Values) {
	delay, _ := time.ParseDuration(faults.Get("slow-start")) // 0 when it is off
	time.Sleep(delay)
	port, _ := strconv.Atoi(os.Getenv(standin.EnvPort)) // the Mac wrote it
	h := ParseHost(os.Getenv("OLLAMA_HOST"), port)
	if faults.Has("wrong-bind") {
		h.Name = "127.0.0.1"
	}
	listener, err := listen(h)
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		end <- 1
		return
	}
	logLine("INFO", "routes.go:1951",
		`msg="server config" env="map[OLLAMA_HOST:http://%s]"`, h)
	logLine("INFO", "routes.go:2008",
		`msg="Listening on %s (version %s)"`, listener.Addr(), Version)
	if faults.Has("deaf") { // the kernel takes the connections
		defer listener.Close() // not before: it keeps the listener from being collected
		select {}
	}
	handler := checkHost(listener.Addr(), routes())
	if faults.Has("mute-outside") {
		handler = onLoopback(handler)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	fmt.Fprintf(os.Stderr, "Error: %v\n", server.Serve(listener))
	end <- 1
}

// onLoopback leaves those without an answer who have come to another address.
func onLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		here, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if here != nil && !here.IP.IsLoopback() {
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	})
}

func logLine(level, source, format string, args ...any) {
	now := time.Now().Format("2006-01-02T15:04:05.000Z07:00")
	prefix := fmt.Sprintf("time=%s level=%s source=%s ", now, level, source)
	fmt.Fprintf(os.Stderr, prefix+format+"\n", args...)
}

// The bodies say less of each model than Ollama does.
const (
	tagsBody = `{"models":[` +
		`{"name":"llama3.2:3b","model":"llama3.2:3b","size":2019393189},` +
		`{"name":"nomic-embed-text:latest","model":"nomic-embed-text:latest",` +
		`"size":274302450}]}`
	modelsBody = `{"object":"list","data":[` +
		`{"id":"llama3.2:3b","object":"model","owned_by":"library"},` +
		`{"id":"nomic-embed-text:latest","object":"model","owned_by":"library"}]}`
)

func routes() http.Handler {
	const text, json = "text/plain; charset=utf-8", "application/json; charset=utf-8"
	bodies := map[string][2]string{
		"/":            {text, "Ollama is running"},
		"/api/version": {json, `{"version":"` + Version + `"}`},
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
