package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// containerChecks look from inside containers. All use the one report of a probe.
var containerChecks = []Check{
	{ID: "container-runtime", Question: "is there a container runtime, and which one?", inside: true, judge: runtimeFound},
	{ID: "container-url", Question: "does the container's environment have the right URL for Ollama?", inside: true, judge: each(urlOf)},
	{ID: "container-extra-hosts", Question: "do the container's extra_hosts lead to this machine?", inside: true, judge: each(extraHostsOf)},
	{ID: "container-proxy", Question: "does a proxy get between the container and Ollama?", inside: true, judge: each(proxyOf)},
	{ID: "container-reaches-loopback", Question: "does the container reach what listens on this machine's loopback?", inside: true, judge: each(loopbackOf)},
	{ID: "container-reaches-wildcard", Question: "does the container reach what listens on all interfaces of this machine?", inside: true, judge: each(wildcardOf)},
	{ID: reaches, Question: "does the container reach Ollama?", inside: true, judge: reach},
}

const reaches = "container-reaches-ollama"

// runtimeFound: a Mac without containers is a healthy one, unless a container was
// named.
func runtimeFound(s Seen) Finding {
	var said []string
	for _, rt := range s.found.Runtimes {
		version := fmt.Sprintf("%s: %s %s", rt.Tool, rt.Product, rt.Version)
		said = append(said, cmp.Or(advice.Elsewhere(rt), version))
	}
	for _, a := range s.found.Unusable {
		if !errors.Is(a.Err, launchctl.ErrNoTool) {
			said = append(said, a.Err.Error())
		}
	}
	if len(s.found.Runtimes) > 0 {
		return passed(said[0], said...)
	}
	f := skipped("no container runtime answers", said...)
	if len(said) == 0 {
		f.Summary = "none of " + strings.Join(container.Tools(), ", ") + " is here"
	}
	getenv := func(name string) string {
		if s.environment == nil {
			return ""
		}
		return s.environment(name)
	}
	refused := func(a container.Unusable) bool { return errors.Is(a.Err, container.ErrNoPermission) }
	if s.named || slices.ContainsFunc(s.found.Unusable, refused) {
		f.Status, f.Fix = Warn, advice.NoRuntime(s.found.Unusable, nil, getenv, "doctor").Hint
	}
	if s.named {
		f.Status = Fail
	}
	return f
}

// clientURL is one that a container uses, with what to say about it.
type clientURL struct {
	container.ClientURL
	server        container.Server
	message, hint string
}

// each judges every URL that could be asked, and reports the worst.
func each(judge func(clientURL) Finding) func(Seen) Finding {
	return func(s Seen) Finding {
		return overall(s, func(u clientURL) Finding {
			if u.Err != nil {
				return skipped(u.Err.Error())
			}
			return judge(u)
		})
	}
}

// graveness orders the statuses by weight.
var graveness = []Status{Skip, OK, Warn, Fail}

// overall is the worst finding for any URL, with all evidence.
func overall(s Seen, judge func(clientURL) Finding) Finding {
	r := s.Report
	switch {
	case r == nil:
		return skipped("there was no time to ask")
	case len(r.Runtimes) == 0:
		return skipped("no container runtime")
	case r.Err != nil:
		return skipped(r.Err.Error())
	case len(r.URLs) == 0:
		return skipped("no container")
	}
	var worst Finding
	var evidence []string
	for i, u := range r.URLs {
		one := clientURL{ClientURL: u, server: r.Server}
		one.message, one.hint = advice.Container(u, r.Server, s.local)
		f := judge(one)
		name := advice.ContainerName(u)
		if len(r.URLs) > 1 && u.Err == nil && (f.Status == Warn || f.Status == Fail) {
			f.Summary = name + ": " + f.Summary
		}
		if u.Tool != "" {
			name += ", asked with its " + u.Tool
		}
		evidence = append(evidence, lines(name, f.Evidence))
		if i == 0 || slices.Index(graveness, f.Status) > slices.Index(graveness, worst.Status) {
			worst = f
		}
	}
	worst.Evidence = lines(slices.Compact(evidence)...)
	return worst
}

func urlOf(u clientURL) Finding {
	if u.Source == "" {
		return skipped("the container's environment names no Ollama")
	}
	value := fmt.Sprintf("%s=%s", u.Source, u.Value)
	problem := u.Container.URLProblem(u.Source, u.Value)
	switch {
	case u.Verdict == container.URLWrong && u.Cause != container.ByProxy:
		return failed(u.message, u.hint)
	case u.Answer.Result == container.OK || problem.ID == "":
		return passed(value)
	case u.RightURL != "":
		return failed(value+": "+advice.URLProblem(problem), u.hint)
	}
	return failed(value+": "+advice.URLProblem(problem), "")
}

