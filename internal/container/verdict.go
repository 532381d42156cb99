package container

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
	"github.com/ollama-bind/ollama-bind/internal/shell"
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
	// Rebind is what makes it listen on all interfaces.
	Rebind string
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

// Who names the container that a target is about.
func (t Target) Who() string {
	switch {
	case t.Container.Name != "":
		return t.Container.Name
	case t.Image != "":
		return "a throw-away container of " + t.Image
	}
	return "a throw-away container"
}

// Proxied is the same fetch through the proxy that the container's environment
// names.
type Proxied struct {
	Variable string
	Proxy    string // its value, without credentials
	Answer   Answer
	Models   []string
	// Measured is false for a proxy of a kind that cannot be tried.
	Measured bool
}

func (p *Proxied) breaks() bool  { return p != nil && p.Measured && p.Answer.Result != OK }
func (p *Proxied) answers() bool { return p != nil && p.Measured && p.Answer.Result == OK }

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

// Judge draws the conclusion from what was measured.
func Judge(t Target, s Server) Diagnosis {
	right := t.bestReach(Reach.ollama, s.Port)
	switch {
	case t.answered() && t.Proxied.breaks():
		return t.proxyBreaks()
	case t.answered(), t.Proxied.answers():
		return t.reached()
	case t.Why403 == "origin":
		return t.wrongOrigin()
	case right != nil && t.Source == "" && !t.asks(right.Host, s.Port):
		url := t.right(right.Host, s.Port)
		return Diagnosis{Verdict: Reachable, Summary: "Ollama answers at " + url, RightURL: url}
	case right != nil:
		return t.wrongURL(right.Host, s)
	case !s.Answers():
		return Diagnosis{Verdict: OllamaDown, Cause: s.Cause, Summary: s.Why, Fix: s.Hint}
	}
	loopback, wildcard := t.bestReach(Reach.loopback, s.Port), t.bestReach(Reach.wildcard, s.Port)
	switch {
	case loopback != nil && s.Loopback:
		return t.refusedByOllama(*loopback, s)
	case loopback != nil:
		return t.rebindNeeded(loopback.Host, s)
	case wildcard != nil && !(s.Loopback && s.Outside):
		return t.rebindNeeded(wildcard.Host, s)
	case wildcard != nil:
		return t.refusedByOllama(*wildcard, s)
	}
	return t.useless()
}

// answered reports whether Ollama itself answered at the container's own URL.
func (t Target) answered() bool { return t.Answer.Result == OK }

// reached is for a container that has its Ollama, with what may yet be wrong for
// a client that is not as forgiving as our fetch.
func (t Target) reached() Diagnosis {
	d := Diagnosis{Verdict: Reachable, Summary: t.reachedSummary()}
	if trap, ok := t.trap(); ok {
		d.Cause = trap.ID
		d.Summary += fmt.Sprintf("; but of %s=%s: %s", t.Source, t.Value, trap.Text)
	}
	if t.Proxied != nil && !t.Proxied.Measured {
		d.Summary += fmt.Sprintf("; its %s (%s) could not be tried", t.Proxied.Variable, t.Proxied.Proxy)
	}
	return d
}

func (t Target) reachedSummary() string {
	models, status, through := t.Models, t.Answer.Status, ""
	if !t.answered() {
		models, status, through = t.Proxied.Models, t.Proxied.Answer.Status, ", through the proxy in "+t.Proxied.Variable
	}
	what := "no models"
	switch len(models) {
	case 0:
	case 1:
		what = "1 model, " + models[0]
	default:
		what = fmt.Sprintf("%d models, first %s", len(models), models[0])
	}
	return fmt.Sprintf("%s answers%s: status %d, %s", t.URL, through, status, what)
}

func (t Target) proxyBreaks() Diagnosis {
	return Diagnosis{
		Verdict: URLWrong,
		Cause:   "proxy",
		Summary: fmt.Sprintf("%s answers, but the container's %s sends it to %s, where it ends in %s", t.URL, t.Proxied.Variable, t.Proxied.Proxy, t.Proxied.Answer),
		Fix:     t.SpareProxy(),
	}
}

// SpareProxy says how to keep the container's proxy away from the host that it
// is to ask.
func (t Target) SpareProxy() string {
	host := hostIn(cmp.Or(t.RightURL, t.URL))
	return "start the container with " + t.noProxy(host)
}

