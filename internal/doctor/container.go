package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Asking from inside of containers takes its time: an engine may have to be woken
// up, and what a firewall drops is waited for. The probe gives up before its
// checks do, and so has time left to remove what it has made.
const (
	probeTime      = 20 * time.Second
	insideDeadline = probeTime + 10*time.Second
)

// containerChecks look from inside of containers. All of them read the one
// report of a probe.
var containerChecks = []Check{
	{ID: "container-runtime", Question: "is there a container runtime, and which one?", Deadline: insideDeadline, run: checkRuntime},
	inside("container-url", "does the container's environment have the right URL for Ollama?", each(urlOf)),
	inside("container-extra-hosts", "do the container's extra_hosts lead to this machine?", each(extraHostsOf)),
	inside("container-proxy", "does a proxy get between the container and Ollama?", each(proxyOf)),
	inside("container-reaches-loopback", "does the container reach what listens on this machine's loopback?", each(loopbackOf)),
	inside("container-reaches-wildcard", "does the container reach what listens on all interfaces of this machine?", each(wildcardOf)),
	inside("container-reaches-ollama", "does the container reach Ollama?", judgeReach),
}

func inside(id, question string, judge func(r container.Report, named bool) Finding) Check {
	return Check{ID: id, Question: question, Deadline: insideDeadline, run: func(ctx context.Context, c *Case) Finding {
		report, err := c.probed(ctx)
		if err != nil {
			return skipped(err.Error())
		}
		return judge(report, len(c.Probe.Names) > 0)
	}}
}

// runtimes are those that answer, and those that do not.
func (c *Case) runtimes(ctx context.Context) container.Found {
	// Whoever is short of time has its own words for that.
	found, _ := c.engines.get(ctx, c.lasting(ctx), func(ctx context.Context) (container.Found, error) {
		return c.Probe.Find(ctx), nil
	})
	return found
}

// probed is what asking from inside of containers has shown.
func (c *Case) probed(ctx context.Context) (container.Report, error) {
	return c.report.get(ctx, c.lasting(ctx), func(ctx context.Context) (container.Report, error) {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		return c.Probe.Run(ctx, c.runtimes, c.server), nil
	})
}

// Probed is what asking from inside of containers has shown, if a check of the
// last Run has done so.
func (c *Case) Probed() (container.Report, bool) {
	return c.report.wait()
}

func checkRuntime(ctx context.Context, c *Case) Finding {
	return judgeRuntime(c.runtimes(ctx), len(c.Probe.Names) > 0)
}

// judgeRuntime: a Mac without containers is a healthy one, unless a container was
// named.
func judgeRuntime(r container.Found, named bool) Finding {
	var said []string
	for _, rt := range r.Runtimes {
		said = append(said, fmt.Sprintf("%s: %s %s", rt.Tool, rt.Product, rt.Version))
	}
	for _, a := range r.Absent {
		if !errors.Is(a.Err, launchctl.ErrNoTool) {
			said = append(said, a.Err.Error())
		}
	}
	f := Finding{Status: OK, Evidence: strings.Join(said, "\n")}
	switch {
	case len(r.Runtimes) > 0:
		f.Summary = said[0]
	case len(said) > 0:
		f = skipped("no container runtime answers")
		f.Evidence = strings.Join(said, "\n")
	default:
		f = skipped("none of " + strings.Join(container.Tools(), ", ") + " is here")
	}
	if named && f.Status == Skip {
		f.Status, f.Fix = Fail, "start the runtime that has the container"
	}
	return f
}

// each judges every target that could be asked, and reports the worst of them.
func each(judge func(container.Target, container.Server) Finding) func(container.Report, bool) Finding {
	return func(r container.Report, _ bool) Finding {
		return overall(r, func(t container.Target) Finding {
			if t.Err != nil {
				return skipped(t.Err.Error())
			}
			return judge(t, r.Server)
		})
	}
}

// overall is the worst finding on any target, with the evidence of all.
func overall(r container.Report, judge func(container.Target) Finding) Finding {
	switch {
	case len(r.Runtimes) == 0:
		return skipped("no container runtime")
	case r.Err != nil:
		return skipped(r.Err.Error())
	}
	var all []Finding
	for _, t := range r.Targets {
		f := judge(t)
		if len(r.Targets) > 1 && t.Err == nil && (f.Status == Warn || f.Status == Fail) {
			f.Summary = t.Who() + ": " + f.Summary
		}
		f.Evidence = lines(evidenceOf(t), f.Evidence)
		all = append(all, f)
	}
	return worst(all)
}

// graveness orders the statuses.
var graveness = []Status{Skip, OK, Warn, Fail}

func worst(all []Finding) Finding {
	if len(all) == 0 {
		return skipped("no container")
	}
	gravest := all[0]
	var evidence []string
	for _, f := range all {
		if slices.Index(graveness, f.Status) > slices.Index(graveness, gravest.Status) {
			gravest = f
		}
		evidence = append(evidence, f.Evidence)
	}
	gravest.Evidence = strings.Trim(strings.Join(slices.Compact(evidence), "\n"), "\n")
	return gravest
}

// evidenceOf names the container that a finding is about.
func evidenceOf(t container.Target) string {
	if t.Tool == "" {
		return t.Who()
	}
	return fmt.Sprintf("%s, asked with its %s", t.Who(), t.Tool)
}

