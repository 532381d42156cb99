package container

import "testing"

const port = 11434

// The answers that fetches end in.
var (
	ok        = Answer{Result: OK, Status: 200}
	refused   = Answer{Result: Refused}
	late      = Answer{Result: Timeout}
	unknown   = Answer{Result: DNS}
	notOllama = Answer{Result: Other, Status: 200}
	forbidden = Answer{Result: "http-403", Status: 403}
	missing   = Answer{Result: "http-404", Status: 404}
	broken    = Answer{Result: "http-500", Status: 500}
)

// The networks that a container may have.
var (
	yes, no    = ListenerResult{Result: OK}, ListenerResult{Result: Timeout}
	forwarding = HostResult{Host: "host.docker.internal", Loopback: yes, Wildcard: yes}
	half       = HostResult{Host: "host.docker.internal", Loopback: yes, Wildcard: no, Ollama: refused}
	bridged    = HostResult{Host: "172.17.0.1", Loopback: no, Wildcard: yes}
	cutOff     = HostResult{Host: "host.docker.internal", Loopback: no, Wildcard: no, Ollama: late}
)

func with(h HostResult, ollama Answer) HostResult {
	h.Ollama = ollama
	return h
}

// The Ollamas that a host may have.
var (
	onLoopback = Server{Port: port, Loopback: true}
	onAll      = Server{Port: port, Loopback: true, Outside: true}
	onOne      = Server{Port: port, Outside: true, Bound: "192.168.1.5:11434"}
	down       = Server{Port: port, Cause: "not-loaded"}
)

const (
	variable = "OLLAMA_BASE_URL"
	selfURL  = "http://localhost:11434"
	right    = "http://host.docker.internal:11434"
	bridge   = "http://172.17.0.1:11434"
)

// measured is a URL of a container, or ours where source is "".
func measured(source, raw string, a Answer, hosts ...HostResult) ClientURL {
	return ClientURL{
		Source: source, Value: raw, URL: raw, Answer: a, Hosts: hosts,
		Container: Container{Runtime: Runtime{Tool: "docker", Product: DockerDesktop}},
	}
}

func proxied(u ClientURL, a Answer) ClientURL {
	u.Proxied = &Proxied{Variable: "http_proxy", Proxy: "http://10.0.0.1:3128", Answer: a, Measured: a.Result != ""}
	return u
}

func because(u ClientURL, why Cause) ClientURL {
	u.Why403 = why
	return u
}

