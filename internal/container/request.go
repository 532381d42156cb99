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

// request is one HTTP GET to be made from inside, in the terms of all tools, so
// that none of them has to make sense of a URL in its own way. No redirect is
// followed.
type request struct {
	url   string // http or https, without credentials
	proxy string // the same, with a port; "" for none

	Host   string `json:"host"` // to connect to
	Port   int    `json:"port"`
	Target string `json:"target"` // of the request line
	TLS    bool   `json:"tls"`
	// Headers holds Host and what else is to be sent.
	Headers [][2]string `json:"headers"`
}

// CheckURL reports why a URL cannot be fetched from inside a container with this
// Origin header, "" for none.
func CheckURL(url, origin string) error {
	_, err := newRequest(url, origin)
	return err
}

// newRequest makes a request of a URL with a scheme. Its Origin header may be "".
func newRequest(raw, origin string) (request, error) {
	u, bare, err := readURL(raw)
	if err != nil || bare {
		return request{}, fmt.Errorf("request for %s: %w", printable(withoutSecrets(raw), maxDetail), errNotURL)
	}
	// A line end would make two headers of one.
	if strings.ContainsFunc(origin, func(r rune) bool { return r < ' ' || r > '~' }) {
		return request{}, errors.New("the Origin has characters that no header has")
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	r := request{TLS: u.Scheme == "https", Host: u.Hostname(), Port: portOf(u), Target: u.RequestURI()}
	r.Headers = append(r.Headers, [2]string{"Host", u.Host})
	if origin != "" {
		r.Headers = append(r.Headers, [2]string{"Origin", origin})
	}
	r.addCredentials("Authorization", u)
	r.url = u.String()
	return r, nil
}

// through is the request sent to an HTTP proxy.
func (r request) through(proxy string) (request, error) {
	p, bare, err := readURL(proxy)
	if err != nil || bare || p.Scheme != "http" || r.TLS {
		return request{}, errors.New("only http through a proxy by http is supported")
	}
	r.Host, r.Port, r.Target = p.Hostname(), portOf(p), r.url
	r.addCredentials("Proxy-Authorization", p)
	// Without a port, every tool has a default of its own.
	r.proxy = "http://" + net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	return r, nil
}

// addCredentials moves the user name and password of a URL into a header.
func (r *request) addCredentials(header string, u *url.URL) {
	if u.User == nil {
		return
	}
	password, _ := u.User.Password()
	both := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
	r.Headers = append(r.Headers, [2]string{header, "Basic " + both})
	u.User = nil
}