func urlOf(t container.Target, _ container.Server) Finding {
	if t.Source == "" {
		return skipped("the container's environment names no Ollama")
	}
	f := Finding{Status: OK, Summary: fmt.Sprintf("%s=%s", t.Source, t.Value)}
	trap, trapped := t.Container.Trap(t.Source, t.Value)
	switch {
	case t.Verdict == container.URLWrong && t.Cause != "proxy":
		f.Status, f.Summary, f.Fix = Fail, t.Summary, t.Fix
	case t.Answer.Result == container.OK:
	case trapped:
		f.Status, f.Summary = Fail, fmt.Sprintf("%s=%s: %s", t.Source, t.Value, trap.Text)
		if t.RightURL != "" {
			f.Fix = t.UseURL(t.RightURL)
		}
	}
	return f
}

func extraHostsOf(t container.Target, _ container.Server) Finding {
	if len(t.Container.ExtraHosts) == 0 {
		return Finding{Status: OK, Summary: "none"}
	}
	var lines []string
	for _, extra := range t.Container.ExtraHosts {
		lines = append(lines, extra.Name+":"+extra.Address)
	}
	f := Finding{Status: OK, Summary: strings.Join(lines, ", ")}
	for _, r := range t.Reaches {
		if r.Wildcard.Result != container.OK && t.Container.Misleads(r.Host) {
			f.Status = Fail
			if t.Verdict == container.Reachable {
				f.Status = Warn
			}
			f.Summary = fmt.Sprintf("%s is in extra_hosts, and does not lead to this machine (%s)", r.Host, r.Wildcard.Result)
			f.Fix = "remove that line from extra_hosts (--add-host), and start the container again"
		}
	}
	return f
}

func proxyOf(t container.Target, _ container.Server) Finding {
	p := t.Proxied
	switch {
	case p == nil:
		return passed("none for this URL")
	case !p.Measured:
		return warned(fmt.Sprintf("%s is %s, which cannot be tried from here", p.Variable, p.Proxy), t.SpareProxy())
	case p.Answer.Result == container.OK:
		return passed(fmt.Sprintf("%s is %s, and lets it pass", p.Variable, p.Proxy))
	case t.Answer.Result != container.OK:
		return passed(fmt.Sprintf("%s is %s, and not what is wrong: %s without it", p.Variable, p.Proxy, t.Answer.Result))
	}
	return failed(fmt.Sprintf("%s sends it to %s, where it ends in %s", p.Variable, p.Proxy, p.Answer), t.SpareProxy())
}

func loopbackOf(t container.Target, s container.Server) Finding {
	f := sightOf(t, func(r container.Reach) container.Sight { return r.Loopback })
	wildcard := sightOf(t, func(r container.Reach) container.Sight { return r.Wildcard })
	switch {
	case f.Status == OK:
		return f
	case wildcard.Status != OK:
		f.Status, f.Summary = Warn, "no, nor anything else of this machine"
	case t.Verdict == container.Reachable && !s.Outside:
		f.Status, f.Summary = OK, "no, and it has its Ollama at "+t.URL
	case s.Loopback && s.Outside:
		f.Status, f.Summary = OK, "no, which does not matter: Ollama listens on all interfaces"
	default:
		f.Status, f.Summary = Warn, "no: only what listens on all interfaces can be reached"
	}
	return f
}

func wildcardOf(t container.Target, _ container.Server) Finding {
	f := sightOf(t, func(r container.Reach) container.Sight { return r.Wildcard })
	switch {
	case f.Status == OK:
	case t.Verdict == container.RebindUseless:
		f.Summary, f.Fix = "no: a rebind would not help", t.Fix
	case t.Verdict == container.Reachable:
		f.Status, f.Summary = Warn, "no, and it has its Ollama at "+t.URL
	default:
		f.Status, f.Summary = Warn, "no"
	}
	return f
}

// reachLoopback reports whether containers were asked, and all of them reach what
// listens on loopback alone.
func reachLoopback(r container.Report) bool {
	for _, t := range r.Targets {
		if !slices.ContainsFunc(t.Reaches, func(r container.Reach) bool { return r.Loopback.Result == container.OK }) {
			return false
		}
	}
	return len(r.Targets) > 0
}

// sightOf reports which of the host's names lead to one of our listeners.
func sightOf(t container.Target, look func(container.Reach) container.Sight) Finding {
	f := Finding{Status: Fail}
	var lines []string
	for _, r := range t.Reaches {
		s := look(r)
		line := fmt.Sprintf("%s: %s", r.Host, s.Result)
		if s.Peer != "" {
			line += ", seen as " + s.Peer
		}
		lines = append(lines, line)
		if s.Result == container.OK && f.Status == Fail {
			f.Status, f.Summary = OK, "yes, as "+r.Host
		}
	}
	f.Evidence = strings.Join(lines, "\n")
	return f
}

// judgeReach: a container that was named and cannot be asked is a fault, too.
func judgeReach(r container.Report, named bool) Finding {
	f := overall(r, func(t container.Target) Finding {
		switch {
		case t.Err != nil && named:
			why := Unasked(t)
			return failed(why.Error(), cmp.Or(why.Hint, t.Container.Runtime.Tool+" ps --all"))
		case t.Err != nil:
			return skipped(t.Err.Error())
		}
		return ollamaOf(t, r.Server)
	})
	if named && r.Err != nil && len(r.Runtimes) > 0 {
		tool := r.Runtimes[0].Tool
		f.Status, f.Fix = Fail, cmp.Or(NoneAsked(r.Err, tool).Hint, tool+" ps --all")
	}
	return f
}

func ollamaOf(t container.Target, _ container.Server) Finding {
	f := Finding{Status: OK, Summary: fmt.Sprintf("%s: %s", t.Verdict, t.Summary), Fix: t.Fix}
	if t.Verdict != container.Reachable {
		f.Status = Fail
	}
	return f
}
