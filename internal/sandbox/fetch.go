package sandbox

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// containerProcess is a program that runs in a container.
type containerProcess struct {
	box      *box
	argv     []string
	env      map[string]string
	out, err io.Writer
}

// program is a program that a container can have. It returns the exit code.
type program func(ctx context.Context, p *containerProcess) int

// programs are those that the sandbox has.
var programs = map[string]program{"curl": curl, "wget": wget, "sh": shell}

// exchange is one GET of one of the programs.
type exchange struct {
	url     *url.URL
	proxy   *url.URL // nil for none
	headers [][2]string
	connect time.Duration // for connecting; 0 means as long as the context
}

// phase is where an exchange was when it failed.
type phase int

const (
	inLookup phase = iota
	inConnect
	inHeader
)

// exchangeError is an error of an exchange with where it was.
type exchangeError struct {
	phase   phase
	host    string // that was looked up or connected to
	port    int
	address netip.Addr
	err     error
}

func (e *exchangeError) Error() string { return e.err.Error() }
func (e *exchangeError) Unwrap() error { return e.err }

// reply is the answer to an exchange, its body still to be read.
type reply struct {
	*http.Response
	conn    net.Conn
	address netip.Addr // that was connected to
}

func (r *reply) close() { _ = r.conn.Close() }

// do connects from inside the container and asks. A reply is there with an error in the header too, for the address.
func (p *containerProcess) do(ctx context.Context, x exchange) (*reply, error) {
	target := x.url
	if x.proxy != nil {
		target = x.proxy
	}
	host, port := target.Hostname(), portOf(target)
	ip, err := p.box.lookup(host)
	if err != nil {
		return nil, &exchangeError{phase: inLookup, host: host, port: port, err: err}
	}
	connecting := ctx
	if x.connect > 0 {
		var cancel context.CancelFunc
		connecting, cancel = context.WithTimeout(ctx, x.connect)
		defer cancel()
	}
	conn, err := p.box.dial(connecting, ip, port)
	if err != nil {
		return nil, &exchangeError{phase: inConnect, host: host, port: port, address: ip, err: err}
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	r := &reply{conn: conn, address: ip}
	if r.Response, err = x.ask(conn); err != nil {
		return r, &exchangeError{phase: inHeader, host: host, port: port, address: ip, err: err}
	}
	return r, nil
}

func portOf(u *url.URL) int {
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return 80
	}
	return port
}

// errNotHTTP is for bytes that begin no HTTP answer.
var errNotHTTP = errors.New("not HTTP")

func (x exchange) ask(conn net.Conn) (*http.Response, error) {
	target := x.url.RequestURI()
	if x.proxy != nil {
		target = x.url.Scheme + "://" + x.url.Host + target
	}
	request := "GET " + target + " HTTP/1.1\r\n"
	for _, h := range x.headers {
		request += h[0] + ": " + h[1] + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	start, err := reader.Peek(5)
	if err != nil {
		return nil, err
	}
	if string(start) != "HTTP/" {
		return nil, errNotHTTP
	}
	return http.ReadResponse(reader, nil)
}

// withHeaders are the program's own headers, but for those that the user set.
func withHeaders(own [][2]string, set []string) [][2]string {
	var user [][2]string
	for _, line := range set {
		name, value, _ := strings.Cut(line, ":")
		user = append(user, [2]string{name, strings.TrimSpace(value)})
	}
	var headers [][2]string
	for _, h := range own {
		for _, u := range user {
			if strings.EqualFold(u[0], h[0]) {
				h = u
			}
		}
		if h[1] != "" { // "Accept:" takes a header away
			headers = append(headers, h)
		}
	}
	for _, u := range user {
		known := func(h [2]string) bool { return strings.EqualFold(h[0], u[0]) }
		if u[1] != "" && !containsHeader(headers, known) {
			headers = append(headers, u)
		}
	}
	return headers
}

func containsHeader(headers [][2]string, f func([2]string) bool) bool {
	for _, h := range headers {
		if f(h) {
			return true
		}
	}
	return false
}

// basic is the value of an Authorization header.
func basic(u *url.Userinfo) string {
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}

// parseProxy reads the URL of a proxy, whose scheme may be missing.
func parseProxy(s string, port string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	u.Host = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	return u, nil
}

// copyBody writes the body, at most limit bytes where that is not 0, and tells how much there was.
func copyBody(w io.Writer, r *reply, limit int64) (int64, error) {
	if limit == 0 {
		return io.Copy(w, r.Body)
	}
	return io.Copy(w, io.LimitReader(r.Body, limit))
}

// head is the answer's status line and headers.
func (r *reply) head(end string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/%d.%d %s%s", r.ProtoMajor, r.ProtoMinor, r.Status, end)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, "%s: %s%s", name, value, end)
		}
	}
	return b.String()
}
