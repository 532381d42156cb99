package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/clients"
	"github.com/ollama-bind/ollama-bind/internal/container/fetch"
	"github.com/ollama-bind/ollama-bind/internal/container/listen"
	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// measurement is everything that is fetched from inside one container.
type measurement struct {
	Probe
	container Container
	server    Server
	listeners *listen.Pair
	siblings  func(context.Context, Runtime) []Container
	tag       string // that its fetches of our listeners carry

	urls     []ClientURL
	hosts    []HostResult
	own      []HostResult // by the hosts in the container's own URLs
	requests []fetch.Request
	// keep stores the answer to the request of the same index.
	keep []func(Answer)
}

// run makes the fetches, all at once, and draws the conclusions.
func (m *measurement) run(ctx context.Context) []ClientURL {
	m.plan()
	answers, via, err := m.fetch(ctx, m.requests)
	for i, a := range answers {
		m.keep[i](a)
	}
	// A name that leads to none of our listeners is not this machine.
	for _, h := range m.own {
		if h.Loopback.Result == OK || h.Wildcard.Result == OK {
			m.hosts = append(m.hosts, h)
		}
	}
	for i := range m.urls {
		u := &m.urls[i]
		u.Image = via.image
		if u.Err = err; err == nil {
			u.Hosts, u.Tool = m.hosts, via.tool
			m.judge(ctx, u, via)
		}
	}
	return m.urls
}

// judge draws the conclusion, and looks closer if that would change it.
func (m *measurement) judge(ctx context.Context, u *ClientURL, via via) {
	if u.Answer.Status == 403 {
		u.Why403 = m.why403(ctx, via, u)
	}
	if u.Answer.Result != OK && u.mayBeContainer() {
		u.Sibling = siblingOf(u, m.siblings(ctx, u.Container.Runtime))
	}
	u.Diagnosis = Judge(*u, m.server)
	if u.Cause == ByNetwork || u.Cause == ByDNS {
		m.lookAtNetworks(ctx, &u.Container)
		u.Diagnosis = Judge(*u, m.server)
	}
}

// plan lists the fetches: Ollama at the container's own URLs and by each of the host's
// names, and our two listeners by those names. A container without such a name, not
// even a gateway, is asked for the usual one anyway: that it does not get there is the
// answer.
func (m *measurement) plan() {
	names := m.container.askedNames()
	if len(names) == 0 {
		names = []string{m.container.Runtime.HostName()}
	}
	m.urls = m.ownURLs(names[0])
	own := names
	for i := range m.urls {
		m.planURL(&m.urls[i])
		if host := m.urls[i].host(); host != "" && m.container.leadsToSelf(host) == "" && !containsFold(own, host) {
			own = append(slices.Clip(own), host)
		}
	}
	all := make([]HostResult, len(own))
	for i, host := range own {
		all[i].Host = host
		m.planHost(&all[i], fmt.Sprintf("%s-%d", m.tag, i))
	}
	m.hosts, m.own = all[:len(names):len(names)], all[len(names):]
}

func containsFold(all []string, one string) bool {
	return slices.ContainsFunc(all, func(s string) bool { return strings.EqualFold(s, one) })
}

func (m *measurement) add(r fetch.Request, keep func(Answer)) {
	m.requests = append(m.requests, r)
	m.keep = append(m.keep, keep)
}

// ownURLs are the URLs to ask: the one given, those of the container's environment, or
// the one that we would recommend.
func (m *measurement) ownURLs(host string) []ClientURL {
	c := m.container
	targets := clients.Targets(c.Env, m.Port, m.server.Port)
	if c.isOllama() { // what it has is an address to listen on
		targets = slices.DeleteFunc(targets, func(t clients.Target) bool { return t.Variable == ollama.Variable })
	}
	if m.URL != "" {
		targets = []clients.Target{{Variable: "--url", Value: m.URL, URL: m.URL}}
	}
	if len(targets) == 0 {
		targets = []clients.Target{{URL: ClientURL{}.right(host, m.server.Port)}}
	}
	var all []ClientURL
	for _, t := range targets {
		// The secrets of a URL are kept for the fetch, and never shown.
		all = append(all, ClientURL{
			Container: c,
			Source:    t.Variable,
			Value:     shown(t.Value),
			URL:       shown(t.URL),
			fetched:   t.URL,
		})
	}
	return all
}

// shown is a URL for people to see.
func shown(raw string) string {
	safe := text.WithoutSecrets(raw)
	if short := text.Printable(safe, text.MaxDetail); short != safe {
		return short + "..."
	}
	return safe
}

