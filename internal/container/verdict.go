package container

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container/text"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// Verdict sums up a container's failure, or success.
type Verdict string

// The verdicts.
const (
	Reachable     Verdict = "reachable"
	URLWrong      Verdict = "url-wrong"      // Ollama can be reached; the container asks somewhere else
	RebindNeeded  Verdict = "rebind-needed"  // the container reaches what listens on every interface, and Ollama does not
	RebindUseless Verdict = "rebind-useless" // the container reaches nothing on the host, however it is bound
	OllamaDown    Verdict = "ollama-down"    // it does not answer on the host itself
	NoRuntime     Verdict = "no-runtime"     // there is no runtime to ask from
)

// Cause is the reason for a verdict, in kebab-case; "" is the simple case. It can be
// one of the causes below, the ID of a URLProblem, a [Result], or a [Server]'s cause.
type Cause string

// The causes that lie neither only in the URL nor in an answer.
const (
	ByProxy          Cause = "proxy"             // the container's proxy breaks what works without it
	ByOrigin         Cause = "origin"            // Ollama refuses the Origin that was sent
	ByPath           Cause = "path"              // Ollama answers, but not under the URL's path
	ByFirewall       Cause = "firewall"          // our listener on all interfaces is reached, and Ollama is not
	ListensElsewhere Cause = "listens-elsewhere" // Ollama listens on one address, [Server.Bound]
	ByNetwork        Cause = "network"           // nothing on the host is reached
	InternalNetwork  Cause = "internal-network"  // its networks lead to no host
	BorrowedNetwork  Cause = "borrowed-network"  // its network is that of another container
	ByDNS            Cause = "dns"               // none of the host's names resolves
	EngineElsewhere  Cause = "engine-elsewhere"  // the engine is on another machine
	BySibling        Cause = "sibling"           // the URL leads to another container, which does not answer there
	SiblingPort      Cause = "sibling-port"      // the same, and Ollama's port in there is another one
	OtherMachine     Cause = "other-machine"     // the URL leads to another machine, which does not answer
	NoNetwork        Cause = "network-none"      // the container has none
	ByExtraHosts     Cause = "extra-hosts"       // extra_hosts lead the host's names elsewhere
)

// Server is Ollama as seen from the host itself.
type Server struct {
	Port     int
	Loopback bool // it answers on 127.0.0.1
	Outside  bool // it answers on another address of the host
	// Bound is the one address of the host that it listens on, if that is neither
	// loopback nor all of them; otherwise "".
	Bound string
	// Cause says why it does not answer at all, "" if it does.
	Cause Cause
}

// Answers reports whether Ollama answers on the host at all.
func (s Server) Answers() bool { return s.Loopback || s.Outside }

// HostResult is what a container gets from the host by one of its names.
type HostResult struct {
	Host     string // the name, or address, that the container uses
	Address  string // that it led to, "" where the tool does not tell
	Loopback ListenerResult
	Wildcard ListenerResult
	Ollama   Answer // to /api/version
}

// ListenerResult is one fetch from a listener of ours, on 127.0.0.1 or on all
// interfaces.
type ListenerResult struct {
	Result Result
	Peer   string // the address that the listener saw, "" if it saw none
}

// ClientURL is one URL that a container uses for Ollama, and the result.
type ClientURL struct {
	Container Container
	// Source is the variable that holds the URL, "--url", or "" if the container has
	// none and ours was tried.
	Source  string
	Value   string // as it stands there, without credentials
	URL     string // the base URL, without credentials; /api/tags under it was fetched
	fetched string // the same with credentials
	Answer  Answer
	Models  []string // by name, as Ollama lists them
	// Why403 is the reason for a 403: HostCheck, ByOrigin, or "".
	Why403  Cause
	Proxied *Proxied // what a proxy variable makes of it, nil without one
	Hosts   []HostResult
	Sibling *Sibling // the container that the URL leads to, nil for none
	Tool    string   // what the fetches were made with
	Image   string   // of the temporary container they were made in, or ""
	// Err says why nothing could be fetched. Then there is no verdict.
	Err error

	Diagnosis
}

// Proxied is the same fetch through the proxy in the container's environment.
type Proxied struct {
	Variable string
	Proxy    string // its value, without credentials
	Answer   Answer
	Models   []string
	// Measured is false for a kind of proxy that cannot be tried.
	Measured bool
}

// Answers reports whether Ollama answers through the proxy, if there is one.
func (p *Proxied) Answers() bool { return p != nil && p.Measured && p.Answer.Result == OK }

// Diagnosis is the conclusion.
type Diagnosis struct {
	Verdict Verdict
	Cause   Cause
	// Problem is what is wrong with the URL itself, zero if nothing is known.
	Problem URLProblem
	// Host is the container's result by the name that the verdict rests on; zero if it
	// reaches nothing by any, or reaches Ollama at its own URL.
	Host HostResult
	// RightURL is what the container should use, "" if that is unknown or what it uses
	// already.
	RightURL string
	Port     int // Ollama's on this machine
}