func inNetwork(mode string, product Product, extra ...ExtraHost) ClientURL {
	u := measured("", right, late, cutOff)
	u.Container.NetworkMode, u.Container.Runtime.Product, u.Container.ExtraHosts = mode, product, extra
	return u
}

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		url     ClientURL
		server  Server
		verdict Verdict
		cause   Cause
		right   string
		host    string
	}{
		"the URL answers": {measured(variable, right, ok, with(forwarding, ok)), onLoopback, Reachable, "", "", ""},
		"it answers, and other clients may not like it": {
			measured(variable, "host.docker.internal:11434", ok, with(forwarding, ok)), onLoopback, Reachable, NoScheme, "", ""},
		"ours answers":                          {measured("", right, ok, with(forwarding, ok)), onLoopback, Reachable, "", "", ""},
		"ours is not the right name":            {measured("", right, unknown, with(bridged, ok)), onAll, Reachable, "", bridge, "172.17.0.1"},
		"it does not answer at the first try":   {measured(variable, right, refused, with(forwarding, ok)), onLoopback, Reachable, "refused", "", "host.docker.internal"},
		"written in another case":               {measured(variable, "http://Host.Docker.Internal:11434", broken, with(forwarding, ok)), onLoopback, Reachable, "http-500", "", "host.docker.internal"},
		"the list is not to be had":             {measured("", right, broken, with(forwarding, ok)), onLoopback, Reachable, "http-500", "", "host.docker.internal"},
		"localhost, and loopback is reached":    {measured(variable, selfURL, refused, with(forwarding, ok)), onLoopback, URLWrong, Localhost, right, "host.docker.internal"},
		"localhost, and all are bound":          {measured(variable, selfURL, refused, with(bridged, ok)), onAll, URLWrong, Localhost, bridge, "172.17.0.1"},
		"the path is kept":                      {measured("OPENAI", selfURL+"/v1", refused, with(forwarding, ok)), onLoopback, URLWrong, Localhost, right + "/v1", "host.docker.internal"},
		"the path is wrong":                     {measured(variable, right+"/ollama", missing, with(forwarding, ok)), onLoopback, URLWrong, ByPath, right, "host.docker.internal"},
		"a wrong port":                          {measured(variable, "http://host.docker.internal:1143", refused, with(forwarding, ok)), onLoopback, URLWrong, "refused", right, "host.docker.internal"},
		"loopback is not reached":               {measured(variable, bridge, refused, with(bridged, refused)), onLoopback, RebindNeeded, "", "", "172.17.0.1"},
		"nor is the URL right":                  {measured(variable, selfURL, refused, with(bridged, refused)), onLoopback, RebindNeeded, Localhost, bridge, "172.17.0.1"},
		"bound to one address":                  {measured("", bridge, refused, with(bridged, refused)), onOne, RebindNeeded, ListensElsewhere, "", "172.17.0.1"},
		"bound to one, and loopback is reached": {measured("", right, refused, with(forwarding, refused)), onOne, RebindNeeded, ListensElsewhere, "", "host.docker.internal"},
		"bound to one, and loopback alone is":   {measured("", right, refused, half), onOne, RebindNeeded, ListensElsewhere, "", "host.docker.internal"},
		"no way to the host":                    {measured("", right, late, cutOff), onLoopback, RebindUseless, ByNetwork, "", ""},
		"no way to the host with all bound":     {measured("", right, late, cutOff), onAll, RebindUseless, ByNetwork, "", ""},
		"our listener passes, Ollama does not":  {measured("", right, late, with(bridged, late)), onAll, RebindUseless, ByFirewall, "", "172.17.0.1"},
		"another program has the port there":    {measured("", right, notOllama, with(forwarding, notOllama)), onLoopback, RebindUseless, "http-200", "", "host.docker.internal"},
		"the container alone gets an error":     {measured("", right, broken, with(bridged, broken)), onAll, RebindUseless, "http-500", "", "172.17.0.1"},
		"Ollama is down":                        {measured("", right, refused, with(forwarding, refused)), down, OllamaDown, "not-loaded", "", ""},
		"it is down, and the URL is wrong":      {measured(variable, selfURL, refused, with(forwarding, refused)), down, OllamaDown, "not-loaded", "", ""},

		// An answer is only one if it is Ollama's, and what a proxy makes of it counts.
		"a proxy that passes it on":       {proxied(measured(variable, right, ok, with(forwarding, ok)), ok), onLoopback, Reachable, "", "", ""},
		"a proxy with its own answer":     {proxied(measured(variable, right, ok, with(forwarding, ok)), notOllama), onLoopback, URLWrong, ByProxy, "", ""},
		"a dead proxy":                    {proxied(measured(variable, right, ok, with(forwarding, ok)), refused), onLoopback, URLWrong, ByProxy, "", ""},
		"a proxy that cannot be tried":    {proxied(measured(variable, right, ok, with(forwarding, ok)), Answer{}), onLoopback, Reachable, "", "", ""},
		"only the proxy has the way":      {proxied(measured(variable, "http://a.example", late, with(bridged, refused)), ok), onLoopback, Reachable, "", "", ""},
		"refused for its Host":            {because(measured(variable, "http://a.example:11434", forbidden, with(forwarding, ok)), HostCheck), onLoopback, URLWrong, HostCheck, right, "host.docker.internal"},
		"refused for its Origin":          {because(measured(variable, right, forbidden, with(forwarding, ok)), ByOrigin), onLoopback, URLWrong, ByOrigin, "", ""},
		"no network":                      {inNetwork("none", DockerDesktop), onLoopback, RebindUseless, NoNetwork, "", ""},
		"extra hosts that lead nowhere":   {inNetwork("bridge", DockerDesktop, ExtraHost{"Host.Docker.Internal", "192.0.2.1"}), onLoopback, RebindUseless, ByExtraHosts, "", ""},
		"a right extra host, on Linux":    {inNetwork("bridge", Native, ExtraHost{"host.docker.internal", "host-gateway"}), onLoopback, RebindUseless, ByNetwork, "", ""},
		"an extra host that ends in a VM": {inNetwork("bridge", Lima, ExtraHost{"host.docker.internal", "host-gateway"}), onLoopback, RebindUseless, ByExtraHosts, "", ""},
	} {
		d := Judge(test.url, test.server)
		if d.Verdict != test.verdict || d.Cause != test.cause || d.RightURL != test.right || d.Host.Host != test.host {
			t.Errorf("%s: %q by %q, right URL %q, as %q; want %q by %q, %q, %q", name,
				d.Verdict, d.Cause, d.RightURL, d.Host.Host, test.verdict, test.cause, test.right, test.host)
		}
		if d.Problem.ID != "" && d.Problem.ID != d.Cause {
			t.Errorf("%s: the problem is %q, and the cause %q", name, d.Problem.ID, d.Cause)
		}
	}
}

