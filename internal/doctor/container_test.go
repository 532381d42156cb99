package doctor

import (
	"errors"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// TestContainerChecks has a world in each row, and what some of the checks say of it.
func TestContainerChecks(t *testing.T) {
	yes, no := container.ListenerResult{Result: container.OK}, container.ListenerResult{Result: container.Refused}
	ok, refused := container.Answer{Result: container.OK, Status: 200}, container.Answer{Result: container.Refused}
	forwarding := container.HostResult{Host: "host.docker.internal", Loopback: yes, Wildcard: yes, Ollama: ok}
	bridged := container.HostResult{Host: "172.17.0.1", Loopback: no, Wildcard: yes, Ollama: refused}
	cutOff := container.HostResult{Host: "host.docker.internal", Loopback: no, Wildcard: no}
	native := container.Runtime{Tool: "docker", Product: container.Native, Version: "28"}
	loopback, everywhere := container.Server{Port: 11434, Loopback: true}, container.Server{Port: 11434, Loopback: true, Outside: true}
	const right, local, remote = "http://host.docker.internal:11434", "http://localhost:11434", "http://ollama.example.com"
	url := func(url string, a container.Answer, h container.HostResult, extra ...container.ExtraHost) container.ClientURL {
		c := container.Container{Name: "web", Runtime: native, Running: true, ExtraHosts: extra}
		return container.ClientURL{Container: c, Source: "OLLAMA_BASE_URL", Value: url, URL: url, Answer: a, Hosts: []container.HostResult{h}, Tool: "curl"}
	}
	through := func(u container.ClientURL, a container.Answer, measured bool) container.ClientURL {
		u.Proxied = &container.Proxied{Variable: "http_proxy", Proxy: "http://10.0.0.1:3128", Answer: a, Measured: measured}
		return u
	}
	astray := container.ExtraHost{Name: "host.docker.internal", Address: "192.0.2.1"}
	gateway := container.ExtraHost{Name: "host.docker.internal", Address: "host-gateway"}
	type says map[string]string // the status, and a part of the summary
	for name, tc := range map[string]struct {
		url    container.ClientURL
		server container.Server
		want   says
	}{
		"all is well": {url(right, ok, forwarding), loopback, says{"runtime": "ok docker: linux 28", "url": "ok OLLAMA_BASE_URL=" + right, "extra-hosts": "ok none",
			"proxy": "ok none", "reaches-loopback": "ok yes, as host.docker.internal", "reaches-wildcard": "ok yes", "reaches-ollama": "ok reachable"}},
		"localhost": {url(local, refused, forwarding), loopback, says{"url": "fail localhost is the container itself", "reaches-ollama": "fail url-wrong"}},
		"localhost, and a bridge": {url(local, refused, bridged), loopback, says{"url": "fail localhost is the container itself", "reaches-wildcard": "ok yes, as 172.17.0.1",
			"reaches-loopback": "warn only what listens on all interfaces", "reaches-ollama": "fail rebind-needed"}},
		"bound to all": {url("http://172.17.0.1:11434", ok, bridged), everywhere, says{"reaches-loopback": "ok does not matter", "reaches-ollama": "ok reachable"}},
		"a remote Ollama": {url(remote, ok, cutOff), loopback, says{"reaches-loopback": "warn nor anything else", "reaches-wildcard": "warn has its Ollama at " + remote,
			"reaches-ollama": "ok reachable"}},
		"a remote Ollama, a bridge": {url(remote, ok, bridged), loopback, says{"reaches-loopback": "ok has its Ollama at " + remote}},
		"nothing is reached": {url(right, refused, cutOff), everywhere, says{"reaches-loopback": "warn nor anything else", "reaches-wildcard": "fail would not help",
			"reaches-ollama": "fail rebind-useless"}},
		"led astray":                {url(right, refused, cutOff, astray), loopback, says{"extra-hosts": "fail does not lead to this machine (refused)", "reaches-ollama": "fail extra_hosts"}},
		"astray, but unused":        {url(remote, ok, cutOff, astray), loopback, says{"extra-hosts": "warn does not lead"}},
		"not led astray":            {url(right, refused, cutOff, gateway), loopback, says{"extra-hosts": "ok host.docker.internal:host-gateway"}},
		"Ollama is down":            {url(right, refused, cutOff), container.Server{Port: 11434}, says{"reaches-wildcard": "warn no", "reaches-ollama": "fail ollama-down: it sleeps"}},
		"a proxy that breaks it":    {through(url(right, ok, forwarding), refused, true), loopback, says{"proxy": "fail it ends in refused", "url": "ok ", "reaches-ollama": "fail url-wrong"}},
		"a proxy that lets it pass": {through(url(right, ok, forwarding), ok, true), loopback, says{"proxy": "ok lets it pass"}},
		"a proxy that is not tried": {through(url(right, ok, forwarding), ok, false), loopback, says{"proxy": "warn cannot be tried"}},
		"a proxy, and a wrong URL":  {through(url(local, refused, forwarding), refused, true), loopback, says{"proxy": "ok not what is wrong"}},
		"the proxy has the way":     {through(url(remote, refused, bridged), ok, true), loopback, says{"proxy": "ok lets it pass", "reaches-ollama": "ok reachable"}},
		"it could not be asked":     {container.ClientURL{Err: errors.New("stopped")}, loopback, says{"url": "skip stopped", "reaches-ollama": "skip stopped"}},
	} {
		if tc.url.Err == nil {
			tc.url.Diagnosis = container.Judge(tc.url, tc.server)
		}
		found := container.Found{Runtimes: []container.Runtime{native}}
		s := Seen{found: found, Report: &container.Report{Found: found, Server: tc.server, URLs: []container.ClientURL{tc.url}}}
		s.local = advice.Local{Why: "it sleeps", Hint: "brew services start ollama", Rebind: "ollama-bind fix"}
		got := byID(Run(s, containerChecks))
		for id, want := range tc.want {
			status, text, _ := strings.Cut(want, " ")
			f := got["container-"+id]
			if expect(t, name+" "+id, f, Status(status), text, ""); f.Status == Fail && f.Fix == "" {
				t.Errorf("%s: %s fails, and has no cure", name, id)
			}
		}
	}
}

func TestSeveralContainers(t *testing.T) {
	podman := container.Found{Runtimes: []container.Runtime{{Tool: "podman"}}}
	url := func(name string, v container.Verdict) container.ClientURL {
		return container.ClientURL{Container: container.Container{Name: name, Runtime: podman.Runtimes[0]}, Diagnosis: container.Diagnosis{Verdict: v}}
	}
	good, bad, stopped := url("good", container.Reachable), url("bad", container.RebindNeeded), url("off", "")
	stopped.Err = container.ErrNotRunning
	none := container.Found{Unusable: []container.Unusable{{Tool: "docker", Err: container.ErrNoEngine}}}
	for name, tc := range map[string]struct {
		report    *container.Report
		named     bool
		check     string
		status    Status
		text, fix string
	}{
		"one is wrong":                 {&container.Report{Found: podman, URLs: []container.ClientURL{good, bad}}, false, reaches, Fail, "bad: ", "ollama-bind fix"},
		"one that was named is off":    {&container.Report{Found: podman, URLs: []container.ClientURL{stopped, good}}, true, reaches, Fail, "off: the container is not running", "podman start off"},
		"one is off":                   {&container.Report{Found: podman, URLs: []container.ClientURL{stopped, good}}, false, reaches, OK, "reachable", ""},
		"an engine that is deaf":       {&container.Report{Found: podman, Err: launchctl.ErrNoAnswer}, true, reaches, Fail, "no answer", "podman info"},
		"no container":                 {&container.Report{Found: podman}, false, reaches, Skip, "no container", ""},
		"no time":                      {nil, true, reaches, Skip, "no time", ""},
		"no engine":                    {&container.Report{Found: none}, false, "container-runtime", Skip, "no container runtime answers", ""},
		"no engine, and nothing to do": {&container.Report{Found: none}, false, "container-url", Skip, "no container runtime", ""},
		"no runtime for the named one": {&container.Report{}, true, "container-runtime", Fail, "none of docker", "docker info"},
	} {
		s := Seen{Report: tc.report, named: tc.named, local: advice.Local{Rebind: "ollama-bind fix"}}
		if tc.report != nil {
			s.found = tc.report.Found
		}
		f := byID(Run(s, containerChecks))[tc.check]
		expect(t, name, f, tc.status, tc.text, tc.fix)
		if name == "one is wrong" && (!strings.Contains(f.Evidence, "good") || !strings.Contains(f.Evidence, "bad")) {
			t.Errorf("evidence of both: %q", f.Evidence)
		}
	}
}