// Judge draws the conclusion from the measurements.
func Judge(u ClientURL, s Server) Diagnosis {
	answered := u.Answer.Result == OK
	right, hasRight := u.best(s.Port, func(h HostResult) Result { return h.Ollama.Result })
	switch {
	case answered && u.Proxied != nil && u.Proxied.Measured && !u.Proxied.Answers():
		return Diagnosis{Verdict: URLWrong, Cause: ByProxy}
	case answered, u.Proxied.Answers():
		// What is wrong anyway may stop a client less forgiving than our fetch.
		problem := u.problem()
		if problem.ID == BasePath && u.Container.addsPath(u.Source) {
			return Diagnosis{Verdict: URLWrong, Cause: BasePath, Problem: problem, RightURL: u.withoutPath()}
		}
		return Diagnosis{Verdict: Reachable, Cause: problem.ID, Problem: problem}
	case u.Why403 == ByOrigin:
		return Diagnosis{Verdict: URLWrong, Cause: ByOrigin}
	case u.Sibling != nil:
		return u.siblingURL()
	case u.leadsToOtherMachine():
		return Diagnosis{Verdict: URLWrong, Cause: OtherMachine, Host: right, Port: s.Port}
	case hasRight && u.Source == "" && !u.asks(right.Host, s.Port):
		return Diagnosis{Verdict: Reachable, Host: right, RightURL: u.right(right.Host, s.Port)}
	case hasRight:
		return u.wrongURL(right, s.Port)
	case !s.Answers():
		return Diagnosis{Verdict: OllamaDown, Cause: s.Cause}
	}
	return u.withoutOllama(s)
}

// siblingURL is for a URL that leads to another container.
func (u ClientURL) siblingURL() Diagnosis {
	d := Diagnosis{Verdict: URLWrong, Cause: BySibling}
	parsed, err := url.Parse(u.URL)
	if err == nil && u.Sibling.Ollama && u.Sibling.Running && parsed.Port() != strconv.Itoa(ollama.DefaultPort) {
		d.Cause, d.RightURL = SiblingPort, u.right(u.host(), ollama.DefaultPort)
	}
	return d
}

