package advice

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Local is what is to be said about Ollama on this machine itself.
type Local struct {
	// Why says why it does not answer at all, and Hint what to do. Both are ""
	// where it does.
	Why, Hint string
	// Rebind is what makes it listen on all interfaces.
	Rebind string
}

// Container says in one line what a container gets by a URL that it uses for
// Ollama, and hint what to do about it, "" if nothing. Both are "" where nothing
// could be fetched.
func Container(u container.ClientURL, s container.Server, local Local) (message, hint string) {
	switch u.Verdict {
	case container.Reachable:
		return reachable(u), ""
	case container.URLWrong:
		return wrongURL(u)
	case container.RebindNeeded:
		return rebindNeeded(u, s), local.Rebind
	case container.RebindUseless:
		return rebindUseless(u, s)
	case container.OllamaDown:
		return local.Why, local.Hint
	}
	return "", ""
}

// ContainerName names the container that a URL is about.
func ContainerName(u container.ClientURL) string {
	switch {
	case u.Container.Name != "":
		return u.Container.Name
	case u.Image != "":
		return "a throw-away container of " + u.Image
	}
	return "a throw-away container"
}

func reachable(u container.ClientURL) string {
	switch {
	case u.Answer.Result == container.OK:
		return answers(u, "", u.Answer, u.Models)
	case u.Proxied.Answers():
		return answers(u, ", through the proxy in "+u.Proxied.Variable, u.Proxied.Answer, u.Proxied.Models)
	case u.RightURL != "":
		return "Ollama answers at " + u.RightURL
	case u.Answer.Status != 0:
		return fmt.Sprintf("%s is Ollama, but its list of models is not to be had (%s)", u.URL, u.Answer)
	}
	return fmt.Sprintf("%s is Ollama, which answers now, and just now did not (%s): try again", u.URL, u.Answer)
}

// answers has what may yet be wrong for a client that is not as forgiving as ours.
func answers(u container.ClientURL, through string, a container.Answer, models []string) string {
	what := "no models"
	switch len(models) {
	case 0:
	case 1:
		what = "1 model, " + models[0]
	default:
		what = fmt.Sprintf("%d models, first %s", len(models), models[0])
	}
	text := fmt.Sprintf("%s answers%s: status %d, %s", u.URL, through, a.Status, what)
	if u.Problem.ID != "" {
		text += fmt.Sprintf("; but of %s=%s: %s", u.Source, u.Value, URLProblem(u.Problem))
	}
	if u.Proxied != nil && !u.Proxied.Measured {
		text += fmt.Sprintf("; its %s (%s) could not be tried", u.Proxied.Variable, u.Proxied.Proxy)
	}
	return text
}

// wrongURL is for a container that could have Ollama by another URL, or otherwise.
func wrongURL(u container.ClientURL) (message, hint string) {
	switch u.Cause {
	case container.ByProxy:
		p := u.Proxied
		return fmt.Sprintf("%s answers, but the container's %s sends it to %s, where it ends in %s",
			u.URL, p.Variable, p.Proxy, p.Answer), SpareProxy(u)
	case container.ByOrigin:
		return u.URL + " is Ollama, which refuses that Origin, and answers without it",
			"set OLLAMA_ORIGINS where Ollama is started, for web pages and browser extensions from elsewhere; programs on a server need none"
	case container.ByPath:
		return fmt.Sprintf("Ollama answers this container at %s, but not under the path of its URL, %s",
			u.RightURL, u.URL), UseRightURL(u)
	}
	message = fmt.Sprintf("Ollama answers this container at %s, but its URL is %s", u.RightURL, u.URL)
	if u.Problem.ID != "" {
		return message + ": " + URLProblem(u.Problem), UseRightURL(u)
	}
	return fmt.Sprintf("%s (%s)", message, u.Answer), UseRightURL(u)
}

func rebindNeeded(u container.ClientURL, s container.Server) string {
	text := fmt.Sprintf("the container reaches this machine as %s, but Ollama listens on %s only",
		u.Host.Host, cmp.Or(s.Bound, "127.0.0.1"))
	if u.RightURL != "" && u.Source != "" {
		text += fmt.Sprintf("; and the container's URL is not %s but %s", u.RightURL, u.URL)
	}
	return text
}

