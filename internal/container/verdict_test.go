package container

import (
	"strings"
	"testing"
)

const (
	port = 11434
	fix  = "ollama-bind fix"
)

// The answers that fetches end in.
var (
	models  = []string{"llama3.2:3b", "nomic-embed-text:latest"}
	ok      = Answer{Result: OK, Status: 200}
	refused = Answer{Result: Refused}
)

// The networks that a container may have.
var (
	forwarding = Reach{Host: "host.docker.internal", Loopback: Sight{OK, "127.0.0.1"}, Wildcard: Sight{OK, "127.0.0.1"}}
	bridged    = Reach{Host: "172.17.0.1", Loopback: Sight{Result: Refused}, Wildcard: Sight{OK, "172.17.0.2"}}
	cutOff     = Reach{Host: "host.docker.internal", Loopback: Sight{Result: Timeout}, Wildcard: Sight{Result: Timeout}, Ollama: Answer{Result: Timeout}}
)

func with(r Reach, ollama Answer) Reach {
	r.Ollama = ollama
	return r
}

// The Ollamas that a host may have.
var (
	onLoopback = Server{Port: port, Loopback: true, Rebind: fix}
	onAll      = Server{Port: port, Loopback: true, Outside: true, Rebind: fix}
	onOne      = Server{Port: port, Outside: true, Bound: "192.168.1.5:11434", Rebind: fix}
	down       = Server{Port: port, Why: "the service is not loaded", Hint: "brew services start ollama", Cause: "not-loaded"}
)

func target(source, raw string, a Answer, reaches ...Reach) Target {
	t := Target{Source: source, Value: raw, URL: raw, Answer: a, Reaches: reaches}
	if a.Result == OK {
		t.Models = models
	}
	return t
}