func TestWorst(t *testing.T) {
	if got := (Report{}).Worst(); got != NoRuntime {
		t.Errorf("without a runtime: %q", got)
	}
	r := Report{Found: Found{Runtimes: []Runtime{{Tool: "docker"}}}}
	for _, test := range []struct {
		verdicts []Verdict
		want     Verdict
	}{
		{nil, ""},
		{[]Verdict{""}, ""},
		{[]Verdict{Reachable, ""}, Reachable},
		{[]Verdict{RebindNeeded, URLWrong, Reachable}, RebindNeeded},
		{[]Verdict{OllamaDown, RebindUseless}, OllamaDown},
	} {
		r.URLs = nil
		for _, v := range test.verdicts {
			r.URLs = append(r.URLs, ClientURL{Diagnosis: Diagnosis{Verdict: v}})
		}
		if got := r.Worst(); got != test.want {
			t.Errorf("worst of %q is %q, want %q", test.verdicts, got, test.want)
		}
	}
}

func TestTagsURL(t *testing.T) {
	for raw, want := range map[string]string{
		"http://h:11434":                    "http://h:11434/api/tags",
		"http://h:11434/":                   "http://h:11434/api/tags",
		"http://h:11434/v1":                 "http://h:11434/api/tags",
		"http://h:11434/v1/":                "http://h:11434/api/tags",
		"http://h:11434/v1/chat":            "http://h:11434/api/tags",
		"http://h:11434/api":                "http://h:11434/api/tags",
		"http://h:11434/api/generate":       "http://h:11434/api/tags",
		"https://h/ollama/":                 "https://h/ollama/api/tags",
		"https://h/ollama/v1":               "https://h/ollama/api/tags",
		"http://h/v12":                      "http://h/v12/api/tags",
		"http://[fd00::1]:11434":            "http://[fd00::1]:11434/api/tags",
		"http://u:p@h:11434/?x=1#f":         "http://u:p@h:11434/api/tags",
		"host.docker.internal:11434":        "",
		"ftp://h":                           "",
		"http://":                           "",
		"":                                  "",
		"http://h:port":                     "",
		"http://host.docker.internal:11434": "http://host.docker.internal:11434/api/tags",
	} {
		u, err := tagsURL(raw)
		if got := ""; err == nil {
			if got = u.String(); got != want {
				t.Errorf("tagsURL(%q) = %q, want %q", raw, got, want)
			}
		} else if want != "" {
			t.Errorf("tagsURL(%q): %v", raw, err)
		}
	}
}