// noProxy keeps what the container has in its NO_PROXY already.
func (t Target) noProxy(host string) string {
	env := t.Container.Env
	list := cmp.Or(env["no_proxy"], env["NO_PROXY"])
	if list != "" {
		host = list + "," + host
	}
	return fmt.Sprintf("NO_PROXY=%s and no_proxy=%s", shell.Quote(host), shell.Quote(host))
}

func (t Target) wrongOrigin() Diagnosis {
	return Diagnosis{
		Verdict: URLWrong,
		Cause:   "origin",
		Summary: t.URL + " is Ollama, which refuses that Origin, and answers without it",
		Fix:     "set OLLAMA_ORIGINS where Ollama is started, for web pages and browser extensions from elsewhere; programs on a server need none",
	}
}

// wrongURL is for a container that could have Ollama by the name host.
func (t Target) wrongURL(host string, s Server) Diagnosis {
	d := Diagnosis{Verdict: URLWrong, Cause: string(t.Answer.Result), RightURL: t.right(host, s.Port)}
	if t.asks(host, s.Port) {
		return t.wrongPath(d)
	}
	d.Summary = fmt.Sprintf("Ollama answers this container at %s, but its URL is %s (%s)", d.RightURL, t.URL, t.Answer)
	if trap, ok := t.trap(); ok {
		d.Cause = trap.ID
		d.Summary = fmt.Sprintf("Ollama answers this container at %s, but its URL is %s: %s", d.RightURL, t.URL, trap.Text)
	}
	d.Fix = t.UseURL(d.RightURL)
	return d
}

// wrongPath is for a URL that leads to Ollama, and has not got its models there.
func (t Target) wrongPath(d Diagnosis) Diagnosis {
	switch {
	case t.Answer.Status == 404 && d.RightURL != t.URL:
		d.Cause = "path"
		d.Summary = fmt.Sprintf("Ollama answers this container at %s, but not under the path of its URL, %s", d.RightURL, t.URL)
		d.Fix = t.UseURL(d.RightURL)
		return d
	case t.Answer.Status != 0:
		d.Summary = fmt.Sprintf("%s is Ollama, but its list of models is not to be had (%s)", t.URL, t.Answer)
	default:
		d.Summary = fmt.Sprintf("%s is Ollama, which answers now, and just now did not (%s): try again", t.URL, t.Answer)
	}
	d.Verdict, d.RightURL = Reachable, ""
	return d
}

// refusedByOllama is for a container that reaches what listens as Ollama does,
// and does not get Ollama's answer.
func (t Target) refusedByOllama(r Reach, s Server) Diagnosis {
	d := Diagnosis{Verdict: RebindUseless, Cause: string(r.Ollama.Result)}
	d.Summary = fmt.Sprintf("the container reaches this machine as %s, but from Ollama's port %d it gets %s: no rebind helps", r.Host, s.Port, r.Ollama)
	d.Fix = fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", s.Port)
	if r.Ollama.Status == 0 && r.Loopback.Result != OK {
		d.Cause = "firewall"
		d.Summary += "; a firewall may let our listener pass and Ollama not"
		d.Fix = "let this machine's firewall pass incoming connections for ollama (on a Mac: System Settings > Network > Firewall)"
	}
	return d
}