func rebindUseless(u container.ClientURL, s container.Server) (message, hint string) {
	nothing := fmt.Sprintf("the container reaches nothing on this machine by %s", hostsOf(u))
	switch u.Cause {
	case container.NoNetwork:
		return "the container has no network", "start it without --network none"
	case container.ByExtraHosts:
		return nothing + ": its extra_hosts lead somewhere else",
			"remove the extra_hosts (--add-host) lines for this machine, and start the container again"
	case container.ByNetwork:
		return nothing + ", however it is bound: its network, a VPN or a firewall (on Linux: ufw, firewalld) is in the way",
			lookAtNetwork(u.Container)
	}
	message = fmt.Sprintf("the container reaches this machine as %s, but from Ollama's port %d it gets %s: no rebind helps",
		u.Host.Host, s.Port, u.Host.Ollama)
	if u.Cause == container.ByFirewall {
		return message + "; a firewall may let our listener pass and Ollama not",
			"let this machine's firewall pass incoming connections for ollama (on a Mac: System Settings > Network > Firewall)"
	}
	return message, fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", s.Port)
}

func hostsOf(u container.ClientURL) string {
	var names []string
	for _, h := range u.Hosts {
		names = append(names, h.Host)
	}
	return strings.Join(names, ", ")
}

// lookAtNetwork is the command that shows the container's network.
func lookAtNetwork(c container.Container) string {
	if len(c.Networks) == 0 || c.Networks[0].Name == "" {
		return c.Runtime.Tool + " network ls"
	}
	return fmt.Sprintf("%s network inspect -- %s", c.Runtime.Tool, shell.Quote(c.Networks[0].Name))
}

// URLProblem says in one line what is wrong with a URL, and gives no advice.
func URLProblem(p container.URLProblem) string {
	switch p.ID {
	case container.NotAURL:
		return "it is no http or https URL"
	case container.NoScheme:
		return "it has no http:// in front, and many clients refuse it then"
	case container.HTTPS:
		return "it says https, and Ollama speaks no TLS"
	case container.NoPort:
		return "it names no port, so it goes to port 80"
	case container.Localhost, container.OwnName:
		return p.Host + " is the container itself"
	case container.IPv6Loopback:
		return "::1 is the container itself"
	case container.Unspecified:
		return cmp.Or(p.Host, "an address without a host") +
			" is an address to listen on, and leads a client to the container itself"
	case container.ExtraHostLoopback:
		return fmt.Sprintf("an extra_hosts line makes %s the container itself (%s)", p.Host, p.Address)
	case container.HostCheck:
		return "Ollama on loopback refuses that name (its Host check wants an IP address or a name that ends in .internal, .local or .localhost)"
	case container.HostGatewayOnVM:
		if p.Address != "" {
			return fmt.Sprintf("an extra_hosts line (%s) makes %s the virtual machine of the runtime", p.Address, p.Host)
		}
		return p.Host + " is the virtual machine of the runtime"
	}
	return string(p.ID)
}

// SpareProxy says how to keep the container's proxy away from the host that it
// is to ask.
func SpareProxy(u container.ClientURL) string {
	host := cmp.Or(u.RightURL, u.URL)
	if parsed, err := url.Parse(host); err == nil {
		host = parsed.Hostname()
	}
	return "start the container with " + noProxy(u.Container, host)
}

// noProxy keeps what the container has in its NO_PROXY already.
func noProxy(c container.Container, host string) string {
	if list := cmp.Or(c.Env["no_proxy"], c.Env["NO_PROXY"]); list != "" {
		host = list + "," + host
	}
	return fmt.Sprintf("NO_PROXY=%s and no_proxy=%[1]s", shell.Quote(host))
}

// UseRightURL says how to have the container use its right URL. A proxy that
// caught the wrong one may catch the right one, too.
func UseRightURL(u container.ClientURL) string {
	right := u.RightURL
	if u.Source == "" || strings.HasPrefix(u.Source, "-") {
		return "use " + right
	}
	hint := fmt.Sprintf("start the container with %s=%s", u.Source, shell.Quote(right))
	if strings.Contains(u.Container.Env[u.Source], ";") { // a list, such as OLLAMA_BASE_URLS
		hint = fmt.Sprintf("start the container with %s in %s, in the place of %s",
			shell.Quote(right), u.Source, shell.Quote(u.Value))
	}
	if parsed, err := url.Parse(right); err == nil {
		if _, proxy := u.Container.Proxy(parsed); proxy != "" {
			hint += ", " + noProxy(u.Container, parsed.Hostname())
		}
	}
	return hint
}
