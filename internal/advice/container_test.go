package advice

import (
	"maps"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/container"
)

// TestContainer holds what is said of each verdict and cause, word by word.
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
	measured := func(source, url string, a container.Answer, host container.HostResult) container.ClientURL {
		return container.ClientURL{
			Container: container.Container{Runtime: container.Runtime{Tool: "docker", Product: container.Native}, Env: map[string]string{}},
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
		"another URL of ours": {measured("", local, refused, forwarding(ok)), onLoopback, "Ollama answers at " + right, ""},
		"no list":             {measured("", right, broken, forwarding(ok)), onLoopback, right + " is Ollama, but its list of models is not to be had (http-500)", ""},
		"not at once":         {measured("", right, late, forwarding(ok)), onLoopback, right + " is Ollama, which answers now, and just now did not (timeout: no answer in time): try again", ""},
		"a proxy that breaks it": {proxied(well, broken), onLoopback,
			right + " answers, but the container's http_proxy sends it to http://10.0.0.1:3128, where it ends in http-500",
			"start the container with NO_PROXY=host.docker.internal and no_proxy=host.docker.internal"},
		"a proxy with exceptions": {
			changed(proxied(well, broken), func(u *container.ClientURL) { u.Container.Env["no_proxy"] = "a b" }), onLoopback,
			right + " answers, but the container's http_proxy sends it to http://10.0.0.1:3128, where it ends in http-500",
			"start the container with NO_PROXY='a b,host.docker.internal' and no_proxy='a b,host.docker.internal'"},
		"an Origin": {
			changed(measured(variable, right, broken, forwarding(ok)), func(u *container.ClientURL) { u.Why403 = container.ByOrigin }), onLoopback,
			right + " is Ollama, which refuses that Origin, and answers without it",
			"set OLLAMA_ORIGINS where Ollama is started, for web pages and browser extensions from elsewhere; programs on a server need none"},
		"a path": {measured(variable, right+"/x", container.Answer{Result: "http-404", Status: 404}, forwarding(ok)), onLoopback,
			"Ollama answers this container at " + right + ", but not under the path of its URL, " + right + "/x",
			"start the container with OLLAMA_BASE_URL=" + right},
		"localhost": {measured(variable, local, refused, forwarding(ok)), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is " + local + ": localhost is the container itself",
			"start the container with OLLAMA_BASE_URL=" + right},
		"localhost of --url": {measured("--url", local, refused, forwarding(ok)), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is " + local + ": localhost is the container itself", "use " + right},
		"localhost in a list": {
			changed(measured(variable, local, refused, forwarding(ok)), func(u *container.ClientURL) { u.Container.Env[variable] = "http://a;" + local }), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is " + local + ": localhost is the container itself",
			"start the container with " + right + " in OLLAMA_BASE_URL, in the place of " + local},
		"localhost behind a proxy": {
			changed(measured(variable, local, refused, forwarding(ok)), func(u *container.ClientURL) { u.Container.Env["http_proxy"] = "http://p" }), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is " + local + ": localhost is the container itself",
			"start the container with OLLAMA_BASE_URL=" + right + ", NO_PROXY=host.docker.internal and no_proxy=host.docker.internal"},
		"a wrong host": {measured(variable, "http://a.example:11434", late, forwarding(ok)), onLoopback,
			"Ollama answers this container at " + right + ", but its URL is http://a.example:11434 (timeout: no answer in time)",
			"start the container with OLLAMA_BASE_URL=" + right},
		"a rebind": {measured("", "http://172.17.0.1:11434", refused, bridged(refused)), onLoopback,
			"the container reaches this machine as 172.17.0.1, but Ollama listens on 127.0.0.1 only", "bind it"},
		"a rebind, and a wrong URL": {measured(variable, local, refused, bridged(refused)), onOne,
			"the container reaches this machine as 172.17.0.1, but Ollama listens on 192.168.1.5:11434 only; and the container's URL is not http://172.17.0.1:11434 but " + local, "bind it"},
		"an error for the container alone": {measured("", right, broken, forwarding(broken)), onAll,
			"the container reaches this machine as host.docker.internal, but from Ollama's port 11434 it gets http-500: no rebind helps", "lsof -nP -iTCP:11434 -sTCP:LISTEN"},
		"a firewall for Ollama": {measured("", right, refused, bridged(refused)), onAll,
			"the container reaches this machine as 172.17.0.1, but from Ollama's port 11434 it gets refused: no rebind helps; a firewall may let our listener pass and Ollama not",
			"let this machine's firewall pass incoming connections for ollama (on a Mac: System Settings > Network > Firewall)"},
		"no network": {
			changed(measured("", right, refused, cutOff), func(u *container.ClientURL) { u.Container.NetworkMode = "none" }), onAll,
			"the container has no network", "start it without --network none"},
		"extra hosts": {
			changed(measured("", right, refused, cutOff), func(u *container.ClientURL) {
				u.Container.ExtraHosts = []container.ExtraHost{{Name: "host.docker.internal", Address: "192.0.2.1"}}
			}), onAll,
			"the container reaches nothing on this machine by host.docker.internal: its extra_hosts lead somewhere else",
			"remove the extra_hosts (--add-host) lines for this machine, and start the container again"},
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
		"it is no http or https URL":                                                                       {ID: container.NotAURL},
		"it says https, and Ollama speaks no TLS":                                                          {ID: container.HTTPS, Host: "h"},
		"it names no port, so it goes to port 80":                                                          {ID: container.NoPort, Host: "h"},
		"web is the container itself":                                                                      {ID: container.OwnName, Host: "web"},
		"::1 is the container itself":                                                                      {ID: container.IPv6Loopback, Host: "::1"},
		"h is the virtual machine of the runtime":                                                          {ID: container.HostGatewayOnVM, Host: "h"},
		"an extra_hosts line makes h the container itself (::1)":                                           {ID: container.ExtraHostLoopback, Host: "h", Address: "::1"},
		"an extra_hosts line (host-gateway) makes h the virtual machine of the runtime":                    {ID: container.HostGatewayOnVM, Host: "h", Address: "host-gateway"},
		"0.0.0.0 is an address to listen on, and leads a client to the container itself":                   {ID: container.Unspecified, Host: "0.0.0.0"},
		"an address without a host is an address to listen on, and leads a client to the container itself": {ID: container.Unspecified},
		"Ollama on loopback refuses that name (its Host check wants an IP address or a name that ends in .internal, .local or .localhost)": {ID: container.HostCheck},
	} {
		if got := URLProblem(p); got != want {
			t.Errorf("%+v: %q, want %q", p, got, want)
		}
	}
}

func TestContainerName(t *testing.T) {
	for want, u := range map[string]container.ClientURL{
		"web":                            {Container: container.Container{Name: "web"}, Image: "curl"},
		"a throw-away container of curl": {Image: "curl"},
		"a throw-away container":         {},
	} {
		if got := ContainerName(u); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
