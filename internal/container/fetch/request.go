package fetch

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
)

// Request is one HTTP GET to make from inside, in terms that all tools share, so that
// none of them interprets a URL in its own way. Redirects are not followed.
type Request struct {
	url   string // http or https, without credentials
	proxy string // the same, with a port; "" for none

	Host   string `json:"host"` // to connect to
	Port   int    `json:"port"`
	Target string `json:"target"` // of the request line
	TLS    bool   `json:"tls"`
	// Headers holds Host and other headers to send.
	Headers [][2]string `json:"headers"`

	// For tools that take these only as part of a URL.
	login, proxyLogin *url.Userinfo
}

// secret are headers that must not appear in a program's arguments: everyone who can
// list processes would see them.
var secret = []string{"Authorization", "Proxy-Authorization"}

// CheckURL reports why a URL cannot be fetched from inside a container with this
// Origin header, "" for none.
func CheckURL(url, origin string) error {
	_, err := NewRequest(url, origin)
	return err
}

// NewRequest makes a request from a URL with a scheme. Its Origin header may be "".
func NewRequest(raw, origin string) (Request, error) {
	u, bare, err := text.ReadURL(raw)
	if err != nil || bare {
		return Request{}, fmt.Errorf("request for %s: %w", text.Printable(text.WithoutSecrets(raw), text.MaxDetail), text.ErrNotURL)
	}
	// A line end would begin another header.
	if strings.ContainsFunc(origin, func(r rune) bool { return r < ' ' || r > '~' }) {
		return Request{}, errors.New("the Origin has characters that no header has")
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	r := Request{TLS: u.Scheme == "https", Host: u.Hostname(), Port: text.PortOf(u), Target: u.RequestURI()}
	r.Headers = append(r.Headers, [2]string{"Host", u.Host})
	if origin != "" {
		r.Headers = append(r.Headers, [2]string{"Origin", origin})
	}
	r.login = r.addCredentials("Authorization", u)
	r.url = u.String()
	return r, nil
}

// Through is the request sent to an HTTP proxy.
func (r Request) Through(proxy string) (Request, error) {
	p, bare, err := text.ReadURL(proxy)
	if err != nil || bare || p.Scheme != "http" || r.TLS {
		return Request{}, errors.New("only http through a proxy by http is supported")
	}
	r.Host, r.Port, r.Target = p.Hostname(), text.PortOf(p), r.url
	r.proxyLogin = r.addCredentials("Proxy-Authorization", p)
	// Without a port, every tool has a default of its own.
	r.proxy = "http://" + net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	return r, nil
}

// addCredentials moves the user name and password of a URL into a header.
func (r *Request) addCredentials(header string, u *url.URL) (login *url.Userinfo) {
	if u.User == nil {
		return nil
	}
	password, _ := u.User.Password()
	both := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
	r.Headers = append(slices.Clip(r.Headers), [2]string{header, "Basic " + both})
	login, u.User = u.User, nil
	return login
}

// with is a URL with credentials.
func with(login *url.Userinfo, raw string) string {
	if login == nil {
		return raw
	}
	return strings.Replace(raw, "://", "://"+login.String()+"@", 1)
}