func (m *measurement) planURL(u *ClientURL) {
	base, err := tagsURL(u.fetched)
	if err != nil {
		u.Answer = Answer{Detail: err.Error()}
		return
	}
	own, err := fetch.NewRequest(base.String(), m.Origin)
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
	u.Proxied = &Proxied{Variable: variable, Proxy: text.WithoutSecrets(proxy)}
	direct, _ := fetch.NewRequest(base.String(), "")
	if through, err := direct.Through(proxy); err == nil {
		u.Proxied.Measured = true
		m.add(through, func(a Answer) { u.Proxied.Answer, u.Proxied.Models = readTags(a) })
	}
}

func (m *measurement) planHost(h *HostResult, tag string) {
	get := func(url string, keep func(Answer)) {
		r, _ := fetch.NewRequest(url, "") // inspect lets only hosts through
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

// via is how fetches were made.
type via struct{ tool, image string }

// fetch makes the requests with the container's own tools, or in a temporary container
// beside it.
func (m *measurement) fetch(ctx context.Context, requests []fetch.Request) ([]Answer, via, error) {
	c := m.container
	var broken error
	if err := c.notAskable(); err != nil {
		return nil, via{}, err
	}
	if c.Name != "" && m.Image == "" {
		answers, tool, err := fetch.Fetch(ctx, inside(m.Runner, c), requests, m.Patience)
		_, failed := errors.AsType[*launchctl.ExitError](err)
		failed = failed || errors.Is(err, fetch.ErrNotUnderstood) || errors.Is(err, fetch.ErrNoFetcher)
		if !failed {
			return answers, via{tool: tool}, err
		}
		if state := m.stateNow(ctx); state != nil {
			return nil, via{}, state
		}
		broken = err // such as one that may start no more processes
	}
	image := m.Image
	if image == "" {
		var err error
		if image, err = localImage(ctx, m.Runner, c.Runtime); err != nil {
			if errors.Is(broken, fetch.ErrNoFetcher) {
				broken = err
			}
			return nil, via{}, cmp.Or(broken, err)
		}
	}
	m.sweep(ctx, c.Runtime)
	answers, tool, err := fetch.Fetch(ctx, m.beside(c, image), requests, m.Patience)
	return answers, via{tool, image}, err
}

// notAskable says why nothing can run in a container, nil if no reason is known.
func (c Container) notAskable() error {
	switch {
	case c.Err != nil:
		return c.Err
	case c.Restarting:
		return ErrRestarting
	case c.Paused:
		return ErrPaused
	case c.Created:
		return ErrCreated
	case c.Name != "" && !c.Running:
		return ErrNotRunning
	}
	return nil
}

// stateNow says why the container could not be asked, if its state has changed since:
// one that ends at once runs now and then.
func (m *measurement) stateNow(ctx context.Context) error {
	now, err := inspectOne(ctx, m.Runner, m.container.Runtime, m.container.ID)
	switch {
	case err != nil:
		return nil
	case now.Restarts > m.container.Restarts || now.Restarts > 0 && !now.Running:
		return ErrRestarting
	}
	return now.notAskable()
}

// why403 finds the reason for a 403: it fetches once more without the Origin, and with
// a Host that Ollama always accepts.
func (m *measurement) why403(ctx context.Context, via via, u *ClientURL) Cause {
	base, _ := tagsURL(u.fetched) // already fetched
	noOrigin, _ := fetch.NewRequest(base.String(), "")
	localhost, _ := fetch.NewRequest(base.String(), m.Origin)
	localhost.Headers[0][1] = "localhost"
	again := *m
	again.Image = via.image
	answers, _, err := again.fetch(ctx, []fetch.Request{noOrigin, localhost})
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

// readTags accepts an answer as Ollama's only if it is a list of models.
func readTags(a Answer) (Answer, []string) {
	var models []string
	a = checked(a, func(body []byte) (err error) { models, err = ollama.ParseTags(body); return err })
	for i := range models {
		models[i] = text.Printable(models[i], text.MaxDetail)
	}
	return a, models
}

// checked is an answer whose body has to be what Ollama sends.
func checked(a Answer, parse func(body []byte) error) Answer {
	if a.Result == OK {
		if err := parse([]byte(a.Body)); err != nil {
			a.Result, a.Detail = Other, err.Error()
		}
	}
	return a
}

// tagsURL is where Ollama lists its models, for a URL as clients get it: of the server
// itself, or of one of its interfaces under /v1 or /api.
func tagsURL(raw string) (*url.URL, error) {
	u, bare, err := text.ReadURL(raw)
	if err != nil || bare {
		return nil, fmt.Errorf("%q is not a URL that begins with http:// or https:// and names a host", text.WithoutSecrets(raw))
	}
	path := strings.TrimRight(u.Path, "/")
	for _, end := range []string{"/v1", "/api"} {
		if at := strings.Index(path+"/", end+"/"); at >= 0 {
			path = path[:at]
		}
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: path + "/api/tags"}, nil
}