// leadsToOtherMachine reports whether the URL's host exists and is neither this machine
// nor a container. Names that do not resolve count as nothing, and a runtime's virtual
// machine has addresses of its own.
func (u ClientURL) leadsToOtherMachine() bool {
	host := u.host()
	ip := text.ParseIP(cmp.Or(u.Answer.Address, host))
	switch {
	case u.Source == "" || u.Source == "--url" || host == "" || u.Answer.Result == DNS || u.Answer.Result == OK || u.Answer.Result == "",
		u.problem().ID != "", ip.IsLoopback() || ip.IsUnspecified(),
		u.mayBeContainer() || u.Container.onNetwork(ip) || slices.Contains(u.Container.gateways(), ip.String()),
		containsFold(genericNames, host) || containsFold(u.Container.hostNames(), host),
		slices.ContainsFunc(runtimesOwn, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return false
	}
	return !slices.ContainsFunc(u.Hosts, func(h HostResult) bool { return strings.EqualFold(h.Host, host) })
}

// runtimesOwn are the networks between the runtimes' virtual machines and the host, and
// those of Docker's bridges.
var runtimesOwn = []netip.Prefix{
	netip.MustParsePrefix("192.168.65.0/24"), netip.MustParsePrefix("192.168.5.0/24"), netip.MustParsePrefix("192.168.127.0/24"),
	netip.MustParsePrefix("192.168.64.0/24"), netip.MustParsePrefix("10.0.2.0/24"), netip.MustParsePrefix("172.17.0.0/16"),
	netip.MustParsePrefix("0.250.250.0/24"), netip.MustParsePrefix("169.254.0.0/16"),
}

// withoutPath is the container's URL without the path that its client adds.
func (u ClientURL) withoutPath() string {
	for _, path := range []string{"/api", "/v1"} {
		if i := strings.Index(u.URL+"/", path+"/"); i > 0 {
			return u.URL[:i]
		}
	}
	return u.URL
}

// wrongURL is for a container that would reach Ollama by one of the host's names.
func (u ClientURL) wrongURL(host HostResult, port int) Diagnosis {
	d := Diagnosis{Verdict: URLWrong, Cause: Cause(u.Answer.Result), Host: host, RightURL: u.right(host.Host, port)}
	switch {
	case !u.asks(host.Host, port):
		d.Problem = u.problem()
		d.Cause = cmp.Or(d.Problem.ID, d.Cause)
	case u.Answer.Status == 404 && d.RightURL != u.URL:
		d.Cause = ByPath
	default: // it leads to Ollama, which has not listed its models
		d.Verdict, d.RightURL = Reachable, ""
	}
	return d
}

// withoutOllama is for a container that reaches Ollama nowhere, although it does answer
// on the host. Our listeners tell why.
func (u ClientURL) withoutOllama(s Server) Diagnosis {
	loopback, hasLoopback := u.best(s.Port, func(h HostResult) Result { return h.Loopback.Result })
	wildcard, hasWildcard := u.best(s.Port, func(h HostResult) Result { return h.Wildcard.Result })
	switch {
	case hasLoopback && s.Loopback:
		return refusedByOllama(loopback)
	case hasLoopback:
		return u.rebindNeeded(loopback, s)
	case hasWildcard && s.Loopback && s.Outside:
		return refusedByOllama(wildcard)
	case hasWildcard:
		return u.rebindNeeded(wildcard, s)
	}
	d := Diagnosis{Verdict: RebindUseless, Cause: ByNetwork}
	misled := func(h HostResult) bool { return u.Container.Misleads(h.Host) }
	switch {
	case u.Container.NetworkMode == "none":
		d.Cause = NoNetwork
	case slices.ContainsFunc(u.Hosts, misled):
		d.Cause = ByExtraHosts
	case u.Container.Runtime.Product == Remote:
		d.Cause = EngineElsewhere
	case u.Container.NetworkOf != "":
		d.Cause = BorrowedNetwork
	case u.Container.internal():
		d.Cause = InternalNetwork
	case !slices.ContainsFunc(u.Hosts, func(h HostResult) bool { return h.Wildcard.Result != DNS }):
		d.Cause = ByDNS
	}
	return d
}

// refusedByOllama is for a container that reaches what listens as Ollama does, but gets
// no answer of Ollama's.
func refusedByOllama(host HostResult) Diagnosis {
	d := Diagnosis{Verdict: RebindUseless, Cause: Cause(host.Ollama.Result), Host: host}
	if host.Ollama.Status == 0 && host.Loopback.Result != OK {
		d.Cause = ByFirewall
	}
	return d
}

// rebindNeeded is for a container that reaches this machine by a name of the host, on
// an address where Ollama does not listen.
func (u ClientURL) rebindNeeded(host HostResult, s Server) Diagnosis {
	d := Diagnosis{Verdict: RebindNeeded, Host: host}
	if s.Bound != "" {
		d.Cause = ListensElsewhere
	}
	if u.asks(host.Host, s.Port) {
		return d
	}
	d.RightURL = u.right(host.Host, s.Port)
	d.Problem = u.problem()
	d.Cause = cmp.Or(d.Problem.ID, d.Cause)
	return d
}

// Misleads reports whether the container's extra_hosts put a name at an address that is
// not known to be the host's.
func (c Container) Misleads(name string) bool {
	return slices.ContainsFunc(c.ExtraHosts, func(e ExtraHost) bool {
		toHost := !c.Runtime.VM() && slices.Contains(c.gateways(), e.Address) ||
			e.Address == "host-gateway" && !c.hostGatewayIsVM()
		return strings.EqualFold(e.Name, name) && !toHost
	})
}

func (u ClientURL) problem() URLProblem {
	switch {
	case u.Source == "":
		return URLProblem{}
	case u.Why403 == HostCheck:
		return URLProblem{ID: HostCheck}
	}
	return u.Container.URLProblem(u.Source, u.Value)
}

// asks reports whether the container's URL already leads to that host and port.
func (u ClientURL) asks(host string, port int) bool {
	parsed, err := url.Parse(u.URL)
	return err == nil && parsed.Scheme == "http" && strings.EqualFold(parsed.Hostname(), host) &&
		parsed.Port() == strconv.Itoa(port)
}

// right is the container's URL with host and port corrected. It keeps only Ollama's own
// paths, /v1 and /api.
func (u ClientURL) right(host string, port int) string {
	base := "http://" + net.JoinHostPort(host, strconv.Itoa(port))
	parsed, err := url.Parse(u.URL)
	if err != nil {
		return base
	}
	path := parsed.Path + "/"
	if parsed.Path == "/" || strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/api/") {
		return base + parsed.EscapedPath()
	}
	return base
}

// best is the host that reaches something: the one in the container's URL if it does,
// otherwise the first.
func (u ClientURL) best(port int, result func(HostResult) Result) (best HostResult, found bool) {
	for _, h := range u.Hosts {
		switch {
		case result(h) != OK:
		case u.asks(h.Host, port):
			return h, true
		case !found:
			best, found = h, true
		}
	}
	return best, found
}

// severity orders the verdicts.
var severity = []Verdict{Reachable, URLWrong, RebindNeeded, RebindUseless, OllamaDown, NoRuntime}

// Worst is the most severe verdict on all URLs, or "".
func (r Report) Worst() Verdict {
	if len(r.Runtimes) == 0 {
		return NoRuntime
	}
	worst := Verdict("")
	for _, u := range r.URLs {
		if slices.Index(severity, u.Verdict) > slices.Index(severity, worst) {
			worst = u.Verdict
		}
	}
	return worst
}