func TestJudge(t *testing.T) {
	const local, right = "http://localhost:11434", "http://host.docker.internal:11434"
	for _, test := range []struct {
		name    string
		target  Target
		server  Server
		verdict Verdict
		cause   string
		url     string
		fix     string
		says    string
	}{
		{"the URL answers", target("OLLAMA_BASE_URL", right, ok, with(forwarding, ok)), onLoopback,
			Reachable, "", "", "", "2 models, first llama3.2:3b"},
		{"no URL of its own, and ours answers", target("", right, ok, with(forwarding, ok)), onLoopback,
			Reachable, "", "", "", right},
		{"localhost, and loopback is reached", target("OLLAMA_BASE_URL", local, refused, with(forwarding, ok)), onLoopback,
			URLWrong, "localhost", right, "OLLAMA_BASE_URL=" + right, "itself"},
		{"localhost, and all interfaces are bound", target("OLLAMA_BASE_URL", local, refused, with(bridged, ok)), onAll,
			URLWrong, "localhost", "http://172.17.0.1:11434", "OLLAMA_BASE_URL=http://172.17.0.1:11434", "itself"},
		{"the path is kept", target("OPENAI", "http://localhost:11434/v1", refused, with(forwarding, ok)), onLoopback,
			URLWrong, "localhost", right + "/v1", right + "/v1", ""},
		{"a wrong port", target("OLLAMA_BASE_URL", "http://host.docker.internal:1143", refused, with(forwarding, ok)), onLoopback,
			URLWrong, "refused", right, right, "refused"},
		{"loopback is not reached", target("OLLAMA_BASE_URL", "http://172.17.0.1:11434", refused, with(bridged, refused)), onLoopback,
			RebindNeeded, "", "", fix, "127.0.0.1 only"},
		{"loopback is not reached, and the URL is wrong too", target("OLLAMA_BASE_URL", local, refused, with(bridged, refused)), onLoopback,
			RebindNeeded, "localhost", "http://172.17.0.1:11434", fix, local},
		{"bound to one address", target("", "http://172.17.0.1:11434", refused, with(bridged, refused)), onOne,
			RebindNeeded, "listens-elsewhere", "", fix, "192.168.1.5:11434 only"},
		{"bound to one address, and loopback is reached", target("", right, refused, with(forwarding, refused)), onOne,
			RebindNeeded, "listens-elsewhere", "", fix, "192.168.1.5:11434 only"},
		{"no way to the host", target("", right, Answer{Result: Timeout}, cutOff), onLoopback,
			RebindUseless, "network", "", "docker network ls", "however it is bound"},
		{"no way to the host, with all interfaces bound", target("", right, Answer{Result: Timeout}, cutOff), onAll,
			RebindUseless, "network", "", "docker network ls", "however it is bound"},
		{"our listener passes, Ollama does not", target("", right, Answer{Result: Timeout}, with(bridged, Answer{Result: Timeout})), onAll,
			RebindUseless, "firewall", "", "Firewall", "a firewall may"},
		{"Ollama is down", target("", right, refused, with(forwarding, refused)), down,
			OllamaDown, "not-loaded", "", "brew services start ollama", "not loaded"},
		{"Ollama is down, and the URL is wrong", target("OLLAMA_BASE_URL", local, refused, with(forwarding, refused)), down,
			OllamaDown, "not-loaded", "", "brew services start ollama", "not loaded"},
		{"another program has the port in there", target("", right, Answer{Result: "http-200", Status: 200}, with(forwarding, Answer{Result: "http-200", Status: 200})), onLoopback,
			RebindUseless, "http-200", "", "lsof -nP -iTCP:11434", "no rebind helps"},
		{"Ollama's port gives an error to the container alone", target("", right, Answer{Result: "http-502", Status: 502}, with(bridged, Answer{Result: "http-502", Status: 502})), onAll,
			RebindUseless, "http-502", "", "lsof", "http-502"},
		{"nobody has a URL, and not the first name is the right one", target("", "http://host.docker.internal:11434", Answer{Result: DNS}, Reach{Host: "host.docker.internal"}, with(bridged, ok)), onAll,
			Reachable, "", "http://172.17.0.1:11434", "", "http://172.17.0.1:11434"},
		{"it does not answer at the first try", target("OLLAMA_BASE_URL", right, refused, with(forwarding, ok)), onLoopback,
			Reachable, "refused", "", "", "try again"},
		{"written in another case", target("OLLAMA_BASE_URL", "http://Host.Docker.Internal:11434", Answer{Result: "http-500", Status: 500}, with(forwarding, ok)), onLoopback,
			Reachable, "http-500", "", "", "http-500"},
		{"loopback alone is reached, and Ollama is not there", target("", right, refused, Reach{Host: "host.docker.internal", Loopback: Sight{Result: OK}, Wildcard: Sight{Result: Timeout}}), onOne,
			RebindNeeded, "listens-elsewhere", "", fix, "192.168.1.5:11434 only"},
		{"the path is wrong", target("OLLAMA_BASE_URL", right+"/ollama", Answer{Result: "http-404", Status: 404}, with(forwarding, ok)), onLoopback,
			URLWrong, "path", right, "OLLAMA_BASE_URL=" + right, "path"},
		{"the list is not to be had", target("", right, Answer{Result: "http-500", Status: 500}, with(forwarding, ok)), onLoopback,
			Reachable, "http-500", "", "", "http-500"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.target.Container.Runtime = Runtime{Tool: "docker", Product: DockerDesktop}
			got := Judge(test.target, test.server)
			if got.Verdict != test.verdict || got.Cause != test.cause || got.RightURL != test.url {
				t.Errorf("Judge = %q by %q, right URL %q; want %q by %q, %q", got.Verdict, got.Cause, got.RightURL, test.verdict, test.cause, test.url)
			}
			if !strings.Contains(got.Fix, test.fix) || test.fix == "" && got.Fix != "" {
				t.Errorf("fix = %q, want %q in it", got.Fix, test.fix)
			}
			if got.Summary == "" || !strings.Contains(got.Summary, test.says) {
				t.Errorf("summary = %q, want %q in it", got.Summary, test.says)
			}
		})
	}
}

