package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// measurement is all that is fetched from inside of one container.
type measurement struct {
	Probe
	container Container
	server    Server
	listeners *Listeners
	tag       string // that its fetches of our listeners carry

	targets  []Target
	reaches  []Reach
	requests []Request
	// keep puts the answer to the request of the same index where it belongs.
	keep []func(Answer)
}

// run makes the fetches, all at once, and draws the conclusions.
func (m *measurement) run(ctx context.Context) []Target {
	m.plan()
	answers, with, err := m.fetch(ctx, m.requests)
	if err != nil {
		for i := range m.targets {
			m.targets[i].Image, m.targets[i].Err = with.image, err
		}
		return m.targets
	}
	for i, a := range answers {
		m.keep[i](a)
	}
	for i := range m.targets {
		t := &m.targets[i]
		t.Reaches, t.Tool, t.Image = m.reaches, with.tool, with.image
		if t.Answer.Status == 403 {
			t.Why403 = m.why403(ctx, with, t.asked)
		}
		t.Diagnosis = Judge(*t, m.server)
	}
	return m.targets
}

// plan says what is to be fetched: Ollama by the container's own URLs, and by
// each of the host's names Ollama and our two listeners.
func (m *measurement) plan() {
	m.targets = m.ownURLs()
	for i := range m.targets {
		m.planTarget(&m.targets[i])
	}
	names := m.hosts()
	m.reaches = make([]Reach, len(names))
	for i, host := range names {
		m.reaches[i].Host = host
		m.planHost(&m.reaches[i], fmt.Sprintf("%s-%d", m.tag, i))
	}
}

func (m *measurement) add(r Request, keep func(Answer)) {
	m.requests = append(m.requests, r)
	m.keep = append(m.keep, keep)
}

// ownURLs are the URLs to be asked: the one that was given, or those of the
// container's environment, or else the one that we would tell it to use.
func (m *measurement) ownURLs() []Target {
	c := m.container
	if m.URL != "" {
		return []Target{newTarget(c, Setting{"--url", m.URL, m.URL})}
	}
	var all []Target
	for _, s := range c.OllamaURLs() {
		all = append(all, newTarget(c, s))
	}
	if len(all) > 0 {
		return all
	}
	t := Target{Container: c}
	t.URL = t.right(m.hosts()[0], m.server.Port)
	t.asked = t.URL
	return []Target{t}
}

// newTarget keeps the secrets of a URL for the fetch, and shows them nowhere.
func newTarget(c Container, s Setting) Target {
	return Target{
		Container: c,
		Source:    s.Variable,
		Value:     withoutSecrets(s.Value),
		URL:       withoutSecrets(s.URL),
		asked:     s.URL,
	}
}

// withoutSecrets is a URL, or what is meant to be one, without what stands before
// its host and behind its path: names, passwords and keys.
func withoutSecrets(raw string) string {
	scheme, rest, found := strings.Cut(raw, "//")
	if !found {
		scheme, rest = "", raw
	}
	login := rest
	if _, err := url.Parse(raw); found && err == nil {
		login = rest[:authorityEnd(rest)] // an @ behind it is no login's
	}
	rest = rest[strings.LastIndexByte(login, '@')+1:]
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	if query != "" {
		rest += "?..."
	}
	if found {
		return scheme + "//" + rest
	}
	return rest
}

func authorityEnd(text string) int {
	if end := strings.IndexAny(text, "/?#"); end >= 0 {
		return end
	}
	return len(text)
}

// hosts are the names of the host to be tried. A container that has none, not
// even a gateway, is asked for the usual one all the same: that it does not get
// there is the answer.
func (m *measurement) hosts() []string {
	if names := m.container.HostNames(); len(names) > 0 {
		return names
	}
	return []string{m.container.Runtime.HostName()}
}

func (m *measurement) planTarget(t *Target) {
	base, err := tagsURL(t.asked)
	if err != nil {
		t.Answer = Answer{Detail: err.Error()}
		return
	}
	own := Request{URL: base.String(), Origin: m.Origin}
	if err := own.Check(); err != nil {
		t.Answer = Answer{Detail: err.Error()}
		return
	}
	m.add(own, func(a Answer) { t.Answer, t.Models = readTags(a) })
	variable, value := t.Container.Proxy(base)
	if value == "" {
		return
	}
	proxy := readProxy(value)
	t.Proxied = &Proxied{Variable: variable, Proxy: shown(proxy)}
	through := Request{URL: base.String(), Proxy: proxy.String()}
	if through.Check() == nil {
		t.Proxied.Measured = true
		m.add(through, func(a Answer) { t.Proxied.Answer, t.Proxied.Models = readTags(a) })
	}
}

