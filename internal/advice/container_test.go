package advice

import (
	"maps"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/container"
)

// TestContainer checks the words for each verdict and cause.
func TestContainer(t *testing.T) {
	const variable, local, right = "OLLAMA_BASE_URL", "http://localhost:11434", "http://host.docker.internal:11434"
	ok, refused := container.Answer{Result: container.OK, Status: 200}, container.Answer{Result: container.Refused}
	late := container.Answer{Result: container.Timeout, Detail: "no answer in time"}
	broken := container.Answer{Result: "http-500", Status: 500}
	yes, no := container.ListenerResult{Result: container.OK}, container.ListenerResult{Result: container.Refused}
	forwarding := func(ollama container.Answer) container.HostResult {
		return container.HostResult{Host: "host.docker.internal", Loopback: yes, Wildcard: yes, Ollama: ollama}
	}
	bridged := func(ollama container.Answer) container.HostResult {
		return container.HostResult{Host: "172.17.0.1", Loopback: no, Wildcard: yes, Ollama: ollama}
	}
	cutOff := container.HostResult{Host: "host.docker.internal", Loopback: no, Wildcard: no, Ollama: refused}
	unknown := container.HostResult{Host: "host.docker.internal", Loopback: container.ListenerResult{Result: container.DNS},
		Wildcard: container.ListenerResult{Result: container.DNS}, Ollama: container.Answer{Result: container.DNS}}
	measured := func(source, url string, a container.Answer, host container.HostResult) container.ClientURL {
		return container.ClientURL{
			Container: container.Container{Name: "web", Runtime: container.Runtime{Tool: "docker", Product: container.Native}, Env: map[string]string{}},
			Source:    source, Value: url, URL: url, Answer: a, Hosts: []container.HostResult{host},
		}
	}
	proxied := func(u container.ClientURL, a container.Answer) container.ClientURL {
		u.Proxied = &container.Proxied{Variable: "http_proxy", Proxy: "http://10.0.0.1:3128", Answer: a, Measured: a.Result != ""}
		return u
	}
	changed := func(u container.ClientURL, change func(*container.ClientURL)) container.ClientURL {
		u.Container.Env = maps.Clone(u.Container.Env)
		change(&u)
		return u
	}
	onLoopback := container.Server{Port: 11434, Loopback: true}
	onAll := container.Server{Port: 11434, Loopback: true, Outside: true}
	onOne := container.Server{Port: 11434, Outside: true, Bound: "192.168.1.5:11434"}
	well := measured(variable, right, ok, forwarding(ok))

	const try = "ollama-bind probe --container web --url " + right
	const notOurs = "; but no variable of web names Ollama, so that is our URL and not its own: look for its own in a config file or " +
		"in the settings that it keeps, and try it with ollama-bind probe web --url URL"
	const elsewhere = "http://192.168.77.200:11434"
	cutOffBy := func(change func(*container.Container)) container.ClientURL {
		return changed(measured(variable, right, refused, cutOff), func(u *container.ClientURL) { change(&u.Container) })
	}
	sibling := func(url string, s container.Sibling) container.ClientURL {
		return changed(measured(variable, url, refused, bridged(ok)), func(u *container.ClientURL) { s.Name = "ai-ollama-1"; u.Sibling = &s })
	}

	for name, test := range map[string]struct {
		url           container.ClientURL
		server        container.Server
		message, hint string
	}{
		"no models":  {well, onLoopback, right + " answers: status 200, no models", ""},
		"one model":  {changed(well, func(u *container.ClientURL) { u.Models = []string{"a:1b"} }), onLoopback, right + " answers: status 200, 1 model, a:1b", ""},
		"two models": {changed(well, func(u *container.ClientURL) { u.Models = []string{"a:1b", "c"} }), onLoopback, right + " answers: status 200, 2 models, first a:1b", ""},
		"a URL that other clients may not like": {
			changed(well, func(u *container.ClientURL) { u.Value = "host.docker.internal:11434" }), onLoopback,
			right + " answers: status 200, no models; but of OLLAMA_BASE_URL=host.docker.internal:11434: it has no http:// in front, and many clients refuse it then", ""},
		"a proxy that is not tried": {proxied(well, container.Answer{}), onLoopback,
			right + " answers: status 200, no models; its http_proxy (http://10.0.0.1:3128) could not be tried", ""},
		"only the proxy has the way": {proxied(measured(variable, "http://a.example", late, bridged(refused)), ok), onLoopback,
			"http://a.example answers, through the proxy in http_proxy: status 200, no models", ""},
		"another URL of ours": {measured("", local, refused, forwarding(ok)), onLoopback, "Ollama answers at " + right + notOurs, ""},
		"no list":             {measured("", right, broken, forwarding(ok)), onLoopback, right + " is Ollama, but its list of models is not to be had (http-500)", ""},
		"not at once":         {measured("", right, late, forwarding(ok)), onLoopback, right + " is Ollama, which answers now, and just now did not (timeout: no answer in time): try again", ""},
		"a proxy that breaks it": {proxied(well, broken), onLoopback,
			right + " answers, but the container's http_proxy sends it to http://10.0.0.1:3128, where it ends in http-500",
			try},
		"a proxy with exceptions": {
			changed(proxied(well, broken), func(u *container.ClientURL) { u.Container.Env["no_proxy"] = "a b" }), onLoopback,
			right + " answers, but the container's http_proxy sends it to http://10.0.0.1:3128, where it ends in http-500",
			try},
		"an Origin": {
			changed(measured(variable, right, broken, forwarding(ok)), func(u *container.ClientURL) { u.Why403 = container.ByOrigin }), onLoopback,
			right + " is Ollama, which refuses that Origin, and answers without it: programs on a server send none, " +
				"and OLLAMA_ORIGINS, where Ollama is started, is for web pages from elsewhere", try},
		"a path": {measured(variable, right+"/x", container.Answer{Result: "http-404", Status: 404}, forwarding(ok)), onLoopback,
			"Ollama answers this container at " + right + ", but not under the path of its URL, " + right + "/x",
			try},
		"localhost": {measured(variable, local, refused, forwarding(ok)), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is " + local + ": localhost is the container itself",
			try},
		"localhost of --url": {measured("--url", local, refused, forwarding(ok)), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is " + local + ": localhost is the container itself", try},
		"localhost in a list": {
			changed(measured(variable, local, refused, forwarding(ok)), func(u *container.ClientURL) { u.Container.Env[variable] = "http://a;" + local }), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is " + local + ": localhost is the container itself",
			try},
		"localhost behind a proxy": {
			changed(measured(variable, local, refused, forwarding(ok)), func(u *container.ClientURL) { u.Container.Env["http_proxy"] = "http://p" }), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is " + local + ": localhost is the container itself",
			try},
		"a wrong port": {measured(variable, "http://host.docker.internal:11343", late, forwarding(ok)), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is http://host.docker.internal:11343 (timeout: no answer in time)", try},
		"another machine": {measured(variable, elsewhere, late, forwarding(ok)), onLoopback,
			elsewhere + " is another machine, which does not answer as Ollama (timeout: no answer in time); this machine's Ollama is " + right + ", if that is meant",
			"curl -m 5 " + elsewhere + "/api/version"},
		"another machine, and none here": {measured(variable, elsewhere, late, cutOff), container.Server{Port: 11434},
			elsewhere + " is another machine, which does not answer as Ollama (timeout: no answer in time)", "curl -m 5 " + elsewhere + "/api/version"},
		"a sibling on another port": {sibling("http://ollama:7869", container.Sibling{Ollama: true, Running: true, Shared: true}), onLoopback,
			"http://ollama:7869 leads to the container ai-ollama-1, which has Ollama on port 11434 inside: another port is for this machine alone",
			"ollama-bind probe --container web --url http://ollama:11434"},
		"a sibling that does not run": {sibling("http://ollama:11434", container.Sibling{Ollama: true}), onLoopback,
			"http://ollama:11434 leads to the container ai-ollama-1, which does not run", "docker start ai-ollama-1"},
		"a sibling that does not answer": {sibling("http://ollama:11434", container.Sibling{Ollama: true, Running: true, Shared: true}), onLoopback,
			"http://ollama:11434 leads to the container ai-ollama-1, which does not answer there as Ollama (refused)", "docker logs --tail 20 ai-ollama-1"},
		"a sibling on another network": {
			changed(sibling("http://ollama:11434", container.Sibling{Ollama: true, Running: true}), func(u *container.ClientURL) {
				u.Container.Networks = []container.Network{{Name: "ai"}}
			}), onLoopback,
			"http://ollama:11434 leads to the container ai-ollama-1, which is on none of this one's networks", "docker network connect ai ai-ollama-1"},
		"a path that clients add": {
			changed(measured(variable, right+"/api", ok, forwarding(ok)), func(u *container.ClientURL) { u.Container.Image = "ghcr.io/open-webui/open-webui:main" }), onLoopback,
			right + "/api is Ollama, but most clients add that path themselves, and get 404 then: the URL ends before it", try},
		"a path that some clients add": {measured(variable, right+"/api/generate", ok, forwarding(ok)), onLoopback,
			right + "/api/generate answers: status 200, no models; but of OLLAMA_BASE_URL=" + right +
				"/api/generate: most clients add that path themselves, and get 404 then: the URL ends before it", ""},
		"a rebind": {measured("", "http://172.17.0.1:11434", refused, bridged(refused)), onLoopback,
			"the container reaches this machine as 172.17.0.1, but Ollama listens on 127.0.0.1 only" + notOurs, "bind it"},
		"a rebind, and a wrong URL": {measured(variable, local, refused, bridged(refused)), onOne,
			"the container reaches this machine as 172.17.0.1, but Ollama listens on 192.168.1.5:11434 only; and the container's URL is not http://172.17.0.1:11434 but " + local +
				": localhost is the container itself", "bind it"},
		"an error for the container alone": {measured("", right, broken, forwarding(broken)), onAll,
			"the container reaches this machine as host.docker.internal, but from Ollama's port 11434 it gets http-500: no rebind helps", "lsof -nP -iTCP:11434 -sTCP:LISTEN"},
		"a firewall for Ollama": {measured("", right, refused, bridged(refused)), onAll,
			"the container reaches this machine as 172.17.0.1, but from Ollama's port 11434 it gets refused: no rebind helps; a firewall may let our listener pass and Ollama not: have it pass incoming connections for ollama",
			"sudo iptables -S INPUT"},
		"no network": {
			changed(measured("", right, refused, cutOff), func(u *container.ClientURL) { u.Container.NetworkMode = "none" }), onAll,
			"the container has no network", "docker network disconnect none web && docker network connect bridge web"},
		"extra hosts": {
			changed(measured("", right, refused, cutOff), func(u *container.ClientURL) {
				u.Container.ExtraHosts = []container.ExtraHost{{Name: "host.docker.internal", Address: "192.0.2.1"}}
			}), onAll,
			"the container reaches nothing on this machine by host.docker.internal: its extra_hosts (--add-host) lead somewhere else; take those lines out, and start it again without them",
			"docker inspect --format '{{.HostConfig.ExtraHosts}}' web"},
		"an internal network": {cutOffBy(func(c *container.Container) { c.Networks = []container.Network{{Name: "ai_back", Internal: true}} }), onAll,
			"the container reaches nothing on this machine by host.docker.internal: its network ai_back is internal, and leads to no host",
			"docker network connect bridge web"},
		"the network of a VPN": {cutOffBy(func(c *container.Container) { c.NetworkMode, c.NetworkOf = "container:ab", "gluetun" }), onAll,
			"the container reaches nothing on this machine by host.docker.internal, however it is bound: it has the network of the container gluetun, " +
				"and it is that one's VPN or firewall which is in the way", "ollama-bind probe gluetun"},
		"DNS of its own": {
			changed(measured(variable, right, container.Answer{Result: container.DNS}, unknown), func(u *container.ClientURL) { u.Container.DNS = []string{"10.0.0.53"} }), onAll,
			"no name of this machine resolves in the container (host.docker.internal): it asks DNS servers of its own (10.0.0.53), which do not know them; " +
				"extra_hosts (--add-host) makes them known", try},
		"an engine elsewhere": {cutOffBy(func(c *container.Container) {
			c.Runtime.Product, c.Runtime.Endpoint, c.Runtime.Address = container.Remote, "ssh://gpu", "192.168.77.5"
		}), onAll, "the container reaches nothing on this machine by host.docker.internal, however it is bound: " +
			"a firewall between it and the engine's machine (ssh://gpu) is in the way", "docker context ls"},
		"a firewall": {measured("", right, refused, cutOff), onAll,
			"the container reaches nothing on this machine by host.docker.internal, however it is bound: its network, a VPN or a firewall (on Linux: ufw, firewalld) is in the way",
			"docker network ls"},
		"a firewall for a network": {
			changed(measured("", right, refused, cutOff), func(u *container.ClientURL) { u.Container.Networks = []container.Network{{Name: "x; touch y"}} }), onAll,
			"the container reaches nothing on this machine by host.docker.internal, however it is bound: its network, a VPN or a firewall (on Linux: ufw, firewalld) is in the way",
			"docker network inspect -- 'x; touch y'"},
		"down": {measured("", right, refused, cutOff), container.Server{Port: 11434, Cause: "not-loaded"}, "it sleeps", "wake it"},
	} {
		test.url.Diagnosis = container.Judge(test.url, test.server)
		message, hint := Container(test.url, test.server, Local{Why: "it sleeps", Hint: "wake it", Rebind: "bind it"})
		if message != test.message || hint != test.hint {
			t.Errorf("%s:\n got %s\n and %s\nwant %s\n and %s", name, message, hint, test.message, test.hint)
		}
	}
	if message, hint := Container(container.ClientURL{Err: container.ErrPaused}, onAll, Local{}); message+hint != "" {
		t.Errorf("without a verdict: %q, %q", message, hint)
	}
}

func TestURLProblem(t *testing.T) {
	for want, p := range map[string]container.URLProblem{
		"it is no http or https URL":                                      {ID: container.NotAURL},
		"it says https, and Ollama speaks no TLS":                         {ID: container.HTTPS, Host: "h"},
		"it names no port, so it goes to port 80":                         {ID: container.NoPort, Host: "h"},
		"web is the container itself":                                     {ID: container.OwnName, Host: "web"},
		"::1 is the container itself":                                     {ID: container.IPv6Loopback, Host: "::1"},
		"h is the machine that the engine runs on, which is not this one": {ID: container.HostGatewayOnVM, Host: "h"},
		"an extra_hosts line makes h the container itself (::1)":          {ID: container.ExtraHostLoopback, Host: "h", Address: "::1"},
		"an extra_hosts line (host-gateway) makes h the machine that the engine runs on, which is not this one":                            {ID: container.HostGatewayOnVM, Host: "h", Address: "host-gateway"},
		"0.0.0.0 is an address to listen on, and leads a client to the container itself":                                                   {ID: container.Unspecified, Host: "0.0.0.0"},
		"an address without a host is an address to listen on, and leads a client to the container itself":                                 {ID: container.Unspecified},
		"Ollama on loopback refuses that name (its Host check wants an IP address or a name that ends in .internal, .local or .localhost)": {ID: container.HostCheck},
	} {
		if got := URLProblem(p); got != want {
			t.Errorf("%+v: %q, want %q", p, got, want)
		}
	}
}

func TestContainerName(t *testing.T) {
	for want, u := range map[string]container.ClientURL{
		"web":                           {Container: container.Container{Name: "web"}, Image: "curl"},
		"a temporary container of curl": {Image: "curl"},
		"a temporary container":         {},
	} {
		if got := ContainerName(u); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestChange is about what made a container, and how its URL is changed then.
func TestChange(t *testing.T) {
	const right = "http://host.docker.internal:11434"
	compose := container.Origin{Project: "ai", Service: "web", Dir: "/home/me/a b", Files: []string{"/home/me/a b/compose.yaml"}}
	for name, test := range map[string]struct {
		origin  container.Origin
		env     map[string]string
		value   string
		place   string
		lines   string
		command string
	}{
		"docker run": {container.Origin{}, nil, "http://localhost:11434", "docker run", "--env LLM_URL=" + right,
			"ollama-bind probe --container web --url " + right},
		"a project": {compose, nil, "http://localhost:11434", "/home/me/a b/compose.yaml",
			"services:\n  web:\n    environment:\n      LLM_URL: " + right, "docker compose -p ai -f '/home/me/a b/compose.yaml' up -d web"},
		"files by relative names": {container.Origin{Project: "ai", Service: "web", Dir: "/srv", Files: []string{"a.yml", "x/b.yml"}}, nil, "x", "/srv/x/b.yml",
			"services:\n  web:\n    environment:\n      LLM_URL: " + right, "docker compose -p ai -f /srv/a.yml -f /srv/x/b.yml up -d web"},
		"a folder of its own": {container.Origin{Service: "web", Dir: "/srv", Files: []string{"/etc/c.yml"}}, nil, "x", "/etc/c.yml",
			"services:\n  web:\n    environment:\n      LLM_URL: " + right, "docker compose -f /etc/c.yml --project-directory /srv up -d web"},
		"a swarm": {container.Origin{Swarm: "ai_web"}, nil, "http://localhost:11434", "", "",
			"docker service update --env-add LLM_URL=" + right + " ai_web"},
		"a list": {compose, map[string]string{"LLM_URL": "http://a:11434;http://localhost:11434"}, "http://localhost:11434", "/home/me/a b/compose.yaml",
			"services:\n  web:\n    environment:\n      LLM_URL: 'http://a:11434;" + right + "'", "docker compose -p ai -f '/home/me/a b/compose.yaml' up -d web"},
		"a list with a password": {container.Origin{}, map[string]string{"LLM_URL": "http://me:pw@a:11434;http://localhost:11434"}, "http://localhost:11434", "docker run, in the value of LLM_URL",
			right, "ollama-bind probe --container web --url " + right},
		"a login": {container.Origin{}, map[string]string{"LLM_URL": "http://me:pw@localhost:11434"}, "http://localhost:11434", "docker run, in the value of LLM_URL",
			right, "ollama-bind probe --container web --url " + right},
		"JSON, with a key": {compose, map[string]string{"LLM_URL": `{"url":"http://localhost:11434","key":"sk-1"}`}, "http://localhost:11434",
			"/home/me/a b/compose.yaml, in the value of LLM_URL", right, "ollama-bind probe --container web --url " + right},
		"a proxy": {container.Origin{}, map[string]string{"http_proxy": "http://p:1", "no_proxy": "a b"}, "http://localhost:11434", "docker run",
			"--env LLM_URL=" + right + " --env NO_PROXY='a b,host.docker.internal' --env no_proxy='a b,host.docker.internal'",
			"ollama-bind probe --container web --url " + right},
	} {
		u := container.ClientURL{
			Container: container.Container{Name: "web", Runtime: container.Runtime{Tool: "docker"}, Env: test.env, Origin: test.origin},
			Source:    "LLM_URL", Value: test.value, URL: test.value,
			Diagnosis: container.Diagnosis{Verdict: container.URLWrong, RightURL: right},
		}
		got := Change(u)
		if got.Place != test.place || strings.Join(got.Lines, "\n") != test.lines || got.Command != test.command {
			t.Errorf("%s: %+v", name, got)
		}
	}
	u := container.ClientURL{
		Container: container.Container{Name: "web", Runtime: container.Runtime{Tool: "docker", Product: container.RancherDesktop}, Origin: compose},
		Diagnosis: container.Diagnosis{Verdict: container.RebindUseless, Cause: container.ByDNS},
	}
	if got := strings.Join(Change(u).Lines, "\n"); got != "services:\n  web:\n    extra_hosts:\n      - host.docker.internal:192.168.5.2" {
		t.Errorf("a name for the host: %s", got)
	}
}
