package container

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/internal/container/clients"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

var (
	dockerNative = Runtime{Tool: "docker", Product: Native}
	podmanNative = Runtime{Tool: "podman", Product: Native, Podman: true}
)

// captured reads a capture of inspect, by name.
func captured(t *testing.T, file string, rt Runtime) map[string]Container {
	t.Helper()
	all, err := parseInspect(fixture(t, file), rt)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Container{}
	for _, c := range all {
		byName[c.Name] = c
	}
	return byName
}

func TestParseInspectDocker(t *testing.T) {
	all := captured(t, "docker-linux.inspect.json", dockerNative)
	webui := all["webui"]
	want := Container{
		Runtime: dockerNative, Name: "webui", ID: webui.ID, Image: "bb:1", Running: true,
		Env:         map[string]string{"OLLAMA_BASE_URL": "http://localhost:11434"},
		ExtraHosts:  []ExtraHost{{"host.docker.internal", "host-gateway"}},
		NetworkMode: "default",
		Networks:    []Network{{Name: "bridge", Gateway: "172.17.0.1", Address: "172.17.0.3"}},
		Hostname:    webui.ID[:12],
	}
	if diff := cmp.Diff(want, webui); diff != "" {
		t.Error(diff)
	}
	list := all["list"]
	want = Container{
		Runtime: dockerNative, Name: "list", ID: list.ID, Image: "bb:1", Running: true,
		Env: map[string]string{
			"OLLAMA_BASE_URLS": "http://a:11434;http://b:11434",
			"http_proxy":       "http://user:pw@proxy:3128", "no_proxy": "localhost",
		},
		ExtraHosts:  []ExtraHost{{"six", "::1"}, {"my.host", "10.0.0.1"}},
		NetworkMode: "llm-net",
		Networks:    []Network{{Name: "llm-net", Gateway: "172.19.0.1", Address: "172.19.0.2", Aliases: []string{"llm", list.ID[:12], "web"}}},
		Hostname:    "web",
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	if c := all["hostnet"]; c.NetworkMode != "host" || !c.Running || len(c.gateways()) != 0 {
		t.Errorf("hostnet: %+v", c)
	}
	if c := all["sidecar"]; c.NetworkMode != "container:"+webui.ID || c.Networks != nil {
		t.Errorf("sidecar: %+v", c)
	}
	if c := all["failed"]; c.NetworkMode != "none" || c.Running {
		t.Errorf("failed: %+v", c)
	}
}

func TestParseInspectPodman(t *testing.T) {
	for file, rt := range map[string]Runtime{
		"podman-linux.inspect.json":        podmanNative,
		"docker-podman-linux.inspect.json": {Tool: "docker", Product: Native, Podman: true},
	} {
		all := captured(t, file, rt)
		webui := all["webui"]
		want := Container{
			Runtime: rt, Name: "webui", ID: webui.ID, Image: "localhost/bb:1", Running: true,
			Env:         map[string]string{"OLLAMA_BASE_URL": "http://localhost:11434"},
			ExtraHosts:  []ExtraHost{{"host.docker.internal", "10.88.0.1"}, {"six", "::1"}},
			NetworkMode: "bridge",
			Networks:    []Network{{Name: "podman", Gateway: "10.88.0.1", Address: "10.88.0.5", Aliases: []string{webui.ID[:12]}}},
			Hostname:    webui.ID[:12],
		}
		if diff := cmp.Diff(want, webui); diff != "" {
			t.Error(file, diff)
		}
		if c := all["list"]; c.Running || c.Networks[0].Gateway != "" || c.Hostname != "web" {
			t.Errorf("%s: list: %+v", file, c)
		}
		if c := all["sidecar"]; c.NetworkMode != "container:"+webui.ID {
			t.Errorf("%s: sidecar: %+v", file, c)
		}
	}
}

func TestInspectNerdctl(t *testing.T) {
	inspected, native := string(fixture(t, "nerdctl-CONSTRUCTED.inspect.json")), string(fixture(t, "nerdctl-CONSTRUCTED.native.json"))
	id := "4d1f9a0c5be26c3f8f0f1d0a8f6b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d"
	r := &tools{answers: map[string]said{
		"nerdctl inspect --type container -- webui":               {out: inspected},
		"nerdctl inspect --mode=native --type container -- " + id: {out: native},
	}}
	rt := Runtime{Tool: "nerdctl", Product: Lima}
	got, err := inspectOne(t.Context(), r, rt, "webui")
	if err != nil {
		t.Fatal(err)
	}
	want := Container{
		Runtime: rt, Name: "webui", ID: id, Image: "docker.io/library/busybox:latest", Running: true,
		Env:        map[string]string{"OLLAMA_BASE_URL": "http://localhost:11434"},
		ExtraHosts: []ExtraHost{{"host.docker.internal", "192.168.5.2"}},
		Networks:   []Network{{Name: "unknown-eth0", Address: "10.4.0.2"}},
		Hostname:   "4d1f9a0c5be2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Fields that say nothing.
func TestParseInspectGaps(t *testing.T) {
	got, err := parseInspect([]byte(`[{"Id":"a","NetworkSettings":{"Networks":{"bridge":{"IPAddress":"fe80::1%e","Gateway":"172.17.0.1"}}},
		"HostConfig":{"NetworkMode":"default","ExtraHosts":["a:","b","=1.1.1.1","c=[::2]","d:1.1.1.1:5","e\u001b:1.2.3.4","f:10.0.0.001"]},
		"Config":{"Env":["OLLAMA_HOST","OLLAMA_HOST=a","OLLAMA_HOST=b\u0007","SECRET=x","no_proxy="]}}]`), dockerNative)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	want := Container{
		Runtime: dockerNative, Name: "a", ID: "a", NetworkMode: "default",
		Env:        map[string]string{"OLLAMA_HOST": "b?", "no_proxy": ""},
		ExtraHosts: []ExtraHost{{"c", "::2"}},
		Networks:   []Network{{Name: "bridge", Gateway: "172.17.0.1"}},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
}

func TestInspectRefusesNames(t *testing.T) {
	for _, name := range []string{"", "-x", "--help", "-", "a b", "a/b", "/a", "ä", ".a", "_a", "a\n", strings.Repeat("a", 256)} {
		r := &tools{}
		if _, err := inspectOne(t.Context(), r, dockerNative, name); !errors.Is(err, ErrNoContainer) || len(r.asked) != 0 {
			t.Errorf("%q: %v, asked %q", name, err, r.asked)
		}
	}
}

func TestInspectErrors(t *testing.T) {
	const line = "docker inspect --type container -- nobody"
	for name, c := range map[string]struct {
		answer said
		want   error
	}{
		"missing":         {said{code: 1, out: "[]\n", stderr: string(fixture(t, "docker-no-container.stderr"))}, ErrNoContainer},
		"missing, podman": {said{code: 125, out: "[]\n", stderr: string(fixture(t, "podman-no-container.stderr"))}, ErrNoContainer},
		"missing, old":    {said{code: 1, stderr: "Error: No such object: nobody"}, ErrNoContainer},
		"nothing":         {said{}, ErrNoContainer},
		"two":             {said{out: `[{"Id":"a"},{"Id":"b"}]`}, ErrNoContainer},
		"no engine":       {said{code: 1, out: "[]\n", stderr: string(fixture(t, "docker-no-engine.stderr"))}, ErrNoEngine},
		"no permission":   {said{code: 1, out: "[]\n", stderr: string(fixture(t, "docker-no-permission.stderr"))}, ErrNoPermission},
		"junk":            {said{out: "Hello"}, launchctl.ErrFormat},
		"no ID":           {said{out: "[{}]"}, launchctl.ErrFormat},
		"hangs":           {said{err: launchctl.ErrNoAnswer}, launchctl.ErrNoAnswer},
		"no tool":         {said{err: launchctl.ErrNoTool}, launchctl.ErrNoTool},
	} {
		_, err := inspectOne(t.Context(), &tools{answers: map[string]said{line: c.answer}}, dockerNative, "nobody")
		if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "container nobody: ") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	var exit *launchctl.ExitError
	_, err := inspectOne(t.Context(), &tools{answers: map[string]said{line: {code: 7, stderr: "odd"}}}, dockerNative, "nobody")
	if !errors.As(err, &exit) || errors.Is(err, ErrNoEngine) {
		t.Errorf("a failure that says nothing of the engine: %v", err)
	}
}

func TestClients(t *testing.T) {
	all := string(fixture(t, "docker-linux.inspect.json"))
	r := &tools{answers: map[string]said{
		"docker ps --all -q --no-trunc":               {out: "aa\nbb\ncc\n"},
		"docker inspect --type container -- aa bb cc": {out: all, code: 1, stderr: "Error response from daemon: No such container: bb"},
	}}
	got, err := list(t.Context(), r, dockerNative)
	var names []string
	for _, c := range (Probe{}).clients(got) {
		names = append(names, c.Name)
	}
	if want := []string{"webui", "list", "sidecar"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("got %v, %v, want %v", names, err, want)
	}
}

func TestClientsErrors(t *testing.T) {
	for name, c := range map[string]struct {
		ps, inspect said
		want        error
		asked       int
	}{
		"none":      {said{out: "\n"}, said{}, nil, 1},
		"a flag":    {said{out: "--help"}, said{}, launchctl.ErrFormat, 1},
		"no engine": {said{code: 1, stderr: string(fixture(t, "docker-no-engine.stderr"))}, said{}, ErrNoEngine, 1},
		"stopped":   {said{out: "aa"}, said{code: 1, stderr: string(fixture(t, "docker-no-engine.stderr"))}, ErrNoEngine, 2},
		"all gone":  {said{out: "aa"}, said{code: 1, out: "[]", stderr: "Error: No such container: aa"}, nil, 2},
	} {
		r := &tools{answers: map[string]said{"docker ps --all -q --no-trunc": c.ps, "docker inspect --type container -- aa": c.inspect}}
		got, err := list(t.Context(), r, dockerNative)
		if !errors.Is(err, c.want) || len(got) != 0 || len(r.asked) != c.asked {
			t.Errorf("%s: %v, %v, asked %q", name, got, err, r.asked)
		}
	}
}

func TestWhoIsAClient(t *testing.T) {
	for _, c := range []struct {
		image string
		env   map[string]string
		want  bool
	}{
		{"ollama/ollama", map[string]string{"OLLAMA_HOST": "0.0.0.0:11434"}, false},
		{"me/app", map[string]string{"OLLAMA_HOST": "http://[::]:11434"}, false},
		{"docker.io/ollama/ollama:0.9@sha256:00", map[string]string{"OLLAMA_HOST": "127.0.0.1"}, false},
		{"r:5000/ollama/ollama", map[string]string{"OLLAMA_HOST": "127.0.0.1"}, false},
		{"me/notollama/ollama", map[string]string{"OLLAMA_HOST": "127.0.0.1"}, true},
		{"me/app", map[string]string{"OLLAMA_HOST": "127.0.0.1"}, true},
		{"ollama/ollama", map[string]string{"OLLAMA_HOST": "host.docker.internal"}, true},
		{"me/app", map[string]string{"OLLAMA_HOST": "0.0.0.0", "OLLAMA_BASE_URL": "http://x"}, true},
		{"me/app", map[string]string{"OLLAMA_BASE_URL": " "}, false},
		{"me/app", map[string]string{"http_proxy": "http://x"}, false},
		{"webui", map[string]string{"OLLAMA_BASE_URL": "/ollama"}, true},
		{"webui", map[string]string{"OLLAMA_BASE_URL": "/ollama", "USE_OLLAMA_DOCKER": "True"}, false},
	} {
		if got := (Container{Image: c.image, Env: c.env}).IsClient(0); got != c.want {
			t.Errorf("%s %v: %v", c.image, c.env, got)
		}
	}
}

// TestEveryVariable has those that the issues of clients name; each says localhost. The
// verdict has to be about that one, whatever it is called.
func TestEveryVariable(t *testing.T) {
	for _, variable := range []string{
		"OLLAMA_BASE_URL", "OLLAMA_BASE_URLS", "OLLAMA_API_BASE_URL", "OLLAMA_API_BASE", "OLLAMA_HOST",
		"OLLAMA_BASE_PATH", "EMBEDDING_BASE_PATH", "OLLAMA_API_URL", "OLLAMA_URL", "OLLAMA_ENDPOINT", "OLLAMA_SERVER_URL",
		"LLM_BASE_URL", "LLM_OLLAMA_BASE_URL", "OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_API_BASE_URL",
		"RAG_OLLAMA_BASE_URL", "RAG_OPENAI_API_BASE_URL", "SPRING_AI_OLLAMA_BASE_URL", "QUARKUS_LANGCHAIN4J_OLLAMA_BASE_URL", "BACKEND",
	} {
		c := Container{Runtime: Runtime{Tool: "docker", Product: DockerDesktop}, Image: "app", Env: clients.Keep([]string{variable + "=http://localhost:11434"})}
		s := Server{Port: 11434, Loopback: true}
		m := measurement{container: c, server: s}
		u := m.ownURLs("host.docker.internal")[0]
		u.Answer.Result = Refused
		u.Hosts = []HostResult{{Host: "host.docker.internal", Ollama: Answer{Result: OK}}}
		d := Judge(u, s)
		if !c.IsClient(0) || u.Source != variable || d.Verdict != URLWrong || d.Cause != Localhost || d.RightURL != "http://host.docker.internal:11434" {
			t.Errorf("%s: of %q: %+v", variable, u.Source, d)
		}
	}
}

func TestProxy(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		url  string
		want string
	}{
		{nil, "http://h", ""},
		{map[string]string{"http_proxy": "p", "HTTP_PROXY": "q"}, "http://h", "http_proxy"},
		{map[string]string{"HTTP_PROXY": "q"}, "http://localhost:11434", "HTTP_PROXY"},
		{map[string]string{"http_proxy": "", "HTTP_PROXY": "q"}, "http://h", ""},
		{map[string]string{"https_proxy": "p"}, "http://h", ""},
		{map[string]string{"http_proxy": "p"}, "https://h", ""},
		{map[string]string{"HTTPS_PROXY": "p", "all_proxy": "a"}, "https://h", "HTTPS_PROXY"},
		{map[string]string{"ALL_PROXY": "a"}, "http://h", "ALL_PROXY"},
		{map[string]string{"http_proxy": "p", "no_proxy": "h"}, "http://h", ""},
		{map[string]string{"http_proxy": "p", "NO_PROXY": "h"}, "http://H.", ""},
		{map[string]string{"http_proxy": "p", "no_proxy": "x", "NO_PROXY": "h"}, "http://h", "http_proxy"},
		{map[string]string{"http_proxy": "p", "no_proxy": "h:1"}, "http://h", "http_proxy"},
		{map[string]string{"http_proxy": "p", "no_proxy": "h:80"}, "http://h", ""},
		{map[string]string{"https_proxy": "p", "no_proxy": "h:443"}, "https://h", ""},
		{map[string]string{"http_proxy": "p", "no_proxy": "a, b,c  h"}, "http://h", ""},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		variable, value := (Container{Env: c.env}).Proxy(u)
		if variable != c.want || value != c.env[c.want] {
			t.Errorf("%v %s: %q %q, want %q", c.env, c.url, variable, value, c.want)
		}
	}
}

func TestExempts(t *testing.T) {
	for _, c := range []struct {
		entry, host string
		want        bool
	}{
		{"*", "h", true},
		{"h", "h", true},
		{"h", "a.h", true},
		{".h", "a.h", true},
		{".h", "h", true},
		{"*.h", "a.h", true},
		{"h.", "h", true},
		{"h", "ah", false},
		{".internal", "host.docker.internal", true},
		{"internal", "host.docker.internal", true},
		{"docker.internal:80", "host.docker.internal", true},
		{"docker.internal:81", "host.docker.internal", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.1:80", "127.0.0.1", true},
		{"127.0.0.1:81", "127.0.0.1", false},
		{"127.0.0.0/8", "127.9.9.9", true},
		{"127.0.0.0/8", "h", false},
		{"127.0.0.0/8", "128.0.0.1", false},
		{"::1", "::1", true},
		{"[::1]:80", "::1", true},
		{"[::1]:81", "::1", false},
		{"fd00::/8", "fd00::1", true},
		{".", "h", false},
		{"", "h", false},
		{":80", "h", false},
	} {
		if got := exempts(c.entry, c.host, "80"); got != c.want {
			t.Errorf("%q for %q: %v", c.entry, c.host, got)
		}
	}
}

func FuzzParseInspect(f *testing.F) {
	f.Add(fixture(f, "nerdctl-CONSTRUCTED.inspect.json"))
	f.Add([]byte(`[{"Id":"a","Config":{"Env":["OLLAMA_HOST=[::1","OLLAMA_BASE_URLS=a;http://b"]},"HostConfig":{"ExtraHosts":["a=::1"]},"NetworkSettings":{"Networks":{"n":{"Aliases":["x"]}}}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parseInspect(data, dockerNative)
		if err != nil && len(all) > 0 {
			t.Error("containers beside an error")
		}
		for _, c := range all {
			c.hostNames()
			for _, s := range clients.Targets(c.Env) {
				if problem := c.URLProblem(s.Variable, s.Value); strings.ContainsAny(problem.Host+problem.Address, "\n\x1b") {
					t.Errorf("%q", problem)
				}
			}
			c.IsClient(0)
		}
	})
}

func TestClientsInPieces(t *testing.T) {
	ids := slices.Repeat([]string{"ab"}, atOnce+1)
	r := &tools{answers: map[string]said{
		"docker ps --all -q --no-trunc":                                         {out: strings.Join(ids, "\n")},
		"docker inspect --type container -- " + strings.Join(ids[:atOnce], " "): {out: "[]"},
		"docker inspect --type container -- ab":                                 {out: `[{"Id":"a","Config":{"Env":["OLLAMA_HOST=a"]}}]`},
	}}
	if got, err := list(t.Context(), r, dockerNative); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNetworksAreSorted(t *testing.T) {
	data := `[{"Id":"a","NetworkSettings":{"IPAddress":"10.0.0.1","Networks":{"e":{},"b":{"IPv6Gateway":"fd00::1"},"d":{},"a":{"Gateway":"10.1.0.1"},"c":{}}}}]`
	all, err := parseInspect([]byte(data), dockerNative)
	if err != nil {
		t.Fatal(err)
	}
	want := []Network{{Name: "a", Gateway: "10.1.0.1"}, {Name: "b", Gateway: "fd00::1"}, {Name: "c"}, {Name: "d"}, {Name: "e"}}
	if diff := cmp.Diff(want, all[0].Networks); diff != "" {
		t.Error(diff)
	}
}
