package container

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Verdict is what a container's failure, or success, comes down to.
type Verdict string

// The verdicts.
const (
	Reachable     Verdict = "reachable"
	URLWrong      Verdict = "url-wrong"      // Ollama can be reached; the container asks somewhere else
	RebindNeeded  Verdict = "rebind-needed"  // the container reaches what listens on every interface, and Ollama does not
	RebindUseless Verdict = "rebind-useless" // the container reaches nothing on the host, however it is bound
	OllamaDown    Verdict = "ollama-down"    // it does not answer on the host itself
	NoRuntime     Verdict = "no-runtime"     // there is nobody to ask from
)

// Server is Ollama as the host itself sees it.
type Server struct {
	Port     int
	Loopback bool // it answers on 127.0.0.1
	Outside  bool // it answers on another address of the host
	// Bound is the one address of the host that it listens on, where that is
	// neither loopback nor all of them; else "".
	Bound string
	// Why says why it does not answer at all, Hint what to do, and Cause is
	// the same in one word, kebab-case.
	Why, Hint, Cause string
}

// Answers reports whether Ollama answers on the host at all.
func (s Server) Answers() bool { return s.Loopback || s.Outside }

// Reach is what a container gets from the host by one of its names.
type Reach struct {
	Host     string // the name, or address, that the container uses
	Address  string // that it led to, "" where the tool does not tell
	Loopback Sight  // our listener on 127.0.0.1
	Wildcard Sight  // our listener on every interface
	Ollama   Answer // to /api/version
}

// Sight is one fetch of a listener of ours.
type Sight struct {
	Result Result
	Peer   string // the address that the listener saw, "" if it saw nobody
}

// Target is one URL that a container uses for Ollama, and what came of it.
type Target struct {
	Container Container
	// Source is the variable that the URL stands in, "--url", or "" where the
	// container has none and ours was tried.
	Source string
	Value  string // as it stands there, without credentials
	URL    string // the base URL, without credentials; /api/tags under it was fetched
	asked  string // the same with credentials
	Answer Answer
	Models []string // by name, as Ollama lists them
	// Why403 tells the reasons for a 403 apart: "host-check", "origin", or "".
	Why403  string
	Proxied *Proxied // what a proxy variable makes of it, nil without one
	Reaches []Reach
	Tool    string // what the fetches were made with
	Image   string // of the throw-away container they were made in, or ""
	// Err says why nothing could be fetched. There is no verdict then.
	Err error

	Diagnosis
}

// Proxied is the same fetch through the proxy that the container's environment
// names.
type Proxied struct {
	Variable string
	Proxy    string // its value, without credentials
	Answer   Answer
	// Measured is false for a proxy of a kind that cannot be tried.
	Measured bool
}

func (p *Proxied) breaks() bool { return p != nil && p.Measured && p.Answer.Result != OK }

// Diagnosis is the conclusion.
type Diagnosis struct {
	Verdict Verdict
	Cause   string // kebab-case, "" for the plain case
	Summary string // one line
	// RightURL is what the container should use, "" where that is unknown or
	// what it uses already.
	RightURL string
	Fix      string // what to paste or to do, "" if nothing
}

// Judge draws the conclusion from what was measured. fix is the command that
// binds Ollama to all interfaces.
func Judge(t Target, s Server, fix string) Diagnosis {
	switch {
	case t.answered() && t.Proxied.breaks():
		return t.proxyBreaks()
	case t.answered():
		return Diagnosis{Verdict: Reachable, Summary: t.reachedSummary()}
	}
	if r := t.firstReach(Reach.ollama); r != nil {
		return t.wrongURL(r.Host, s)
	}
	switch {
	case !s.Answers():
		return Diagnosis{Verdict: OllamaDown, Cause: s.Cause, Summary: s.Why, Fix: s.Hint}
	case t.firstReach(Reach.loopback) != nil && s.Loopback:
		return t.refusedByOllama(s)
	case t.firstReach(Reach.wildcard) != nil && !(s.Loopback && s.Outside):
		return t.rebindNeeded(s, fix)
	}
	return t.useless(s)
}