func (m *measurement) planHost(r *Reach, tag string) {
	look := func(l *Listener, sight *Sight) {
		m.add(Request{URL: l.URL(r.Host, tag)}, func(a Answer) {
			*sight = see(l, tag, a)
			if r.Address == "" {
				r.Address = a.Address
			}
		})
	}
	look(m.listeners.Loopback(), &r.Loopback)
	look(m.listeners.Wildcard(), &r.Wildcard)
	version := "http://" + net.JoinHostPort(r.Host, strconv.Itoa(m.server.Port)) + "/api/version"
	m.add(Request{URL: version}, func(a Answer) { r.Ollama = readVersion(a) })
}

// means is what fetches were made with.
type means struct{ tool, image string }

// fetch makes the requests with what the container has, or else in a throw-away
// container beside it.
func (m *measurement) fetch(ctx context.Context, requests []Request) ([]Answer, means, error) {
	c := m.container
	switch {
	case c.Err != nil:
		return nil, means{}, c.Err
	case c.Paused:
		return nil, means{}, ErrPaused
	case c.Name != "" && !c.Running:
		return nil, means{}, ErrNotRunning
	}
	if c.Name != "" && m.Image == "" {
		answers, tool, err := fetch(ctx, inside(m.Runner, c), requests, m.Patience)
		if !errors.Is(err, errNoFetcher) {
			return answers, means{tool: tool}, err
		}
	}
	with := means{image: m.Image}
	if with.image == "" {
		var err error
		if with.image, err = localImage(ctx, m.Runner, c.Runtime); err != nil {
			return nil, with, err
		}
	}
	m.sweep(ctx, c.Runtime)
	answers, tool, err := fetch(ctx, m.beside(c, with.image), requests, m.Patience)
	with.tool = tool
	return answers, with, err
}

// why403 tells the reasons for a 403 apart: it fetches once more without the
// Origin, and with a Host that Ollama always takes.
func (m *measurement) why403(ctx context.Context, with means, target string) string {
	base, err := tagsURL(target)
	if err != nil {
		return ""
	}
	again := *m
	again.Image = with.image
	answers, _, err := again.fetch(ctx, []Request{{URL: base.String()}, {URL: base.String(), Origin: m.Origin, Host: "localhost"}})
	switch {
	case err != nil:
		return ""
	case m.Origin != "" && answers[0].Result == OK:
		return "origin"
	case answers[1].Result == OK:
		return "host-check"
	}
	return ""
}

// readProxy reads the value of a proxy variable, which may lack its scheme.
func readProxy(value string) *url.URL {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// shown is a proxy without what it takes to log in there, wherever in a value
// that is no proper URL that may stand.
func shown(proxy *url.URL) string {
	if proxy.Host == "" || strings.Contains(proxy.Path, "@") {
		return "not a URL"
	}
	return proxy.Scheme + "://" + proxy.Host
}

// see takes an answer for our listener's only if it is the one that only it
// can give.
func see(l *Listener, tag string, a Answer) Sight {
	s := Sight{Result: a.Result}
	if a.Result == OK && !l.Answered(a.Body) {
		s.Result = Other
	}
	if peer, ok := l.Peer(tag); ok {
		s.Peer = peer.String()
	}
	return s
}

// readTags takes an answer for Ollama's only if it is a list of models.
func readTags(a Answer) (Answer, []string) {
	if a.Result != OK {
		return a, nil
	}
	models, err := ollama.ParseTags([]byte(a.Body))
	if err != nil {
		a.Result, a.Detail = Other, err.Error()
		return a, nil
	}
	for i := range models {
		models[i] = oneLine(models[i])
	}
	return a, models
}

func readVersion(a Answer) Answer {
	if a.Result != OK {
		return a
	}
	if _, err := ollama.ParseVersion([]byte(a.Body)); err != nil {
		a.Result, a.Detail = Other, err.Error()
	}
	return a
}

// tagsURL is where Ollama lists its models, for a URL as clients are given it:
// of the server itself, or of one of its interfaces under /v1 or /api.
func tagsURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
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