func extraHostsOf(u clientURL) Finding {
	if len(u.Container.ExtraHosts) == 0 {
		return passed("none")
	}
	var all []string
	for _, extra := range u.Container.ExtraHosts {
		all = append(all, extra.Name+":"+extra.Address)
	}
	for _, h := range u.Hosts {
		if h.Wildcard.Result == container.OK || !u.Container.Misleads(h.Host) {
			continue
		}
		f := failed(fmt.Sprintf("%s is in extra_hosts, and does not lead to this machine (%s)", h.Host, h.Wildcard.Result),
			"remove that line from extra_hosts (--add-host), and start the container again")
		if u.Verdict == container.Reachable {
			f.Status = Warn
		}
		return f
	}
	return passed(strings.Join(all, ", "))
}

func proxyOf(u clientURL) Finding {
	p := u.Proxied
	if p == nil {
		return passed("none for this URL")
	}
	name := fmt.Sprintf("%s is %s", p.Variable, p.Proxy)
	switch {
	case !p.Measured:
		return warned(name+", which cannot be tried from here", u.hint)
	case p.Answer.Result == container.OK:
		return passed(name + ", and lets it pass")
	case u.Answer.Result != container.OK:
		return passed(fmt.Sprintf("%s, and not what is wrong: %s without it", name, u.Answer.Result))
	}
	return failed(fmt.Sprintf("%s sends it to %s, where it ends in %s", p.Variable, p.Proxy, p.Answer),
		u.hint)
}

func loopbackOf(u clientURL) Finding {
	host, seen := reached(u, onLoopback)
	wildcard, _ := reached(u, onAll)
	switch {
	case host != "":
		return passed("yes, as "+host, seen)
	case wildcard == "":
		return warned("no, nor anything else of this machine", "", seen)
	case u.Verdict == container.Reachable && !u.server.Outside:
		return passed("no, and it has its Ollama at "+u.URL, seen)
	case u.server.Loopback && u.server.Outside:
		return passed("no, which does not matter: Ollama listens on all interfaces", seen)
	}
	return warned("no: only what listens on all interfaces can be reached", "", seen)
}

func wildcardOf(u clientURL) Finding {
	host, seen := reached(u, onAll)
	switch {
	case host != "":
		return passed("yes, as "+host, seen)
	case u.Verdict == container.RebindUseless:
		return failed("no: a rebind would not help", u.hint, seen)
	case u.Verdict == container.Reachable:
		return warned("no, and it has its Ollama at "+u.URL, "", seen)
	}
	return warned("no", "", seen)
}

// The two listeners of our own.
func onLoopback(h container.HostResult) container.ListenerResult { return h.Loopback }
func onAll(h container.HostResult) container.ListenerResult      { return h.Wildcard }

// reached is the first of the host's names that leads to one of our listeners, or "",
// and the results of all.
func reached(u clientURL, listener func(container.HostResult) container.ListenerResult) (host, seen string) {
	var all []string
	for _, h := range u.Hosts {
		r := listener(h)
		line := fmt.Sprintf("%s: %s", h.Host, r.Result)
		if r.Peer != "" {
			line += ", seen as " + r.Peer
		}
		all = append(all, line)
		if r.Result == container.OK {
			host = cmp.Or(host, h.Host)
		}
	}
	return host, lines(all...)
}

// loopbackWillDo reports whether containers were asked, and all of them reach what
// listens only on loopback.
func (s Seen) loopbackWillDo() bool {
	return s.Report != nil && len(s.Report.URLs) > 0 &&
		!slices.ContainsFunc(s.Report.URLs, func(u container.ClientURL) bool {
			host, _ := reached(clientURL{ClientURL: u}, onLoopback)
			return host == ""
		})
}

// reach: a named container that cannot be asked is a fault, too.
func reach(s Seen) Finding {
	f := overall(s, func(u clientURL) Finding {
		switch {
		case u.Err != nil && s.named:
			why := advice.Unasked(u.ClientURL)
			return failed(why.Error(), cmp.Or(why.Hint, u.Container.Runtime.Tool+" ps --all"))
		case u.Err != nil:
			return skipped(u.Err.Error())
		case u.Verdict == container.Reachable:
			return passed(fmt.Sprintf("%s: %s", u.Verdict, u.message))
		}
		return failed(fmt.Sprintf("%s: %s", u.Verdict, u.message), u.hint)
	})
	if r := s.Report; r != nil && s.named && r.Err != nil && len(r.Runtimes) > 0 {
		tool := r.Runtimes[0].Tool
		f.Status, f.Fix = Fail, cmp.Or(advice.NoneAsked(r.Err, tool).Hint, tool+" ps --all")
	}
	return f
}
