package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/listen"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// measurement is all that is fetched from inside of one container.
type measurement struct {
	Probe
	container Container
	server    Server
	listeners *listen.Pair
	tag       string // that its fetches of our listeners carry

	urls     []ClientURL
	hosts    []HostResult
	requests []request
	// keep puts the answer to the request of the same index where it belongs.
	keep []func(Answer)
}

// run makes the fetches, all at once, and draws the conclusions.
func (m *measurement) run(ctx context.Context) []ClientURL {
	m.plan()
	answers, via, err := m.fetch(ctx, m.requests)
	for i, a := range answers {
		m.keep[i](a)
	}
	for i := range m.urls {
		u := &m.urls[i]
		u.Image = via.image
		if u.Err = err; err != nil {
			continue
		}
		u.Hosts, u.Tool = m.hosts, via.tool
		if u.Answer.Status == 403 {
			u.Why403 = m.why403(ctx, via, u)
		}
		u.Diagnosis = Judge(*u, m.server)
	}
	return m.urls
}

// plan says what is to be fetched: Ollama by the container's own URLs, and by
// each of the host's names Ollama and our two listeners. A container that has no
// such name, not even a gateway, is asked for the usual one all the same: that it
// does not get there is the answer.
func (m *measurement) plan() {
	names := m.container.hostNames()
	if len(names) == 0 {
		names = []string{m.container.Runtime.HostName()}
	}
	m.urls = m.ownURLs(names[0])
	for i := range m.urls {
		m.planURL(&m.urls[i])
	}
	m.hosts = make([]HostResult, len(names))
	for i, host := range names {
		m.hosts[i].Host = host
		m.planHost(&m.hosts[i], fmt.Sprintf("%s-%d", m.tag, i))
	}
}

func (m *measurement) add(r request, keep func(Answer)) {
	m.requests = append(m.requests, r)
	m.keep = append(m.keep, keep)
}

// ownURLs are the URLs to be asked: the one that was given, or those of the
// container's environment, or else the one that we would tell it to use.
func (m *measurement) ownURLs(host string) []ClientURL {
	c := m.container
	settings := c.ollamaURLs()
	if m.URL != "" {
		settings = []setting{{"--url", m.URL, m.URL}}
	}
	if len(settings) == 0 {
		settings = []setting{{url: ClientURL{}.right(host, m.server.Port)}}
	}
	var all []ClientURL
	for _, s := range settings {
		// The secrets of a URL are kept for the fetch, and shown nowhere.
		all = append(all, ClientURL{
			Container: c,
			Source:    s.variable,
			Value:     withoutSecrets(s.value),
			URL:       withoutSecrets(s.url),
			fetched:   s.url,
		})
	}
	return all
}

func (m *measurement) planURL(u *ClientURL) {
	base, err := tagsURL(u.fetched)
	if err != nil {
		u.Answer = Answer{Detail: err.Error()}
		return
	}
	own, err := newRequest(base.String(), m.Origin)
	if err != nil {
		u.Answer = Answer{Detail: err.Error()}
		return
	}
	m.add(own, func(a Answer) { u.Answer, u.Models = readTags(a) })
	variable, proxy := u.Container.Proxy(base)
	if proxy == "" {
		return
	}
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u.Proxied = &Proxied{Variable: variable, Proxy: withoutSecrets(proxy)}
	direct, _ := newRequest(base.String(), "")
	if through, err := direct.through(proxy); err == nil {
		u.Proxied.Measured = true
		m.add(through, func(a Answer) { u.Proxied.Answer, u.Proxied.Models = readTags(a) })
	}
}

func (m *measurement) planHost(h *HostResult, tag string) {
	get := func(url string, keep func(Answer)) {
		r, _ := newRequest(url, "") // inspect lets nothing through that is no host
		m.add(r, keep)
	}
	look := func(l *listen.Listener, result *ListenerResult) {
		get(l.URL(h.Host, tag), func(a Answer) {
			*result = ListenerResult{a.Result, l.Peer(tag)}
			if a.Result == OK && !l.Answered(a.Body) {
				result.Result = Other
			}
			h.Address = cmp.Or(h.Address, a.Address)
		})
	}
	look(m.listeners.Loopback, &h.Loopback)
	look(m.listeners.Wildcard, &h.Wildcard)
	version := "http://" + net.JoinHostPort(h.Host, strconv.Itoa(m.server.Port)) + "/api/version"
	get(version, func(a Answer) {
		h.Ollama = checked(a, func(body []byte) error { _, err := ollama.ParseVersion(body); return err })
	})
}

// via is what fetches were made with.
type via struct{ tool, image string }

// fetch makes the requests with what the container has, or else in a temporary
// container beside it.
func (m *measurement) fetch(ctx context.Context, requests []request) ([]Answer, via, error) {
	c := m.container
	switch {
	case c.Err != nil:
		return nil, via{}, c.Err
	case c.Paused:
		return nil, via{}, ErrPaused
	case c.Name != "" && !c.Running:
		return nil, via{}, ErrNotRunning
	}
	if c.Name != "" && m.Image == "" {
		answers, tool, err := fetch(ctx, inside(m.Runner, c), requests, m.Patience)
		if !errors.Is(err, errNoFetcher) {
			return answers, via{tool: tool}, err
		}
	}
	image := m.Image
	if image == "" {
		var err error
		if image, err = localImage(ctx, m.Runner, c.Runtime); err != nil {
			return nil, via{}, err
		}
	}
	m.sweep(ctx, c.Runtime)
	answers, tool, err := fetch(ctx, m.beside(c, image), requests, m.Patience)
	return answers, via{tool, image}, err
}

// why403 tells the reasons for a 403 apart: it fetches once more without the
// Origin, and with a Host that Ollama always takes.
func (m *measurement) why403(ctx context.Context, via via, u *ClientURL) Cause {
	base, _ := tagsURL(u.fetched) // which has been fetched
	noOrigin, _ := newRequest(base.String(), "")
	localhost, _ := newRequest(base.String(), m.Origin)
	localhost.Headers[0][1] = "localhost"
	again := *m
	again.Image = via.image
	answers, _, err := again.fetch(ctx, []request{noOrigin, localhost})
	switch {
	case err != nil:
		return ""
	case m.Origin != "" && answers[0].Result == OK:
		return ByOrigin
	case answers[1].Result == OK:
		return HostCheck
	}
	return ""
}

// readTags takes an answer for Ollama's only if it is a list of models.
func readTags(a Answer) (Answer, []string) {
	var models []string
	a = checked(a, func(body []byte) (err error) { models, err = ollama.ParseTags(body); return err })
	for i := range models {
		models[i] = printable(models[i], maxDetail)
	}
	return a, models
}

// checked is an answer whose body has to be what Ollama says.
func checked(a Answer, parse func(body []byte) error) Answer {
	if a.Result == OK {
		if err := parse([]byte(a.Body)); err != nil {
			a.Result, a.Detail = Other, err.Error()
		}
	}
	return a
}

// tagsURL is where Ollama lists its models, for a URL as clients are given it:
// of the server itself, or of one of its interfaces under /v1 or /api.
func tagsURL(raw string) (*url.URL, error) {
	u, bare, err := readURL(raw)
	if err != nil || bare {
		return nil, fmt.Errorf("%q is not a URL that begins with http:// or https:// and names a host", withoutSecrets(raw))
	}
	path := strings.TrimRight(u.Path, "/")
	for _, end := range []string{"/v1", "/api"} {
		if at := strings.Index(path+"/", end+"/"); at >= 0 {
			path = path[:at]
		}
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: path + "/api/tags"}, nil
}