// answered reports whether Ollama itself answered at the container's own URL.
func (t Target) answered() bool { return t.Answer.Result == OK && t.Models != nil }

func (t Target) reachedSummary() string {
	what := "no models"
	switch len(t.Models) {
	case 0:
	case 1:
		what = "1 model, " + t.Models[0]
	default:
		what = fmt.Sprintf("%d models, first %s", len(t.Models), t.Models[0])
	}
	return fmt.Sprintf("%s answers: status %d, %s", t.URL, t.Answer.Status, what)
}

func (t Target) proxyBreaks() Diagnosis {
	host := t.Host()
	return Diagnosis{
		Verdict: URLWrong,
		Cause:   "proxy",
		Summary: fmt.Sprintf("%s answers, but the container's %s sends it to %s, where it ends in %s", t.URL, t.Proxied.Variable, t.Proxied.Proxy, t.Proxied.Answer),
		Fix:     fmt.Sprintf("start the container with NO_PROXY=%s and no_proxy=%s", host, host),
	}
}

// wrongURL is for a container that could have Ollama by the name host.
func (t Target) wrongURL(host string, s Server) Diagnosis {
	d := Diagnosis{Verdict: URLWrong, Cause: string(t.Answer.Result), RightURL: t.right(host, s.Port)}
	if d.RightURL == t.URL {
		return t.wrongPath(d)
	}
	d.Summary = fmt.Sprintf("Ollama answers this container at %s, but its URL is %s (%s)", d.RightURL, t.URL, t.Answer)
	if trap, ok := t.trap(); ok {
		d.Cause = trap.ID
		d.Summary = fmt.Sprintf("Ollama answers this container at %s, but its URL is %s: %s", d.RightURL, t.URL, trap.Text)
	}
	d.Fix = t.useURL(d.RightURL)
	return d
}

// wrongPath is for a URL that leads to Ollama, and has not got its models there.
func (t Target) wrongPath(d Diagnosis) Diagnosis {
	if u, err := url.Parse(t.URL); err == nil && strings.Trim(u.Path, "/") != "" && t.Answer.Status == 404 {
		d.RightURL = "http://" + u.Host
		d.Cause = "path"
		d.Summary = fmt.Sprintf("Ollama answers this container at %s, but not under the path of its URL, %s", d.RightURL, t.URL)
		d.Fix = t.useURL(d.RightURL)
		return d
	}
	d.Verdict, d.RightURL = Reachable, ""
	d.Summary = fmt.Sprintf("%s is Ollama, but its list of models is not to be had (%s)", t.URL, t.Answer)
	return d
}

// refusedByOllama is for a container that reaches the loopback that Ollama
// answers on, and gets no answer from it.
func (t Target) refusedByOllama(s Server) Diagnosis {
	r := t.firstReach(Reach.loopback)
	d := Diagnosis{Verdict: URLWrong, Cause: string(r.Ollama.Result)}
	d.Summary = fmt.Sprintf("the container reaches this machine's loopback as %s, so no rebind is needed, but Ollama on port %d gives it %s", r.Host, s.Port, r.Ollama)
	d.RightURL = t.right(r.Host, s.Port)
	d.Fix = t.useURL(d.RightURL)
	return d
}

func (t Target) rebindNeeded(s Server, fix string) Diagnosis {
	host := t.firstReach(Reach.wildcard).Host
	d := Diagnosis{Verdict: RebindNeeded, RightURL: t.right(host, s.Port), Fix: fix}
	on := "127.0.0.1 only"
	if s.Bound != "" {
		on = s.Bound + " only"
		d.Cause = "listens-elsewhere"
	}
	d.Summary = fmt.Sprintf("the container reaches this machine as %s, but Ollama listens on %s", host, on)
	if d.RightURL == t.URL {
		d.RightURL = ""
		return d
	}
	if trap, ok := t.trap(); ok {
		d.Cause = trap.ID
	}
	if t.Source != "" {
		d.Summary += fmt.Sprintf("; and the container's URL is not %s but %s", d.RightURL, t.URL)
	}
	return d
}