// An answer is only one if it is Ollama's, and what a proxy makes of it counts.
func TestJudgeProxy(t *testing.T) {
	const right = "http://host.docker.internal:11434"
	for _, test := range []struct {
		name    string
		proxied *Proxied
		verdict Verdict
	}{
		{"no proxy", nil, Reachable},
		{"a proxy that passes it on", &Proxied{Variable: "http_proxy", Answer: ok, Measured: true}, Reachable},
		{"a proxy that says something else", &Proxied{Variable: "http_proxy", Proxy: "http://10.0.0.1:3128", Answer: Answer{Result: Other, Status: 200}, Measured: true}, URLWrong},
		{"a dead proxy", &Proxied{Variable: "http_proxy", Proxy: "http://10.0.0.1:3128", Answer: refused, Measured: true}, URLWrong},
		{"a proxy that cannot be tried", &Proxied{Variable: "all_proxy"}, Reachable},
	} {
		t.Run(test.name, func(t *testing.T) {
			probed := target("OLLAMA_BASE_URL", right, ok, with(forwarding, ok))
			probed.Proxied = test.proxied
			got := Judge(probed, onLoopback)
			if got.Verdict != test.verdict {
				t.Fatalf("verdict = %q, want %q", got.Verdict, test.verdict)
			}
			if test.verdict == URLWrong && (got.Cause != "proxy" || !strings.Contains(got.Fix, "NO_PROXY=host.docker.internal") || !strings.Contains(got.Summary, "http_proxy")) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Through a proxy Ollama is reached all the same.
func TestJudgeOnlyByProxy(t *testing.T) {
	far := target("OLLAMA_BASE_URL", "http://ollama.example.com", Answer{Result: Timeout}, with(bridged, refused))
	far.Proxied = &Proxied{Variable: "http_proxy", Proxy: "http://10.0.0.1:3128", Answer: ok, Models: models, Measured: true}
	if got := Judge(far, onLoopback); got.Verdict != Reachable || !strings.Contains(got.Summary, "through the proxy in http_proxy: status 200, 2 models") {
		t.Errorf("%+v", got)
	}
	caught := target("OLLAMA_BASE_URL", "http://localhost:11434", refused, with(forwarding, ok))
	caught.Container.Env = map[string]string{"http_proxy": "http://10.0.0.1:3128"}
	if got := Judge(caught, onLoopback); !strings.HasSuffix(got.Fix, "OLLAMA_BASE_URL=http://host.docker.internal:11434, NO_PROXY=host.docker.internal and no_proxy=host.docker.internal") {
		t.Errorf("the cure runs into the proxy: %s", got.Fix)
	}
}

func TestJudgeNetworks(t *testing.T) {
	none := target("", "http://host.docker.internal:11434", refused, cutOff)
	none.Container.NetworkMode = "none"
	if got := Judge(none, onLoopback); got.Verdict != RebindUseless || got.Cause != "network-none" {
		t.Errorf("without a network: %+v", got)
	}
	misled := target("", "http://host.docker.internal:11434", Answer{Result: Timeout}, cutOff)
	misled.Container.ExtraHosts = []ExtraHost{{"Host.Docker.Internal", "192.0.2.1"}}
	if got := Judge(misled, onLoopback); got.Verdict != RebindUseless || got.Cause != "extra-hosts" {
		t.Errorf("with an extra host that leads nowhere: %+v", got)
	}
	rightOnLinux := misled
	rightOnLinux.Container.ExtraHosts = []ExtraHost{{"host.docker.internal", "host-gateway"}}
	rightOnLinux.Container.Runtime = Runtime{Tool: "docker", Product: Native}
	if got := Judge(rightOnLinux, onLoopback); got.Verdict != RebindUseless || got.Cause != "network" || got.Fix != "docker network ls" {
		t.Errorf("with a firewall between container and host: %+v", got)
	}
	rightOnLinux.Container.Networks = []Network{{Name: "web_default"}}
	if got := Judge(rightOnLinux, onLoopback); got.Fix != "docker network inspect -- web_default" {
		t.Errorf("fix = %s", got.Fix)
	}
	rightOnLinux.Container.Networks = []Network{{Name: "x; touch y"}}
	if got := Judge(rightOnLinux, onLoopback); got.Fix != "docker network inspect -- 'x; touch y'" {
		t.Errorf("fix = %s", got.Fix)
	}
}

func TestJudgeForbidden(t *testing.T) {
	forbidden := target("OLLAMA_BASE_URL", "http://a.example.com:11434", Answer{Result: "http-403", Status: 403}, with(forwarding, ok))
	forbidden.Why403 = "host-check"
	if got := Judge(forbidden, onLoopback); got.Verdict != URLWrong || got.Cause != "host-check" || !strings.Contains(got.Summary, "Host check") || got.RightURL == "" {
		t.Errorf("by the Host check: %+v", got)
	}
	forbidden = target("OLLAMA_BASE_URL", "http://host.docker.internal:11434", Answer{Result: "http-403", Status: 403}, with(forwarding, ok))
	forbidden.Why403 = "origin"
	if got := Judge(forbidden, onLoopback); got.Verdict != URLWrong || got.Cause != "origin" || !strings.Contains(got.Fix, "OLLAMA_ORIGINS") || got.RightURL != "" {
		t.Errorf("by its Origin: %+v", got)
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
		r.Targets = nil
		for _, v := range test.verdicts {
			r.Targets = append(r.Targets, Target{Diagnosis: Diagnosis{Verdict: v}})
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
