package container

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// order is a Request in the terms of all tools, so that none of them has to
// make sense of a URL in its own way.
type order struct {
	url   string // http or https, without credentials
	proxy string // the same, with a port, or ""

	Host   string `json:"host"` // to connect to
	Port   int    `json:"port"`
	Target string `json:"target"` // of the request line
	TLS    bool   `json:"tls"`
	// Headers holds Host and what else the Request asks for.
	Headers [][2]string `json:"headers"`
}

func makeOrders(requests []Request) ([]order, error) {
	orders := make([]order, len(requests))
	for i, r := range requests {
		var err error
		if orders[i], err = r.order(); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

// Check reports why a request cannot be made from inside a container.
func (r Request) Check() error {
	_, err := r.order()
	return err
}

func (r Request) order() (order, error) {
	o, err := newOrder(r)
	if err != nil {
		return order{}, fmt.Errorf("request for %s: %w", oneLine(withoutSecrets(r.URL)), err)
	}
	return o, nil
}

func newOrder(r Request) (order, error) {
	u, err := parseURL(r.URL)
	if err != nil {
		return order{}, err
	}
	if !isHeader(r.Host) || !isHeader(r.Origin) {
		return order{}, errors.New("a header has characters that no header has")
	}
	host := u.Host
	if r.Host != "" {
		host = r.Host
	}
	o := order{TLS: u.Scheme == "https", Host: u.Hostname(), Port: portOf(u), Target: u.RequestURI()}
	o.Headers = append(o.Headers, [2]string{"Host", host})
	if r.Origin != "" {
		o.Headers = append(o.Headers, [2]string{"Origin", r.Origin})
	}
	o.addCredentials("Authorization", u)
	o.url = u.String()
	if r.Proxy == "" {
		return o, nil
	}
	return o.through(r.Proxy)
}

// through sends an order to a proxy.
func (o order) through(proxy string) (order, error) {
	if o.TLS {
		return order{}, errors.New("https through a proxy is not supported")
	}
	p, err := parseURL(proxy)
	if err != nil {
		return order{}, fmt.Errorf("proxy: %w", err)
	}
	if p.Scheme != "http" {
		return order{}, fmt.Errorf("a proxy by %s is not supported", p.Scheme)
	}
	o.Host, o.Port, o.Target = p.Hostname(), portOf(p), o.url
	o.addCredentials("Proxy-Authorization", p)
	// Without a port, every tool has a default of its own.
	o.proxy = "http://" + net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
	return o, nil
}

// addCredentials moves the user name and password of a URL into a header.
func (o *order) addCredentials(header string, u *url.URL) {
	if u.User == nil {
		return
	}
	password, _ := u.User.Password()
	both := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
	o.Headers = append(o.Headers, [2]string{header, "Basic " + both})
	u.User = nil
}

// parseURL accepts only what no tool can take for a flag or misread.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q is neither http nor https", u.Scheme)
	case u.Hostname() == "" || !plainHost(u.Hostname()):
		return nil, fmt.Errorf("host %q is no name and no address", u.Hostname())
	case portOf(u) < 1 || portOf(u) > 65535:
		return nil, fmt.Errorf("port %q is out of range", u.Port())
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

func portOf(u *url.URL) int {
	if u.Port() == "" {
		if u.Scheme == "https" {
			return 443
		}
		return 80
	}
	port, _ := strconv.Atoi(u.Port())
	return port
}

// plainHost is strict: a name with other characters means another one to every tool.
func plainHost(host string) bool {
	return !strings.HasPrefix(host, "-") && !strings.ContainsFunc(host, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_:%", r))
	})
}

// isHeader keeps out line ends, with which one header would become two.
func isHeader(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}