// rebindNeeded is for a container that reaches this machine as host, where Ollama
// does not listen.
func (t Target) rebindNeeded(host string, s Server) Diagnosis {
	d := Diagnosis{Verdict: RebindNeeded, RightURL: t.right(host, s.Port), Fix: s.Rebind}
	on := "127.0.0.1 only"
	if s.Bound != "" {
		on = s.Bound + " only"
		d.Cause = "listens-elsewhere"
	}
	d.Summary = fmt.Sprintf("the container reaches this machine as %s, but Ollama listens on %s", host, on)
	if t.asks(host, s.Port) {
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

// useless is for a container that reaches nothing on the host.
func (t Target) useless() Diagnosis {
	d := Diagnosis{Verdict: RebindUseless, Cause: "network"}
	names := strings.Join(t.names(), ", ")
	switch {
	case t.Container.NetworkMode == "none":
		d.Cause = "network-none"
		d.Summary = "the container has no network"
		d.Fix = "start it without --network none"
	case t.misled():
		d.Cause = "extra-hosts"
		d.Summary = fmt.Sprintf("the container reaches nothing on this machine by %s: its extra_hosts lead somewhere else", names)
		d.Fix = "remove the extra_hosts (--add-host) lines for this machine, and start the container again"
	default:
		d.Summary = fmt.Sprintf("the container reaches nothing on this machine by %s, however it is bound: its network, a VPN or a firewall (on Linux: ufw, firewalld) is in the way", names)
		d.Fix = t.lookAtNetwork()
	}
	return d
}

// lookAtNetwork is the command that shows the container's network.
func (t Target) lookAtNetwork() string {
	c := t.Container
	if len(c.Networks) == 0 || c.Networks[0].Name == "" {
		return c.Runtime.Tool + " network ls"
	}
	return fmt.Sprintf("%s network inspect -- %s", c.Runtime.Tool, shell.Quote(c.Networks[0].Name))
}

// misled reports whether extra_hosts send a name of the host somewhere else.
func (t Target) misled() bool {
	return slices.ContainsFunc(t.Reaches, func(r Reach) bool { return t.Container.Misleads(r.Host) })
}

// Misleads reports whether the container's extra_hosts say that a name is at an
// address which is not known to be the host's.
func (c Container) Misleads(name string) bool {
	return slices.ContainsFunc(c.ExtraHosts, func(e ExtraHost) bool {
		return strings.EqualFold(e.Name, name) && !c.leadsToHost(e.Address)
	})
}

func (c Container) leadsToHost(address string) bool {
	if address == "host-gateway" {
		return !c.hostGatewayIsVM()
	}
	return !c.Runtime.VM() && slices.Contains(c.gateways(), address)
}

func (t Target) trap() (Trap, bool) {
	switch {
	case t.Source == "":
		return Trap{}, false
	case t.Why403 == "host-check":
		return Trap{"host-check", "Ollama on loopback refuses that name (its Host check wants an IP address or a name that ends in .internal, .local or .localhost)"}, true
	}
	return t.Container.Trap(t.Source, t.Value)
}

// UseURL says what to do about the URL. A proxy that caught the wrong one may
// catch the right one, too.
func (t Target) UseURL(right string) string {
	if t.Source == "" || strings.HasPrefix(t.Source, "-") {
		return "use " + right
	}
	fix := fmt.Sprintf("start the container with %s=%s", t.Source, shell.Quote(right))
	if strings.Contains(t.Container.Env[t.Source], ";") { // a list, such as OLLAMA_BASE_URLS
		fix = fmt.Sprintf("start the container with %s in %s, in the place of %s", shell.Quote(right), t.Source, shell.Quote(t.Value))
	}
	if u, err := url.Parse(right); err == nil {
		if _, proxy := t.Container.Proxy(u); proxy != "" {
			fix += ", " + t.noProxy(u.Hostname())
		}
	}
	return fix
}

// asks reports whether the container's URL leads to that host and port already.
func (t Target) asks(host string, port int) bool {
	u, err := url.Parse(t.URL)
	return err == nil && u.Scheme == "http" && strings.EqualFold(u.Hostname(), host) && u.Port() == strconv.Itoa(port)
}

// right is the container's URL with host and port put right. Of a path only what
// is known to be Ollama's is kept.
func (t Target) right(host string, port int) string {
	authority := net.JoinHostPort(host, strconv.Itoa(port))
	u, err := url.Parse(t.URL)
	if err != nil || !ollamaPath.MatchString(u.Path) {
		return "http://" + authority
	}
	return "http://" + authority + u.EscapedPath()
}

// ollamaPath is where Ollama itself has interfaces.
var ollamaPath = lazyregexp.New(`^/?$|^/(v1|api)(/|$)`)

func (t Target) names() []string {
	var names []string
	for _, r := range t.Reaches {
		names = append(names, r.Host)
	}
	return names
}

// bestReach is what is reached by the host that the container's URL names
// already, or else by the first host by which anything is.
func (t Target) bestReach(ok func(Reach) bool, port int) *Reach {
	var best *Reach
	for i, r := range t.Reaches {
		switch {
		case !ok(r):
		case t.asks(r.Host, port):
			return &t.Reaches[i]
		case best == nil:
			best = &t.Reaches[i]
		}
	}
	return best
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

func hostIn(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Hostname()
}

// severity orders the verdicts.
var severity = []Verdict{Reachable, URLWrong, RebindNeeded, RebindUseless, OllamaDown, NoRuntime}

// Worst is one verdict on all targets, "" if there is none on any.
func (r Report) Worst() Verdict {
	if len(r.Runtimes) == 0 {
		return NoRuntime
	}
	worst := Verdict("")
	for _, t := range r.Targets {
		if slices.Index(severity, t.Verdict) > slices.Index(severity, worst) {
			worst = t.Verdict
		}
	}
	return worst
}
