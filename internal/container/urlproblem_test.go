package container

import (
	"strings"
	"testing"
)

func TestURLProblem(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	on := func(p Product) Container {
		return Container{
			Runtime: Runtime{Tool: "docker", Product: p}, Name: "webui", ID: id, Hostname: "web", NetworkMode: "bridge",
			Networks: []Network{{Name: "bridge", Gateway: "172.19.0.1", Address: "172.19.0.7", Aliases: []string{"open-webui"}}},
			ExtraHosts: []ExtraHost{
				{"gate", "host-gateway"}, {"bridge", "172.17.0.1"}, {"own-bridge", "172.19.0.1"}, {"loop", "127.0.0.1"},
				{"loop6", "::1"}, {"lan", "192.168.1.5"},
			},
		}
	}
	hostnet := func(p Product) Container {
		c := on(p)
		c.NetworkMode, c.Hostname = "host", "mac"
		return c
	}
	borrowed := on(DockerDesktop)
	borrowed.NetworkMode = "container:ab"
	withOllama := on(DockerDesktop)
	withOllama.Env = map[string]string{"USE_OLLAMA_DOCKER": "true"}

	for _, c := range []struct {
		c               Container
		variable, value string
		want            Cause
	}{
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://localhost:11434", "localhost"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://LOCALHOST./v1", "localhost"},
		{on(Native), "OLLAMA_BASE_URL", "http://127.1.2.3:11434", "localhost"},
		{on(Native), "OLLAMA_HOST", "localhost", "localhost"},
		{on(Native), "OLLAMA_BASE_URL", "localhost:11434", "localhost"},
		{borrowed, "OLLAMA_BASE_URL", "http://localhost:11434", "localhost"},
		{hostnet(Colima), "OLLAMA_BASE_URL", "http://localhost:11434", "localhost"},
		{hostnet(Native), "OLLAMA_BASE_URL", "http://localhost:11434", ""},
		{hostnet(Native), "OLLAMA_BASE_URL", "http://mac:11434", ""},
		{hostnet(Native), "OLLAMA_BASE_URL", "http://loop:11434", ""},
		{withOllama, "OLLAMA_BASE_URL", "http://localhost:11434", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://[::1]:11434", "ipv6-loopback"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://0.0.0.0:11434", "unspecified"},
		{on(DockerDesktop), "OLLAMA_HOST", "[::]:11434", "unspecified"},
		{on(DockerDesktop), "OLLAMA_HOST", ":11434", "unspecified"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://webui:11434", "own-name"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://WEB:11434", "own-name"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://open-webui:11434", "own-name"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://172.19.0.7:11434", "own-name"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://" + id[:12] + ":11434", "own-name"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://" + id[:11] + ":11434", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://ollama:11434", ""},
		{borrowed, "OLLAMA_BASE_URL", "http://webui:11434", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://loop:11434", "extra-host-loopback"},
		{on(Native), "OLLAMA_BASE_URL", "http://Loop6:11434", "extra-host-loopback"},
		{on(RancherDesktop), "OLLAMA_BASE_URL", "http://gate:11434", "host-gateway-on-vm"},
		{on(Lima), "OLLAMA_BASE_URL", "http://gate:11434", "host-gateway-on-vm"},
		{on(Colima), "OLLAMA_BASE_URL", "http://gate:11434", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://gate:11434", ""},
		{on(Native), "OLLAMA_BASE_URL", "http://gate:11434", ""},
		{on(Colima), "OLLAMA_BASE_URL", "http://bridge:11434", "host-gateway-on-vm"},
		{on(Colima), "OLLAMA_BASE_URL", "http://own-bridge:11434", "host-gateway-on-vm"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://172.17.0.1:11434", "host-gateway-on-vm"},
		{on(PodmanMachine), "OLLAMA_BASE_URL", "http://172.19.0.1:11434", "host-gateway-on-vm"},
		{on(Native), "OLLAMA_BASE_URL", "http://172.17.0.1:11434", ""},
		{on(UnknownProduct), "OLLAMA_BASE_URL", "http://172.17.0.1:11434", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "host.docker.internal:11434", "no-scheme"},
		{on(DockerDesktop), "OLLAMA_HOST", "host.docker.internal", ""},
		{on(DockerDesktop), "OLLAMA_HOST", "http://host.docker.internal", "no-port"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://host.docker.internal/v1", "no-port"},
		{on(Native), "OLLAMA_BASE_URL", "http://172.19.0.1", "no-port"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://ollama.example", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "https://host.docker.internal:11434", "https"},
		{on(Native), "OLLAMA_BASE_URL", "HTTPS://gate", "https"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "https://ollama.example", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://host.docker.internal:11434", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://lan:11434", ""},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "/ollama", ""},
		{on(DockerDesktop), "OLLAMA_API_BASE", "/ollama", "not-a-url"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http:/host:1", "not-a-url"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", `"http://host:1"`, "quotes"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", `"nonsense"`, "not-a-url"},
		{on(DockerDesktop), "OLLAMA_BASE_URL", "http://host.docker.internal:11434/api", "base-path"},
		{on(DockerDesktop), "LLM_OLLAMA_URL", "http://host.docker.internal:11434/v1/", "base-path"},
		{on(DockerDesktop), "OLLAMA_API_BASE_URL", "http://host.docker.internal:11434/api", ""},
		{on(DockerDesktop), "OLLAMA_API_URL", "http://host.docker.internal:11434/api/generate", "base-path"},
		{on(DockerDesktop), "OPENAI_BASE_URL", "http://host.docker.internal:11434/v1", ""},
		{on(DockerDesktop), "OLLAMA_OPENAI_URL", "http://host.docker.internal:11434/v1", ""},
	} {
		got := c.c.URLProblem(c.variable, c.value)
		if got.ID != c.want || c.want == "" && got.Host != "" {
			t.Errorf("%s %s %s=%s: %+v, want %q", c.c.Runtime.Product, c.c.NetworkMode, c.variable, c.value, got, c.want)
		}
	}
}