// useless is for a container that a rebind would not help.
func (t Target) useless(s Server) Diagnosis {
	d := Diagnosis{Verdict: RebindUseless, Cause: "network"}
	names := strings.Join(t.names(), ", ")
	switch {
	case t.firstReach(Reach.wildcard) != nil:
		d.Cause = "firewall"
		d.Summary = fmt.Sprintf("the container reaches this machine, and Ollama answers on all of its interfaces, but not to the container (%s): a firewall may let our listener pass and Ollama not", t.firstReach(Reach.wildcard).Ollama)
		d.Fix = "let this machine's firewall pass incoming connections for ollama (on a Mac: System Settings > Network > Firewall)"
	case t.Container.NetworkMode == "none":
		d.Cause = "network-none"
		d.Summary = "the container has no network"
		d.Fix = "start it without --network none"
	case t.misled():
		d.Cause = "extra-hosts"
		d.Summary = fmt.Sprintf("the container reaches nothing on this machine by %s: its extra_hosts lead somewhere else", names)
		d.Fix = "remove the extra_hosts (--add-host) lines for this machine, and start the container again"
	default:
		d.Summary = fmt.Sprintf("the container reaches nothing on this machine by %s, however it is bound: its network, a VPN or a firewall is in the way", names)
		d.Fix = fmt.Sprintf("%s network inspect %s", t.Container.Runtime.Tool, t.networkName())
	}
	return d
}

// misled reports whether a name of the host is one that extra_hosts sends
// somewhere.
func (t Target) misled() bool {
	return slices.ContainsFunc(t.Reaches, func(r Reach) bool { return t.Container.Maps(r.Host) })
}

// Maps reports whether the container's extra_hosts say where a name leads.
func (c Container) Maps(name string) bool {
	return slices.ContainsFunc(c.ExtraHosts, func(e ExtraHost) bool { return strings.EqualFold(e.Name, name) })
}

func (t Target) networkName() string {
	if len(t.Container.Networks) > 0 {
		return t.Container.Networks[0].Name
	}
	return "bridge"
}

func (t Target) trap() (Trap, bool) {
	if t.Source == "" {
		return Trap{}, false
	}
	if t.Why403 != "" {
		return Trap{t.Why403, why403[t.Why403]}, true
	}
	return t.Container.Trap(t.Source, t.Value)
}

var why403 = map[string]string{
	"host-check": "Ollama on loopback refuses that name (its Host check wants an IP address or a name that ends in .internal, .local or .localhost)",
	"origin":     "Ollama refuses that Origin (OLLAMA_ORIGINS)",
}

func (t Target) useURL(right string) string {
	if t.Source == "" || strings.HasPrefix(t.Source, "-") {
		return "use " + right
	}
	return fmt.Sprintf("start the container with %s=%s", t.Source, right)
}

// right is the container's URL with the host and port put right.
func (t Target) right(host string, port int) string {
	authority := net.JoinHostPort(host, strconv.Itoa(port))
	u, err := url.Parse(t.URL)
	if err != nil || t.URL == "" {
		return "http://" + authority
	}
	u.Scheme, u.Host = "http", authority
	return u.String()
}

func (t Target) names() []string {
	var names []string
	for _, r := range t.Reaches {
		names = append(names, r.Host)
	}
	return names
}

func (t Target) firstReach(ok func(Reach) bool) *Reach {
	for i := range t.Reaches {
		if ok(t.Reaches[i]) {
			return &t.Reaches[i]
		}
	}
	return nil
}

func (r Reach) ollama() bool   { return r.Ollama.Result == OK }
func (r Reach) loopback() bool { return r.Loopback.Result == OK }
func (r Reach) wildcard() bool { return r.Wildcard.Result == OK }

// String is the answer in a few words.
func (a Answer) String() string {
	switch {
	case a.Result == "":
		return a.Detail
	case a.Detail == "":
		return string(a.Result)
	}
	return fmt.Sprintf("%s: %s", a.Result, a.Detail)
}

// Host is the name or address in the target's URL.
func (t Target) Host() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return t.URL
	}
	return u.Hostname()
}
