package advice

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/shell"
)

// Local is what to say about Ollama on this machine itself.
type Local struct {
	// Why says why it does not answer at all, and Hint what to do. Both are "" if it
	// does.
	Why, Hint string
	// Rebind is what makes it listen on all interfaces.
	Rebind string
	// Narrow makes it listen on one address only; nil if that would not help.
	Narrow func(address string) string
}

// Container says in one line what a container gets at a URL that it uses for Ollama.
// hint is one command, to run after the lines of [Change] are written, or "". Both are
// "" if nothing could be fetched.
func Container(u container.ClientURL, s container.Server, local Local) (message, hint string) {
	switch u.Verdict {
	case container.Reachable:
		return reachable(u), ""
	case container.URLWrong:
		return wrongURL(u)
	case container.RebindNeeded:
		return rebindNeeded(u, s, local)
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
		return "a temporary container of " + u.Image
	}
	return "a temporary container"
}

func reachable(u container.ClientURL) string {
	switch {
	case u.Answer.Result == container.OK:
		return answers(u, "", u.Answer, u.Models)
	case u.Proxied.Answers():
		return answers(u, ", through the proxy in "+u.Proxied.Variable, u.Proxied.Answer, u.Proxied.Models)
	case u.RightURL != "":
		return "Ollama answers at " + u.RightURL + notItsOwn(u)
	case u.Answer.Status != 0:
		return fmt.Sprintf("%s is Ollama, but its list of models is not to be had (%s)", u.URL, u.Answer)
	}
	return fmt.Sprintf("%s is Ollama, which answers now, and just now did not (%s): try again", u.URL, u.Answer)
}

// notItsOwn is for a container whose environment names no Ollama: the URL that was
// tried is not known to be its own.
func notItsOwn(u container.ClientURL) string {
	if u.Source != "" || u.Container.Name == "" {
		return ""
	}
	return fmt.Sprintf("; but no variable of %[1]s names Ollama, so that is our URL and not its own: look for its own in a config file or "+
		"in the settings that it keeps, and try it with ollama-bind probe %[1]s --url URL", u.Container.Name)
}

// answers names what may still stop a client less forgiving than our fetch.
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
	text += notItsOwn(u)
	if u.Problem.ID != "" {
		text += fmt.Sprintf("; but of %s=%s: %s", u.Source, u.Value, URLProblem(u.Problem))
	}
	if u.Proxied != nil && !u.Proxied.Measured {
		text += fmt.Sprintf("; its %s (%s) could not be tried", u.Proxied.Variable, u.Proxied.Proxy)
	}
	return text
}

