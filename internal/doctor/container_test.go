package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// The checks that look from inside read what was measured. Each row is a world,
// and what some of the checks say of it.
func TestContainerChecks(t *testing.T) {
	sight := func(r container.Result) container.Sight { return container.Sight{Result: r} }
	yes, no := sight(container.OK), sight(container.Refused)
	forwarding := container.Reach{Host: "host.docker.internal", Loopback: yes, Wildcard: yes, Ollama: container.Answer{Result: container.OK}}
	bridged := container.Reach{Host: "172.17.0.1", Loopback: no, Wildcard: yes, Ollama: container.Answer{Result: container.Refused}}
	cutOff := container.Reach{Host: "host.docker.internal", Loopback: no, Wildcard: no}
	native := container.Runtime{Tool: "docker", Product: container.Native, Version: "28"}
	web := container.Container{Name: "web", Runtime: native, Running: true}
	astray, gateway := web, web
	astray.ExtraHosts = []container.ExtraHost{{Name: "host.docker.internal", Address: "192.0.2.1"}}
	gateway.ExtraHosts = []container.ExtraHost{{Name: "host.docker.internal", Address: "host-gateway"}}
	ok, refused := container.Answer{Result: container.OK, Status: 200}, container.Answer{Result: container.Refused}
	onLoopback := container.Server{Port: 11434, Loopback: true, Rebind: "ollama-bind fix"}
	onAll := container.Server{Port: 11434, Loopback: true, Outside: true}
	proxied := func(a container.Answer, measured bool) *container.Proxied {
		return &container.Proxied{Variable: "http_proxy", Proxy: "http://10.0.0.1:3128", Answer: a, Measured: measured}
	}
	const right, local = "http://host.docker.internal:11434", "http://localhost:11434"
	target := func(c container.Container, url string, a container.Answer, r container.Reach) container.Target {
		return container.Target{Container: c, Source: "OLLAMA_BASE_URL", Value: url, URL: url, Answer: a, Reaches: []container.Reach{r}, Tool: "curl"}
	}
	with := func(t container.Target, p *container.Proxied) container.Target {
		t.Proxied = p
		return t
	}

	type says map[string]struct {
		status Status
		text   string
	}
	for name, test := range map[string]struct {
		target container.Target
		server container.Server
		want   says
	}{
		"all is well": {target(web, right, ok, forwarding), onLoopback, says{
			"container-url": {OK, "OLLAMA_BASE_URL=" + right}, "container-extra-hosts": {OK, "none"}, "container-proxy": {OK, "none"},
			"container-reaches-loopback": {OK, "yes, as host.docker.internal"}, "container-reaches-wildcard": {OK, "yes"}, "container-reaches-ollama": {OK, "reachable"}}},
		"localhost": {target(web, local, refused, forwarding), onLoopback, says{
			"container-url": {Fail, "localhost is the container itself"}, "container-reaches-ollama": {Fail, "url-wrong"}}},
		"localhost, and no way to loopback": {target(web, local, refused, bridged), onLoopback, says{
			"container-url": {Fail, "localhost is the container itself"}, "container-reaches-loopback": {Warn, "only what listens on all interfaces"},
			"container-reaches-wildcard": {OK, "yes, as 172.17.0.1"}, "container-reaches-ollama": {Fail, "rebind-needed"}}},
		"bound to all": {target(web, "http://172.17.0.1:11434", ok, bridged), onAll, says{
			"container-reaches-loopback": {OK, "does not matter"}, "container-reaches-ollama": {OK, "reachable"}}},
		"a remote Ollama": {target(web, "http://ollama.example.com", ok, cutOff), onLoopback, says{
			"container-reaches-loopback": {Warn, "nor anything else"}, "container-reaches-wildcard": {Warn, "has its Ollama at http://ollama.example.com"}, "container-reaches-ollama": {OK, "reachable"}}},
		"a remote Ollama, and a bridge": {target(web, "http://ollama.example.com", ok, bridged), onLoopback, says{
			"container-reaches-loopback": {OK, "has its Ollama at http://ollama.example.com"}}},
		"nothing is reached": {target(web, right, refused, cutOff), onAll, says{
			"container-reaches-loopback": {Warn, "nor anything else"}, "container-reaches-wildcard": {Fail, "would not help"}, "container-reaches-ollama": {Fail, "rebind-useless"}}},
		"extra hosts lead astray": {target(astray, right, refused, cutOff), onLoopback, says{
			"container-extra-hosts": {Fail, "does not lead to this machine (refused)"}, "container-reaches-ollama": {Fail, "extra_hosts"}}},
		"extra hosts lead astray, and nobody asks there": {target(astray, "http://ollama.example.com", ok, cutOff), onLoopback, says{
			"container-extra-hosts": {Warn, "does not lead"}}},
		"extra hosts as they have to be, and a firewall": {target(gateway, right, refused, cutOff), onLoopback, says{
			"container-extra-hosts": {OK, "host.docker.internal:host-gateway"}}},
		"Ollama is down": {target(web, right, refused, cutOff), container.Server{Port: 11434, Why: "it sleeps"}, says{
			"container-reaches-wildcard": {Warn, "no"}, "container-reaches-ollama": {Fail, "ollama-down: it sleeps"}}},
		"a proxy that breaks it": {with(target(web, right, ok, forwarding), proxied(refused, true)), onLoopback, says{
			"container-proxy": {Fail, "sends it to http://10.0.0.1:3128, where it ends in refused"}, "container-url": {OK, ""}, "container-reaches-ollama": {Fail, "url-wrong"}}},
		"a proxy that lets it pass":  {with(target(web, right, ok, forwarding), proxied(ok, true)), onLoopback, says{"container-proxy": {OK, "lets it pass"}}},
		"a proxy that is not tried":  {with(target(web, right, ok, forwarding), proxied(container.Answer{}, false)), onLoopback, says{"container-proxy": {Warn, "cannot be tried"}}},
		"a proxy, and a wrong URL":   {with(target(web, local, refused, forwarding), proxied(refused, true)), onLoopback, says{"container-proxy": {OK, "not what is wrong"}}},
		"only the proxy has the way": {with(target(web, "http://ollama.example.com", refused, bridged), proxied(ok, true)), onLoopback, says{"container-proxy": {OK, "lets it pass"}, "container-reaches-ollama": {OK, "reachable"}}},
		"it could not be asked":      {container.Target{Container: web, Err: errors.New("web: stopped")}, onLoopback, says{"container-url": {Skip, "stopped"}, "container-reaches-ollama": {Skip, "stopped"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.target.Err == nil {
				test.target.Diagnosis = container.Judge(test.target, test.server)
			}
			report := container.Report{Found: container.Found{Runtimes: []container.Runtime{native}}, Server: test.server, Targets: []container.Target{test.target}}
			got := byID(Run(t.Context(), remembering(report), containerChecks))
			for id, want := range test.want {
				if f := got[id]; f.Status != want.status || !strings.Contains(f.Summary, want.text) {
					t.Errorf("%s: %s %q, want %s %q", id, f.Status, f.Summary, want.status, want.text)
				}
				if f := got[id]; f.Status == Fail && f.Fix == "" && test.target.Fix != "" {
					t.Errorf("%s fails, and has no cure", id)
				}
			}
		})
	}
}

// remembering is a case in which everything has been looked at.
func remembering(r container.Report) *Case {
	c := &Case{}
	done := make(chan struct{})
	close(done)
	c.report.done, c.report.value = done, r
	c.engines.done, c.engines.value = done, r.Found
	return c
}

func TestContainerChecksOfSeveral(t *testing.T) {
	found := container.Found{Runtimes: []container.Runtime{{Tool: "podman"}}}
	good := container.Target{Container: container.Container{Name: "good"}, Diagnosis: container.Diagnosis{Verdict: container.Reachable}}
	bad := container.Target{Container: container.Container{Name: "bad"}, Diagnosis: container.Diagnosis{Verdict: container.RebindNeeded, Fix: "ollama-bind fix"}}
	f := byID(Run(t.Context(), remembering(container.Report{Found: found, Targets: []container.Target{good, bad}}), containerChecks))["container-reaches-ollama"]
	if f.Status != Fail || f.Fix != "ollama-bind fix" || !strings.HasPrefix(f.Summary, "bad: ") || !strings.Contains(f.Evidence, "good") || !strings.Contains(f.Evidence, "bad") {
		t.Errorf("%+v", f)
	}

	stopped := container.Target{Container: container.Container{Name: "off", Runtime: found.Runtimes[0]}, Err: container.ErrNotRunning}
	named := remembering(container.Report{Found: found, Targets: []container.Target{stopped, good}})
	named.Probe.Names = []string{"off", "good"}
	f = byID(Run(t.Context(), named, containerChecks))["container-reaches-ollama"]
	if f.Status != Fail || f.Summary != "off: the container is not running" || f.Fix != "podman start off" {
		t.Errorf("a container that was named and does not run: %+v", f)
	}

	deaf := remembering(container.Report{Found: found, Err: launchctl.ErrNoAnswer})
	deaf.Probe.Names = []string{"web"}
	f = byID(Run(t.Context(), deaf, containerChecks))["container-reaches-ollama"]
	if f.Status != Fail || f.Fix != "podman info" {
		t.Errorf("an engine that does not answer: %+v", f)
	}

	none := remembering(container.Report{Found: container.Found{Absent: []container.Absent{{Tool: "docker", Err: container.ErrNoEngine}}}})
	got := byID(Run(t.Context(), none, containerChecks))
	if got["container-runtime"].Status != Skip || got["container-url"].Status != Skip || got["container-reaches-ollama"].Status != Skip {
		t.Errorf("without a runtime: %+v", got)
	}
	none = remembering(container.Report{})
	none.Probe.Names = []string{"web"}
	if f := byID(Run(t.Context(), none, containerChecks))["container-runtime"]; f.Status != Fail || !strings.Contains(f.Summary, "none of docker") {
		t.Errorf("without a runtime for a container that was named: %+v", f)
	}
}

// TestReassured: what was measured counts more than what is known of runtimes in
// general.
func TestReassured(t *testing.T) {
	to := func(r container.Result) container.Target {
		return container.Target{Reaches: []container.Reach{{Host: "a"}, {Host: "b", Loopback: container.Sight{Result: r}}}}
	}
	forwarded, bridged, stopped := to(container.OK), to(container.Refused), container.Target{Err: container.ErrNotRunning}
	checks := []Check{
		{ID: "loopback", run: func(context.Context, *Case) Finding { return loopbackAlone("127.0.0.1, ", "probe") }},
		{ID: "other", run: func(context.Context, *Case) Finding { return warned("something else", "cure") }},
	}
	for name, tc := range map[string]struct {
		targets []container.Target
		status  Status
	}{
		"nobody was asked": {nil, Warn}, "it does": {[]container.Target{forwarded}, OK},
		"one does not":         {[]container.Target{forwarded, bridged}, Warn},
		"one cannot be asked":  {[]container.Target{forwarded, stopped}, Warn},
		"all of them, as seen": {[]container.Target{forwarded, forwarded}, OK},
	} {
		got := Run(t.Context(), remembering(container.Report{Targets: tc.targets}), checks)
		if f := got[0]; f.Status != tc.status || (f.Fix == "") != (f.Status == OK) {
			t.Errorf("%s: %+v, want %s", name, f, tc.status)
		}
		if got[0].Status == OK && got[0].Summary != "127.0.0.1, loopback alone, which the containers that were asked do reach" {
			t.Errorf("%s: %q", name, got[0].Summary)
		}
		if got[1] != (Finding{ID: "other", Status: Warn, Summary: "something else", Fix: "cure"}) {
			t.Errorf("%s: %+v", name, got[1])
		}
	}
}