// wrongURL is for a container that would reach Ollama at another URL, or by another
// way.
func wrongURL(u container.ClientURL) (message, hint string) {
	switch u.Cause {
	case container.ByProxy:
		p := u.Proxied
		return fmt.Sprintf("%s answers, but the container's %s sends it to %s, where it ends in %s",
			u.URL, p.Variable, p.Proxy, p.Answer), Change(u).Command
	case container.ByOrigin:
		return u.URL + " is Ollama, which refuses that Origin, and answers without it: programs on a server send none, " +
			"and OLLAMA_ORIGINS, where Ollama is started, is for web pages from elsewhere", probe(u, u.URL)
	case container.ByPath:
		return fmt.Sprintf("Ollama answers this container at %s, but not under the path of its URL, %s",
			u.RightURL, u.URL), Change(u).Command
	case container.BasePath:
		return fmt.Sprintf("%s is Ollama, but %s", u.URL, URLProblem(u.Problem)), Change(u).Command
	case container.SiblingPort:
		return fmt.Sprintf("%s leads to the container %s, which has Ollama on port 11434 inside: another port is for this machine alone",
			u.URL, u.Sibling.Name), Change(u).Command
	case container.BySibling:
		return siblingDown(u)
	case container.OtherMachine:
		message = fmt.Sprintf("%s is another machine, which does not answer as Ollama (%s)", u.URL, u.Answer)
		if u.Host.Host != "" {
			message += "; this machine's Ollama is http://" + hostPort(u.Host.Host, u.Port) + ", if that is meant"
		}
		return message, "curl -m 5 " + shell.Quote(strings.TrimRight(u.URL, "/")+"/api/version")
	}
	message = fmt.Sprintf("Ollama answers this container at %s, but its URL is %s", u.RightURL, u.URL)
	if u.Problem.ID != "" {
		return message + ": " + URLProblem(u.Problem), Change(u).Command
	}
	return fmt.Sprintf("%s (%s)", message, u.Answer), Change(u).Command
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// siblingDown is for a URL that leads to another container, which does not answer.
func siblingDown(u container.ClientURL) (message, hint string) {
	name, tool := shell.Quote(u.Sibling.Name), u.Container.Runtime.Tool
	message = fmt.Sprintf("%s leads to the container %s, which ", u.URL, u.Sibling.Name)
	switch {
	case !u.Sibling.Running:
		return message + "does not run", tool + " start " + name
	case !u.Sibling.Shared && len(u.Container.Networks) > 0:
		return message + "is on none of this one's networks", fmt.Sprintf("%s network connect %s %s", tool, shell.Quote(u.Container.Networks[0].Name), name)
	}
	return message + fmt.Sprintf("does not answer there as Ollama (%s)", u.Answer), tool + " logs --tail 20 " + name
}

func rebindNeeded(u container.ClientURL, s container.Server, local Local) (message, hint string) {
	message = fmt.Sprintf("the container reaches this machine as %s, but Ollama listens on %s only",
		u.Host.Host, cmp.Or(s.Bound, "127.0.0.1"))
	hint = local.Rebind
	if local.Narrow != nil && u.Host.Address != "" {
		hint = local.Narrow(u.Host.Address)
	}
	if u.RightURL == "" || u.Source == "" {
		return message + notItsOwn(u), hint
	}
	message += fmt.Sprintf("; and the container's URL is not %s but %s", u.RightURL, u.URL)
	if u.Problem.ID != "" {
		message += ": " + URLProblem(u.Problem)
	}
	if c := Change(u); c.Applies {
		hint += " && " + c.Command
	}
	return message, hint
}

func rebindUseless(u container.ClientURL, s container.Server) (message, hint string) {
	c := u.Container
	name := shell.Quote(c.Name)
	nothing := fmt.Sprintf("the container reaches nothing on this machine by %s", hostsOf(u))
	switch u.Cause {
	case container.NoNetwork:
		return "the container has no network", fmt.Sprintf("%s network disconnect none %s && %[1]s network connect bridge %[2]s", c.Runtime.Tool, name)
	case container.ByExtraHosts:
		return nothing + ": its extra_hosts (--add-host) lead somewhere else; take those lines out, and start it again without them",
			showSetting(c, "ExtraHosts")
	case container.ByDNS:
		return unresolved(u)
	case container.InternalNetwork:
		return nothing + fmt.Sprintf(": its network %s is internal, and leads to no host", c.Networks[0].Name),
			fmt.Sprintf("%s network connect bridge %s", c.Runtime.Tool, name)
	case container.BorrowedNetwork:
		return nothing + fmt.Sprintf(", however it is bound: it has the network of the container %s, and it is that one's VPN or firewall which is in the way", c.NetworkOf),
			"ollama-bind probe " + shell.Quote(c.NetworkOf)
	case container.EngineElsewhere:
		return fmt.Sprintf("%s, however it is bound: a firewall between it and the engine's machine (%s) is in the way",
			nothing, c.Runtime.Endpoint), c.Runtime.Tool + " context ls"
	case container.ByNetwork:
		return nothing + ", however it is bound: its network, a VPN or a firewall (on Linux: ufw, firewalld) is in the way", lookAtNetwork(c)
	}
	message = fmt.Sprintf("the container reaches this machine as %s, but from Ollama's port %d it gets %s: no rebind helps",
		u.Host.Host, s.Port, u.Host.Ollama)
	if u.Cause == container.ByFirewall {
		return message + "; a firewall may let our listener pass and Ollama not: have it pass incoming connections for ollama", firewall(c)
	}
	return message, seeListeners(s.Port)
}

// unresolved is for a container that can resolve none of the host's names.
func unresolved(u container.ClientURL) (message, hint string) {
	message = fmt.Sprintf("no name of this machine resolves in the container (%s)", hostsOf(u))
	if len(u.Container.DNS) > 0 {
		message += ": it asks DNS servers of its own (" + strings.Join(u.Container.DNS, ", ") + "), which do not know them"
	}
	return message + "; extra_hosts (--add-host) makes them known", Change(u).Command
}

// firewall is the command that shows what a firewall allows.
func firewall(c container.Container) string {
	if c.Runtime.Product == container.Native {
		return "sudo iptables -S INPUT"
	}
	return "/usr/libexec/ApplicationFirewall/socketfilterfw --listapps"
}

// showSetting is the command that shows a setting of a container.
func showSetting(c container.Container, name string) string {
	return fmt.Sprintf("%s inspect --format '{{.HostConfig.%s}}' %s", c.Runtime.Tool, name, shell.Quote(c.Name))
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

// URLProblem says in one line what is wrong with a URL, without advice.
func URLProblem(p container.URLProblem) string {
	switch p.ID {
	case container.NotAURL:
		return "it is no http or https URL"
	case container.Quotes:
		return "it stands in quotes, which have become a part of it"
	case container.BasePath:
		return "most clients add that path themselves, and get 404 then: the URL ends before it"
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
			return fmt.Sprintf("an extra_hosts line (%s) makes %s the machine that the engine runs on, which is not this one", p.Address, p.Host)
		}
		return p.Host + " is the machine that the engine runs on, which is not this one"
	}
	return string(p.ID)
}
